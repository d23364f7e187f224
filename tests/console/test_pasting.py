"""What is pasted is text, whatever is in it: by the parser alone, and in a real terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.events import Key, Paste
from textual.message import Message

from at_work import working_node
from cli.commands import COMMAND
from console.terminal import Terminal, environment
from isinglass_console.pasting import DEAF_NS, PasteParser, one_line
from waiting import wait_until

BEGIN, END = "\x1b[200~", "\x1b[201~"
GARBAGE = "ab\x1b[31mmgarbage\nxyz"
LONG = "q\x1b[A\x1b\x1bm\r\x1b[<0;3;3Mk\x03" * 400
# Pieces of which the parser could make something: marks, what begins like one, keys, the mouse.
PIECES = st.sampled_from(
    [BEGIN, "\x1b", "\x1b[", "\x1b[20", "\x1b[200", "[201~", "\x1b[31m", "\x1bOP", "\x1b[<0;3;3M"]
)
TEXTS = st.lists(st.text() | PIECES).map("".join)


class Clock:
    """A clock that is set."""

    ns = 0

    def __call__(self) -> int:
        return self.ns


def fed(parser: PasteParser, text: str, cuts: list[int]) -> list[Message]:
    """Return what a parser gives of a text that comes in pieces."""
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]
    return [message for piece in pieces for message in parser.feed(piece)]


def keys(messages: list[Message]) -> list[str]:
    """Return which keys messages are; nothing else may be among them."""
    assert all(isinstance(message, Key) for message in messages), messages
    return [message.key for message in messages if isinstance(message, Key)]


def texts_of(messages: list[Message]) -> list[str]:
    """Return the texts of pastes; nothing else may be among them."""
    assert all(isinstance(message, Paste) for message in messages), messages
    return [message.text for message in messages if isinstance(message, Paste)]


@given(text=TEXTS.filter(lambda text: END not in text), cuts=st.lists(st.integers(0)))
def test_a_paste_is_its_text_however_it_is_cut(text: str, cuts: list[int]) -> None:
    now = Clock()
    parser = PasteParser(now_ns=now)
    key, *pastes = fed(parser, f"j{BEGIN}{text}{END}", cuts)
    assert keys([key]) == ["j"]
    assert texts_of(pastes) == ([one_line(text)] if one_line(text) else [])
    now.ns += DEAF_NS
    assert keys(fed(parser, "k\x1b[A", [])) == ["k", "up"]


@given(texts=st.lists(TEXTS, min_size=2), cuts=st.lists(st.integers(0)))
def test_what_follows_an_end_within_a_paste_is_no_key(texts: list[str], cuts: list[int]) -> None:
    now = Clock()
    parser = PasteParser(now_ns=now)
    texts_of(fed(parser, f"{BEGIN}{END.join(texts)}{END}", cuts))
    now.ns += DEAF_NS
    assert keys(fed(parser, "k", [])) == ["k"]


def test_what_follows_a_mark_whose_pieces_come_late_is_no_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("textual.constants.ESCAPE_DELAY", 0.0)
    parser = PasteParser()
    for piece in ("\x1b[20", "0~"):
        keys([*parser.feed(piece), *parser.tick()])
    pieces = ("q\x1b", "[31mm", "\x1b[20", "1~")
    assert texts_of([one for piece in pieces for one in (*parser.feed(piece), *parser.tick())]) == [
        "q[31mm"
    ]


def test_a_text_of_several_lines_is_one_line() -> None:
    assert one_line("\tab\x1b[31m \r\n\x07cd\x85\u2028e\x7f\n") == "ab[31m cd e"


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    """A console on a node that works, in a window of tmux."""
    window = Terminal(home / "tmux", environment())
    with working_node("alder"):
        window.start(f"exec {COMMAND} console --interval 0.5")
        window.wait_for("working_node.py:")
        yield window
        window.stop()


@pytest.mark.terminal
@pytest.mark.slow
@pytest.mark.parametrize(
    "text", [GARBAGE, LONG, f"a{END}m{GARBAGE}{END}K"], ids=["short", "long", "with an end"]
)
def test_a_paste_on_the_main_screen_does_nothing(terminal: Terminal, text: str) -> None:
    terminal.press("space")
    before = still(terminal.wait_for("PAUSED"))
    terminal.paste(text)
    wait_until(lambda: palette_opens(terminal), "keys are taken again")
    terminal.press("Escape")
    wait_until(lambda: "🔎" not in terminal.screen(), "the palette is gone")
    assert still(terminal.screen()) == before


def still(screen: str) -> str:
    """Return a screen without what moves on while it is paused: how long ago its moment is."""
    return re.sub(r" *PAUSED [−\d:]+", "", screen)


def palette_opens(terminal: Terminal) -> bool:
    """Ask for the palette, under which all stays as it is: just after a paste no key is taken."""
    terminal.press(":")
    return "🔎" in terminal.screen()


@pytest.mark.terminal
@pytest.mark.slow
@pytest.mark.parametrize(("key", "hint"), [("/", "regex; ! inverts"), (":", "Search for commands")])
def test_a_prompt_takes_a_paste_as_one_line(terminal: Terminal, key: str, hint: str) -> None:
    before = beginnings(terminal)
    terminal.press(key)
    terminal.wait_for(hint)
    terminal.paste(f"\n{GARBAGE}\n")
    wait_until(lambda: re.search(r" ab\[31mmgarbage xyz$", terminal.screen(), re.M), "the text")
    wait_until(lambda: left_again(terminal, before), "the screen as it was")


def beginnings(terminal: Terminal) -> list[str]:
    """Return what the rows begin with, which stays as it is while figures move."""
    return [row[:10] for row in terminal.screen().split("\n")]


def left_again(terminal: Terminal, before: list[str]) -> bool:
    terminal.press("Escape")
    return beginnings(terminal) == before
