"""The vectors of a node: of each stream what came, what left the queue, and what is in the store.

What is in the store is noted in the store itself, in the transaction that put it there, so a node
that was killed knows exactly what it has, and asks for the rest. A stream ends with the life of its
origin; it is *closed* once a later life was seen, or its origin was taken out of the cluster.

    open ──a later life is seen──▶ closed ──every member knows that, and keeps all──▶ let go

*Keeps* means that it survives a power failure. Nobody can have more of a stream that every member
knows to be closed, so letting go is final: it is noted, the heartbeats say through which life of
each origin it was done, and who hears that need not wait for a report of such a stream. A member
that may have more of it says so instead of what it keeps (NOT_TO_GO), until that was sent again.
What came of a closed stream only to nodes that lost it again is no longer waited for (`measure`).

The store may have more of a stream than its number says: what came above a gap, and what merged
with an older update and was applied at its place. When all others are killed before they apply it,
no number tells of it: so the highest that may be there is noted, too, and the next life asks for
what is missing up to it, or sends again what it has (`adopting`).

    note  b"s" origin u16 incarnation u64  ->  applied u64, and where more of it may be in the
                                               store, u64 of the highest
          b"d" origin u16                  ->  u64: lives up to this one are let go

Pure. A stream takes about 300 bytes; there are as many closed ones as members that are away keep
from being let go.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from isinglass.wire.journal import Journal
from isinglass.wire.membership import Membership
from isinglass.wire.reports import NOT_TO_GO, VECTOR_LIMIT, Progress
from isinglass.wire.streams import Inbox, StreamId

STREAM_NOTE, DROPPED_NOTE = b"s", b"d"
_STREAM = struct.Struct(">HQ")
_ORIGIN = struct.Struct(">H")
_NUMBER = struct.Struct(">Q")

Applied = dict[StreamId, int]
_NOTHING = (0, 0)


def _numbers(note: bytes) -> tuple[int, int]:
    """Return what a stream's note says: how far it is applied, and the highest beyond that."""
    applied, above = _NUMBER.unpack(note[: _NUMBER.size])[0], note[_NUMBER.size :]
    return applied, _NUMBER.unpack(above)[0] if above else 0


