"""How long a record's primary may take, and whether it is asked at all; for nodes and clients.

*Time limit*: four times the 95th percentile of the last successful replies, and at least the
patience that is set; time-outs do not feed it (a limit fed by its own time-outs collapses).
*Circuit breaker*: after three silences in a row a member is not asked for a second, then for two,
four, eight; the next success closes it (Nygard, "Release It!", 2007).

    closed ──three silences──▶ open for 1, 2, 4, 8 s ──asked again: a success──▶ closed
                                     ▲                        │ another silence
                                     └────────────────────────┘

Pure: the time is an argument. Takes about 2 KiB, and a microsecond for each reply.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

FIRST_LIMIT_NS, LARGEST_LIMIT_NS = 250_000_000, 1_000_000_000
PATIENCE_NS = 100_000_000
REPLIES_KEPT = 64
BREAKER_AFTER = 3
BREAKER_FIRST_NS, BREAKER_LONGEST_NS = 1_000_000_000, 8_000_000_000


class TimeLimits:
    """How long another node may take, and whether it is asked at all; by origin.

    Args:
        patience_ns: the least that it may take, however quick it was before.
    """

    def __init__(self, patience_ns: int = PATIENCE_NS) -> None:
        self.patience_ns = patience_ns
        self._replies: deque[int] = deque()
        self._ordered: list[int] = []  # the same, the shortest first
        self._silences: dict[int, int] = {}
        self._open_until: dict[int, int] = {}
        self.limit_ns = max(FIRST_LIMIT_NS, patience_ns)

    def asks(self, origin: int, now_ns: int) -> bool:
        """Tell whether a member is asked now."""
        return now_ns >= self._open_until.get(origin, 0)

    def open(self, now_ns: int) -> int:
        """Return how many members are not asked now."""
        return sum(until > now_ns for until in self._open_until.values())

    def replied(self, origin: int, took_ns: int) -> None:
        """Learn from a successful reply."""
        self._silences.pop(origin, None)
        self._open_until.pop(origin, None)
        self._replies.append(took_ns)
        insort(ordered := self._ordered, took_ns)
        if len(ordered) > REPLIES_KEPT:
            del ordered[bisect_left(ordered, self._replies.popleft())]
        percentile = ordered[len(ordered) * 95 // 100]
        self.limit_ns = max(min(4 * percentile, LARGEST_LIMIT_NS), self.patience_ns)

    def silent(self, origin: int, now_ns: int) -> None:
        """Note that a member did not answer in time."""
        count = self._silences[origin] = self._silences.get(origin, 0) + 1
        if count >= BREAKER_AFTER:
            shift = min(count - BREAKER_AFTER, 3)
            pause = min(BREAKER_FIRST_NS << shift, BREAKER_LONGEST_NS)
            self._open_until[origin] = now_ns + pause
