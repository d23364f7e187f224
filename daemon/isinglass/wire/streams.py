"""Streams: which updates of each node came, which are missing, and how far they are applied.

A stream is the updates of one life (incarnation) of one node (origin), numbered 1, 2, 3, ... A
receiver takes them in any order, any number of times. It keeps the number through which everything
came, and the ranges above it; what lies between is missing and can be asked for, also from other
nodes, and also after the origin is gone.

    1 . . . . . . received | missing | range | missing | range | known to exist
    └── applied ── taken ──┘

How far a stream is applied follows from the queue alone: an offer has a place in line, and
`applied_through >= place` says that it, or something newer, is in the store (see `store/merge`).
So a few marks (place, number) a stream tell both vectors. Pure: no clock, no IO.

Memory: a range takes 16 bytes and there are at most RANGE_LIMIT of them; what lies beyond counts as
lost and is asked for again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

StreamId = tuple[int, int]
"""The origin's number, and its incarnation."""

RANGE_LIMIT = 1024
MARK_STEP = 32
"""Marks are at least so many places apart, but for the last, and the one at which the batch in hand
ends: a bound on how many there are."""


class Marks:
    """Which number of a stream is reached once the queue has reached a place."""

    __slots__ = ("_marks", "_newest", "reached")

    def __init__(self, reached: int) -> None:
        self.reached = reached
        self._marks: deque[tuple[int, int]] = deque()
        self._newest: tuple[int, int] | None = None

    def add(self, place: int, number: int) -> None:
        """Say that everything through `number` stands in line at or before `place`."""
        marks = self._marks
        if self._newest is not None and (not marks or self._newest[0] - marks[-1][0] >= MARK_STEP):
            marks.append(self._newest)
        self._newest = (place, number)

    def hold(self, place: int) -> None:
        """Keep the newest mark if it is not behind `place`, of which will be asked.

        Else a later one replaces it, and what is said of that place then is too low.
        """
        if self._newest is not None and self._newest[0] <= place:
            self._marks.append(self._newest)
            self._newest = None

    def through(self, place: int) -> int:
        """Return what is reached at `place`, without moving there."""
        if self._newest is not None and self._newest[0] <= place:
            return self._newest[1]
        reached = self.reached
        for at, number in self._marks:
            if at > place:
                break
            reached = number
        return reached

    def advance(self, place: int) -> int:
        """Move to `place`, and return what is reached."""
        if self._newest is not None and self._newest[0] <= place:
            self.reached = self._newest[1]
            self._marks.clear()
            self._newest = None
            return self.reached
        marks = self._marks
        while marks and marks[0][0] <= place:
            self.reached = marks.popleft()[1]
        return self.reached

    def jump(self, number: int) -> None:
        """Say that everything through `number` is reached, as another one's marks tell."""
        self.reached = max(self.reached, number)


