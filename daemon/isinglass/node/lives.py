"""The number of a life of a node: greater than all before it that are known, and never given twice.

A life is a stream, and what it counted is told apart from what other lives counted, so two lives of
one number would be taken for one. Being greater is not enough: a node that lost its disk, and whose
clock was set back, learns from others which life to be later than, and they may not know of the
last one yet. So the lowest bits are drawn.

    48 bits  milliseconds since 1970, or one more than the last life's
    16 bits  drawn

Pure.
"""

from __future__ import annotations

DRAWN_BITS = 16


def later_life(than: int, wall_ms: int, drawn: int) -> int:
    """Return the number of a life.

    Args:
        than: the greatest life of the node that is known; 0: none is.
        wall_ms: its wall clock.
        drawn: a number from 0 to 65,535, drawn anew for each life.
    """
    return max((than >> DRAWN_BITS) + 1, wall_ms) << DRAWN_BITS | drawn
