"""Snapshots as bytes and back: whole, or only what changed since the one before.

One form for all that keeps or sends snapshots: the console's history, recordings, connections. The
bytes of a demo's node are 20 kB whole, most of them the schema, and about 700 a second after that.

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

    no base ──WHOLE──▶ at a message ──a difference to it──▶ at that message
                           └── anything else: an error, and the decoder stays where it was
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
from isinglass.glass.compaction import checked, compact, expand, region_parts, shared_parts
from isinglass.glass.differences import Source, put_area, put_bytes, put_number, put_signed
from isinglass.glass.header import Header, check_words, header_bytes
from isinglass.glass.layout import RegionWord
from isinglass.glass.snapshot import Catalogue, Process, Snapshot, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping

VERSION = 1
WHOLE, DEFLATED, SCHEMA_APART = 1, 2, 4
HEAD = struct.Struct("<BBII")
LEVEL = 6
LARGEST_BODY_BYTES = layout.SEGMENT_BYTES + layout.SCHEMA_BYTES
_SLOT = struct.Struct(f"<{layout.SLOT_BYTES // layout.WORD_BYTES}Q")
_HEADER, _SHARED, _SLOT_WORDS, _REGION = range(4)
_NODE = (0, 0)

AreaKey = tuple[int, int, int]  # kind, slot, claim
ProcessKey = tuple[int, int]  # slot, claim


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
        self._forget()

    def _forget(self) -> None:
        self._checksum = 0
        self._times = (0, 0)
        self._schema_sent = 0
        self._areas: dict[AreaKey, bytes] = {}
        self._heads: dict[ProcessKey, int] = {}

    def encode(self, snapshot: Snapshot, *, whole: bool = False) -> bytes:
        """Return a snapshot packed: the difference to the one before when that is of the same life.

        Args:
            whole: pack all of it, so that one can begin to unpack here.
        """
        life = (snapshot.generation, snapshot.inode, snapshot.path)
        whole = whole or life != self._life
        if whole:
            self._forget()
        flags = WHOLE * whole | SCHEMA_APART * (not self._schema)
        body, base = self._body(snapshot, whole), self._checksum
        if self._deflate:
            deflated = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            body, flags = deflated.compress(body) + deflated.flush(), flags | DEFLATED
        self._life, self._checksum = life, zlib.crc32(body, base)
        return HEAD.pack(VERSION, flags, self._checksum, base) + body

    def _body(self, snapshot: Snapshot, whole: bool) -> bytes:
        out = bytearray()
        times = (snapshot.taken_wall_ns, snapshot.taken_monotonic_ns)
        for now, before in zip(times, self._times, strict=True):
            put_signed(out, now - before)
        if whole:
            put_bytes(out, snapshot.path.encode("utf-8", "surrogateescape"))
            put_number(out, snapshot.inode)
        self._put_schema(out, snapshot.catalogue)
        areas: dict[AreaKey, bytes] = {}
        self._put(out, areas, (_HEADER, *_NODE), header_bytes(snapshot.header))
        self._put(out, areas, (_SHARED, *_NODE), compact(snapshot.shared, shared_parts))
        put_number(out, len(snapshot.processes))
        heads = {}
        for process in snapshot.processes:
            key = (process.slot, process.claim)
            put_number(out, process.slot)
            put_number(out, Verdict.NAMES.index(process.verdict))
            self._put(out, areas, (_SLOT_WORDS, *key), _SLOT.pack(*process.slot_words))
            self._put(out, areas, (_REGION, *key), compact(process.raw, region_parts))
            heads[key] = self._put_ring(out, process, self._heads.get(key, 0))
        self._areas, self._heads, self._times = areas, heads, times
        return bytes(out)

    def _put(self, out: bytearray, areas: dict[AreaKey, bytes], key: AreaKey, area: bytes) -> None:
        areas[key] = area
        put_area(out, self._areas.get(key), area)

    def _put_schema(self, out: bytearray, catalogue: Catalogue) -> None:
        used = catalogue.used
        put_number(out, used)
        if self._schema:
            put_bytes(out, catalogue.area[self._schema_sent : used])
            self._schema_sent = used

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


class SnapshotDecoder:
    """Unpacks what an encoder has packed, message by message.

    Args:
        catalogues: by generation, of nodes whose schema is kept apart; may grow later.
    """

    def __init__(self, catalogues: MutableMapping[int, Catalogue] | None = None) -> None:
        self._catalogues = catalogues if catalogues is not None else {}
        self._state: _Unpacked | None = None
        self._checksum = 0

    def decode(self, data: bytes) -> Snapshot:
        """Return the snapshot; raises as `apply` does."""
        self.apply(data)
        return self.snapshot()

    def apply(self, data: bytes) -> None:
        """Take a message without making a snapshot of it.

        Raises:
            SnapshotBaseMissing: it is a difference to another message than the last one.
            SnapshotDamaged: it is not what an encoder gave.
            SnapshotFormatUnknown: it has another version.
        """
        flags, checksum, base, body = _opened(data)
        before = None if flags & WHOLE else self._state
        if not flags & WHOLE and (before is None or base != self._checksum):
            raise SnapshotBaseMissing(
                "This is the difference to a snapshot that did not come before: begin with a whole"
                " one."
            )
        try:
            state = _Unpacked(before, Source(body), flags, self._catalogues)
        except SnapshotBaseMissing:
            raise
        except (ValueError, SegmentError) as reason:
            raise SnapshotDamaged(
                f"These bytes are no snapshot ({reason}): begin again with a whole one."
            ) from reason
        self._state, self._checksum = state, checksum

    def snapshot(self) -> Snapshot:
        """Return the snapshot of the last message.

        Raises:
            SnapshotBaseMissing: none came yet.
        """
        if self._state is None:
            raise SnapshotBaseMissing("No snapshot came yet: begin with a whole one.")
        return self._state.snapshot()


def _opened(data: bytes) -> tuple[int, int, int, bytes]:
    """Return flags, checksum, the base's checksum, and the body of a message."""
    if data[:1] and data[0] != VERSION:
        raise SnapshotFormatUnknown(
            f"This snapshot was packed in version {data[0]} of its format, this isinglass reads"
            f" version {VERSION}: use the same isinglass on both sides."
        )
    if len(data) < HEAD.size:
        raise SnapshotDamaged("These bytes end before a snapshot begins: begin again.")
    _, flags, checksum, base = HEAD.unpack_from(data)
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


