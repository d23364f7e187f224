"""What the body of a packed snapshot says, checked: the reading half of `snapshot_codec`."""

from __future__ import annotations

import struct

from isinglass.errors import SnapshotBaseMissing
from isinglass.glass import layout
from isinglass.glass.compaction import checked, expand, region_parts, shared_parts
from isinglass.glass.header import Header, check_words
from isinglass.glass.panel_views import Catalogue
from isinglass.glass.snapshot import Process, Snapshot, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from isinglass.glass.differences import Source

    ProcessKey = tuple[int, int]  # slot, claim

SCHEMA_APART = 4  # a flag of the message
SLOT = struct.Struct(f"<{layout.SLOT_BYTES // layout.WORD_BYTES}Q")


class _Process:
    """A process as it stands in a message."""

    __slots__ = ("region", "ring", "slot", "verdict", "words")

    def __init__(self, slot: int, verdict: str, words: bytes, region: bytes) -> None:
        self.slot, self.verdict, self.words, self.region = slot, verdict, words, region
        self.ring: bytes | None = None

    @property
    def key(self) -> ProcessKey:
        """What tells it from all others of its node's life."""
        return self.slot, SLOT.unpack(self.words)[layout.SlotWord.CLAIM]

    def expanded(self) -> bytes:
        """Return its region as a reader copies it."""
        size = layout.PANELS_OFFSET if self.ring is None else layout.EVENTS_OFFSET
        return expand(self.region, size, region_parts) + (self.ring or b"")


class Unpacked:
    """All that a message says.

    Args:
        before: what the message says that it is a difference to; None for a whole one.
        flags: the message's.
        catalogues: by generation, when the schema is kept apart.

    Raises:
        ValueError, SegmentError: it is not what an encoder gave.
        SnapshotBaseMissing: its schema is not there.
    """

    header_area: bytes
    shared_area: bytes
    processes: tuple[_Process, ...]
    rings: dict[ProcessKey, bytes]

    def __init__(
        self,
        before: Unpacked | None,
        source: Source,
        flags: int,
        catalogues: Mapping[int, Catalogue],
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
                each.slot, list(SLOT.unpack(each.words)), each.expanded(), each.verdict, snapshot
            )
            for each in self.processes
        )
        return snapshot


def _catalogue(
    before: Unpacked | None,
    generation: int,
    used: int,
    schema: bytes,
    catalogues: Mapping[int, Catalogue],
) -> Catalogue:
    """Return the catalogue of a message, with what is new in it."""
    known = catalogues.get(generation)
    if schema:
        known = before.catalogue if before is not None else Catalogue()
        # The difference to an earlier message may tell again what a later one told.
        told = used - len(schema)
        if told <= known.used <= used:
            known.extend(schema[known.used - told :])
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
        if len(words) != SLOT.size:
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