class Vectors:
    """The streams of all nodes as this node has them.

    Args:
        own: this life's own stream.
        notes: what the store has noted, and kept.
        flushes: each transaction is on the disk when `applied` is told of it.
    """

    def __init__(
        self,
        own: StreamId,
        notes: Mapping[bytes, bytes],
        members: Membership,
        *,
        flushes: bool = True,
    ) -> None:
        self.own, self._members, self._flushes = own, members, flushes
        self.inboxes: dict[StreamId, Inbox] = {own: Inbox()}
        self._noted: dict[StreamId, tuple[int, int]] = {}  # applied, and the highest beyond that
        self._newest: dict[int, int] = {own[0]: own[1]}
        self.let_go_through: dict[int, int] = {}
        self.on_closed: Callable[[int], None] | None = None  # told whose life has ended
        self._taken_over: dict[bytes, bytes] = {}
        self._turn = 0
        for key, value in notes.items():
            if key[:1] == STREAM_NOTE:
                stream = _STREAM.unpack(key[1:])
                self._noted[stream] = _numbers(value)
                self.inboxes[stream] = Inbox(*self._noted[stream])
                self.saw_life(*stream)
            elif key[:1] == DROPPED_NOTE:
                self.let_go_through[_ORIGIN.unpack(key[1:])[0]] = _NUMBER.unpack(value)[0]

    @property
    def sequence(self) -> int:
        """The number of the newest own update."""
        return self.inboxes[self.own].received

    def saw_life(self, origin: int, incarnation: int) -> None:
        """Note that a life of a node exists; it closes the streams of earlier ones."""
        known = self._newest.get(origin, 0)
        if incarnation > known:
            self._newest[origin] = incarnation
            if known:
                self.life_ended(origin)

    def newest_life(self, origin: int) -> int:
        """Return the last life of a node that is known of; 0 when none is."""
        return self._newest.get(origin, 0)

    def life_ended(self, origin: int) -> None:
        """Say that no more will come of the streams that a node has had."""
        if self.on_closed is not None:
            self.on_closed(origin)

    def is_closed(self, stream: StreamId) -> bool:
        """Tell whether a stream has ended: its origin lives another life, or is out."""
        later = stream[1] < self._newest.get(stream[0], 0)
        return later or self._members.is_forgotten(*stream)

    def inbox(self, stream: StreamId) -> Inbox | None:
        """Return a stream's inbox, a fresh one when it was not known; None for one let go."""
        inbox = self.inboxes.get(stream)
        if inbox is None:
            origin, incarnation = stream
            if incarnation <= self.let_go_through.get(origin, 0) or (
                origin == self.own[0] and incarnation > self.own[1]
            ):
                return None
            inbox = self.inboxes[stream] = Inbox()
            self.saw_life(origin, incarnation)
        return inbox

    # ------------------------------------------------------------------ what the applier says
    def notes(self, place: int) -> dict[bytes, bytes]:
        """Return what is to be noted in the transaction that reaches `place`."""
        notes = {}
        for stream, inbox in self.inboxes.items():
            applied = inbox.applied.through(place)
            beyond = inbox.beyond(applied)
            if (applied, beyond) != self._noted.get(stream, _NOTHING):
                note = _NUMBER.pack(applied) + (_NUMBER.pack(beyond) if beyond else b"")
                notes[STREAM_NOTE + _STREAM.pack(*stream)] = note
        return notes

    def applied(self, place: int, noted: Mapping[bytes, bytes]) -> None:
        """Say that the store has everything through `place`, and what it has noted."""
        for inbox in self.inboxes.values():
            inbox.taken.advance(place)
            reached = inbox.applied.advance(place)
            inbox.taken.jump(reached)  # it keeps other marks, and may know of less at this place
            if self._flushes:
                inbox.kept = reached
        for key, value in noted.items():
            if key[:1] == STREAM_NOTE and value:
                stream = _STREAM.unpack(key[1:])
                if stream in self.inboxes:
                    self._noted[stream] = _numbers(value)

    def taken(self, place: int) -> None:
        """Say that everything through `place` left the queue for the store."""
        for inbox in self.inboxes.values():
            inbox.take(place)

    def in_store(self) -> Applied:
        """Return how far each stream is applied: what a flush that begins now will keep."""
        return {stream: inbox.applied.reached for stream, inbox in self.inboxes.items()}

    def flushed(self, kept: Applied) -> None:
        """Say that what was in the store when a flush began survives a power failure."""
        for stream, applied in kept.items():
            inbox = self.inboxes.get(stream)
            if inbox is not None:
                inbox.kept = max(inbox.kept, applied)

    # ------------------------------------------------------------------ closed streams
    def measure(self) -> None:
        """Bring closed streams up to what somebody still has of them."""
        members = self._members.members.values()
        for stream, inbox in self.inboxes.items():
            if inbox.known_last > inbox.received and self.is_closed(stream):
                held = max((m.progress(stream).received for m in members), default=0)
                inbox.known_last = max(held, inbox.highest)

    def settled(self, stream: StreamId) -> bool:
        """Tell whether a stream can be let go: every member knows it is closed, and keeps it."""
        inbox = self.inboxes[stream]
        return (
            self.is_closed(stream)
            and inbox.kept == inbox.known_last
            and all(m.keeps(stream, inbox.known_last) for m in self._members.members.values())
        )

    def never_had(self, let_go: Mapping[int, int]) -> dict[int, int]:
        """Return what others have let go that this node knew nothing of: origins, and their lives.

        Nothing is let go before every known member keeps it: so they did not know this node then.
        """
        return {
            origin: life
            for origin, life in let_go.items()
            if life > self.let_go_through.get(origin, 0)
            and not any(known == origin and lived <= life for known, lived in self.inboxes)
        }

    def take_over(self, let_go: Mapping[int, int]) -> None:
        """Say that a copy brought all there is of what its source has let go."""
        for origin, life in self.never_had(let_go).items():
            self.let_go_through[origin] = life
            self._taken_over[DROPPED_NOTE + _ORIGIN.pack(origin)] = _NUMBER.pack(life)

    def let_go(self) -> tuple[list[StreamId], dict[bytes, bytes]]:
        """Let go of settled streams; return them, and what is to be noted.

        None is let go of while a stream's node is no known member: it was not asked what it keeps.
        """
        notes, self._taken_over = self._taken_over, {}
        if self.strangers():
            return [], notes
        gone: list[StreamId] = []
        waiting: set[int] = set()
        for stream in sorted(self.inboxes):
            origin, incarnation = stream
            if origin in waiting or not self.settled(stream):
                waiting.add(origin)  # in the order of lives, so that one number tells which
                continue
            gone.append(stream)
            del self.inboxes[stream]
            self._noted.pop(stream, None)
            self.let_go_through[origin] = incarnation
            notes[STREAM_NOTE + _STREAM.pack(*stream)] = b""
            notes[DROPPED_NOTE + _ORIGIN.pack(origin)] = _NUMBER.pack(incarnation)
        return gone, notes

    # ------------------------------------------------------------------ what is reported
    def entries(self, journal: Journal) -> dict[StreamId, Progress]:
        """Return the next heartbeat's entries: the own stream, and others while there is room.

        Streams of living nodes come before closed ones; what has no room takes turns, and at least
        one closed stream a turn is among them, since others wait for it to be let go.
        """
        living: list[StreamId] = []
        closed: list[StreamId] = []
        for stream in self.inboxes:
            if stream != self.own:
                (closed if self.is_closed(stream) else living).append(stream)
        self._turn += 1
        living = self._in_turn(living, VECTOR_LIMIT - 1 - bool(closed))
        closed = self._in_turn(closed, VECTOR_LIMIT - 1 - len(living))
        return {stream: self._progress(stream, journal) for stream in [self.own, *living, *closed]}

    def _in_turn(self, streams: list[StreamId], room: int) -> list[StreamId]:
        """Return all of some streams, or the next ones that there is room for."""
        if len(streams) <= room:
            return streams
        first = self._turn * room % len(streams)
        return (streams[first:] + streams[:first])[:room]

    def _progress(self, stream: StreamId, journal: Journal) -> Progress:
        inbox = self.inboxes[stream]
        return Progress(
            inbox.received,
            inbox.taken.reached,
            inbox.applied.reached,
            NOT_TO_GO if inbox.has_orphans and self.is_closed(stream) else inbox.kept,
            journal.floor(stream),
        )

    def applied_vector(self) -> list[list[int]]:
        """Return `[origin, incarnation, applied]` of every stream."""
        return [[*stream, applied] for stream, applied in self.in_store().items()]

    def strangers(self) -> set[int]:
        """Return the origins of streams whose node is no member that this one knows, nor out."""
        known = self._members.members
        return {
            origin
            for origin, incarnation in self.inboxes
            if origin not in known
            and origin != self.own[0]
            and not self._members.is_forgotten(origin, incarnation)
        }
