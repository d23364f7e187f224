"""Read a segment: copy its bytes without the writer noticing, and ask the kernel who lives.

Copies go through pread(2), which a file that was cut short answers with fewer bytes; a map would
answer with SIGBUS. Only the probe words, which `top` reads a thousand times a second, are mapped.

A ring latch is then read by itself: its number, its slots, its number again. It is whole when fewer
than seven records came in between. That takes 3.3 us, in which a writer at full speed publishes
two; of 1,000 such reads 2 fail and are made again. A latch that is never whole no view shows.
"""

from __future__ import annotations

import mmap
import os

from isinglass import clock
from isinglass.errors import SegmentForeign, SegmentMissing, SegmentTruncated
from isinglass.glass import layout, locks
from isinglass.glass.header import Header, check_boot, check_file, check_words
from isinglass.glass.layout import RegionWord, SharedWord, SlotState, SlotWord
from isinglass.glass.panel_views import Catalogue
from isinglass.glass.permission import not_opened
from isinglass.glass.snapshot import Process, Snapshot, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

_SLOTS = range(layout.REGION_COUNT)
_RING_WORDS = RegionWord.DATAGRAMS_TOLD + 1
_SLOT_WORDS = layout.SLOT_BYTES // layout.WORD_BYTES
_CLAIMED = frozenset((SlotState.LIVE, SlotState.CLEAN_EXIT))
_LATCH_TRIES = 1000  # 3 ms: enough where all but one read of a hundred fail


class RingHead:
    """What a process's region says of its event ring."""

    __slots__ = (
        "claim", "claimed_wall_ns", "datagrams_told", "events", "events_told", "pid", "slot",
        "stream", "teller", "verdict",
    )  # fmt: skip

    def __init__(self, slot: int, verdict: str, claimed_wall_ns: int, words: list[int]) -> None:
        self.slot, self.verdict, self.claimed_wall_ns = slot, verdict, claimed_wall_ns
        self.claim, self.pid = words[RegionWord.CLAIM], words[RegionWord.PID]
        self.events, self.stream = words[RegionWord.EVENT_COUNT], words[RegionWord.STREAM]
        self.teller, self.events_told = words[RegionWord.TELLER], words[RegionWord.EVENTS_TOLD]
        self.datagrams_told = words[RegionWord.DATAGRAMS_TOLD]


