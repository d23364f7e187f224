"""The vectors of a node: of each stream what came, what left the queue, and what is in the store.

What is in the store is noted in the store itself, in the transaction that put it there, so a node
that was killed knows exactly what it has, and asks for the rest. A stream ends with the life of its
origin; it is *closed* once a later life was seen, and *settled* once every known member said that
it has all of it. Settled streams are no longer reported, and the oldest ones are let go; which ones
is noted, so that they do not come back.

    note  b"s" origin u16 incarnation u64  ->  applied u64
          b"d" origin u16                  ->  u64: lives up to this one are let go

Pure. A stream takes about 300 bytes; SETTLED_LIMIT settled ones of each origin are kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping

from isinglass.wire.journal import Journal
from isinglass.wire.membership import Member
from isinglass.wire.reports import VECTOR_LIMIT, Progress
from isinglass.wire.streams import Inbox, StreamId

STREAM_NOTE, DROPPED_NOTE = b"s", b"d"
SETTLED_LIMIT = 8
_STREAM = struct.Struct(">HQ")
_ORIGIN = struct.Struct(">H")
_NUMBER = struct.Struct(">Q")


class Vectors:
    """The streams of all nodes as this node has them.

    Args:
        own: this life's own stream.
        notes: what the store has noted.
    """

    def __init__(self, own: StreamId, notes: Mapping[bytes, bytes]) -> None:
        self.own = own
        self.inboxes: dict[StreamId, Inbox] = {own: Inbox()}
        self._noted: dict[StreamId, int] = {}
        self._newest: dict[int, int] = {own[0]: own[1]}
        self._dropped: dict[int, int] = {}
        self._turn = 0
        for key, value in notes.items():
            if key[:1] == STREAM_NOTE:
                stream = _STREAM.unpack(key[1:])
                self._noted[stream] = applied = _NUMBER.unpack(value)[0]
                self.inboxes[stream] = Inbox(applied)
                self.saw_life(*stream)
            elif key[:1] == DROPPED_NOTE:
                self._dropped[_ORIGIN.unpack(key[1:])[0]] = _NUMBER.unpack(value)[0]

    @property
    def sequence(self) -> int:
        """The number of the newest own update."""
        return self.inboxes[self.own].received

    def saw_life(self, origin: int, incarnation: int) -> None:
        """Note that a life of a node exists; it closes the streams of earlier ones."""
        if incarnation > self._newest.get(origin, 0):
            self._newest[origin] = incarnation

    def is_closed(self, stream: StreamId) -> bool:
        """Tell whether a later life of the stream's origin was seen."""
        return stream[1] < self._newest.get(stream[0], 0)

    def inbox(self, stream: StreamId) -> Inbox | None:
        """Return a stream's inbox, a fresh one when it was not known; None for one let go."""
        inbox = self.inboxes.get(stream)
        if inbox is None:
            origin, incarnation = stream
            if incarnation <= self._dropped.get(origin, 0) or (
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
            if applied > self._noted.get(stream, 0):
                notes[STREAM_NOTE + _STREAM.pack(*stream)] = _NUMBER.pack(applied)
        return notes

    def applied(self, place: int, noted: Iterable[bytes] = ()) -> None:
        """Say that the store has everything through `place`, and which of the notes."""
        for inbox in self.inboxes.values():
            inbox.applied.advance(place)
            inbox.taken.advance(place)
        for key in noted:
            if key[:1] == STREAM_NOTE:
                stream = _STREAM.unpack(key[1:])
                if stream in self.inboxes:
                    self._noted[stream] = self.inboxes[stream].applied.reached

    def taken(self, place: int) -> None:
        """Say that everything through `place` left the queue for the store."""
        for inbox in self.inboxes.values():
            inbox.taken.advance(place)

    # ------------------------------------------------------------------ what is reported
    def settled(self, stream: StreamId, members: Iterable[Member]) -> bool:
        """Tell whether a closed stream is in the store of every known member."""
        inbox = self.inboxes[stream]
        return (
            self.is_closed(stream)
            and inbox.applied.reached == inbox.known_last
            and all(member.progress(stream).applied >= inbox.known_last for member in members)
        )

    def entries(self, members: list[Member], journal: Journal) -> dict[StreamId, Progress]:
        """Return the next heartbeat's entries: streams of living nodes, and others in turn."""
        living, others = [], []
        for stream in self.inboxes:
            if not self.is_closed(stream):
                living.append(stream)
            elif not self.settled(stream, members):
                others.append(stream)
        room = max(VECTOR_LIMIT - len(living), 1)
        if len(others) > room:
            self._turn = (self._turn + room) % len(others)
            others = (others[self._turn :] + others[: self._turn])[:room]
        return {stream: self._progress(stream, journal) for stream in living + others}

    def _progress(self, stream: StreamId, journal: Journal) -> Progress:
        inbox = self.inboxes[stream]
        return Progress(
            inbox.received, inbox.taken.reached, inbox.applied.reached, journal.floor(stream)
        )

    def applied_vector(self) -> list[list[int]]:
        """Return `[origin, incarnation, applied]` of every stream."""
        return [[*stream, inbox.applied.reached] for stream, inbox in self.inboxes.items()]

    def let_go(self, members: list[Member]) -> tuple[list[StreamId], dict[bytes, bytes]]:
        """Let go of settled streams beyond SETTLED_LIMIT; return them, and what is to be noted."""
        gone = [stream for stream in self._excess() if self.settled(stream, members)]
        notes = {}
        for stream in gone:
            del self.inboxes[stream]
            self._noted.pop(stream, None)
            self._dropped[stream[0]] = max(self._dropped.get(stream[0], 0), stream[1])
            notes[STREAM_NOTE + _STREAM.pack(*stream)] = b""
            notes[DROPPED_NOTE + _ORIGIN.pack(stream[0])] = _NUMBER.pack(self._dropped[stream[0]])
        return gone, notes

    def _excess(self) -> Iterator[StreamId]:
        """Yield the oldest closed streams of each origin, as far as all before them may go."""
        lives: dict[int, list[int]] = {}
        for origin, incarnation in self.inboxes:
            lives.setdefault(origin, []).append(incarnation)
        for origin, incarnations in lives.items():
            if len(incarnations) > SETTLED_LIMIT:
                yield origin, min(incarnations)
