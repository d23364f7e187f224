"""The operator's own keys: what they do, what the screen calls them, and what is no key of his."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._keyboard_protocol import FUNCTIONAL_KEYS, MODIFIER_FUNCTIONAL_KEYS
from textual._xterm_parser import XTermParser
from textual.pilot import Pilot

from console.playing import play, screen_text
from console.stage import Stage, filled_desk
from isinglass_console.app import IsinglassApp
from isinglass_console.keymap import is_key, load_keymap
from isinglass_console.keys import KEYS, named

OWN = """
quit = "ctrl+q"
pause = "c"
"step.back" = "left_square_bracket"
filter = "F"
help = "f2"
live = "V"
"view.queue" = "r"
"move.down" = "k,down"
"move.up" = "j,up"
"source.up" = "ctrl+up"
"source.leave" = "backspace,q"
back = "Q"
open = "i"
"log.severity" = "H"
"""
NEVER_SENT = ("ctrl+banana", "banana", "shift+a", "Enter", "pgdn", "control+q", "shift+ctrl+left")


def console(folder: Path, alder: Stage, content: str) -> IsinglassApp:
    path = folder / "keys.toml"
    path.write_bytes(content.encode("latin-1"))
    return IsinglassApp(desk=filled_desk(alder, ticks=3), feeding=False, keymap_path=path)


def problem(folder: Path, content: str) -> tuple[dict[str, str], str]:
    """Return what of a file is used, and what is said of it after the file's name."""
    path = folder / "keys.toml"
    path.write_text(content)
    found, sentence = load_keymap(path)
    assert not sentence or sentence.startswith(f"{path}:")
    return found, sentence.removeprefix(f"{path}:")


# ---------------------------------------------------------------------- on the screen
def test_a_key_map_of_ones_own(alder: Stage, tmp_path: Path) -> None:
    app = console(tmp_path, alder, f"{OWN}nonsense = 'k'\n")

    async def script(pilot: Pilot[int]) -> None:
        assert "'nonsense' is no binding" in screen_text(app)
        await pilot.press("r")
        assert app.desk.settings.view == "queue"
        await pilot.press("1", "3")
        assert app.desk.settings.view == "overview", "the old key is free"
        await pilot.press("2", "g", "k")
        assert screen_text(app).index("▸") > screen_text(app).index("applier"), (
            "j and k are swapped"
        )

    play(app, script, (160, 40))


def test_the_last_row_names_ones_own_keys(alder: Stage, tmp_path: Path) -> None:
    app = console(tmp_path, alder, OWN)

    def last_row() -> str:
        return screen_text(app).split("\n")[-1].rstrip()

    async def script(pilot: Pilot[int]) -> None:
        assert last_row().endswith("c pause   [ ] step   F filter   f2 help   ^q quit")
        await pilot.press("c")
        assert last_row().endswith("[ ] step   e w trouble   V live   f2 help   ^q quit")
        await pilot.press("V", "7")
        assert "i: that instant in every view   H: severity   o: this node" in screen_text(app)
        await pilot.press("F", *"alder", "enter")
        assert "/alder  Q clears" in last_row()
        await pilot.press("Q", "2", "i")
        assert "^↑ ↓ thread" in last_row()
        assert last_row().endswith("L live   ⌫ back"), "the key of that screen"

    play(app, script, (160, 40))


def test_every_text_that_names_keys_knows_them() -> None:
    for key in KEYS:
        assert "<" not in named(f"<{key.id}>", {}).replace("<", "", key.keys.startswith("<"))
    assert named("<sort.left> <quit>", {"quit": "ctrl+q,q"}) == "< ^q"


