"""Repairs: asking for updates that did not come, and sending again what others miss.

A gap is asked for after a short random delay (RFC 5401, section 3.2.2: who waits longest hears the
others ask, and need not), from one member that has it: its origin first, then any other. The answer
is the record as it is now, grouped by record, so a hot record that was missed a thousand times is
sent once. What no member's journal reaches is left to `healing`.

    complete ──gap──▶ delaying ──▶ asked ──all came──▶ complete
                         ▲           │ silence: longer delay, smaller window, another member
                         └───────────┘

A stream asks for WINDOW updates at a time, and for fewer when answers do not come: a repair never
fills a narrow link.

A gap that nobody can close, because all who had what is in it have lost it or are away, hides what
lies above it: this node has that, but cannot say so by a number. After ORPHANED_NS such *orphans*
are sent again as updates of the own stream (`adopting`), which does no harm where they are
known. Pure.
"""

from __future__ import annotations

import random

from isinglass.node.figures import Figures
from isinglass.node.outside import Outside, Shelf
from isinglass.node.vectors import Vectors
from isinglass.wire.bodies import NACK, VOID, Update
from isinglass.wire.journal import Journal, Name
from isinglass.wire.membership import Member, Membership
from isinglass.wire.packing import repair_bodies
from isinglass.wire.streams import StreamId

MILLISECOND_NS = 1_000_000
FIRST_DELAY_NS = 8 * MILLISECOND_NS
ANSWER_NS = 40 * MILLISECOND_NS
LONGEST_DELAY_NS = 1000 * MILLISECOND_NS
WINDOW, SMALLEST_WINDOW = 512, 16
OUT_OF_REACH_NS = 400 * MILLISECOND_NS
ORPHANED_NS = 2000 * MILLISECOND_NS
SEVERAL_NS = 100 * MILLISECOND_NS
ASKED_LIMIT = 1024
RANGES_LIMIT = 64


class _Asking:
    """How the gap of one stream is being closed."""

    __slots__ = (
        "alone_ns", "counted", "delay_ns", "due_ns", "first", "last", "last_asked", "tries",
        "window",
    )  # fmt: skip

    def __init__(self, due_ns: int) -> None:
        self.due_ns, self.delay_ns = due_ns, ANSWER_NS
        self.first = self.last = 0  # what was asked for
        self.tries, self.last_asked, self.window = 0, 0, WINDOW
        self.alone_ns = 0  # since when nobody has what is missing
        self.counted = False


