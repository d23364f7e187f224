"""An instant on both clocks: the one that never jumps, and the one that people read.

How long something has lasted is measured on the monotonic clock, so that a step of the wall clock
neither raises nor clears an alarm. What people wrote or will read (the end of a silence, the line
of a timeline) is wall time.
"""

from __future__ import annotations

from typing import NamedTuple

from isinglass.clock import NANOSECONDS_PER_SECOND


class Moment(NamedTuple):
    """Now, as the caller sees it."""

    monotonic_ns: int
    wall_ns: int

    @property
    def seconds(self) -> float:
        """The monotonic clock in seconds."""
        return self.monotonic_ns / NANOSECONDS_PER_SECOND

    def later(self, seconds: float) -> Moment:
        """Return the moment so many seconds later on both clocks."""
        step = round(seconds * NANOSECONDS_PER_SECOND)
        return Moment(self.monotonic_ns + step, self.wall_ns + step)
