"""An area chart in block glyphs: eight steps a cell row, gaps stay gaps, the baseline is faint."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import isfinite

from isinglass_console.widgets.line import Line

BLOCKS = " ▁▂▃▄▅▆▇█"


def chart(values: Sequence[float], height: int, top: float, role: str = "spark") -> list[Line]:
    """Return `height` lines; each value is one column, from zero to `top`."""
    if height <= 0:
        return []
    levels = [_level(value, height, top) for value in values]
    lines: list[Line] = []
    for row in range(height):
        letters = "".join(map(_glyphs(height, row).__getitem__, levels))
        lines.append(((letters, role),))
    return lines


@lru_cache(maxsize=256)
def _glyphs(height: int, row: int) -> tuple[str, ...]:
    """Return what a row shows of each level."""
    base = (height - 1 - row) * 8
    return tuple(BLOCKS[min(8, max(0, level - base))] for level in range(height * 8 + 1))


def _level(value: float, height: int, top: float) -> int:
    if not isfinite(value):
        return 0
    if value <= 0 or top <= 0:
        return 1
    return max(1, round(min(value / top, 1.0) * height * 8))