class SegmentReader:
    """Reads the segment of one node; never writes, never waits, never asks the processes.

    Args:
        node: a node's name, or the path of a segment file.

    Raises:
        SegmentMissing, NotASegment, FormatTooNew, SegmentHalfWritten, SegmentTruncated,
        SegmentForeign, MachineRebooted: the segment cannot be read, and why.
    """

    def __init__(self, node: str) -> None:
        self.node = node
        self.path = layout.segment_path(node)
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            self._file = os.open(self.path, flags)
        except FileNotFoundError as error:
            raise SegmentMissing(
                f"node {node} has no segment at {self.path}: is it another machine, another user,"
                f" or not started (`isinglass daemon start {node}`)?"
            ) from error
        except OSError as error:
            raise SegmentForeign(not_opened(self.path, error)) from error
        try:
            self.header = self._header()
            check_boot(self.header, self.path)
        except BaseException:
            os.close(self._file)
            raise
        self._catalogue = Catalogue()
        self._latch_places: dict[tuple[int, bytes], list[tuple[int, int]]] = {}
        self._map: mmap.mmap | None = None
        self._mapped: memoryview | None = None

    def _header(self) -> Header:
        self.inode = check_file(self._file, self.path).st_ino
        raw = self._read(0, layout.HEADER_BYTES)
        check_words(raw, self.path)
        return Header(raw)

    def _read(self, offset: int, length: int) -> bytes:
        raw = os.pread(self._file, length, offset)
        if len(raw) < length:
            raise SegmentTruncated(f"{self.path} was cut while it was read: restart the node")
        return raw

    def close(self) -> None:
        """Let go of the file."""
        if self._mapped is not None and self._map is not None:
            self._mapped.release()
            self._map.close()
            self._map = self._mapped = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def descriptor(self) -> int:
        """The open file of the segment."""
        return self._file

    def replaced(self) -> bool:
        """Tell whether a newer segment stands at the path: the node was restarted."""
        try:
            return os.stat(self.path).st_ino != self.inode
        except OSError:
            return False

    # ------------------------------------------------------------------ snapshots
    def snapshot(self, *, events: bool = False, slots: Sequence[int] = _SLOTS) -> Snapshot:
        """Copy the segment.

        Args:
            events: copy the event rings, too (256 KiB a process).
            slots: of which processes.

        Raises:
            SegmentTruncated: the file was cut since it was opened.
        """
        header = self._header()
        # A sixteenth of the area is used where there are few tables.
        tables = min(self._shared_word(SharedWord.TABLE_COUNT), layout.TABLE_ENTRIES)
        used = layout.TABLES_PLACE + tables * layout.TABLE_BYTES
        shared = self._read(layout.SHARED_OFFSET, used)
        table = self._read(layout.SLOTS_OFFSET, layout.SLOT_BYTES * layout.REGION_COUNT)
        snapshot = Snapshot(
            header=header,
            path=self.path,
            inode=self.inode,
            taken_wall_ns=clock.wall_ns(),
            taken_monotonic_ns=clock.monotonic_ns(),
            catalogue=self._catalogue,
            shared=shared,
        )
        processes = (
            Process(slot, words, self._region(slot, events), verdict, snapshot)
            for slot, words, verdict in self._claimed(table, snapshot.taken_monotonic_ns, slots)
        )
        # One whose region was claimed anew meanwhile would have the figures of its successor.
        snapshot.processes = tuple(each for each in processes if each.holds_its_region)
        # Last, since a region may name a block that was added while the regions were copied.
        self._extend_catalogue(self._shared_word(SharedWord.SCHEMA_USED))
        return snapshot

    def _shared_word(self, number: int) -> int:
        raw = self._read(layout.SHARED_OFFSET + number * layout.WORD_BYTES, layout.WORD_BYTES)
        return int.from_bytes(raw, "little")

    def _extend_catalogue(self, used: int) -> None:
        known, used = self._catalogue.used, min(used, layout.SCHEMA_BYTES)
        if used > known:
            self._catalogue.extend(self._read(layout.SCHEMA_OFFSET + known, used - known))

    def _claimed(
        self, raw: bytes, now_ns: int, slots: Sequence[int] = _SLOTS
    ) -> list[tuple[int, list[int], str]]:
        table = memoryview(raw).cast("Q")
        states = table[SlotWord.STATE :: _SLOT_WORDS].tolist()
        found = []
        for slot in slots:
            if states[slot] in _CLAIMED:
                words = table[slot * _SLOT_WORDS : (slot + 1) * _SLOT_WORDS].tolist()
                found.append((slot, words, self._verdict(slot, words, now_ns)))
        return found

    def _verdict(self, slot: int, words: list[int], now_ns: int) -> str:
        if words[SlotWord.STATE] == SlotState.CLEAN_EXIT:
            return Verdict.CLEAN_EXIT
        if not locks.is_locked(self._file, layout.region_offset(slot)):
            return Verdict.KILLED
        silent = now_ns - words[SlotWord.HEARTBEAT_NS]
        return Verdict.STALLED if silent > layout.STALLED_AFTER_SECONDS * 1e9 else Verdict.ALIVE

    def _region(self, slot: int, events: bool) -> bytes:
        offset = layout.region_offset(slot)
        raw = bytearray(self._read(offset, self._region_length(offset, events)))
        words = memoryview(raw).cast("Q")
        used = min(words[RegionWord.PANEL_BYTES_USED], layout.PANELS_BYTES) & -layout.WORD_BYTES
        end = min(layout.PANELS_OFFSET + used, len(raw))
        for place, length in self._latches(words, end):
            raw[place : place + length] = self._latch(offset + place, length)
        return bytes(raw)

    def _region_length(self, offset: int, events: bool) -> int:
        """Return how much of a region is worth copying: what is used, most often a quarter."""
        if events:
            return layout.REGION_BYTES
        words = memoryview(self._read(offset, layout.PROBES_OFFSET)).cast("Q")
        if words[RegionWord.ERROR_COUNT]:
            return layout.EVENTS_OFFSET
        used = min(words[RegionWord.PANEL_BYTES_USED], layout.PANELS_BYTES)
        return layout.PANELS_OFFSET + used - used % layout.WORD_BYTES

    def _latches(self, words: memoryview, end: int) -> list[tuple[int, int]]:
        """Return place and length of each ring latch in a region's bytes up to `end`.

        What the directory says is remembered: it changes when a panel is made, and is most of what
        a snapshot's latches cost otherwise.
        """
        count = min(words[RegionWord.DIRECTORY_COUNT], layout.DIRECTORY_ENTRIES)
        first = layout.DIRECTORY_OFFSET // layout.WORD_BYTES
        behind = first + count * layout.DIRECTORY_ENTRY_BYTES // layout.WORD_BYTES
        directory = (end, words[first:behind].tobytes())
        if directory not in self._latch_places:
            if len(self._latch_places) >= layout.REGION_COUNT:
                self._latch_places.clear()
            self._latch_places[directory] = self._find_latches(words, end)
        return self._latch_places[directory]

    def _find_latches(self, words: memoryview, end: int) -> list[tuple[int, int]]:
        places = []
        for entry in range(min(words[RegionWord.DIRECTORY_COUNT], layout.DIRECTORY_ENTRIES)):
            at = (layout.DIRECTORY_OFFSET + entry * layout.DIRECTORY_ENTRY_BYTES) // 8
            if words[at] >= layout.SCHEMA_OFFSET + self._catalogue.used:
                self._extend_catalogue(self._shared_word(SharedWord.SCHEMA_USED))
            panel = self._catalogue.panels.get(words[at])
            for field in panel.fields if panel else ():
                place = words[at + 1] + field.place
                inside = layout.PANELS_OFFSET <= place <= end - field.length
                if field.kind == "latch" and inside and place % layout.WORD_BYTES == 0:
                    places.append((place, field.length))
        return places

    def _latch(self, offset: int, length: int) -> bytes:
        """Return a ring latch that is whole: its number from before its slots were copied."""
        word = layout.WORD_BYTES
        before = self._read(offset, word)
        for _ in range(_LATCH_TRIES):
            slots = self._read(offset + word, length - word)
            after = self._read(offset, word)
            moved = int.from_bytes(after, "little") - int.from_bytes(before, "little")
            # A number that fell is another process's: the region has been claimed anew.
            if 0 <= moved < layout.LATCH_SLOTS - 1:
                return before + slots
            before = after
        return layout.LATCH_UNREAD.to_bytes(word, "little") + slots

    # ------------------------------------------------------------------ rings, often
    def rings(self) -> list[RingHead]:
        """Return what each process's region says of its event ring, from a few words of it."""
        slots = self._read(layout.SLOTS_OFFSET, layout.SLOT_BYTES * layout.REGION_COUNT)
        states = memoryview(slots).cast("Q")[SlotWord.STATE :: _SLOT_WORDS].tolist()
        used = [slot for slot, state in enumerate(states) if state != SlotState.FREE]
        found = []
        for slot, words, verdict in self._claimed(slots, clock.monotonic_ns(), used):
            raw = self._read(layout.region_offset(slot), layout.WORD_BYTES * _RING_WORDS)
            ring = memoryview(raw).cast("Q").tolist()
            # Between two claims the region is another process's, or nobody's.
            if ring[RegionWord.CLAIM] == words[SlotWord.CLAIM]:
                found.append(RingHead(slot, verdict, words[SlotWord.CLAIMED_WALL_NS], ring))
        return found

    def copy_ring(self, slot: int, low: int, end: int, ring: memoryview) -> None:
        """Copy what a region's event ring has from position `low` up to `end` to its place.

        Args:
            ring: room for a whole ring; the rest of it is left as it is.

        Raises:
            SegmentTruncated: the file was cut since it was opened.
        """
        start, stop = low % layout.EVENTS_BYTES, end % layout.EVENTS_BYTES
        whole = end - low >= layout.EVENTS_BYTES
        parts = [(start, stop)] if start < stop and not whole else [(start, len(ring)), (0, stop)]
        offset = layout.region_offset(slot) + layout.EVENTS_OFFSET
        for first, last in [(0, len(ring))] if whole else parts:
            if first < last:
                ring[first:last] = self._read(offset + first, last - first)

    # ------------------------------------------------------------------ probes, fast
    def _words(self) -> memoryview:
        if self._mapped is None:
            check_file(self._file, self.path)
            self._map = mmap.mmap(self._file, layout.SEGMENT_BYTES, prot=mmap.PROT_READ)
            self._mapped = memoryview(self._map).cast("Q")
        return self._mapped

    def verdicts(self) -> dict[int, str]:
        """Return the verdict of every claimed slot."""
        slots = self._read(layout.SLOTS_OFFSET, layout.SLOT_BYTES * layout.REGION_COUNT)
        now = clock.monotonic_ns()
        return {slot: verdict for slot, _, verdict in self._claimed(slots, now)}

    def live_words(self) -> memoryview:
        """Return the whole segment as live words; a view: let go of it before `close`."""
        return self._words()
