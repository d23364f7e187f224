"""Snapshots as bytes and back: whole, or only what changed since the one before.

One form for all that keeps or sends snapshots: the console's history, recordings, connections. The
bytes of a demo's node, deflated, are 20 kB whole, half of them the schema, and 1 kB a second after
that.

    message     1 byte  version, 1
                1       flags: 1 WHOLE, 2 DEFLATED (RFC 1951), 4 SCHEMA_APART
                4       CRC-32 of the body as it stands, begun with the next word
                4       that of the message it is a difference to; 0 when WHOLE
                body

    body        wall and monotonic time   signed, to those of the message before
                path, inode               bytes and a number; only when WHOLE
                schema                    bytes of it in all; unless SCHEMA_APART, the new ones
                header, shared            areas
                processes                 number of them, then each:
                    slot, verdict         numbers
                    slot's words, region  areas
                    ring                  0, or 1, the position of its first byte, bytes

`differences` says how numbers, bytes and areas stand. Region and shared area are `compact`; an
area's base is the same process's, by slot and claim, in the message before. Of an event ring only
what is new is in the bytes. With SCHEMA_APART the schema is kept elsewhere, by the generation.

    no base ──WHOLE──▶ at a message ──a difference to it, or to the last WHOLE──▶ at that message
                           └── anything else: an error, and the decoder stays where it was

A difference to the last WHOLE message, some 3 kB, lets one begin there who has that one message.
"""

from __future__ import annotations

import struct
import zlib

from isinglass.errors import (
    SegmentError,
    SnapshotBaseMissing,
    SnapshotDamaged,
    SnapshotFormatUnknown,
)
from isinglass.glass import layout
from isinglass.glass.compaction import compact, region_parts, shared_parts
from isinglass.glass.differences import Source, put_area, put_bytes, put_number, put_signed
from isinglass.glass.header import header_bytes
from isinglass.glass.layout import RegionWord
from isinglass.glass.panel_views import Catalogue
from isinglass.glass.snapshot import Process, Snapshot, Verdict
from isinglass.glass.unpacking import SCHEMA_APART, SLOT, Unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from isinglass.glass.unpacking import ProcessKey

VERSION = 1
WHOLE, DEFLATED = 1, 2
HEAD = struct.Struct("<BBII")
LEVEL = 6
LARGEST_BODY_BYTES = layout.SEGMENT_BYTES + layout.SCHEMA_BYTES
_HEADER, _SHARED, _SLOT_WORDS, _REGION = range(4)
_NODE = (0, 0)

AreaKey = tuple[int, int, int]  # kind, slot, claim


class _Packed:
    """What a message said, as the base of a later one."""

    __slots__ = ("areas", "checksum", "heads", "schema_bytes", "times")

    def __init__(self) -> None:
        self.checksum = self.schema_bytes = 0
        self.times = (0, 0)
        self.areas: dict[AreaKey, bytes] = {}
        self.heads: dict[ProcessKey, int] = {}


class SnapshotEncoder:
    """Packs the snapshots of one node, one after the other.

    Args:
        events: pack the event rings, too, of snapshots that were taken with them.
        schema: pack the schema; False: the caller keeps it by itself (`Catalogue.area`).
        deflate: compress; False for who compresses many of them together.
    """

    def __init__(self, *, events: bool = False, schema: bool = True, deflate: bool = True) -> None:
        self._events, self._schema, self._deflate = events, schema, deflate
        self._life: tuple[int, int, str] | None = None
        self._last = self._whole = _Packed()

    def knows(self, snapshot: Snapshot) -> bool:
        """Tell whether a snapshot is of the life of the last one, and so needs not be whole."""
        return _life(snapshot) == self._life

    def encode(self, snapshot: Snapshot, *, whole: bool = False, key: bool = False) -> bytes:
        """Return a snapshot packed: the difference to the one before when that is of the same life.

        Args:
            whole: pack all of it, so that one can begin to unpack here.
            key: pack the difference to the last one that was packed whole, so that one can begin
                here who has that.
        """
        whole = whole or not self.knows(snapshot)
        base = _Packed() if whole else self._whole if key else self._last
        flags = WHOLE * whole | SCHEMA_APART * (not self._schema)
        now = _Packed()
        body = self._body(snapshot, whole, base, now)
        if self._deflate:
            deflated = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            body, flags = deflated.compress(body) + deflated.flush(), flags | DEFLATED
        now.checksum = zlib.crc32(body, base.checksum)
        self._life, self._last = _life(snapshot), now
        if whole:
            self._whole = now
        return HEAD.pack(VERSION, flags, now.checksum, base.checksum) + body

    def _body(self, snapshot: Snapshot, whole: bool, base: _Packed, now: _Packed) -> bytes:
        out = bytearray()
        now.times = (snapshot.taken_wall_ns, snapshot.taken_monotonic_ns)
        for time_ns, before_ns in zip(now.times, base.times, strict=True):
            put_signed(out, time_ns - before_ns)
        if whole:
            put_bytes(out, snapshot.path.encode("utf-8", "surrogateescape"))
            put_number(out, snapshot.inode)
        now.schema_bytes = self._put_schema(out, snapshot.catalogue, base.schema_bytes)

        def put(key: AreaKey, area: bytes) -> None:
            now.areas[key] = area
            put_area(out, base.areas.get(key), area)

        put((_HEADER, *_NODE), header_bytes(snapshot.header))
        put((_SHARED, *_NODE), compact(snapshot.shared, shared_parts))
        put_number(out, len(snapshot.processes))
        for process in snapshot.processes:
            key = (process.slot, process.claim)
            put_number(out, process.slot)
            put_number(out, Verdict.NAMES.index(process.verdict))
            put((_SLOT_WORDS, *key), SLOT.pack(*process.slot_words))
            put((_REGION, *key), compact(process.raw, region_parts))
            now.heads[key] = self._put_ring(out, process, base.heads.get(key, 0))
        return bytes(out)

    def _put_schema(self, out: bytearray, catalogue: Catalogue, before: int) -> int:
        """Append what is new in the schema; return how much of it there is."""
        used = catalogue.used
        put_number(out, used)
        if self._schema:
            put_bytes(out, catalogue.area[before:used])
        return used

    def _put_ring(self, out: bytearray, process: Process, before: int) -> int:
        """Append what is new in a process's event ring; return up to where the ring is packed."""
        if not self._events or len(process.raw) < layout.REGION_BYTES:
            put_number(out, 0)
            return before
        head = memoryview(process.raw).cast("Q")[RegionWord.EVENT_HEAD]
        first = max(before if before <= head else 0, head - layout.EVENTS_BYTES)
        put_number(out, 1)
        put_number(out, first)
        at, length = first % layout.EVENTS_BYTES, head - first
        ring = memoryview(process.raw)[layout.EVENTS_OFFSET : layout.REGION_BYTES]
        put_number(out, length)
        out += ring[at : at + length]
        out += ring[: max(at + length - layout.EVENTS_BYTES, 0)]
        return head


