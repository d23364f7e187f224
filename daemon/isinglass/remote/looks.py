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


class LookTimes:
    """The instants of looking at `rate_hz`; `draw` returns 0.0 to 1.0."""

    __slots__ = ("_end_ns", "_instants", "_schedule", "rate_hz")

    def __init__(self, rate_hz: int, now_ns: int, draw: Callable[[], float]) -> None:
        self.rate_hz = rate_hz
        self._schedule = Schedule(rate_hz, now_ns, draw)
        self._end_ns = now_ns
        self._instants: list[int] = []

    @property
    def due_ns(self) -> int:
        """The next instant."""
        while not self._instants:
            self._end_ns += AHEAD_NS
            self._instants = self._schedule.instants(self._end_ns)[::-1]
        return self._instants[-1]

    def take(self, now_ns: int) -> tuple[bool, int] | None:
        """Return whether the look that is due now is late, and how many were missed before it."""
        due_ns, passed = 0, 0
        while self.due_ns <= now_ns:
            due_ns = self._instants.pop()
            passed += 1
        if not passed:
            return None
        return now_ns - due_ns >= self._schedule.period_ns, passed - 1
