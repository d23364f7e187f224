"""What a record of the spool is, as bytes: the events of one datagram, or a gap in a stream.

The body of a datagram is kept as it came, so nothing is packed again: that is most of what makes
taking in cheap. A record's key orders it by the stamp of its earliest event:

    key       8 stamp   4 node   8 stream   8 first sequence       node: CRC-32 of its name
    by node   4 node   8 stamp   8 stream   8 first sequence
    value     1 kind   8 arrived, nanoseconds since 1970   body, msgpack

    1 EVENTS   [node, process, first sequence, [[stamp, severity, flag, message, fields, where],
               ...]], as in `wire/event_bodies`
    2 CLAMPED  the same, of one event whose stamp was too far ahead; the key has the arrival's
    3 GAP      [node, process, first, last, cause]: events that did not come and never will

All numbers are big-endian. No record spans more than SPAN stamps, so who reads from a moment on
begins that much earlier. The same event has the same (stamp, stream, sequence) at every monitor,
however its datagrams came: two spools can be laid on top of each other.
"""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from typing import Any, NamedTuple

import msgpack

from isinglass import clock
from isinglass.glass.severity import WARNING

KEY = struct.Struct(">QIQQ")
KEY_BYTES = KEY.size
HEAD = struct.Struct(">BQ")
EVENTS, CLAMPED, GAP = 1, 2, 3
SPAN = 1000 << clock.LOGICAL_BITS  # a second
AHEAD_LIMIT_NS = 60 * clock.NANOSECONDS_PER_SECOND
GAP_FLAG = "gap"

Pair = tuple[bytes, bytes]
_pack: Callable[[Any], bytes] = msgpack.Packer(autoreset=True).pack
_unpack = msgpack.unpackb


class Entry(NamedTuple):
    """One line of the log: an event, or a gap (`missing` says of how many events)."""

    stamp: int
    stream: int
    sequence: int
    node: str
    process: str
    severity: int
    flag: str
    message: str
    fields: str  # "key=value", joined by tabs
    where: str
    arrived_ns: int
    missing: int = 0

    @property
    def place(self) -> tuple[int, int, int]:
        """What orders entries, and tells whether two are the same."""
        return self[:3]


class Record(NamedTuple):
    """A record on its way into the spool."""

    key: bytes
    value: bytes
    severity: int  # the greatest in it
    latest: int  # the greatest stamp in it
    events: int


def node_number(node: str) -> int:
    """Return the number that stands for a node in keys; two names may have the same one."""
    return crc32(node.encode())


def to_by_node(key: bytes) -> bytes:
    """Return the key of the index by node for a record's key."""
    return key[8:12] + key[:8] + key[12:]


def from_by_node(key: bytes) -> bytes:
    """Return the record's key for one of the index by node."""
    return key[4:12] + key[:4] + key[12:]


def event_records(
    stream: int, body: list[Any], packed: bytes, arrived_ns: int, first: int = 0, last: int = 0
) -> list[Record]:
    """Return the records of a datagram's events.

    Args:
        body: of EVENTS, checked.
        packed: its bytes, or empty where it did not come as such.
        first, last: the sequences to keep; 0 for all.
    """
    node, process, start, events = body
    if first and (first != start or last != start + len(events) - 1):
        events = events[first - start : last - start + 1]
        start, packed = first, b""
    earliest, severity = events[0][:2]
    latest = earliest
    for stamp, level, *_ in events:
        if stamp > latest:
            latest = stamp
        elif stamp < earliest:
            earliest = stamp
        if level > severity:
            severity = level
    ahead = clock.stamp_floor(arrived_ns + AHEAD_LIMIT_NS)
    if latest > ahead or latest - earliest > SPAN:
        return [
            _single(stream, node, process, start + at, event, arrived_ns, ahead)
            for at, event in enumerate(events)
        ]
    value = HEAD.pack(EVENTS, arrived_ns) + (packed or _pack([node, process, start, events]))
    key = KEY.pack(earliest, crc32(node.encode()), stream, start)
    return [Record(key, value, severity, latest, len(events))]


def _single(
    stream: int,
    node: str,
    process: str,
    sequence: int,
    event: list[Any],
    arrived_ns: int,
    ahead: int,
) -> Record:
    stamp, kind = event[0], EVENTS
    if stamp > ahead:
        # Within one stream the order of arrival is kept by the sequence, next in the key.
        stamp, kind = clock.stamp_floor(arrived_ns), CLAMPED
    key = KEY.pack(stamp, node_number(node), stream, sequence)
    value = HEAD.pack(kind, arrived_ns) + _pack([node, process, sequence, [event]])
    return Record(key, value, event[1], stamp, 1)


def gap_record(
    stamp: int,
    stream: int,
    node: str,
    process: str,
    first: int,
    last: int,
    cause: str,
    noticed_ns: int,
) -> Record:
    """Return the record of events that are lost; `stamp` is where it stands in the log."""
    key = KEY.pack(stamp, node_number(node), stream, first)
    value = HEAD.pack(GAP, noticed_ns) + _pack([node, process, first, last, cause])
    return Record(key, value, WARNING, stamp, 0)


# ---------------------------------------------------------------------- reading
def entries(key: bytes, value: bytes) -> list[Entry]:
    """Return the entries of a record, ascending in its stream."""
    stamp, _, stream, _ = KEY.unpack(key)
    kind, arrived_ns = HEAD.unpack_from(value)
    body = _unpack(value[HEAD.size :])
    node, process, first = body[:3]
    if kind == GAP:
        return [_gap_entry(stamp, stream, body, arrived_ns)]
    found = []
    for sequence, (own, severity, flag, message, fields, where) in enumerate(body[3], first):
        if kind == CLAMPED:
            told = f"sender_time={clock.stamp_wall_ns(own)}"
            own, fields = stamp, f"{fields}\t{told}" if fields else told
        texts = (node, process, severity, flag, message, fields, where)
        found.append(Entry(own, stream, sequence, *texts, arrived_ns))
    return found


def _gap_entry(stamp: int, stream: int, body: list[Any], arrived_ns: int) -> Entry:
    node, process, first, last, cause = body
    missing = last - first + 1
    message = f"{missing} event{'s are' if missing > 1 else ' is'} missing"
    fields = f"first={first}\tlast={last}\tcause={cause}"
    return Entry(
        stamp, stream, first, node, process, WARNING, GAP_FLAG, message, fields, "", arrived_ns,
        missing,
    )  # fmt: skip


def in_order(pairs: Iterable[Pair]) -> Iterator[Entry]:
    """Yield the entries of records that come ascending by key, ascending by their place."""
    waiting: list[Entry] = []
    for key, value in pairs:
        stamp = int.from_bytes(key[:8], "big")
        while waiting and waiting[0].stamp < stamp:
            yield heappop(waiting)
        for entry in entries(key, value):
            heappush(waiting, entry)
    while waiting:
        yield heappop(waiting)
