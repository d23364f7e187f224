"""How busy a thread is: the share of its time that it worked, as moving averages; pure.

A thread that tells, at its queue, when it starts to wait and when it starts to work divides all of
its time into the two, so its load is exact where a sampled "busy percent" is not: 1.0 is a thread
that never waited. Each average forgets exponentially with its window as time constant, exactly as
Unix forgets its load (the factor is exp(-elapsed / window)), so unequal intervals weigh what they
lasted:

    average += (share - average) * (1 - exp(-elapsed / window))
"""

from __future__ import annotations

import math

from isinglass.clock import NANOSECONDS_PER_SECOND

WINDOWS_SECONDS = (1.0, 10.0, 60.0)


class LoadMeter:
    """Waiting and working time of one thread; times are monotonic nanoseconds."""

    __slots__ = ("_since_ns", "_working", "averages", "waiting_ns", "working_ns")

    def __init__(self, now_ns: int) -> None:
        self._since_ns, self._working = now_ns, False
        self.averages = [0.0] * len(WINDOWS_SECONDS)
        self.working_ns = self.waiting_ns = 0

    def work(self, now_ns: int) -> None:
        """The thread starts to work."""
        self.account(now_ns)
        self._working = True

    def wait(self, now_ns: int) -> None:
        """The thread starts to wait for work."""
        self.account(now_ns)
        self._working = False

    def worked_ns(self, now_ns: int) -> int:
        """Return the time at work up to `now_ns`, also for another thread, which changes nothing.

        When the thread accounts at the same moment that is off by what it accounts for, once.
        """
        return self.working_ns + (max(now_ns - self._since_ns, 0) if self._working else 0)

    def account(self, now_ns: int) -> None:
        """Bring the averages up to `now_ns`, in the middle of whatever the thread does."""
        elapsed = now_ns - self._since_ns
        if elapsed <= 0:
            return
        self._since_ns = now_ns
        if self._working:
            self.working_ns += elapsed
        else:
            self.waiting_ns += elapsed
        share = 1.0 if self._working else 0.0
        for number, window in enumerate(WINDOWS_SECONDS):
            weight = -math.expm1(-elapsed / NANOSECONDS_PER_SECOND / window)
            self.averages[number] += (share - self.averages[number]) * weight
