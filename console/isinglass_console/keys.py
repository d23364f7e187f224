"""Every key of the console in one table: the bindings, the help page and the key map come from it.

Each binding has an id, and the operator's own keys go by these ids:

    # $XDG_CONFIG_HOME/isinglass/keys.toml
    quit = "ctrl+q"
    "move.down" = "down,j"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Key:
    """One binding: its id, its keys as Textual names them, its action, and its line of help."""

    id: str
    keys: str
    action: str
    group: str
    help: str
    shown: str = ""


KEYS: tuple[Key, ...] = (
    Key("view.overview", "1", "view('overview')", "Views", "overview: every node side by side"),
    Key("view.probes", "2", "view('probes')", "Views", "probes: where each thread is"),
    Key("view.queue", "3", "view('queue')", "Views", "queue: what was merged away, what waits"),
    Key("view.flow", "4", "view('flow')", "Views", "flow: who limits the cluster, who is held up"),
    Key("view.lag", "5", "view('lag')", "Views", "lag: who is behind whom, and how it heals"),
    Key("view.store", "6", "view('store')", "Views", "store and timers"),
    Key("view.log", "7", "view('log')", "Views", "log: the events of all nodes"),
    Key("view.alarms", "8", "view('alarms')", "Views", "alarms: what is wrong, by a monitor"),
    Key("view.panels", "9,p", "view('panels')", "Views", "panels: every field of every process"),
    Key("view.next", "tab", "view_next(1)", "Views", "the next view"),
    Key("view.previous", "shift+tab", "view_next(-1)", "Views", "the view before"),
    Key("zoom", "z", "zoom", "Views", "zoom: the table alone, and back"),
    Key("move.down", "j,down", "move(1)", "Move", "one row down", "j"),
    Key("move.up", "k,up", "move(-1)", "Move", "one row up", "k"),
    Key("move.page_down", "pagedown,ctrl+f", "page(1)", "Move", "one page down", "PgDn"),
    Key("move.page_up", "pageup,ctrl+b", "page(-1)", "Move", "one page up", "PgUp"),
    Key("move.first", "g,home", "move(-100000)", "Move", "the first row", "g"),
    Key("move.last", "G,end", "move(100000)", "Move", "the last row", "G"),
    Key("node.next", "l,right", "node(1)", "Move", "the next node", "l"),
    Key("node.previous", "h,left", "node(-1)", "Move", "the node before", "h"),
    Key("open", "enter", "open", "Move", "open it: a thread's source, an event's time"),
    Key("back", "escape", "back", "Move", "back; clears the filter"),
    Key("filter", "slash", "filter", "Find", "show only rows that match (regex; ! inverts)"),
    Key("match.next", "n", "match(1)", "Find", "the next match"),
    Key("match.previous", "N", "match(-1)", "Find", "the match before"),
    Key("log.severity", "w", "log_severity", "Find", "log: only warnings; only errors; all"),
    Key("log.node", "o", "log_node", "Find", "log: only the selected node; all"),
    Key("sort.left", "<,comma", "sort_column(-1)", "Find", "sort by the column to the left", "<"),
    Key("sort.right", ">,full_stop", "sort_column(1)", "Find", "sort by the column right", ">"),
    Key("sort.invert", "I", "sort_invert", "Find", "turn the order round"),
    Key("freeze", "f", "freeze", "Find", "freeze the order of rows"),
    Key("tag", "x", "tag", "Find", "tag the row"),
    Key("copy", "y", "copy", "Find", "copy the row (or the tagged ones)"),
    Key("pause", "space", "pause", "Time", "pause; again: live"),
    Key("step.back", "[", "step(-1)", "Time", "one step back"),
    Key("step.on", "]", "step(1)", "Time", "one step on"),
    Key("step.back_ten", "{", "step(-10)", "Time", "ten steps back"),
    Key("step.on_ten", "}", "step(10)", "Time", "ten steps on"),
    Key("time", "b", "go_to_time", "Time", "go to a time: -3m, -90, 14:02:30"),
    Key("live", "L", "live", "Time", "live again"),
    Key("play", "P", "play", "Time", "play on from here; again: pause"),
    Key("play.slower", "(", "speed(-1)", "Time", "play slower"),
    Key("play.faster", ")", "speed(1)", "Time", "play faster"),
    Key("record", "R", "record", "Time", "record to a file; again: end it"),
    Key("save", "W", "save", "Time", "save the last minutes to a file"),
    Key("baseline", "=", "baseline", "Time", "count from now on; again: rates"),
    Key("rate.up", "+", "faster(1)", "Time", "more frames a second"),
    Key("rate.down", "-", "faster(-1)", "Time", "fewer frames a second"),
    Key("note", "m", "note", "Alarms", "make a note on the timeline, for all to read"),
    Key("alarm.acknowledge", "a", "acknowledge", "Alarms", "take the alarm in hand"),
    Key("alarm.silence", "s", "silence", "Alarms", "silence its rule for its node, for a time"),
    Key("demo.stop", "Z", "deed('stop')", "Demo", "stop the node (SIGSTOP); again: it goes on"),
    Key("demo.kill", "K", "deed('kill')", "Demo", "kill the node (kill -9)"),
    Key("demo.start", "U", "deed('start')", "Demo", "start the node again"),
    Key("palette", "colon,ctrl+p", "command_palette", "Console", "command palette", ":"),
    Key("help", "?,f1", "help", "Console", "this page"),
    Key("quit", "q,ctrl+c", "quit", "Console", "quit"),
)
DEMO = "Demo"
# The help page says these for the key and the next one in the table together.
TOGETHER = {
    "view.next": "the next view, the one before",
    "move.down": "one row down, up",
    "move.page_down": "one page down, up",
    "move.first": "the first row, the last",
    "node.next": "the next node, the one before",
    "match.next": "the next match, the one before",
    "sort.left": "sort by the column left, right",
    "step.back": "one step back, on",
    "step.back_ten": "ten steps back, on",
    "play.slower": "play slower, faster",
    "rate.up": "more or fewer frames a second",
}

_NAMES = {
    "slash": "/", "escape": "Esc", "enter": "Enter", "pagedown": "PgDn", "pageup": "PgUp",
    "comma": ",", "full_stop": ".", "tab": "Tab", "shift+tab": "⇧Tab", "home": "Home",
    "end": "End", "colon": ":", "down": "↓", "up": "↑", "left": "←", "right": "→", "f1": "F1",
}  # fmt: skip


def shown(key: Key, keymap: Mapping[str, str]) -> str:
    """Return the keys of a binding as the help page prints them."""
    own = keymap.get(key.id)
    if own is None and key.shown:
        return key.shown
    names = (own or key.keys).split(",")
    return " ".join(
        _NAMES.get(name.strip(), name.strip().replace("ctrl+", "^")) for name in names if name
    )


def help_lines(group: str, keymap: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the keys and the help of a group, keys that belong together on one line."""
    lines: list[tuple[str, str]] = []
    keys = [key for key in KEYS if key.group == group]
    for before, key in zip([None, *keys], keys, strict=False):
        if before is not None and before.id in TOGETHER:
            first = lines[-1][0]
            lines[-1] = (f"{first} {shown(key, keymap)}", TOGETHER[before.id])
        else:
            lines.append((shown(key, keymap), key.help))
    return lines


