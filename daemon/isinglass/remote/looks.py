"""When a relay looks at the threads: at random instants, and honest about those that went by.

A relay has other things to do, and its machine may be busy: of the instants that went by since the
last look only the newest is looked for, late if a period or more has passed, and the others are
told as missed. Pure: the caller has the clock.
"""

from __future__ import annotations

from isinglass.glass.schedule import Schedule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

AHEAD_NS = 250_000_000
AHEAD_PERIODS = 16  # drawn together: a seldom look should cost no more than the look


class LookTimes:
    """The instants of looking at `rate_hz`; `draw` returns 0.0 to 1.0.

    `due_ns` is the next one.
    """

    __slots__ = ("_end_ns", "_instants", "_schedule", "due_ns", "rate_hz")

    def __init__(self, rate_hz: int, now_ns: int, draw: Callable[[], float]) -> None:
        self.rate_hz = rate_hz
        self._schedule = Schedule(rate_hz, now_ns, draw)
        self._end_ns = now_ns
        self._instants: list[int] = []
        self.due_ns = self._next()

    def _next(self) -> int:
        while not self._instants:
            self._end_ns += max(AHEAD_NS, AHEAD_PERIODS * self._schedule.period_ns)
            self._instants = self._schedule.instants(self._end_ns)[::-1]
        return self._instants.pop()

    def take(self, now_ns: int) -> tuple[bool, int] | None:
        """Return whether the look that is due now is late, and how many were missed before it."""
        due_ns, passed = 0, 0
        while self.due_ns <= now_ns:
            due_ns, passed = self.due_ns, passed + 1
            self.due_ns = self._next()
        if not passed:
            return None
        return now_ns - due_ns >= self._schedule.period_ns, passed - 1
