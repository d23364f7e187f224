"""The reorder window of one stream: what came of each of its events, exactly. Pure.

The events of a stream are numbered without a gap, so whatever is missing shows: by an event with a
greater number, or, when the last ones are missing, by the sender's status. What is missing is a
*hole*. It may be on its way still, overtaken by others; it is *ripe* after RIPE_DATAGRAMS further
datagrams of the stream or RIPE_NS, and is then asked for, again and again with growing pauses:

    open ──ripe──▶ asked ──came, or came again──▶ settled
                     └──tries used up, or gone from the ring──▶ lost, a gap with its cause

At every moment `received + repaired + lost + open = through`, the greatest number known of. What
comes when it was given up counts as received or repaired, is taken off `lost`, and counts as late.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import NamedTuple

from isinglass import clock
from isinglass_monitor.spool.interval_set import Intervals

RIPE_DATAGRAMS = 64
RIPE_NS = 200_000_000
ASKED_TOGETHER = 512  # events of a stream at a time: 75 datagrams
RANGES_TOGETHER = 32
PROGRESS_NS = 20_000_000  # until the rest is asked for, when some has come
FIRST_PAUSE_NS = 250_000_000
LONGEST_PAUSE_NS = 8 * clock.NANOSECONDS_PER_SECOND
TRIES = 9  # 40 seconds in all
HOLES_LIMIT = 256
GAPS_LIMIT = 1024  # that are remembered, for what comes late

NETWORK = "network"  # it was sent and did not reach this machine
SOCKET = "socket"  # this monitor's socket was full
SENDER = "sender"  # the sender did not get it out
DISK = "disk"  # this monitor's queue was full: its disk was too slow
SHARE = "share"  # its sender had filled its share of this monitor's queue
AWAY = "away"  # this monitor did not run
BEFORE = "before"  # from before this monitor first heard the sender
CAUSES = (NETWORK, SOCKET, SENDER, DISK, SHARE, AWAY, BEFORE)


class Hole:
    """Consecutive events that are missing, with what is known of why."""

    __slots__ = ("cause", "datagrams", "due_ns", "first", "last", "seen", "stamp", "tail", "tries")

    def __init__(self, first: int, last: int, stamp: int, cause: str, seen: int) -> None:
        self.first, self.last, self.stamp, self.cause = first, last, stamp, cause
        self.seen = seen  # datagrams of the stream when it showed
        self.datagrams = 0  # that are missing where it showed
        self.due_ns = 0
        self.tail = False  # shown by a status, which overtakes what is being packed
        self.tries = 0

    def part(self, first: int, last: int) -> Hole:
        """Return a part of it."""
        part = Hole(first, last, self.stamp, self.cause, self.seen)
        part.datagrams, part.due_ns, part.tail = self.datagrams, self.due_ns, self.tail
        part.tries = self.tries
        return part


class Gap(NamedTuple):
    """Events that are lost; `stamp` is that of what showed it."""

    first: int
    last: int
    stamp: int
    cause: str


class Taken(NamedTuple):
    """Events to store, with the gaps that they undo and what is left of those."""

    first: int
    last: int
    late: bool = False
    undone: tuple[Gap, ...] = ()
    left: tuple[Gap, ...] = ()


class Counts:
    """What came of the events of a stream."""

    __slots__ = ("asked", "datagrams", "duplicate", "late", "lost", "received", "reordered",
                 "repaired", "size_bytes")  # fmt: skip

    def __init__(self) -> None:
        self.received = self.repaired = self.duplicate = self.late = self.reordered = 0
        self.datagrams = self.size_bytes = self.asked = 0
        self.lost = dict.fromkeys(CAUSES, 0)

    @property
    def all_lost(self) -> int:
        """How many are lost, whatever the cause."""
        return sum(self.lost.values())


class Window:
    """One stream; times are monotonic nanoseconds.

    Args:
        claim_drops: takes so many datagrams, at most, off those that the own socket dropped and
            that no hole explains yet; returns how many.
        settled: what the spool has of the stream, or has given up, from an earlier run.
        lost: what of that is lost, first and last with the cause.
        stamp: where in the log it stands that the spool misses some of these events.
    """

    def __init__(
        self,
        claim_drops: Callable[[int], int],
        settled: Intervals | None = None,
        lost: Iterable[tuple[int, int, str]] = (),
        stamp: int = 0,
    ) -> None:
        self._claim_drops = claim_drops
        self.counts = Counts()
        self.through = settled.highest if settled else 0
        self.holes: list[Hole] = []
        self.oldest = 1  # what the sender's ring has still, as far as is known
        self._gaps = sorted(Gap(first, last, 0, cause) for first, last, cause in lost)
        self._first_cause = AWAY if settled else BEFORE
        self._counter = 0  # the greatest of the datagrams to all
        self._refused = self._refused_explained = 0
        for first, last in settled.outside(1, self.through) if settled else ():
            self.holes.append(Hole(first, last, stamp, AWAY, -RIPE_DATAGRAMS))
        self._given_up: list[Gap] = []

    @property
    def open(self) -> int:
        """How many events are missing and not given up."""
        return sum(hole.last - hole.first + 1 for hole in self.holes)

    # ---------------------------------------------------------------- what comes
    def next(self, counter: int, first: int, last: int) -> bool:
        """Take in events that follow on everything known, in the datagram that comes next.

        That is how it nearly always is; False when it is not so, and nothing was taken in.
        """
        if first != self.through + 1 or counter != self._counter + 1:
            return False
        self._counter, self.through = counter, last
        counts = self.counts
        counts.datagrams += 1
        counts.received += last - first + 1
        return True

    def events(
        self, counter: int, first: int, last: int, stamp: int, now_ns: int, *, again: bool = False
    ) -> list[Taken]:
        """Take events in; return those that are new.

        Args:
            counter: of the datagram, when it went to all.
            stamp: of the first one.
            again: they were asked for.
        """
        missing = 0 if again else self._datagram(counter)
        if first > self.through:
            if first > self.through + 1:
                self._missing(self.through + 1, first - 1, stamp, missing, now_ns)
            self.through = last
            self._count(last - first + 1, again)
            return [Taken(first, last)]
        return self._filled(first, last, now_ns, again)

    def refuse(
        self, counter: int, first: int, last: int, stamp: int, cause: str, now_ns: int
    ) -> None:
        """Note events that came and cannot be taken in now: they will be asked for."""
        missing = self._datagram(counter)
        if first > self.through + 1:
            self._missing(self.through + 1, first - 1, stamp, missing, now_ns)
        if last > self.through:
            start = max(first, self.through + 1)
            self.through = last
            self._add(Hole(start, last, stamp, cause, self.counts.datagrams), now_ns)

    def announce(
        self, counter: int, last: int, oldest: int, refused: int, stamp: int, now_ns: int
    ) -> None:
        """Take in a status: the newest number, the ring's oldest, datagrams not sent."""
        missing = self._datagram(counter)
        self.oldest = max(self.oldest, oldest)
        self._refused = max(self._refused, refused)
        if last > self.through:
            hole = self._missing(self.through + 1, last, stamp, missing, now_ns)
            hole.tail = True
            self.through = last

    def gone(self, first: int, last: int) -> None:
        """Take in that the ring has these no more."""
        for hole in list(self.holes):
            low, high = max(first, hole.first), min(last, hole.last)
            if low <= high and hole.tries:
                self._give_up(hole, low, high)

    # ---------------------------------------------------------------- what is due
    def due(self, now_ns: int, *, ask: bool = True) -> list[tuple[int, int]]:
        """Return what to ask for now, ascending; what is given up is in `given_up`.

        Args:
            ask: there is room for answers; without it nothing is asked, and no try is used up.
        """
        asked: list[tuple[int, int]] = []
        room = ASKED_TOGETHER
        for found in list(self.holes):
            hole = found
            ripe = self.counts.datagrams - hole.seen >= RIPE_DATAGRAMS or now_ns >= hole.due_ns
            if not ripe or (hole.tries and now_ns < hole.due_ns):
                continue
            self._explain(hole)
            if hole.first < self.oldest:
                left = self._give_up(hole, hole.first, min(hole.last, self.oldest - 1))
                if not left:
                    continue
                hole = left[0]
            if hole.tries >= TRIES:
                self._give_up(hole, hole.first, hole.last)
            elif ask and room and len(asked) < RANGES_TOGETHER:
                last = min(hole.last, hole.first + room - 1)
                room -= last - hole.first + 1
                asked.append((hole.first, last))
                pause = min(FIRST_PAUSE_NS << hole.tries, LONGEST_PAUSE_NS)
                hole.due_ns, hole.tries = now_ns + pause, hole.tries + 1
                self.counts.asked += last - hole.first + 1
        return asked

    def give_up_all(self) -> None:
        """Give up whatever is missing: the stream is to be forgotten."""
        for hole in list(self.holes):
            self._explain(hole)
            self._give_up(hole, hole.first, hole.last)

    @property
    def has_given_up(self) -> bool:
        """Whether `given_up` has something to return."""
        return bool(self._given_up)

    def given_up(self) -> list[Gap]:
        """Return what was given up since the last call."""
        found, self._given_up = self._given_up, []
        return found

    # ---------------------------------------------------------------- holes
    def _datagram(self, counter: int) -> int:
        """Count a datagram to all; return how many before it did not come, as it looks now."""
        missing = max(counter - self._counter - 1, 0) if self._counter else 0
        self._counter = max(self._counter, counter)
        self.counts.datagrams += 1
        return missing

    def _count(self, number: int, again: bool) -> None:
        if again:
            self.counts.repaired += number
        else:
            self.counts.received += number

    def _missing(self, first: int, last: int, stamp: int, datagrams: int, now_ns: int) -> Hole:
        cause = self._first_cause if self.counts.datagrams <= 1 else ""
        hole = Hole(first, last, stamp, cause, self.counts.datagrams)
        hole.datagrams = datagrams
        self._add(hole, now_ns)
        return hole

    def _add(self, hole: Hole, now_ns: int) -> None:
        hole.due_ns = now_ns + RIPE_NS
        self.holes.append(hole)
        if len(self.holes) > HOLES_LIMIT:
            oldest = self.holes[0]
            self._explain(oldest)
            self._give_up(oldest, oldest.first, oldest.last)

    def _explain(self, hole: Hole) -> None:
        """Decide, once, why it did not come; a refusal by the sender's kernel may show later."""
        if hole.cause:
            return
        if not hole.datagrams and not hole.tail:
            hole.cause = SENDER
        else:
            hole.cause = SOCKET if self._claim_drops(max(hole.datagrams, 1)) else NETWORK

    def _give_up(self, hole: Hole, first: int, last: int) -> list[Hole]:
        if hole.cause == NETWORK and self._refused > self._refused_explained:
            hole.cause = SENDER
            self._refused_explained += max(hole.datagrams, 1)
        cause = hole.cause or NETWORK
        left = self._replace(hole, first, last)
        self.counts.lost[cause] += last - first + 1
        gap = Gap(first, last, hole.stamp, cause)
        self._given_up.append(gap)
        self._remember(gap)
        return left

    def _replace(self, hole: Hole, first: int, last: int) -> list[Hole]:
        """Take a part out of a hole; return what is left of it."""
        left = []
        if hole.first < first:
            left.append(hole.part(hole.first, first - 1))
        if hole.last > last:
            left.append(hole.part(last + 1, hole.last))
        place = self.holes.index(hole)
        self.holes[place : place + 1] = left
        return left

    def _remember(self, gap: Gap) -> None:
        self._gaps.insert(bisect_left(self._gaps, gap), gap)
        if len(self._gaps) > GAPS_LIMIT:
            self._gaps.pop(0)

    # ---------------------------------------------------------------- what fills them
    def _filled(self, first: int, last: int, now_ns: int, again: bool) -> list[Taken]:
        """Take in events of which some are known of."""
        found = self._above(first, last, again)
        for hole in list(self.holes):
            low, high = max(first, hole.first), min(last, hole.last)
            if low > high:
                continue
            self._count(high - low + 1, again)
            if not again and not hole.tail and hole.cause not in (DISK, SHARE):
                self.counts.reordered += high - low + 1
            for part in self._replace(hole, low, high):
                if part.tries:  # it gets on: what is left has its tries again
                    part.due_ns, part.tries = min(part.due_ns, now_ns + PROGRESS_NS), 1
            found.append(Taken(low, high))
        for gap in [gap for gap in self._gaps if gap.first <= last and gap.last >= first]:
            found.append(self._late(gap, max(first, gap.first), min(last, gap.last), again))
        taken = sum(part.last - part.first + 1 for part in found)
        self.counts.duplicate += last - first + 1 - taken
        return found

    def _above(self, first: int, last: int, again: bool) -> list[Taken]:
        """Take in what is newer than everything known of."""
        if last <= self.through:
            return []
        start, self.through = max(first, self.through + 1), last
        self._count(last - start + 1, again)
        return [Taken(start, last)]

    def _late(self, gap: Gap, first: int, last: int, again: bool) -> Taken:
        self._gaps.remove(gap)
        self._count(last - first + 1, again)
        self.counts.late += last - first + 1
        self.counts.lost[gap.cause] -= last - first + 1
        left = [
            gap._replace(first=low, last=high)
            for low, high in ((gap.first, first - 1), (last + 1, gap.last))
            if low <= high
        ]
        for part in left:
            self._remember(part)
        return Taken(first, last, True, (gap,), tuple(left))
