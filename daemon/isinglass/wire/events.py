"""Datagrams of events: what every process of a cluster tells its monitors, as bytes.

They have a group and a port of their own, so that no daemon receives them, and need nobody that
answers: a sender never waits, and what a monitor misses it asks for, from the ring in the sender's
segment. A *stream* is one life of one ring; it bears a number drawn at random, and its events those
of the ring: 1, 2, 3... What is not genuine or came before is a `BadDatagram` with one of REASONS.

    0    2 bytes  "IL"
    2    u8   version of the format, 1
    3    u8   kind, see `wire/event_bodies`
    4    u64  cluster: BLAKE2b of its name, 8 bytes
    12   u64  stream of the sender, drawn at random, never 0
    20   u64  counter: 1, 2, 3... in a stream; one row for EVENTS, STATUS and FIGURES, which go to
              all, one for the others
    28   u64  sent: stamp of the hybrid logical clock
    36   ...  body, msgpack, at most 1,348 bytes
    -16  16 bytes  tag: keyed BLAKE2b (RFC 7693) of all before it; without the secret in a cluster
              that has no key

All numbers are big-endian. The rows of numbers are two for the reason that `wire/datagrams` names.
A receiver remembers what it had of the STREAMS_LIMIT streams that were heard last. A recorded
datagram of a stream forgotten since passes once more, which is harmless: an event is known by its
stream and its number.
"""

from __future__ import annotations

import struct
from itertools import count
from typing import Any, NamedTuple

from isinglass.wire.bodies import BadDatagram, malformed
from isinglass.wire.datagrams import cluster_number
from isinglass.wire.event_bodies import (
    AGAIN,
    ASK,
    BODY_LIMIT,
    EVENTS,
    FIGURES,
    FIRST_TO_ONE,
    GONE,
    HEADER_BYTES,
    STATUS,
    WireEvent,
    pack_again,
    pack_events,
    pack_figures,
    parse,
)
from isinglass.wire.replay import ReplayWindow
from isinglass.wire.seals import DATAGRAM_LIMIT, TAG_BYTES, Seal, packed_body

__all__ = [
    "AGAIN",
    "ASK",
    "BODY_LIMIT",
    "DATAGRAM_LIMIT",
    "EVENTS",
    "FIGURES",
    "GONE",
    "REASONS",
    "STATUS",
    "BadDatagram",
    "EventDatagram",
    "EventOpener",
    "EventSealer",
    "WireEvent",
    "pack_again",
    "pack_events",
    "pack_figures",
]

MAGIC = b"IL"
VERSION = 1
HEADER = struct.Struct(">2sBBQQQQ")
assert HEADER.size == HEADER_BYTES
SORT = b"isinglass log"
STREAMS_LIMIT = 4096
REASONS = ("malformed", "wrong_version", "wrong_cluster", "bad_tag", "replayed")


class EventDatagram(NamedTuple):
    """A genuine datagram; `body` is checked, and is what its kind says in `wire/event_bodies`."""

    kind: int
    stream: int
    counter: int
    stamp: int
    body: Any


class EventSealer:
    """Makes the datagrams of one stream; any thread may use it.

    Args:
        cluster: its name.
        key: of the cluster, 32 bytes; empty in a cluster without one.
        stream: the sender's number, from 1 to 2**64 - 1.
        sent: how many datagrams to all of this stream were sent before.
    """

    __slots__ = ("_next", "_seal", "_start", "stream")

    def __init__(self, cluster: str, key: bytes, stream: int, sent: int = 0) -> None:
        self._start = cluster_number(cluster)
        self._seal = Seal(key, SORT)
        self.stream = stream
        # next() of a count is one step of the interpreter: no two threads draw the same number.
        self._next = {False: count(sent + 1), True: count(1)}

    def seal(self, kind: int, body: list[Any] | bytes, stamp: int) -> bytes:
        """Return the datagram; `body` is to be packed, or packed already.

        Args:
            kind: EVENTS to GONE.
            stamp: of the hybrid logical clock, now.

        Raises:
            ValueError: the body is longer than BODY_LIMIT.
        """
        packed = packed_body(body, BODY_LIMIT)
        counter = next(self._next[kind >= FIRST_TO_ONE])
        header = HEADER.pack(MAGIC, VERSION, kind, self._start, self.stream, counter, stamp)
        return self._seal.put(header, packed)


class EventOpener:
    """Opens the datagrams that one process receives; one thread uses it."""

    def __init__(self, cluster: str, key: bytes) -> None:
        self._cluster = cluster_number(cluster)
        self._seal = Seal(key, SORT)
        self._windows: dict[int, tuple[ReplayWindow, ReplayWindow]] = {}

    def open(self, data: bytes) -> EventDatagram:
        """Return what a datagram says.

        Raises:
            BadDatagram: it is none of this cluster, or came before; says why.
        """
        if not HEADER_BYTES + TAG_BYTES <= len(data) <= DATAGRAM_LIMIT:
            malformed()
        magic, version, kind, cluster, stream, counter, stamp = HEADER.unpack_from(data)
        if magic != MAGIC:
            malformed()
        if version != VERSION:
            raise BadDatagram("wrong_version", number=version)
        if cluster != self._cluster:
            raise BadDatagram("wrong_cluster")
        self._seal.check(data)
        if not stream:
            malformed()
        if not self._heard(stream)[kind >= FIRST_TO_ONE].take(counter):
            raise BadDatagram("replayed")
        body = parse(kind, data[HEADER_BYTES:-TAG_BYTES])
        return EventDatagram(kind, stream, counter, stamp, body)

    def _heard(self, stream: int) -> tuple[ReplayWindow, ReplayWindow]:
        """Return the stream's windows, now heard last; the one not heard longest makes room."""
        windows = self._windows.pop(stream, None)
        if windows is None:
            windows = (ReplayWindow(), ReplayWindow())
            if len(self._windows) >= STREAMS_LIMIT:
                del self._windows[next(iter(self._windows))]
        self._windows[stream] = windows
        return windows

    def lost(self, stream: int) -> int:
        """Return how many datagrams to all of that stream did not come, so far."""
        windows = self._windows.get(stream)
        return windows[0].missing if windows else 0
