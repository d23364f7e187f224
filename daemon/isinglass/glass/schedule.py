"""When to sample: one instant at random in each period, and an honest account of how it went.

Evenly spaced samples lie about work that is itself periodic (a loop of 10 ms seen at 100 Hz always
stands on the same line), so each period's instant is drawn at random. A sample is *late* when it
was taken a whole period or more after its instant; a period that passed without a sample is
*missed*. Pure: the caller owns the clock.
"""

from __future__ import annotations

from collections.abc import Callable

from isinglass.clock import NANOSECONDS_PER_SECOND


class Schedule:
    """The instants of one run at `rate_hz`, starting at `start_ns`; `draw` returns 0.0 to 1.0."""

    __slots__ = ("_draw", "_following", "late", "missed", "period_ns", "start_ns", "taken")

    def __init__(self, rate_hz: float, start_ns: int, draw: Callable[[], float]) -> None:
        self.period_ns = int(NANOSECONDS_PER_SECOND / rate_hz)
        self.start_ns = start_ns
        self.taken = self.late = self.missed = 0
        self._draw = draw
        self._following = 0

    def begin(self, start_ns: int) -> None:
        """Let the first period begin at `start_ns`."""
        self.start_ns = start_ns

    def instants(self, end_ns: int) -> list[int]:
        """Return the instants, in order, of the periods since the last call that begin by `end_ns`.

        A period's instant may lie behind `end_ns`; each is returned once, however late the call.
        """
        first, behind = self._following, (end_ns - self.start_ns) // self.period_ns + 1
        self._following = max(first, behind)
        return [
            self.start_ns + int((period + self._draw()) * self.period_ns)
            for period in range(first, behind)
        ]

    def pass_over(self, now_ns: int) -> None:
        """Count what is a period late as missed, unlisted: after a long stop it is too much."""
        passed = (now_ns - self.start_ns) // self.period_ns - 1 - self._following
        if passed > 0:
            self.missed += passed
            self._following += passed

    def count(self, taken: int, late: int, missed: int) -> None:
        """Count how a list of instants went."""
        self.taken += taken
        self.late += late
        self.missed += missed

    def achieved_hz(self, now_ns: int) -> float:
        """Return samples a second so far."""
        elapsed_ns = now_ns - self.start_ns
        return self.taken * NANOSECONDS_PER_SECOND / elapsed_ns if elapsed_ns > 0 else 0.0

    def on_time_share(self) -> float:
        """Return the share of all periods whose sample was taken, and not late."""
        periods = self.taken + self.missed
        return (self.taken - self.late) / periods if periods else 1.0
