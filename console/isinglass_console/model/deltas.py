"""Snapshots packed for the history: the used bytes, as the difference to an earlier one.

A region is 135 kB without its events, and a few kB of it are used; from one second to the next a
few hundred bytes of those change. So a packed area is the used parts in a row, exclusive-or with a
base of the same process, deflated: typically 200 to 800 bytes a process and second, against 135 kB.
A base is any earlier packing of the same length; it lives as long as a packing that needs it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from isinglass.glass import layout
from isinglass.glass.header import Header
from isinglass.glass.layout import RegionWord, SharedWord
from isinglass.glass.snapshot import Catalogue, Process, Snapshot

LEVEL = 1
OVERHEAD_BYTES = 200


@dataclass(frozen=True, slots=True)
class PackedArea:
    """Bytes as a deflated difference to a base."""

    base: bytes
    difference: bytes

    def unpack(self) -> bytes:
        """Return the bytes."""
        return _exclusive_or(zlib.decompress(self.difference), self.base)


@dataclass(frozen=True, slots=True)
class PackedProcess:
    """A process: its slot's words and its region."""

    slot: int
    words: tuple[int, ...]
    verdict: str
    area: PackedArea


@dataclass(frozen=True, slots=True)
class PackedSnapshot:
    """A snapshot as the history keeps it."""

    header: Header
    path: str
    inode: int
    taken_wall_ns: int
    taken_monotonic_ns: int
    catalogue: Catalogue
    shared: PackedArea
    processes: tuple[PackedProcess, ...]

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, without the bases that it shares with others."""
        own = len(self.shared.difference) + OVERHEAD_BYTES
        return own + sum(len(p.area.difference) + OVERHEAD_BYTES for p in self.processes)

    def unpack(self) -> Snapshot:
        """Return the snapshot again."""
        snapshot = Snapshot(
            header=self.header,
            path=self.path,
            inode=self.inode,
            taken_wall_ns=self.taken_wall_ns,
            taken_monotonic_ns=self.taken_monotonic_ns,
            catalogue=self.catalogue,
            shared=_expand(self.shared.unpack(), layout.SHARED_BYTES, _shared_ranges),
        )
        snapshot.processes = tuple(
            Process(
                packed.slot,
                list(packed.words),
                _expand(packed.area.unpack(), layout.EVENTS_OFFSET, _region_ranges),
                packed.verdict,
                snapshot,
            )
            for packed in self.processes
        )
        return snapshot


class Packer:
    """Packs the snapshots of one node, one after the other."""

    def __init__(self) -> None:
        self._bases: dict[tuple[int, int, int], bytes] = {}

    def pack(self, snapshot: Snapshot) -> PackedSnapshot:
        """Return the snapshot packed against the bases known so far."""
        generation = snapshot.generation
        shared_key = (generation, -1, 0)
        keys = {shared_key}
        shared = self._area(shared_key, _compact(snapshot.shared, _shared_ranges))
        processes = []
        for process in snapshot.processes:
            key = (generation, process.slot, process.claim)
            keys.add(key)
            area = self._area(key, _compact(process.raw, _region_ranges))
            words = slot_words(process, snapshot.taken_monotonic_ns)
            processes.append(PackedProcess(process.slot, words, process.verdict, area))
        self._bases = {key: base for key, base in self._bases.items() if key in keys}
        return PackedSnapshot(
            snapshot.header,
            snapshot.path,
            snapshot.inode,
            snapshot.taken_wall_ns,
            snapshot.taken_monotonic_ns,
            snapshot.catalogue,
            shared,
            tuple(processes),
        )

    def _area(self, key: tuple[int, int, int], raw: bytes) -> PackedArea:
        base = self._bases.get(key)
        if base is None or len(base) != len(raw):
            base = self._bases[key] = raw
        return PackedArea(base, zlib.compress(_exclusive_or(raw, base), LEVEL))


def slot_words(process: Process, taken_monotonic_ns: int) -> tuple[int, ...]:
    """Return the words of a process's slot, as far as a process keeps them."""
    beat = taken_monotonic_ns - round(process.heartbeat_age_seconds * 1e9)
    claimed, ended = process.claimed_wall_ns, process.ended_wall_ns
    return (0, process.claim, process.pid, 0, claimed, beat, ended, 0)


def _exclusive_or(first: bytes, second: bytes) -> bytes:
    both = int.from_bytes(first, "little") ^ int.from_bytes(second, "little")
    return both.to_bytes(len(first), "little")


Ranges = list[tuple[int, int]]


def _region_ranges(page: memoryview) -> Ranges:
    words = page.cast("Q")
    lines = min(words[RegionWord.LINE_COUNT], layout.PROBE_LINES)
    entries = min(words[RegionWord.DIRECTORY_COUNT], layout.DIRECTORY_ENTRIES)
    files = min(words[RegionWord.FILE_COUNT], layout.FILE_ENTRIES)
    panels = min(words[RegionWord.PANEL_BYTES_USED], layout.PANELS_BYTES)
    errors = min(words[RegionWord.ERROR_COUNT], layout.ERROR_ENTRIES)
    return [
        (layout.PROBES_OFFSET, lines * layout.PROBE_LINE_BYTES),
        (layout.DIRECTORY_OFFSET, entries * layout.DIRECTORY_ENTRY_BYTES),
        (layout.FILES_OFFSET, files * layout.WORD_BYTES),
        (layout.PANELS_OFFSET, panels),
        (layout.ERRORS_OFFSET, errors * layout.ERROR_BYTES),
    ]


def _shared_ranges(page: memoryview) -> Ranges:
    tables = min(page.cast("Q")[SharedWord.TABLE_COUNT], layout.TABLE_ENTRIES)
    return [(layout.TABLES_PLACE, tables * layout.TABLE_BYTES)]


def _compact(raw: bytes, ranges: Callable[[memoryview], Ranges]) -> bytes:
    view = memoryview(raw)
    page = view[: layout.PAGE_BYTES]
    parts = [page, *(view[start : start + length] for start, length in ranges(page))]
    return b"".join(parts)


def _expand(packed: bytes, size_bytes: int, ranges: Callable[[memoryview], Ranges]) -> bytes:
    raw = bytearray(size_bytes)
    at = layout.PAGE_BYTES
    raw[:at] = packed[:at]
    for start, length in ranges(memoryview(packed)[:at]):
        raw[start : start + length] = packed[at : at + length]
        at += length
    return bytes(raw)
