"""What a node measures of itself for flow control: its backlog, its speed, when to report; pure.

The backlog is a share of a limit, so that nodes with unlike limits can be compared; the worst of
three counts. All three grow with what waits, also the age: the age of the oldest update says only
later that too much was let in, so the time that the store needs for what waits counts, too.

    entries / limit        bytes / limit        max(age of the oldest, entries / drain) / limit

The speed is taken per second of *work* (`node/load`), so that a node which is idle most of the time
knows what it could do. Updates that were merged away count as done by the update they went into:

    retired = entries applied / seconds of work * offered / (offered - merged)

and not (applied + merged) / seconds of work, because merged updates come at the pace of the
writers: that would call a node fast for being flooded, and let in more. The drain, by which the age
is foreseen, is taken from full batches alone: a small batch costs a commit as a large one does, so
a store looks slow as long as it has little to do.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from isinglass.clock import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND

INTERVAL_NS = 100 * NANOSECONDS_PER_MILLISECOND
"""A report is due after this long at the latest."""
CLOSEST_NS = 10 * NANOSECONDS_PER_MILLISECOND
"""And never sooner than this after the last one."""
STEP_SHARE = 0.05
"""A backlog that moved by this share of its limit is reported at once."""

MEMORY_SECONDS = 1.0
"""Seconds of work after which a measured speed weighs 1/e: ten of the largest batches."""
LEAST_WORK_SECONDS = 0.01
"""A speed that was seen for less work than this is not known."""
LEAST_ENTERING = 0.02
"""The smallest share of updates that is believed not to merge, so that a speed stays finite."""


class Limits(NamedTuple):
    """What fills a node: updates, their bytes, and seconds that one may wait."""

    entries: int
    size_bytes: int
    age_seconds: float


class Backlog(NamedTuple):
    """How full a node is.

    share: 1.0 is full. limited_by: "entries", "bytes" or "age". limit: how many updates would make
    it full, by that limit.
    """

    share: float
    limited_by: str
    limit: float


def backlog(
    limits: Limits, entries: int, size_bytes: int, oldest_seconds: float, drain: float
) -> Backlog:
    """Return how full a node is, by the worst of its limits.

    Args:
        entries, size_bytes: what waits or is being applied.
        oldest_seconds: for how long the oldest of it has waited.
        drain: entries applied in a second of work; 0.0 while unknown.
    """
    limit, limited_by = float(limits.entries), "entries"
    if entries and size_bytes * limits.entries > limits.size_bytes * entries:
        limit, limited_by = limits.size_bytes * entries / size_bytes, "bytes"
    if 0 < drain * limits.age_seconds < limit:
        limit, limited_by = drain * limits.age_seconds, "age"
    limit = max(limit, 1.0)
    share, age_share = entries / limit, oldest_seconds / limits.age_seconds
    if age_share > share:
        return Backlog(age_share, "age", limit)
    return Backlog(share, limited_by, limit)


class Retirement:
    """Updates retired in a second of work; keeps the last good value while there is no work.

    Each observation forgets the ones before it by the work that it covers, so that short windows
    weigh what they lasted, and one that catches a batch half counted is put right by the next.
    """

    __slots__ = ("_applied", "_entered", "_full", "_last", "_offered", "_pending", "_work")

    def __init__(self) -> None:
        self._last = (0, 0, 0, 0)
        self._work = self._applied = self._offered = self._entered = 0.0
        self._full, self._pending = (0.0, 0.0), 0.0  # work and entries of full batches

    def observe(self, work_ns: int, applied: int, offered: int, merged: int, full: bool) -> None:
        """Take the totals since the start.

        Args:
            work_ns: time at work.
            applied: entries that left the queue for the store.
            offered: updates that entered the queue.
            merged: of these, merged away: superseded, stale, dropped.
            full: the last batches were about as large as batches may be.
        """
        before = self._last
        passed = work_ns - before[0]
        if passed <= 0:
            return
        self._last = (work_ns, applied, offered, merged)
        seconds = passed / NANOSECONDS_PER_SECOND
        kept = math.exp(-seconds / MEMORY_SECONDS)
        came = offered - before[2]
        self._observe_full(seconds, applied - before[1], full)
        self._work = self._work * kept + seconds
        self._applied = self._applied * kept + (applied - before[1])
        self._offered = self._offered * kept + came
        self._entered = self._entered * kept + max(came - (merged - before[3]), 0)

    def _observe_full(self, seconds: float, applied: int, full: bool) -> None:
        self._pending += seconds
        if not applied:
            return
        if full:
            kept = math.exp(-self._pending / MEMORY_SECONDS)
            self._full = self._full[0] * kept + self._pending, self._full[1] * kept + applied
        self._pending = 0.0

    @property
    def drain(self) -> float:
        """Entries that full batches apply in a second of work; 0.0 while unknown."""
        work, applied = self._full
        return applied / work if work >= LEAST_WORK_SECONDS else 0.0

    @property
    def rate(self) -> float:
        """Updates retired in a second of work, merged ones included; 0.0 while unknown."""
        if self._work < LEAST_WORK_SECONDS:
            return 0.0
        applied = self._applied / self._work
        if self._offered <= 0:
            return applied
        return applied / max(self._entered / self._offered, LEAST_ENTERING)


class ReportTimer:
    """When the next report is due: every 100 ms, and at once when the backlog moved."""

    __slots__ = ("_sent_ns", "_share")

    def __init__(self) -> None:
        self._sent_ns, self._share = -INTERVAL_NS, 0.0

    def due(self, now_ns: int, share: float) -> bool:
        """Tell whether to report now; True counts as having reported."""
        passed = now_ns - self._sent_ns
        moved = abs(share - self._share) >= STEP_SHARE and passed >= CLOSEST_NS
        if passed < INTERVAL_NS and not moved:
            return False
        self._sent_ns, self._share = now_ns, share
        return True