class _Process:
    """A process as it stands in a message."""

    __slots__ = ("region", "ring", "slot", "verdict", "words")

    def __init__(self, slot: int, verdict: str, words: bytes, region: bytes) -> None:
        self.slot, self.verdict, self.words, self.region = slot, verdict, words, region
        self.ring: bytes | None = None

    @property
    def key(self) -> ProcessKey:
        """What tells it from all others of its node's life."""
        return self.slot, _SLOT.unpack(self.words)[layout.SlotWord.CLAIM]

    def expanded(self) -> bytes:
        """Return its region as a reader copies it."""
        size = layout.PANELS_OFFSET if self.ring is None else layout.EVENTS_OFFSET
        return expand(self.region, size, region_parts) + (self.ring or b"")


class _Unpacked:
    """All that the last message says, checked."""

    header_area: bytes
    shared_area: bytes
    processes: tuple[_Process, ...]
    rings: dict[ProcessKey, bytes]

    def __init__(
        self,
        before: _Unpacked | None,
        source: Source,
        flags: int,
        catalogues: MutableMapping[int, Catalogue],
    ) -> None:
        wall_ns, monotonic_ns = source.signed(), source.signed()
        if before is None:
            self.wall_ns, self.monotonic_ns = wall_ns, monotonic_ns
            self.path = source.block().decode("utf-8", "surrogateescape")
            self.inode = source.number()
        else:
            self.wall_ns = before.wall_ns + wall_ns
            self.monotonic_ns = before.monotonic_ns + monotonic_ns
            self.path, self.inode = before.path, before.inode
        used = source.number()
        schema = b"" if flags & SCHEMA_APART else source.block()
        self.header_area = source.area(before.header_area if before else None)
        check_words(self.header_area, self.path)
        self.header = Header(self.header_area)
        self.shared_area = source.area(before.shared_area if before else None)
        checked(self.shared_area, shared_parts)
        known = {process.key: process for process in before.processes} if before else {}
        rings = before.rings if before else {}
        self.processes = _processes(source, known, rings)
        self.rings = {
            process.key: process.ring or rings.get(process.key, b"") for process in self.processes
        }
        if not source.ended:
            raise ValueError("more bytes than a snapshot has")
        # Last, since a catalogue grows in place: a message that is refused must not touch it.
        self.catalogue = _catalogue(before, self.header.generation, used, schema, catalogues)

    def snapshot(self) -> Snapshot:
        """Return the snapshot."""
        snapshot = Snapshot(
            header=self.header,
            path=self.path,
            inode=self.inode,
            taken_wall_ns=self.wall_ns,
            taken_monotonic_ns=self.monotonic_ns,
            catalogue=self.catalogue,
            shared=expand(self.shared_area, layout.SHARED_BYTES, shared_parts),
        )
        snapshot.processes = tuple(
            Process(
                each.slot, list(_SLOT.unpack(each.words)), each.expanded(), each.verdict, snapshot
            )
            for each in self.processes
        )
        return snapshot