class Inbox:
    """One stream as this node has it.

    Args:
        received: everything through this number is in the store already, and on the disk.
        above: some of the updates up to this number may be there, too, from before a restart.

    Attributes:
        kept: everything through this number survives a power failure.
    """

    __slots__ = (
        "_above",
        "_firsts",
        "_lasts",
        "_merged",
        "applied",
        "kept",
        "known_last",
        "received",
        "taken",
    )

    def __init__(self, received: int = 0, above: int = 0) -> None:
        self.received = self.kept = received
        self.known_last = max(received, above)
        self._above = self._merged = above
        self.taken, self.applied = Marks(received), Marks(received)
        self._firsts: list[int] = []  # of the ranges above `received`, ascending and apart
        self._lasts: list[int] = []

    def has(self, number: int) -> bool:
        """Tell whether an update was received."""
        if number <= self.received:
            return True
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def add(self, first: int, last: int, place: int) -> None:
        """Say that the updates `first` to `last` came, and stand in line at or before `place`."""
        if last > self.known_last:
            self.known_last = last
        if first > self.received + 1:
            self._add_range(first, last)
            return
        if last <= self.received:
            return
        self.received = last
        while self._firsts and self._firsts[0] <= self.received + 1:
            self.received = max(self.received, self._lasts[0])
            del self._firsts[0], self._lasts[0]
        self.taken.add(place, self.received)
        self.applied.add(place, self.received)

    def take(self, place: int) -> None:
        """Say that everything through `place` left the queue for the store.

        Whatever else was in line may have left with it, merged with an older update.
        """
        self.taken.advance(place)
        self.applied.hold(place)
        self._merged = self.highest

    def _add_range(self, first: int, last: int) -> None:
        firsts, lasts = self._firsts, self._lasts
        start = bisect_right(firsts, first)
        if start and lasts[start - 1] >= first - 1:
            start -= 1
            first = firsts[start]
        stop = start
        while stop < len(firsts) and firsts[stop] <= last + 1:
            last = max(last, lasts[stop])
            stop += 1
        if stop == start and len(firsts) >= RANGE_LIMIT:
            return
        firsts[start:stop], lasts[start:stop] = [first], [last]

    def jump(self, number: int, place: int) -> None:
        """Say that a copy brought everything through `number`; it stands in line before `place`."""
        if number > self.received:
            self.add(self.received + 1, number, place)

    @property
    def missing(self) -> int:
        """How many updates are known to exist and did not come."""
        have = sum(last - first + 1 for first, last in zip(self._firsts, self._lasts, strict=True))
        return self.known_last - self.received - have

    def forget_ranges(self) -> None:
        """Count what came above a gap as not received: it came by another way, too."""
        self._firsts, self._lasts, self._above = [], [], 0
        self.known_last = self.received
        self._merged = min(self._merged, self.received)

    @property
    def highest(self) -> int:
        """The highest number that came, or may have come before a restart."""
        return max(self._lasts[-1] if self._lasts else self.received, self._above)

    def beyond(self, applied: int) -> int:
        """Return the highest number above `applied` that may be in the store, too; 0: none is.

        What came above a gap may be there, and what merged with an older update in line.
        """
        highest = max(self._lasts[-1] if self._lasts else 0, self._merged)
        return highest if highest > applied else 0

    @property
    def came_before(self) -> bool:
        """Whether updates above a gap may be in the store, from before a restart."""
        return self._above > self.received

    @property
    def has_orphans(self) -> bool:
        """Whether something came above a gap, or may have come before a restart."""
        return bool(self._firsts) or self.came_before

    def ranges(self) -> list[tuple[int, int]]:
        """Return what came above `received`, in order and apart."""
        return list(zip(self._firsts, self._lasts, strict=True))

    def gaps(self, limit: int) -> list[tuple[int, int]]:
        """Return the ranges that are missing, in order, `limit` updates of them at most."""
        found: list[tuple[int, int]] = []
        following = self.received + 1
        for first, last in zip(self._firsts, self._lasts, strict=True):
            limit = _append(found, following, first - 1, limit)
            following = last + 1
            if limit <= 0:
                return found
        _append(found, following, self.known_last, limit)
        return found


def _append(found: list[tuple[int, int]], first: int, last: int, limit: int) -> int:
    """Append at most `limit` of a range; return how many may follow."""
    if last < first or limit <= 0:
        return limit
    last = min(last, first + limit - 1)
    found.append((first, last))
    return limit - (last - first + 1)


class SendTimes:
    """When the updates of the own stream were sent: the age of the oldest one not applied.

    Samples are thinned to one in SAMPLE_NS; an update's time is that of the sample at or before it,
    so an age is never too low.
    """

    SAMPLE_NS = 2_000_000
    SAMPLE_LIMIT = 100_000

    __slots__ = ("_numbers", "_times")

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._times: list[int] = []

    def add(self, number: int, now_ns: int) -> None:
        """Say that update `number` is made now."""
        if self._times and now_ns - self._times[-1] < self.SAMPLE_NS:
            return
        self._numbers.append(number)
        self._times.append(now_ns)
        if len(self._times) > self.SAMPLE_LIMIT:
            # Every other one of the older half goes: what is long ago needs no exact age.
            half = self.SAMPLE_LIMIT // 2
            del self._numbers[1:half:2], self._times[1:half:2]

    def age_ns(self, number: int, now_ns: int) -> int:
        """Return how long ago update `number` was made; 0 when there was none yet."""
        at = bisect_right(self._numbers, number) - 1
        return now_ns - self._times[max(at, 0)] if self._times else 0