def groups(demo: bool = False) -> list[str]:
    """Return the groups in the order of the table; that of the demo only when there is one."""
    every = dict.fromkeys(key.group for key in KEYS)
    return [group for group in every if demo or group != DEMO]


def keymap_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the operator's own keys are looked for."""
    base = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "isinglass" / "keys.toml"


def load_keymap(path: Path) -> tuple[dict[str, str], str]:
    """Return the operator's keys by binding id, and one sentence about what is wrong, or "".

    A bad file never keeps the console from starting: what is right in it is used.
    """
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except FileNotFoundError:
        return {}, ""
    except OSError as reason:
        return {}, f"{path} cannot be read ({reason.strerror}); using the keys built in"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as reason:
        return {}, f"{path} is not TOML ({reason}); using the keys built in"
    known = {key.id for key in KEYS}
    flat = _flat(table)
    good = {name: keys for name, keys in flat.items() if name in known and _usable(keys)}
    bad = [name for name in flat if name not in good]
    if not bad:
        return good, ""
    first = bad[0]
    why = "is no binding" if first not in known else "needs keys such as 'j,down'"
    return good, f"{path}: {first!r} {why}; see ? for the ids" + (
        f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    )


def _flat(table: Mapping[str, object], before: str = "") -> dict[str, str]:
    entries: dict[str, str] = {}
    for name, value in table.items():
        whole = f"{before}{name}"
        if isinstance(value, dict):
            entries.update(_flat(value, f"{whole}."))
        else:
            entries[whole] = value if isinstance(value, str) else ""
    return entries


def _usable(keys: str) -> bool:
    return bool(keys) and all(part.strip() for part in keys.split(","))
