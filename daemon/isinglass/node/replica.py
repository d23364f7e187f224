"""A node of the cluster, without sockets, threads or a clock: what it does with what it is told.

    in                                             out (`outside`)
    receive   a datagram of another node           multicast, unicast
    publish   an own update that stands in line    call, for what needs an answer
    serve     a call of another node               digests, records: reading the store
    taken, applied   how far the own queue is
    tick      time passes

It holds the parts together: `receiving` and `vectors` (what came), `repairs` (what is missing),
`healing` (what no journal has), `primary` (who stamps), membership and journal. The caller holds
one lock around every call. The daemon runs it with real sockets, the simulator with a seeded
scheduler; see docs/protocol.md for the datagrams and the state machines.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from isinglass.errors import BadRecord
from isinglass.node.adopting import Adopting
from isinglass.node.figures import Figures
from isinglass.node.healing import ALONE_SECONDS, ANY_LIFE, BUCKETS, DIGESTS, Healing
from isinglass.node.horizon import Horizon
from isinglass.node.outside import Answered, Outside, Self, Shelf
from isinglass.node.primary import DEAF_NS, Primary
from isinglass.node.publishing import Publishing
from isinglass.node.receiving import Receiving
from isinglass.node.repairs import Repairs
from isinglass.node.roster import Roster
from isinglass.node.vectors import Applied, Vectors
from isinglass.wire import bodies, reports
from isinglass.wire.bodies import BadDatagram
from isinglass.wire.datagrams import Datagram
from isinglass.wire.journal import Journal
from isinglass.wire.membership import UP, Member, Membership
from isinglass.wire.placement import placement_of
from isinglass.wire.primary_calls import READ, WRITE
from isinglass.wire.reports import HEALING, LIVE, PHASES, Echo, Load, Report
from isinglass.wire.streams import StreamId
from isinglass.wire.time_limits import PATIENCE_NS

HEARTBEAT_NS = 100_000_000


class Replica:
    """One life of one node.

    Args:
        notes: what the store has noted (`Vectors`, `Roster`, `Horizon`); it was flushed since it
            was opened, so that all of it is kept.
        flushes: each transaction is on the disk when `applied` is told of it; else `flushed` is
            called from time to time, or no deletion is ever forgotten.
        stamp: see `Primary`.
        latest_stamp: returns the newest stamp that this node has drawn or seen.
        clock: monotonic nanoseconds.

    Attributes:
        load: what the next heartbeats say of the own backlog.
        on_heard: called with each member whose heartbeat came.
        hushed: clients' writes have to wait: no node has said yet, in ALONE_SECONDS, whether this
            one is still a member, or one said that it is not; what it took would be lost.
    """

    def __init__(
        self,
        me: Self,
        shelf: Shelf,
        outside: Outside,
        figures: Figures,
        notes: Mapping[bytes, bytes],
        *,
        stamp: Callable[[str, bytes, bytes | None], tuple[bytes, int, int]],
        latest_stamp: Callable[[], int],
        clock: Callable[[], int],
        flushes: bool = True,
        journal_limit: int = 200_000,
        patience_ns: int = PATIENCE_NS,
        random_source: random.Random | None = None,
    ) -> None:
        self.me, self.own = me, (me.origin, me.incarnation)
        self._shelf, self.outside, self.figures = shelf, outside, figures
        self.clock = clock
        now_ns = clock()
        self.members = Membership()
        self._flushes = flushes
        self.vectors = Vectors(self.own, notes, self.members, flushes=flushes)
        self.roster = Roster(me, self.members, self.vectors, notes, outside, figures)
        self.journal = Journal(journal_limit)
        self._let_go_notes: dict[bytes, bytes] = {}
        self.receiving = Receiving(self.vectors, self.journal, shelf, outside, figures)
        self.horizon = Horizon(
            self.vectors, self.members, notes, latest_stamp,
            lambda: self.healing.copying or self.adopting.busy,
        )  # fmt: skip
        outside.observe(self.horizon.noted)
        self.publishing = Publishing(
            self.vectors, self.journal, self.horizon, outside, figures.network, clock
        )
        self.publish = self.publishing.publish
        self.adopting = Adopting(
            shelf, outside, self.horizon.everywhere, latest_stamp, self.publish,
            lambda: self.healing.copying, notes,
        )  # fmt: skip
        self.vectors.on_closed = self.adopting.life_ended
        self.receiving.on_repaired = self.adopting.repaired
        self.repairs = Repairs(
            self.vectors, self.journal, self.members, shelf, outside, figures,
            random_source or random.Random(me.incarnation),
        )  # fmt: skip
        self.healing = Healing(
            self.vectors, self.journal, self.members, self.repairs, shelf, outside,
            figures.cluster, self.horizon.everywhere, fresh=self.roster.fresh, now_ns=now_ns,
            on_copying=self.adopting.begins, on_copied=self.adopting.copied,
        )  # fmt: skip
        self.primary = Primary(
            self.vectors, self.members, shelf, outside, figures.primary, stamp,
            self.publishing.hurry, self.receiving.answered, clock, patience_ns,
        )  # fmt: skip
        self.load = Load()
        self.on_heard: Callable[[Member], None] | None = None
        self.hushed = True
        self._receivers = self._table()
        self._begin(now_ns)

    def _begin(self, now_ns: int) -> None:
        """Start what is measured and repeated."""
        self.update_rate = 0.0
        self._measured, self._measured_ns = self._received_in_all(), now_ns
        self._applied_place = self._beats = 0
        self._beat_ns = self._looked_ns = self._started_ns = now_ns

    def _table(self) -> dict[int, Callable[[Datagram], object]]:
        """Return who takes in which kind of datagram."""
        return {
            bodies.UPDATES: self.receiving.updates,
            bodies.URGENT: self.receiving.urgent,
            bodies.PART: self.receiving.part,
            bodies.STATE: self._state,
            bodies.NACK: self._nack,
            bodies.REPAIR: self.receiving.repair,
            bodies.VOID: self._void,
            bodies.ACK: self._ack,
        }

    @property
    def forgotten(self) -> bool:
        """Whether this store is out of the cluster: it is to be moved aside, to join anew."""
        return self.roster.forgotten

    @property
    def outlived(self) -> int:
        """The life that the next one of this node must be greater than, at once; 0: none."""
        return self.roster.outlived

    @property
    def phase(self) -> int:
        """What this node is: joining, healing, live, or leaving."""
        return self.healing.phase

    # ------------------------------------------------------------------ datagrams
    def receive(self, datagram: Datagram) -> None:
        """Take in what another node sent."""
        member = self.roster.speaks(datagram.origin, datagram.incarnation)
        if not member and datagram.kind != bodies.STATE:
            self.roster.met(datagram.origin, datagram.incarnation)
            return  # its heartbeat is still to come; what is in this one is asked for again
        try:
            self._receivers[datagram.kind](datagram)
        except (BadDatagram, BadRecord):
            self.figures.network.malformed += 1

    def _nack(self, datagram: Datagram) -> None:
        target, origin, incarnation, edges = datagram.body
        stream = (origin, incarnation)
        if target == self.me.origin:
            self.repairs.serve(datagram.origin, stream, edges, self.clock())
        else:
            self.repairs.overheard(stream, edges, self.clock())

    def _void(self, datagram: Datagram) -> None:
        origin, incarnation, _, last = datagram.body
        self.repairs.refused(datagram.origin, (origin, incarnation), last)

    def _ack(self, datagram: Datagram) -> None:
        origin, incarnation, received = datagram.body
        member = self.members.members.get(datagram.origin)
        if (origin, incarnation) != self.own or member is None:
            return
        progress = member.progress(self.own)
        if received > progress.received:
            member.vector[self.own] = progress._replace(received=received)
            self.primary.acknowledged()

    def _state(self, datagram: Datagram) -> None:
        report = reports.report_of(datagram.body)
        now_ns = self.clock()
        known = self.members.members.get(datagram.origin)
        was_up = known is not None and known.state == UP
        member = self.roster.hear(datagram, report, now_ns)
        self.hushed = self.roster.forgotten
        if member is None:
            return
        self._hear_vector(report, not was_up, now_ns)
        self.primary.acknowledged()
        self._choose()
        if self.on_heard is not None:
            self.on_heard(member)

    def _hear_vector(self, report: Report, returned: bool, now_ns: int) -> None:
        more = False
        for stream, progress in report.vector.items():
            if stream == self.own:
                continue
            inbox = self.vectors.inbox(stream)
            if inbox is not None:
                more = more or progress.received > inbox.received
                inbox.known_last = max(inbox.known_last, progress.received)
        if returned and more:
            self.healing.hear_of_more(now_ns)

    # ------------------------------------------------------------------ time
    def tick(self, now_ns: int) -> int:
        """Do what is due; return when to come again, monotonic nanoseconds."""
        if now_ns - self._looked_ns > DEAF_NS:
            self._was_deaf(now_ns)
        if self.hushed and now_ns - self._started_ns > ALONE_SECONDS * 1e9:
            self.hushed = self.roster.forgotten
        self._measure(now_ns)
        self._looked_ns = now_ns
        if (place := self._shelf.applied_through) > self._applied_place:
            self._applied_place = place
            self.vectors.applied(place, {})
        for member in self.members.members.values():
            member.look(self.own, self.vectors.sequence, now_ns)
        following = min(
            self.repairs.look(now_ns), self.healing.tick(now_ns), self.primary.tick(now_ns)
        )
        for stream in list(self.repairs.orphaned):
            self._adopt(stream)
        self.adopting.tick()
        self._choose()
        if now_ns >= self._beat_ns:
            self.beat(now_ns)
        return min(following, self._beat_ns)

    def _adopt(self, stream: StreamId) -> None:
        """Send again what came of a stream above a gap that nobody can close.

        When the gap closes after all, the stream's numbers come again, and change nothing.
        """
        inbox = self.vectors.inboxes[stream]
        names = {
            self.journal.name(stream, number)
            for first, last in inbox.ranges()
            for number in range(first, last + 1)
        }
        self.adopting.gap(stream, names | {None} if inbox.came_before else names)
        inbox.forget_ranges()

    def _received_in_all(self) -> int:
        return sum(inbox.received for inbox in self.vectors.inboxes.values())

    def _measure(self, now_ns: int) -> None:
        """Learn how many updates come in a second, of all streams; a moving average over 10 s."""
        elapsed = now_ns - self._measured_ns
        if elapsed >= 1_000_000_000:
            total = self._received_in_all()
            rate = (total - self._measured) * 1e9 / elapsed
            self.update_rate += (rate - self.update_rate) * min(elapsed / 10e9, 1.0)
            self._measured, self._measured_ns = total, now_ns

    def _was_deaf(self, now_ns: int) -> None:
        """This process stood still: what it knew of the others is old."""
        self.roster.was_deaf()
        self.healing.was_deaf(now_ns)

    def beat(self, now_ns: int) -> None:
        """Send a heartbeat, behind all updates that it counts."""
        self.publishing.flush()
        self._beat_ns = now_ns + HEARTBEAT_NS
        self._beats += 1
        self.vectors.measure()
        self.outside.multicast(bodies.STATE, self._report(now_ns).body())
        if self.phase in (HEALING, LIVE):
            self.roster.join()

    def _report(self, now_ns: int) -> Report:
        members = list(self.members.members.values())
        recent = sorted(members, key=lambda member: -member.heard_ns)[: reports.ECHO_LIMIT]
        echoes = [Echo(m.origin, m.sent_ns, now_ns - m.heard_ns) for m in recent if m.heard]
        me = self.me
        return Report(
            me.name, me.address, me.datagram_port, me.stream_port, self.phase,
            self.primary.placement.view, self.outside.wall_ms(), self.horizon.own(),
            self.load, self.roster.joined, tuple(echoes), self.vectors.entries(self.journal),
            self._some(self.vectors.let_go_through, reports.LET_GO_LIMIT),
            self._some(self.members.forgotten, reports.FORGOTTEN_LIMIT),
        )  # fmt: skip

    def _some(self, rows: dict[int, int], limit: int) -> dict[int, int]:
        """Return a part of what a heartbeat has no room for, another part each time."""
        if len(rows) <= limit:
            return dict(rows)
        first = self._beats * limit % len(rows)
        return dict([*rows.items(), *rows.items()][first : first + limit])

    def _choose(self) -> None:
        """Bring the view up to date: the members that primaries are chosen from."""
        chosen = [(m.origin, m.name) for m in self.members.members.values() if m.primary]
        if self.phase == LIVE:
            chosen.append((self.me.origin, self.me.name))
        chosen.sort()
        if tuple(chosen) != self.primary.placement.members:
            self.primary.placement = placement_of(tuple(chosen))
            self.figures.cluster.view_changes += 1

    # ------------------------------------------------------------------ calls of other nodes
    def serve(self, request: list[Any], reply: Answered) -> None:
        """Answer a call; `reply` may be called later."""
        kind = request[0]
        if kind in (WRITE, READ):
            self.primary.serve(request, reply)
        elif kind == DIGESTS:
            self._serve_digests(request[1], request[2], reply)
        elif kind == BUCKETS and request[3] in (ANY_LIFE, self.me.incarnation):
            self.outside.records(request[1], request[2], reply)
        else:
            reply(None)

    def _serve_digests(self, horizon: int, wanted: bool, reply: Answered) -> None:
        vector = self.vectors.applied_vector()
        let_go = [list(row) for row in self.vectors.let_go_through.items()]
        level = max(horizon, self.horizon.everywhere())
        records = self.outside.record_count()  # what fails in `read` would answer nobody

        def read(own: list[int] | None) -> None:
            tables = [list(item) for item in self._shelf.tables()]
            reply(None if own is None else [vector, level, own, tables, let_go, records])

        if wanted:
            self.outside.digests(level, read)
        else:
            read([])

    # ------------------------------------------------------------------ the own queue
    def notes_through(self, place: int) -> dict[bytes, bytes]:
        """Return what the transaction that reaches `place` is to note."""
        gone, let_go = self.vectors.let_go()
        for stream in gone:
            self.journal.drop(stream)
            self.repairs.done(stream)
        self._let_go_notes.update(let_go)
        return {
            **self.roster.unnoted, **self.horizon.notes(), **self.vectors.notes(place),
            **self._let_go_notes, **self.adopting.notes(),
        }  # fmt: skip

    def taken(self, place: int) -> None:
        """Say that everything through `place` left the queue for the store."""
        self.vectors.taken(place)

    def applied(self, place: int, noted: Mapping[bytes, bytes]) -> None:
        """Say that the store has everything through `place`, and what was noted with it."""
        self.vectors.applied(place, noted)
        self.roster.noted(noted)
        self.horizon.was_noted(noted)
        self.adopting.was_noted(noted)
        if self._flushes:
            self.horizon.promised = self.horizon.noted
        for key, value in noted.items():
            if self._let_go_notes.get(key) == value:
                del self._let_go_notes[key]

    def about_to_flush(self) -> tuple[Applied, int]:
        """Return what a flush of the store that begins now will keep; for `flushed`."""
        return self.vectors.in_store(), self.horizon.noted

    def flushed(self, kept: tuple[Applied, int]) -> None:
        """Say that what was in the store when a flush began survives a power failure."""
        self.vectors.flushed(kept[0])
        self.horizon.promised = max(self.horizon.promised, kept[1])

    # ------------------------------------------------------------------ the operator
    def forget(self, origin: int) -> None:
        """Take a member out of the cluster, here and, by heartbeats, everywhere."""
        self.roster.forget(origin)

    def leave(self) -> None:
        """Say that this node ends on purpose."""
        self.publishing.flush()
        self.healing.leave()
        self.beat(self.clock())

    @property
    def phase_name(self) -> str:
        """The phase in words."""
        return PHASES[self.phase]
