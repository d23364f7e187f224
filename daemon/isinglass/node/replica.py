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

import msgpack

from isinglass.node.figures import Figures
from isinglass.node.healing import BUCKETS, DIGESTS, Healing
from isinglass.node.horizon import Horizon
from isinglass.node.outside import Answered, Outside, Self, Shelf
from isinglass.node.primary import PATIENCE_NS, READ, WRITE, Primary
from isinglass.node.receiving import Receiving
from isinglass.node.repairs import Repairs
from isinglass.node.vectors import Vectors
from isinglass.wire import bodies, reports
from isinglass.wire.datagrams import Datagram
from isinglass.wire.journal import Journal
from isinglass.wire.membership import DOWN, SUSPECTED, UP, Member, Membership
from isinglass.wire.packing import Packer
from isinglass.wire.placement import placement_of
from isinglass.wire.reports import JOINING, LEAVING, LIVE, PHASES, Echo, Load, Report
from isinglass.wire.streams import SendTimes

HEARTBEAT_NS = 100_000_000
DEAF_NS = 1_000_000_000
MEMBER_NOTE = b"m"


class Replica:
    """One life of one node.

    Args:
        notes: what the store has noted (`Vectors`, and the members).
        stamp: see `Primary`.
        latest_stamp: returns the newest stamp that this node has drawn or seen.
        clock: monotonic nanoseconds.

    Attributes:
        load: what the next heartbeats say of the own backlog.
        on_heard: called with each member whose heartbeat came.
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
        journal_limit: int = 200_000,
        patience_ns: int = PATIENCE_NS,
        random_source: random.Random | None = None,
    ) -> None:
        self.me, self.own = me, (me.origin, me.incarnation)
        self._shelf, self.outside, self.figures = shelf, outside, figures
        self.clock = clock
        now_ns = clock()
        self.vectors = Vectors(self.own, notes)
        self.journal = Journal(journal_limit)
        self._entries = self.journal.open(self.own, 1)
        self.members = Membership()
        self.notes: dict[bytes, bytes] = {}  # to be noted with the next batch
        self._packer = Packer(*self.own)
        self.receiving = Receiving(self.vectors, self.journal, shelf, outside, figures)
        self.times = SendTimes()
        self.horizon = Horizon(self.vectors, self.members, latest_stamp)
        self.repairs = Repairs(
            self.vectors, self.journal, self.members, shelf, outside, figures,
            random_source or random.Random(me.incarnation),
        )  # fmt: skip
        known = self._known_members(notes)
        self.healing = Healing(
            self.vectors, self.journal, self.members, self.repairs, shelf, outside,
            figures.cluster, self.horizon.everywhere, fresh=not known, now_ns=now_ns,
        )  # fmt: skip
        self.primary = Primary(
            self.vectors, self.members, shelf, outside, figures.primary, stamp, clock, patience_ns
        )
        self.load = Load()
        self.on_heard: Callable[[Member], None] | None = None
        self.leaving = self.forgotten = False
        self.urgent = False  # somebody waits for the next own datagram to be held
        self.update_rate = 0.0
        self._measured, self._measured_ns = self._received_in_all(), now_ns
        self._applied_place = 0
        self._beat_ns = self._looked_ns = now_ns
        self._inbox = self.vectors.inboxes[self.own]
        self._receivers: dict[int, Callable[[Datagram], object]] = {
            bodies.UPDATES: self.receiving.updates,
            bodies.URGENT: self.receiving.urgent,
            bodies.PART: self.receiving.part,
            bodies.STATE: self._state,
            bodies.NACK: self._nack,
            bodies.REPAIR: self.receiving.repair,
            bodies.VOID: self._void,
            bodies.ACK: self._ack,
        }

    def _known_members(self, notes: Mapping[bytes, bytes]) -> bool:
        """Take over the members that the store has noted; tell whether it was ever a member."""
        joined = MEMBER_NOTE in notes
        for key, value in notes.items():
            if key[:1] == MEMBER_NOTE and len(key) > 1:
                name, incarnation = msgpack.unpackb(value)
                origin = int.from_bytes(key[1:], "big")
                if name:
                    self.members.know(name, origin, incarnation)
                    self.vectors.saw_life(origin, incarnation)
                else:
                    self.members.forgotten[origin] = incarnation
        return joined

    @property
    def phase(self) -> int:
        """What this node is: joining, healing, live, or leaving."""
        return LEAVING if self.leaving else self.healing.phase

    # ------------------------------------------------------------------ own updates
    def publish(self, table: str, key: bytes, record: bytes, place: int) -> int:
        """Number an own update that stands in line at `place`, for the next datagram."""
        inbox = self._inbox
        number = inbox.received + 1
        inbox.add(number, number, place)
        self._entries[number] = (table, key)
        self._packer.add(table, key, record)
        self.horizon.made(number, record)
        return number

    @property
    def unsent(self) -> bool:
        """Whether own updates wait for a datagram."""
        return self._packer.waiting

    @property
    def full(self) -> bool:
        """Whether a datagram is full."""
        return self._packer.ready > 0

    def flush(self) -> None:
        """Send the own updates that wait."""
        made = self._packer.take()
        if not made:
            return
        updates = sum(outgoing.updates for outgoing in made)
        self.times.add(self.vectors.sequence - updates + 1, self.clock())
        for kind, packed, _ in made:
            urgent = self.urgent and kind == bodies.UPDATES
            self.outside.multicast(bodies.URGENT if urgent else kind, packed)
        self.urgent = False
        self.figures.network.sent_updates += updates
        self.journal.trim(self.own)

    # ------------------------------------------------------------------ datagrams
    def receive(self, datagram: Datagram) -> None:
        """Take in what another node sent."""
        if self.members.is_forgotten(datagram.origin, datagram.incarnation):
            return
        self._receivers[datagram.kind](datagram)

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
        report = reports.parse(datagram.body)
        if report is None:
            self.figures.network.malformed += 1
            return
        now_ns = self.clock()
        origin, incarnation = datagram.origin, datagram.incarnation
        if self.own in report.forgotten:
            self.forgotten = True
        for out, life in report.forgotten:
            if not self.members.is_forgotten(out, life) and out != self.me.origin:
                self.forget(out, life)
        known = self.members.members.get(origin)
        if known is None or known.incarnation != incarnation:
            if known is not None and known.name != report.name:
                self.figures.network.duplicate_node += 1
                return
            self.notes[MEMBER_NOTE + origin.to_bytes(2, "big")] = msgpack.packb(
                [report.name, incarnation]
            )
        member = self.members.know(report.name, origin, incarnation)
        returned = member.state in (SUSPECTED, DOWN) and member.heard_ns > 0
        member.hear(report, incarnation, datagram.sent_ns, now_ns)
        self.vectors.saw_life(origin, incarnation)
        self._hear_vector(report, returned, now_ns)
        for echo in report.echoes:
            if echo.origin == self.me.origin:
                member.measure(echo, self.outside.wall_ms(), now_ns)
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
            self.healing.catch_up(now_ns)

    # ------------------------------------------------------------------ time
    def tick(self, now_ns: int) -> int:
        """Do what is due; return when to come again, monotonic nanoseconds."""
        if now_ns - self._looked_ns > DEAF_NS:
            self._was_deaf(now_ns)
        self._measure(now_ns)
        self._looked_ns = now_ns
        if (place := self._shelf.applied_through) > self._applied_place:
            self._applied_place = place
            self.vectors.applied(place)
        for member in self.members.members.values():
            member.look(self.own, self.vectors.sequence, now_ns)
        following = min(
            self.repairs.look(now_ns), self.healing.tick(now_ns), self.primary.tick(now_ns)
        )
        self._choose()
        if now_ns >= self._beat_ns:
            self.beat(now_ns)
        return min(following, self._beat_ns)

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
        for member in self.members.members.values():
            if member.state == UP:
                member.state = DOWN
        self.healing.catch_up(now_ns)

    def beat(self, now_ns: int) -> None:
        """Send a heartbeat, behind all updates that it counts."""
        self.flush()
        self._beat_ns = now_ns + HEARTBEAT_NS
        self.outside.multicast(bodies.STATE, self._report(now_ns).body())
        self._mark_joined()

    def _mark_joined(self) -> None:
        if self.healing.phase != JOINING and MEMBER_NOTE not in self.notes:
            self.notes[MEMBER_NOTE] = msgpack.packb([self.me.name, self.me.incarnation])

    def _report(self, now_ns: int) -> Report:
        members = list(self.members.members.values())
        recent = sorted(members, key=lambda member: -member.heard_ns)[: reports.ECHO_LIMIT]
        echoes = [Echo(m.origin, m.sent_ns, now_ns - m.heard_ns) for m in recent if m.heard]
        forgotten = list(self.members.forgotten.items())[-reports.FORGOTTEN_LIMIT :]
        me = self.me
        return Report(
            me.name, me.address, me.datagram_port, me.stream_port, self.phase,
            self.primary.placement.view, self.outside.wall_ms(), self.horizon.own(),
            self.load, tuple(echoes), self.vectors.entries(members, self.journal),
            tuple(forgotten),
        )  # fmt: skip

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
            self._serve_digests(request[1], reply)
        elif kind == BUCKETS:
            self.outside.records(request[1], request[2], reply)
        else:
            reply(None)

    def _serve_digests(self, horizon: int, reply: Answered) -> None:
        vector = self.vectors.applied_vector()
        level = max(horizon, self.horizon.everywhere())

        def read(own: list[int] | None) -> None:
            tables = [list(item) for item in self._shelf.tables()]
            reply(None if own is None else [vector, level, own, tables])

        self.outside.digests(level, read)

    # ------------------------------------------------------------------ the own queue
    def notes_through(self, place: int) -> dict[bytes, bytes]:
        """Return what the transaction that reaches `place` is to note."""
        gone, dropped = self.vectors.let_go(list(self.members.members.values()))
        for stream in gone:
            self.journal.drop(stream)
        return {**self.notes, **self.vectors.notes(place), **dropped}

    def taken(self, place: int) -> None:
        """Say that everything through `place` left the queue for the store."""
        self.vectors.taken(place)

    def applied(self, place: int, noted: Mapping[bytes, bytes]) -> None:
        """Say that the store has everything through `place`, and what was noted with it."""
        self.vectors.applied(place, noted)
        for key, value in noted.items():
            if key != MEMBER_NOTE and self.notes.get(key) == value:
                del self.notes[key]

    # ------------------------------------------------------------------ the operator
    def forget(self, origin: int, incarnation: int = 0) -> None:
        """Take a member out of the cluster, here and, by heartbeats, everywhere."""
        member: Member | None = self.members.members.get(origin)
        self.members.forget(origin)
        out = max(incarnation, self.members.forgotten.get(origin, 0))
        self.members.forgotten[origin] = out
        key = MEMBER_NOTE + origin.to_bytes(2, "big")
        self.notes[key] = msgpack.packb(["", out])
        if member is not None:
            self.figures.forget(origin)

    def leave(self) -> None:
        """Say that this node ends on purpose."""
        self.flush()
        self.leaving = True
        self.beat(self.clock())

    @property
    def phase_name(self) -> str:
        """The phase in words."""
        return PHASES[self.phase]
