"""The one place that reads a clock, and the hybrid logical clock that stamps updates.

Everything else takes the time as an argument, so tests and simulations own it. A stamp is one
word that orders updates across processes and stays near wall time (Kulkarni et al., "Logical
Physical Clocks", 2014):

    bits 63..16   milliseconds since 1970, UTC (48 bits, until the year 10889)
    bits 15..0    logical counter within the millisecond (65,536 stamps; then it borrows the next)
"""

from __future__ import annotations

import time

wall_ns = time.time_ns
monotonic_ns = time.monotonic_ns
perf_ns = time.perf_counter_ns
thread_cpu_ns = time.thread_time_ns
sleep = time.sleep
format_local = time.strftime
local_time = time.localtime
utc_time = time.gmtime

LOGICAL_BITS = 16
NANOSECONDS_PER_MILLISECOND = 1_000_000
NANOSECONDS_PER_SECOND = 1_000_000_000


def stamp_floor(now_wall_ns: int) -> int:
    """Return the smallest stamp of the millisecond that holds `now_wall_ns`."""
    return (now_wall_ns // NANOSECONDS_PER_MILLISECOND) << LOGICAL_BITS


def stamp_wall_ns(stamp: int) -> int:
    """Return the wall time of a stamp, in nanoseconds since 1970, cut to its millisecond."""
    return (stamp >> LOGICAL_BITS) * NANOSECONDS_PER_MILLISECOND


class HybridLogicalClock:
    """Stamps that only grow, also when the wall clock steps back; no IO, no lock."""

    __slots__ = ("last",)

    def __init__(self, last: int = 0) -> None:
        self.last = last

    def tick(self, now_wall_ns: int) -> int:
        """Return a stamp above every stamp drawn or observed so far."""
        self.last = max(self.last + 1, stamp_floor(now_wall_ns))
        return self.last

    def observe(self, stamp: int) -> None:
        """Make the next stamp greater than `stamp`, which came from somewhere else."""
        self.last = max(self.last, stamp)