# ---------------------------------------------------------------------- what is wrong
@pytest.mark.parametrize("content", ["quit = [", "quit = 3\n", "\xff\xfe"])
def test_a_bad_key_map_is_one_sentence(alder: Stage, tmp_path: Path, content: str) -> None:
    app = console(tmp_path, alder, content)

    async def script(pilot: Pilot[int]) -> None:
        assert "keys.toml" in screen_text(app)
        await pilot.press("2")
        assert app.desk.settings.view == "probes"

    play(app, script, (200, 40))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nquite = 'q'\n", "2: 'quite' is no binding, did you mean quit; "),
        ("[move]\n\ndown = 3\n", "3: 'move.down' needs keys such as 'j,down'"),
        ("move.down = ''\n", "1: 'move.down' needs keys such as"),
        ("'move.down' = 'c,,'\n", "1: 'move.down' needs keys such as"),
        ("quit = 'ctrl+banana'\n", "1: 'ctrl+banana' of quit is no key; a key is such as 'q', "),
        ("\nquit = 'q, Esc'\n", "2: 'Esc' of quit is no key, did you mean escape; "),
        ("quit = 'shift+ctrl+F4'\n", "1: 'shift+ctrl+F4' of quit is no key, did you mean ctrl+sh"),
        ("quit = 'shift+c'\n", "1: 'shift+c' of quit is no key, did you mean C; "),
        ("quit = 'ctrl+/'\n", "1: 'ctrl+/' of quit is no key, did you mean ctrl+slash; "),
    ],
)
def test_a_key_that_cannot_be_used_is_told_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    found, sentence = problem(tmp_path, text)
    assert not found
    assert sentence.startswith(said)


@pytest.mark.parametrize(
    ("text", "used", "said"),
    [
        (
            "[move]\ndown = 'c'\nup = 'r,c'\n",
            {"move.down": "c"},
            "3: 'c' is the key of move.down and of move.up: give one of the two another",
        ),
        (
            "'move.down' = 'h'\n",
            {},
            "1: 'h' is the key of node.previous and of move.down: give one of the two another",
        ),
        ("help = '?'\nfilter = 'question_mark'\n", {"help": "?"}, "2: 'question_mark' is the key"),
        ("'source.up' = 'ctrl+q'\n", {}, "1: 'ctrl+q' is the key of quit and of source.up"),
        # What is left out has its built-in key again.
        (
            "'view.queue' = 'w'\n'warning.next' = 'Esc'\n",
            {},
            "2: 'Esc' of warning.next is no key, did you mean escape; a key is such as 'q',"
            " 'ctrl+q', 'f1', 'pagedown' or 'slash' (and 1 more)",
        ),
    ],
)
def test_two_actions_on_one_key_are_named(
    tmp_path: Path, text: str, used: dict[str, str], said: str
) -> None:
    found, sentence = problem(tmp_path, text)
    assert found == used
    assert sentence.startswith(said)


def test_what_is_right_is_not_told_of(tmp_path: Path) -> None:
    # Keys of another screen, a key that its action had already, two that change places.
    for text in (OWN, "'source.up' = 'h'\n'source.back' = 'k'\n", "quit = 'q,q,ctrl+c'\n"):
        found, sentence = problem(tmp_path, text)
        assert found and not sentence


# ---------------------------------------------------------------------- what a terminal sends
def sent(sequences: list[str]) -> set[str]:
    """Return the keys that Textual makes of what a terminal sends."""
    parser = XTermParser()
    messages = [message for sequence in sequences for message in parser.feed(sequence)]
    return {message.key for message in messages if isinstance(message, events.Key)}


def test_each_key_that_a_terminal_sends_is_one() -> None:
    letters = [chr(code) for code in range(33, 127)]
    old = [sequence for sequence, keys in ANSI_SEQUENCES_KEYS.items() if isinstance(keys, tuple)]
    functional = [
        f"\x1b[{code[:-1]};{1 + modifiers}{code[-1]}"
        for code, name in FUNCTIONAL_KEYS.items()
        for modifiers in range(16)
        if name not in MODIFIER_FUNCTIONAL_KEYS
    ]
    found = {key for key in sent([*letters, *old, *functional]) if key.isprintable()}
    # The sign itself is the name of one that is not ASCII; no keyboard has a key for this.
    assert {key for key in found if not is_key(key)} <= {"ctrl+section_sign"}
    assert {"a", "G", "ctrl+a", "alt+shift+left", "ctrl+pagedown", "question_mark"} <= found


@pytest.mark.parametrize("key", NEVER_SENT)
def test_what_no_terminal_sends_is_none(key: str) -> None:
    assert not is_key(key)
