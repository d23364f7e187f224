"""The glyphs that carry meaning, and what stands for them where the locale is not UTF-8.

The fall-back is applied once, where a line becomes cells: nothing above knows which terminal it is
drawn in. A glyph first, colour second: each state is told apart without any colour.
"""

from __future__ import annotations

import codecs
import locale
from collections.abc import Iterator, Mapping

WELL, WARNING, CRITICAL, STALE, UNKNOWN = "·", "▲", "✖", "~", "?"
SELECTED, TAGGED = "▸", "◆"
WORKS, WAITS = "●", "○"

_ASCII = {
    "·": ".", "▲": "!", "✖": "X", "▸": ">", "◆": "+", "●": "*", "○": "o",
    "─": "-", "━": "=", "│": "|", "┃": "|", "┬": "+", "┴": "+", "┼": "+", "├": "+", "┤": "+",
    "╎": ":", "▁": "_", "▂": "_", "▃": ".", "▄": "-", "▅": "-", "▆": "=", "▇": "=", "█": "#",
    "▏": " ", "▎": " ", "▍": ":", "▌": ":", "▋": "=", "▊": "=", "▉": "#", "▐": ":",
    "−": "-", "–": "-", "…": "~", "µ": "u", "↑": "^", "↓": "v", "←": "<", "→": ">", "×": "x",
    "Δ": "d", "τ": "t", "≤": "<", "≥": ">", "▾": "v", "▴": "^",
}  # fmt: skip


class AsciiTable(Mapping[int, str]):
    """For `str.translate`: our glyphs by their stand-ins, everything else not ASCII by `?`."""

    def __getitem__(self, code: int) -> str:
        if code < 128:
            raise LookupError(code)
        return _ASCII.get(chr(code), "?")

    def __iter__(self) -> Iterator[int]:
        return (ord(glyph) for glyph in _ASCII)

    def __len__(self) -> int:
        return len(_ASCII)


ASCII = AsciiTable()


def terminal_speaks_utf8() -> bool:
    """Return whether the locale's encoding is UTF-8 (Python's own UTF-8 mode does not count)."""
    try:
        return codecs.lookup(locale.nl_langinfo(locale.CODESET)).name == "utf-8"
    except LookupError:
        return False