class Repairs:
    """Both sides of repairing.

    Attributes:
        covered: by stream, what a copy that is under way will bring; not asked for.
        out_of_reach: streams with a gap that no member's journal reaches any more.
        orphaned: streams with updates above a gap that nobody can close.
    """

    def __init__(
        self,
        vectors: Vectors,
        journal: Journal,
        members: Membership,
        shelf: Shelf,
        outside: Outside,
        figures: Figures,
        random_source: random.Random,
    ) -> None:
        self._vectors, self._journal, self._members = vectors, journal, members
        self._shelf, self._outside, self._figures = shelf, outside, figures
        self._random = random_source
        self._asking: dict[StreamId, _Asking] = {}
        self._unreached: dict[StreamId, int] = {}
        self._served: dict[tuple[StreamId, int], int] = {}  # first of a range asked for: when
        self.covered: dict[StreamId, int] = {}
        self.paused = False
        self.out_of_reach: set[StreamId] = set()
        self.orphaned: set[StreamId] = set()

    # ------------------------------------------------------------------ asking
    def look(self, now_ns: int) -> int:
        """Ask for what is due; return when to look again, monotonic nanoseconds."""
        following = now_ns + LONGEST_DELAY_NS
        if self.paused:
            return following
        for stream, inbox in self._vectors.inboxes.items():
            if inbox.known_last == inbox.received or stream == self._vectors.own:
                if stream in self._asking:
                    self.done(stream)
                continue
            asking = self._asking.get(stream)
            if asking is None:
                delay = FIRST_DELAY_NS + self._random.randrange(FIRST_DELAY_NS)
                asking = self._asking[stream] = _Asking(now_ns + delay)
            elif asking.last and inbox.received >= asking.last and asking.due_ns > now_ns:
                asking.due_ns = now_ns  # all came: go on at once
                asking.tries, asking.delay_ns = 0, ANSWER_NS
                asking.window = min(asking.window * 2, WINDOW)
            if asking.due_ns <= now_ns:
                self._ask(stream, asking, now_ns)
            following = min(following, asking.due_ns)
        return following

    def done(self, stream: StreamId) -> None:
        """Ask for no more of a stream: all of it came, or it was let go."""
        self._asking.pop(stream, None)
        self._unreached.pop(stream, None)
        self.out_of_reach.discard(stream)
        self.orphaned.discard(stream)

    def _ask(self, stream: StreamId, asking: _Asking, now_ns: int) -> None:
        inbox, covered = self._vectors.inboxes[stream], self.covered.get(stream, 0)
        if asking.last and inbox.received < asking.last:
            asking.tries += 1
            asking.window = max(asking.window // 2, SMALLEST_WINDOW)
            asking.delay_ns = min(asking.delay_ns * 2, LONGEST_DELAY_NS)
        wanted = asking.window + max(covered - inbox.received, 0)
        ranges = [
            (max(first, covered + 1), last) for first, last in inbox.gaps(wanted) if last > covered
        ][:RANGES_LIMIT]
        asking.due_ns = now_ns + asking.delay_ns + self._random.randrange(asking.delay_ns)
        asking.first = asking.last = 0
        if not ranges:
            return
        target = self._target(stream, ranges[0][0], asking)
        if target is None:
            self._not_reached(stream, asking, ranges[0][0], now_ns)
            return
        self._unreached.pop(stream, None)
        asking.alone_ns = 0
        asking.first, asking.last, asking.last_asked = ranges[0][0], ranges[-1][1], target.origin
        self._count(stream, asking)
        self._outside.multicast(
            NACK, [target.origin, *stream, [edge for pair in ranges for edge in pair]]
        )
        self._figures.cluster.repairs_asked += 1

    def _count(self, stream: StreamId, asking: _Asking) -> None:
        """Count a gap once, when somebody asks for it: what only comes late closes before that."""
        if not asking.counted:
            asking.counted = True
            self._figures.gap(stream[0])

    def _target(self, stream: StreamId, first: int, asking: _Asking) -> Member | None:
        """Return whom to ask: the origin while it answers, else anybody else who has it."""
        able = [
            member
            for member in self._members.up()
            if (progress := member.progress(stream)).received >= first
            and 0 < progress.floor <= first
        ]
        if not able:
            return None
        if asking.tries < 2:
            for member in able:
                if (member.origin, member.incarnation) == stream:
                    return member
        others = [member for member in able if member.origin != asking.last_asked]
        return self._random.choice(others or able)

    def _not_reached(self, stream: StreamId, asking: _Asking, first: int, now_ns: int) -> None:
        """Note that nobody can repair a gap: whether somebody has what is in it, or nobody."""
        if any(member.progress(stream).received >= first for member in self._members.up()):
            asking.alone_ns = 0
            since = self._unreached.setdefault(stream, now_ns)
            if now_ns - since >= OUT_OF_REACH_NS:
                self.out_of_reach.add(stream)
            return
        self._unreached.pop(stream, None)
        self.out_of_reach.discard(stream)
        asking.alone_ns = asking.alone_ns or now_ns
        inbox = self._vectors.inboxes[stream]
        if now_ns - asking.alone_ns >= ORPHANED_NS and inbox.has_orphans:
            self.orphaned.add(stream)

    def overheard(self, stream: StreamId, edges: list[int], now_ns: int) -> None:
        """Hold back when another node has just asked for the same."""
        asking, inbox = self._asking.get(stream), self._vectors.inboxes.get(stream)
        if asking is None or inbox is None or asking.last or not edges:
            return
        if edges[0] <= inbox.received + 1 <= edges[-1]:
            asking.due_ns = max(asking.due_ns, now_ns + ANSWER_NS)
            self._count(stream, asking)
            self._figures.cluster.repairs_suppressed += 1

    def refused(self, origin: int, stream: StreamId, last: int) -> None:
        """Note that a member's journal does not reach down to `last`."""
        member = self._members.members.get(origin)
        asking = self._asking.get(stream)
        if member is not None:
            member.vector[stream] = member.progress(stream)._replace(floor=last + 1)
        if asking is not None:
            asking.due_ns = 0

    # ------------------------------------------------------------------ answering
    def serve(self, asker: int, stream: StreamId, edges: list[int], now_ns: int) -> None:
        """Send again what a member asks this node for."""
        floor = self._journal.floor(stream)
        inbox = self._vectors.inboxes.get(stream)
        if inbox is None or not floor or edges[0] < floor:
            last = floor - 1 if floor > edges[0] else edges[-1]
            self._outside.unicast(asker, VOID, [*stream, edges[0], last])
            return
        names: dict[Name, list[int]] = {}
        ranges = list(zip(edges[::2], edges[1::2], strict=True))
        for first, last in ranges:
            for number in range(first, min(last, first + WINDOW, inbox.known_last) + 1):
                name = self._journal.name(stream, number)
                if name is not None:
                    names.setdefault(self._shelf.told_by(*name), []).append(number)
        several = self._several(stream, edges[0], now_ns)
        repairs = (
            Update(numbers, *name, self._shelf.current(*name) or b"")
            for name, numbers in names.items()
        )
        for made in repair_bodies(stream, repairs):
            if several:
                self._outside.multicast(made.kind, made.packed)
            else:
                self._outside.unicast(asker, made.kind, made.packed)
        self._figures.cluster.repairs_served += sum(map(len, names.values()))

    def _several(self, stream: StreamId, first: int, now_ns: int) -> bool:
        """Tell whether another member asked for the same a moment ago."""
        if len(self._served) > ASKED_LIMIT:
            self._served.clear()
        earlier = self._served.get((stream, first), 0)
        self._served[stream, first] = now_ns
        return now_ns - earlier < SEVERAL_NS
