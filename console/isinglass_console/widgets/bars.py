"""Bars in eighths of a cell, with the target as a tick inside: one scale a column, so they compare.

The bar's length is the figure beside it; colour only repeats what that figure and the glyph already
say.
"""

from __future__ import annotations

from math import isfinite

from isinglass_console.widgets.line import Line, Span

EIGHTHS = " ▏▎▍▌▋▊▉█"
TICK = "┃"


def bar(share: float, width: int, role: str = "bar", target: float | None = None) -> Line:
    """Return a bar of `share` (0..1) in `width` cells, with a tick at `target` when given."""
    if width <= 0:
        return ()
    filled = 0 if not isfinite(share) else round(min(max(share, 0.0), 1.0) * width * 8)
    if isfinite(share) and share > 0:
        filled = max(filled, 1)
    letters = (EIGHTHS[8] * (filled // 8) + EIGHTHS[filled % 8]).ljust(width)[:width]
    if target is None:
        return ((letters, role),)
    at = min(width - 1, max(0, round(target * width)))
    pieces: list[Span] = [(letters[:at], role), (TICK, "tick"), (letters[at + 1 :], role)]
    return tuple(piece for piece in pieces if piece[0])