def _catalogue(
    before: _Unpacked | None,
    generation: int,
    used: int,
    schema: bytes,
    catalogues: MutableMapping[int, Catalogue],
) -> Catalogue:
    """Return the catalogue of a message, with what is new in it."""
    known = catalogues.get(generation)
    if schema:
        known = before.catalogue if before is not None else Catalogue()
        if known.used + len(schema) == used:
            known.extend(schema)
    elif known is None:
        known = before.catalogue if before is not None else Catalogue()
    if known.used < used:
        raise SnapshotBaseMissing(
            "The schema of this snapshot did not come before it: begin with a whole one."
        )
    return known


def _processes(
    source: Source, known: dict[ProcessKey, _Process], rings: dict[ProcessKey, bytes]
) -> tuple[_Process, ...]:
    found: dict[int, _Process] = {}
    by_slot = {slot: process for (slot, _), process in known.items()}
    for _ in range(source.number()):
        slot, verdict = source.number(), source.number()
        if slot >= layout.REGION_COUNT or slot in found or verdict >= len(Verdict.NAMES):
            raise ValueError("a process that cannot be")
        before = by_slot.get(slot)
        words = source.area(before.words if before else None)
        if len(words) != _SLOT.size:
            raise ValueError("a slot of another size")
        process = _Process(slot, Verdict.NAMES[verdict], words, b"")
        old = known.get(process.key)
        process.region = source.area(old.region if old else None)
        checked(process.region, region_parts)
        if source.number():
            process.ring = _ring(source, rings.get(process.key, b""))
        found[slot] = process
    return tuple(found.values())


def _ring(source: Source, before: bytes) -> bytes:
    """Return an event ring with what is new in it."""
    at, data = source.number() % layout.EVENTS_BYTES, source.block()
    if len(data) > layout.EVENTS_BYTES:
        raise ValueError("more events than a ring holds")
    ring = bytearray(before or bytes(layout.EVENTS_BYTES))
    first = data[: layout.EVENTS_BYTES - at]
    ring[at : at + len(first)] = first
    ring[: len(data) - len(first)] = data[len(first) :]
    return bytes(ring)
