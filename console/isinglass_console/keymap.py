"""The operator's own keys: a file of binding ids, checked key by key and against each other.

    # $XDG_CONFIG_HOME/isinglass/keys.toml
    quit = "ctrl+q"
    "move.down" = "down,j"

Textual binds whatever it is told: a key that nothing sends would be a dead one, and of two actions
on one key the second would never be done. Both are told with their line instead.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import punctuation

from textual._keyboard_protocol import FUNCTIONAL_KEYS, MODIFIER_FUNCTIONAL_KEYS
from textual.binding import Binding, InvalidBinding

from isinglass.cli.options import near
from isinglass.toml_lines import TomlLines
from isinglass_console.keys import KEYS, of_screen

Keymap = dict[str, str]
ANYWHERE = {"ctrl+q": "quit", "ctrl+p": "palette"}  # the app's own; no screen sees these keys
MODIFIERS = ("alt", "ctrl", "hyper", "meta", "shift", "super")
SUCH_AS = "a key is such as 'q', 'ctrl+q', 'f1', 'pagedown' or 'slash'"


def split_keys(keys: str) -> list[str]:
    """Return keys apart, each by the name under which Textual looks for it.

    Raises:
        InvalidBinding: there is nothing between two commas.
    """
    return [binding.key for binding in Binding.make_bindings([Binding(keys, "")])]


SIGNS = frozenset(name for sign in punctuation if sign != "," for name in split_keys(sign)) | {
    "comma"
}
NAMES = frozenset({"space", *FUNCTIONAL_KEYS.values()} - MODIFIER_FUNCTIONAL_KEYS)


def keymap_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the operator's own keys are looked for."""
    base = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "isinglass" / "keys.toml"


def load_keymap(path: Path) -> tuple[Keymap, str]:
    """Return the operator's keys by binding id, and one sentence about what is wrong, or "".

    A bad file never keeps the console from starting: what is right in it is used.
    """
    try:
        text = path.read_text("utf-8")
        table = tomllib.loads(text)
    except FileNotFoundError:
        return {}, ""
    except OSError as reason:
        return {}, f"{path} cannot be read ({reason.strerror}); using the keys built in"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as reason:
        return {}, f"{path} is not TOML ({reason}); using the keys built in"
    own = _flat(table)
    wrong = {name: why for name, keys in own.items() if (why := _wrong(name, keys))}
    good = {name: keys for name, keys in own.items() if name not in wrong}
    # What is left out has its built-in keys again, which another may have taken.
    while clash := _clash(good):
        name, wrong[name] = clash
        del good[name]
    if not wrong:
        return good, ""
    name, why = next(iter(wrong.items()))
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return good, f"{path}:{_line_of(TomlLines(text), name)}: {why}{more}"


def is_key(key: str) -> bool:
    """Return whether a terminal can send a key of this name, as far as Textual knows."""
    *modifiers, name = _parts(key)
    if not modifiers and len(key) == 1:
        return key.isprintable()
    if modifiers != sorted(set(modifiers) & set(MODIFIERS)):
        return False
    character = name in SIGNS or (len(name) == 1 and name.isalnum() and name == name.lower())
    # A terminal sends a capital, not shift with a letter; and ctrl+@ is ctrl+space of most.
    return name in NAMES or (character and modifiers != ["shift"]) or key == "ctrl+@"


def _parts(key: str) -> list[str]:
    return key.split("+") if key != "+" else [key]


def _wrong(name: str, keys: str) -> str:
    """Return what is wrong with an entry by itself, or ""."""
    if name not in (known := [key.id for key in KEYS]):
        return f"{name!r} is no binding{near(name, known)}; the command palette shows the ids"
    try:
        split_keys(keys)
    except InvalidBinding:
        return f"{name!r} needs keys such as 'j,down'; that of a comma is 'comma'"
    bad = next((key for key in map(str.strip, keys.split(",")) if not is_key(key)), "")
    return f"{bad!r} of {name} is no key{_meant(bad)}; {SUCH_AS}" if bad else ""


def _meant(bad: str) -> str:
    """Return which key was probably meant, as the end of a sentence; "" when nobody knows."""
    *modifiers, name = _parts(bad)
    modifiers = sorted({modifier.lower() for modifier in modifiers})
    if modifiers == ["shift"] and len(name) == 1 and name.isalpha():
        return f", did you mean {name.upper()}"
    name = split_keys(name)[0] if len(name) == 1 and name in punctuation else name.lower()
    tidy = "+".join((*modifiers, name))
    return f", did you mean {tidy}" if is_key(tidy) else near(name, sorted(NAMES | SIGNS))


def _clash(own: Mapping[str, str]) -> tuple[str, str] | None:
    """Return an entry with a key that another action of its screen has already, and a sentence."""
    for screen in dict.fromkeys(key.screen for key in KEYS):
        built_in = {key.id: key.keys for key in of_screen(screen)}
        kept = {name: keys for name, keys in built_in.items() if name not in own}
        taken = {name: keys for name, keys in own.items() if name in built_in}
        owners = dict(ANYWHERE)
        for name, key in _each({**kept, **taken}):
            other = owners.setdefault(key, name)
            if other != name:
                both = f"{key!r} is the key of {other} and of {name}"
                return name, f"{both}: give one of the two another"
    return None


def _each(entries: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return ((name, key) for name, keys in entries.items() for key in split_keys(keys))


def _line_of(lines: TomlLines, name: str) -> int:
    """Return where a binding stands: as a key with dots, or below a header `[move]`."""
    parts = name.split(".")
    splits = ((".".join(parts[:at]), ".".join(parts[at:])) for at in range(len(parts)))
    return next((line for table, key in splits if (line := lines.line(table, 0, key))), 0)


def _flat(table: Mapping[str, object], before: str = "") -> Keymap:
    entries: Keymap = {}
    for name, value in table.items():
        whole = f"{before}{name}"
        if isinstance(value, dict):
            entries.update(_flat(value, f"{whole}."))
        else:
            entries[whole] = value if isinstance(value, str) else ""
    return entries