def _life(snapshot: Snapshot) -> tuple[int, int, str]:
    return snapshot.generation, snapshot.inode, snapshot.path


class SnapshotDecoder:
    """Unpacks what an encoder has packed, message by message.

    Args:
        catalogues: by generation, of nodes whose schema is kept apart; may grow later.
    """

    def __init__(self, catalogues: Mapping[int, Catalogue] | None = None) -> None:
        self._catalogues = catalogues if catalogues is not None else {}
        self._state: Unpacked | None = None
        self._bases: dict[int, Unpacked] = {}  # the last message, and the last whole one
        self._whole = 0

    def knows(self, checksum: int) -> bool:
        """Tell whether a difference to the message of that name can be taken now."""
        return checksum in self._bases

    def decode(self, data: bytes) -> Snapshot:
        """Return the snapshot; raises as `apply` does."""
        self.apply(data)
        return self.snapshot()

    def apply(self, data: bytes) -> None:
        """Take a message without making a snapshot of it.

        Raises:
            SnapshotBaseMissing: it is a difference to another message than the last one, or the
                last whole one.
            SnapshotDamaged: it is not what an encoder gave.
            SnapshotFormatUnknown: it has another version.
        """
        flags, checksum, base, body = _opened(data)
        self.take(flags, checksum, base, Source(body))

    def take(self, flags: int, checksum: int, base: int, source: Source) -> None:
        """Take a message that was opened already (`columns.Turned`); raises as `apply` does.

        Args:
            checksum: its own, `base` that of the message that it is a difference to.
            source: reads its body.
        """
        before = None if flags & WHOLE else self._bases.get(base)
        if not flags & WHOLE and before is None:
            raise SnapshotBaseMissing(
                "This is the difference to a snapshot that did not come before: begin with a whole"
                " one."
            )
        try:
            state = Unpacked(before, source, flags, self._catalogues)
        except SnapshotBaseMissing:
            raise
        except (ValueError, SegmentError) as reason:
            raise SnapshotDamaged(
                f"These bytes are no snapshot ({reason}): begin again with a whole one."
            ) from reason
        if flags & WHOLE:
            self._whole, self._bases = checksum, {}
        kept = {at: known for at, known in self._bases.items() if at == self._whole}
        self._state, self._bases = state, {**kept, checksum: state}

    def snapshot(self) -> Snapshot:
        """Return the snapshot of the last message.

        Raises:
            SnapshotBaseMissing: none came yet.
        """
        if self._state is None:
            raise SnapshotBaseMissing("No snapshot came yet: begin with a whole one.")
        return self._state.snapshot()


def base_of(message: bytes) -> int:
    """Return the checksum of the message that another one is a difference to; 0: it is whole.

    Raises:
        SnapshotDamaged: it is too short to say.
    """
    return _head(message)[2]


def checksum_of(message: bytes) -> int:
    """Return what other messages name a message by; raises as `base_of` does."""
    return _head(message)[1]


def _head(message: bytes) -> tuple[int, int, int]:
    if len(message) < HEAD.size:
        raise SnapshotDamaged("These bytes end before a snapshot begins: begin again.")
    _, flags, checksum, base = HEAD.unpack_from(message)
    return flags, checksum, base


def _opened(data: bytes) -> tuple[int, int, int, bytes]:
    """Return flags, checksum, the base's checksum, and the body of a message."""
    if data[:1] and data[0] != VERSION:
        raise SnapshotFormatUnknown(
            f"This snapshot was packed in version {data[0]} of its format, this isinglass reads"
            f" version {VERSION}: use the same isinglass on both sides."
        )
    flags, checksum, base = _head(data)
    body = data[HEAD.size :]
    if zlib.crc32(body, base) != checksum:
        raise SnapshotDamaged("This snapshot was damaged on its way: begin again with a whole one.")
    if flags & DEFLATED:
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            body = inflating.decompress(body, LARGEST_BODY_BYTES)
        except zlib.error as reason:
            raise SnapshotDamaged(f"This snapshot cannot be inflated ({reason}).") from reason
        if not inflating.eof:
            raise SnapshotDamaged("This snapshot is larger than any segment, or was cut short.")
    return flags, checksum, base, body
