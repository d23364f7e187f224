"""Textual's parser of what a terminal sends, which never takes what was pasted for keys.

Textual's own goes on looking for keys in the text of a paste: an escape sequence in it runs as what
it looks like, and so does what follows. Here all from the mark of a paste's beginning to that of
its end is text, and Textual sees none of it.

A text that has the mark of the end in it cannot be told from its own end, and what follows would
run as keys. So for the time in which nobody turns from pasting to typing, only another paste is
taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.events import Paste
from textual.message import Message

from isinglass import clock

DEAF_NS = 100_000_000


class PasteParser(XTermParser):
    """Gives what is typed as keys, and each paste as one line of text.

    Args:
        debug: whether Textual is to log what it parses.
        now_ns: what tells the time.
    """

    def __init__(self, debug: bool = False, now_ns: Callable[[], int] = clock.monotonic_ns) -> None:
        super().__init__(debug)
        self._now_ns = now_ns
        self._deaf_since_ns: int | None = None
        self._pasting = False
        self._pasted: list[str] = []
        self._latest = ""

    def feed(self, data: str) -> Iterable[Message]:
        """Yield what came, in its order; a mark may come in pieces."""
        if self._deaf_since_ns is not None and self._now_ns() - self._deaf_since_ns >= DEAF_NS:
            self._deaf_since_ns = None
        for letter in data:
            self._latest = (self._latest + letter)[-len(BRACKETED_PASTE_END) :]
            if self._pasting:
                self._pasted.append(letter)
                if self._latest == BRACKETED_PASTE_END:
                    yield from self._end()
            else:
                if self._deaf_since_ns is None:
                    yield from super().feed(letter)
                self._pasting = self._latest == BRACKETED_PASTE_START

    def _end(self) -> Iterable[Message]:
        # Textual, which saw the beginning, tells of a paste of nothing.
        list(super().feed(BRACKETED_PASTE_END))
        text = one_line("".join(self._pasted[: -len(BRACKETED_PASTE_END)]))
        self._pasted.clear()
        self._pasting = False
        self._deaf_since_ns = self._now_ns()
        if text:
            yield Paste(text)


def one_line(text: str) -> str:
    """Return a text with one space for the white space between words, and no control characters."""
    return "".join(filter(str.isprintable, " ".join(text.split())))
