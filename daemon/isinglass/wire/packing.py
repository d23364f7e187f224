"""Updates into the bodies of datagrams, as many as fit, and large updates into parts and back.

The packer is told each update once and packs each body once, when it is taken: until then it keeps
a running upper bound of the body's length (msgpack's headers are known from the lengths), so it
never packs to see whether something fits. An update that no datagram holds becomes PART bodies; its
parts are kept by the receiver until all have come, in a buffer that has a limit and drops what has
waited longest: the sender is then asked again, as for any update that was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import msgpack

from isinglass.wire.bodies import (
    PART,
    PARTS_LIMIT,
    REPAIR,
    SEQUENCES_LIMIT,
    UPDATES,
    Update,
    check_update,
    malformed,
    update_count,
)
from isinglass.wire.datagrams import BODY_LIMIT

UNFINISHED_LIMIT = 64  # updates
UNFINISHED_BYTES_LIMIT = 16 * 1024 * 1024

# The most that msgpack puts before things of a body: arrays and byte strings 3, numbers 9.
_HEAD_BYTES = 3 + 9
_TABLE_BYTES = 2 + 3  # of the name, of the list of its updates
_REPAIR_HEAD_BYTES = 3 + 3 + 9
_REPAIR_BYTES = 3 + 2 + 3 + 3  # sequences, name, key, record
_PART_HEAD_BYTES = 1 + 3 + 9 + 5 + 2 + 3 + 3

_pack = msgpack.Packer(autoreset=True).pack
_unpack = msgpack.unpackb


class Outgoing(NamedTuple):
    """A body to seal, packed: its kind, its bytes, and how many whole updates it brings."""

    kind: int
    packed: bytes
    updates: int


class Packer:
    """Packs the stream of one life of a node; one thread at a time uses it.

    What was added waits here until it is taken; who adds looks at `ready`, and takes in time.
    """

    __slots__ = ("_body", "_closed", "_pairs", "_size", "_stream", "_table")

    def __init__(self, origin: int, incarnation: int, first_sequence: int = 1) -> None:
        self._stream = (origin, incarnation)
        self._closed: list[list[Any] | Outgoing] = []
        self._begin(first_sequence)

    def _begin(self, first_sequence: int) -> None:
        self._body: list[Any] = [first_sequence]
        self._table: str | None = None
        self._pairs: list[bytes] = []
        self._size = _HEAD_BYTES

    @property
    def next_sequence(self) -> int:
        """The number that the next update will have."""
        return int(self._body[0]) + update_count(self._body)

    @property
    def ready(self) -> int:
        """How many bodies are full."""
        return len(self._closed)

    @property
    def waiting(self) -> bool:
        """Whether anything is to be taken."""
        return bool(self._closed or self._pairs)

    def add(self, table: str, pairs: Sequence[bytes]) -> None:
        """Put updates of a table behind all before them; they get the next numbers.

        Args:
            pairs: keys and records in turn.

        Raises:
            ValueError: one is too large even for parts; it gets no number, nor do those after it.
        """
        following = iter(pairs)
        for key, record in zip(following, following, strict=True):
            size = len(key) + len(record) + 4
            if size > 255:
                size += 2
            if table == self._table and self._size + size <= BODY_LIMIT:
                self._size += size
                self._pairs += (key, record)
            else:
                self._open(table, key, record, size)

    def _open(self, table: str, key: bytes, record: bytes, size: int) -> None:
        """Put an update of `size` bytes where no other one of its table stands, or none fits."""
        opening = len(table.encode()) + _TABLE_BYTES
        if _HEAD_BYTES + opening + size > BODY_LIMIT:
            sequence = self.next_sequence
            parts = part_bodies(self._stream, Update([sequence], table, key, record))
            self._close()
            self._closed += parts
            self._begin(sequence + 1)
            return
        if self._size + opening + size > BODY_LIMIT:
            self._close()
        self._table, self._pairs = table, [key, record]
        self._body += (table, self._pairs)
        self._size += opening + size

    def _close(self) -> None:
        if self._pairs:
            self._closed.append(self._body)
            self._begin(self.next_sequence)

    def take(self, *, full: bool = False) -> list[Outgoing]:
        """Return the bodies of all that was added since the last time, in order.

        Args:
            full: only those that no more fits into; the last one goes on being filled.
        """
        if not full:
            self._close()
        closed, self._closed = self._closed, []
        return [
            body
            if isinstance(body, Outgoing)
            else Outgoing(UPDATES, _pack(body), update_count(body))
            for body in closed
        ]


def part_bodies(stream: tuple[int, int], update: Update) -> list[Outgoing]:
    """Return an update that is too large for a datagram as the bodies of its parts.

    Args:
        stream: origin and incarnation that the update's numbers belong to.

    Raises:
        ValueError: it would need more than PARTS_LIMIT parts.
    """
    whole: bytes = _pack(update[1:])
    room = BODY_LIMIT - _PART_HEAD_BYTES - len(_pack(update.sequences))
    parts = -(-len(whole) // room)
    if parts > PARTS_LIMIT:
        raise ValueError(f"an update of {len(whole):,} bytes is not for {parts} parts")
    head = [*stream, update.sequences, crc32(whole)]
    return [
        Outgoing(
            PART,
            _pack([*head, part, parts, whole[part * room : part * room + room]]),
            int(part == parts - 1),
        )
        for part in range(parts)
    ]


def repair_bodies(stream: tuple[int, int], repairs: Iterable[Update]) -> list[Outgoing]:
    """Return the bodies that repair these updates of a stream with their records' present state.

    Args:
        stream: origin and incarnation that the updates' numbers belong to.
        repairs: of each record the numbers that it stands for, ascending.

    Raises:
        ValueError: a record is too large even for parts.
    """
    made: list[Outgoing] = []
    body, size = list[Any](stream), _REPAIR_HEAD_BYTES
    for update in _short(repairs):
        added = _repair_size(update)
        if _REPAIR_HEAD_BYTES + added > BODY_LIMIT:
            made += part_bodies(stream, update)
            continue
        if size + added > BODY_LIMIT:
            made.append(_repair(body))
            body, size = list(stream), _REPAIR_HEAD_BYTES
        body += update
        size += added
    if len(body) > 2:
        made.append(_repair(body))
    return made


def _short(repairs: Iterable[Update]) -> Iterable[Update]:
    """Split what stands for more updates than one body may name."""
    for update in repairs:
        for place in range(0, len(update.sequences), SEQUENCES_LIMIT):
            yield update._replace(sequences=update.sequences[place : place + SEQUENCES_LIMIT])


def _repair_size(update: Update) -> int:
    sequences, table, key, record = update
    return 9 * len(sequences) + len(table.encode()) + len(key) + len(record) + _REPAIR_BYTES


def _repair(body: list[Any]) -> Outgoing:
    return Outgoing(REPAIR, _pack(body), sum(map(len, body[2::4])))


class PartBuffer:
    """Puts the parts of large updates together; keeps what is not whole yet, within limits."""

    __slots__ = ("_unfinished", "size_bytes")

    def __init__(self) -> None:
        self._unfinished: dict[tuple[Any, ...], dict[int, bytes]] = {}
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._unfinished)

    def add(self, body: list[Any]) -> tuple[int, int, Update] | None:
        """Take the checked body of a PART; return origin, incarnation and update once it is whole.

        Raises:
            BadDatagram: the parts are all there, but make no update.
        """
        origin, incarnation, sequences, check, part, parts, data = body
        name = (origin, incarnation, *sequences, check, parts)
        kept = self._unfinished.setdefault(name, {})
        if part in kept:
            return None
        kept[part] = data
        self.size_bytes += len(data)
        if len(kept) == parts:
            self._forget(name)
            whole = b"".join(kept[place] for place in range(parts))
            return origin, incarnation, Update(sequences, *_whole_update(whole, check))
        while len(self._unfinished) > UNFINISHED_LIMIT or self.size_bytes > UNFINISHED_BYTES_LIMIT:
            self._forget(next(iter(self._unfinished)))
        return None

    def _forget(self, name: tuple[Any, ...]) -> None:
        self.size_bytes -= sum(map(len, self._unfinished.pop(name).values()))


def _whole_update(whole: bytes, check: int) -> tuple[str, bytes, bytes]:
    if crc32(whole) != check:
        malformed()
    try:
        table, key, record = _unpack(whole)
    except Exception:  # as in bodies.parse
        malformed()
    check_update(table, key, record)
    return table, key, record
