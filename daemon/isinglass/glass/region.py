"""This process's own region: memory whose address never moves, whatever file backs it.

Hot loops keep a `memoryview` of their words in a local variable. So attaching, following a
restarted node, leaving and forking must not move those words: the region starts as anonymous
memory, and `back` lays a file's pages over the same addresses (mmap(2), MAP_FIXED). What was
counted and marked before is copied along. A forked child is moved onto a region of its own in the
same way, so that no word ever has two writers. One region a process, 397,312 bytes, of which
untouched pages cost nothing until it is backed.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Callable

from isinglass.errors import RegionFull
from isinglass.glass import layout, schema
from isinglass.glass.layout import LineWord, RegionWord
from isinglass.glass.mapping import lay_file, lay_nothing

_WORDS_A_LINE = layout.PROBE_LINE_BYTES // layout.WORD_BYTES
_FIRST_LINE = layout.PROBES_OFFSET // layout.WORD_BYTES

Register = Callable[[int, bytes], int]


def fit(text: str, size_bytes: int) -> bytes:
    """Return UTF-8 of exactly `size_bytes`: cut at a character, padded with zeros."""
    raw = text.encode("utf-8", "replace")[:size_bytes]
    return raw.decode("utf-8", "ignore").encode().ljust(size_bytes, b"\0")


class _Keeper:
    """Frees a thread's probe line when the thread's locals go; not in a forked child."""

    def __init__(self, region: Region, line: int) -> None:
        self.region, self.line, self.pid = region, line, os.getpid()

    # The default is bound early: at the end of the interpreter the module's names are gone first.
    def __del__(self, getpid: Callable[[], int] = os.getpid) -> None:
        if self.pid == getpid():
            self.region.free_line(self.line)


class _Allocation:
    """One panel instance: its directory entry, its place and room, and the schema text it needs."""

    __slots__ = ("entry", "instance", "payload", "place", "room", "size_bytes", "used")

    def __init__(self, entry: int, place: int, room: int) -> None:
        self.entry, self.place, self.room = entry, place, room
        self.payload, self.size_bytes, self.instance, self.used = b"", 0, "", False

    def fill(self, payload: bytes, size_bytes: int, instance: str) -> _Allocation:
        """Make it one panel's."""
        self.payload, self.size_bytes, self.instance = payload, size_bytes, instance
        self.used = True
        return self


class Region:
    """The memory of one region, and who has which part of it."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, layout.REGION_BYTES)
        self.bytes = memoryview(self.memory)
        self.words = self.bytes.cast("Q")
        self.signed = self.bytes.cast("q")
        self.reals = self.bytes.cast("d")
        self.lock = threading.Lock()
        places = range(layout.PROBES_OFFSET, layout.DIRECTORY_OFFSET, layout.PROBE_LINE_BYTES)
        self._lines = [self.bytes[place : place + layout.PROBE_LINE_BYTES] for place in places]
        self._allocations: list[_Allocation] = []
        self._files: list[tuple[int, bytes]] = []
        self._register: Register | None = None
        self.draw_stream()

    def draw_stream(self) -> None:
        """Give this life of the event ring its number, by which monitors know it; none is told."""
        for word in (RegionWord.TELLER, RegionWord.EVENTS_TOLD, RegionWord.DATAGRAMS_TOLD):
            self.words[word] = 0
        self.words[RegionWord.STREAM] = int.from_bytes(os.urandom(8), "big") or 1

    # ------------------------------------------------------------------ panels
    def allocate(self, payload: bytes, size_bytes: int, instance: str) -> _Allocation:
        """Give a panel instance its words, zeroed; `payload` is the panel's schema text.

        Raises:
            RegionFull: the region has no room for one more panel.
        """
        # A panel starts on a cache line of its own, so that two threads' panels do not share one.
        room = size_bytes + (-size_bytes % layout.PROBE_LINE_BYTES)
        with self.lock:
            hole = self._hole(room) or self._fresh(room)
            allocation = hole.fill(payload, size_bytes, instance)
            place = allocation.place
            self.bytes[place : place + size_bytes] = bytes(size_bytes)
            self._publish(allocation)
            return allocation

    def _hole(self, room: int) -> _Allocation | None:
        """Return the smallest released place that is large enough, as a new allocation."""
        free = [a for a in self._allocations if not a.used and a.room >= room]
        if not free:
            return None
        old = min(free, key=lambda allocation: allocation.room)
        # A new object: whoever still holds the old one must not release the next one's place.
        new = self._allocations[old.entry] = _Allocation(old.entry, old.place, old.room)
        return new

    def _fresh(self, room: int) -> _Allocation:
        used = self.words[RegionWord.PANEL_BYTES_USED]
        entry = len(self._allocations)
        if used + room > layout.PANELS_BYTES or entry == layout.DIRECTORY_ENTRIES:
            raise RegionFull(
                f"a process can have {layout.DIRECTORY_ENTRIES} panels in {layout.PANELS_BYTES:,}"
                " bytes: release panels that are no longer needed"
            )
        allocation = _Allocation(entry, layout.PANELS_OFFSET + used, room)
        self._allocations.append(allocation)
        self.words[RegionWord.PANEL_BYTES_USED] = used + room
        return allocation

    def release(self, allocation: _Allocation) -> None:
        """Take a panel instance out of the directory; its words may be given to the next."""
        with self.lock:
            if not allocation.used:
                return
            allocation.used = False
            self.words[self._entry_word(allocation)] = 0
            while self._allocations and not self._allocations[-1].used:
                self.words[RegionWord.PANEL_BYTES_USED] -= self._allocations.pop().room

    def used(self) -> list[_Allocation]:
        """Return what is allocated now, in the order of the directory."""
        return [allocation for allocation in self._allocations if allocation.used]

    def _entry_word(self, allocation: _Allocation) -> int:
        return (
            layout.DIRECTORY_OFFSET + allocation.entry * layout.DIRECTORY_ENTRY_BYTES
        ) // layout.WORD_BYTES

    def _publish(self, allocation: _Allocation) -> None:
        if self._register is None or not allocation.used:
            return
        word = self._entry_word(allocation)
        block = self._register(schema.PANEL_BLOCK, allocation.payload)
        name_place = word * layout.WORD_BYTES + 24
        self.words[word + 1] = allocation.place
        self.words[word + 2] = allocation.size_bytes
        self.bytes[name_place : name_place + 40] = fit(allocation.instance, 40)
        self.words[word] = layout.SCHEMA_OFFSET + block
        count = max(self.words[RegionWord.DIRECTORY_COUNT], allocation.entry + 1)
        self.words[RegionWord.DIRECTORY_COUNT] = count

    # ------------------------------------------------------------------ probed files
    def register_file(self, module_id: int, payload: bytes) -> None:
        """Make a probed file's sites known to readers; `payload` is its schema text."""
        with self.lock:
            self._files.append((module_id, payload))
            self._publish_file(len(self._files) - 1)

    def file_path(self, module_id: int) -> str:
        """Return the path of a probed file of this process, "" when there is none."""
        found = (payload for known, payload in self._files if known == module_id)
        return next(found, b"\t\t").split(b"\t", 2)[1].decode("utf-8", "replace")

    def _publish_file(self, entry: int) -> None:
        if self._register is None or entry >= layout.FILE_ENTRIES:
            return
        module_id, payload = self._files[entry]
        block = layout.SCHEMA_OFFSET + self._register(schema.FILE_BLOCK, payload)
        self.words[layout.FILES_OFFSET // layout.WORD_BYTES + entry] = module_id << 40 | block
        self.words[RegionWord.FILE_COUNT] = entry + 1

    # ------------------------------------------------------------------ threads
    def claim_line(self) -> memoryview:
        """Give the calling thread a probe line; return the one word that it writes."""
        with self.lock:
            line = self._free_line()
            if line is None:
                # The 129th thread and later ones share a word that no reader shows.
                word = int(RegionWord.SPARE_PROBE)
            else:
                self.name_line(line)
                _thread.keeper, _thread.line = _Keeper(self, line), line
                word = self.line_word(line)
            _thread.word = self.words[word : word + 1]
            return _thread.word

    def line_word(self, line: int) -> int:
        """Return the number of the first word of a probe line."""
        return _FIRST_LINE + line * _WORDS_A_LINE

    def _free_line(self) -> int | None:
        for line in range(layout.PROBE_LINES):
            if self.words[self.line_word(line) + LineWord.NATIVE_ID] == 0:
                return line
        return None

    def name_line(self, line: int) -> None:
        """Write the calling thread's name and kernel id into a probe line."""
        word = self.line_word(line)
        place = word * layout.WORD_BYTES + layout.LINE_NAME_PLACE
        name = fit(threading.current_thread().name, layout.LINE_NAME_BYTES)
        self.bytes[place : place + layout.LINE_NAME_BYTES] = name
        self.words[word + LineWord.NATIVE_ID] = threading.get_native_id()
        count = max(self.words[RegionWord.LINE_COUNT], line + 1)
        self.words[RegionWord.LINE_COUNT] = count

    def free_line(self, line: int) -> None:
        """Take a thread that has ended out of the probes."""
        self._lines[line][:] = bytes(len(self._lines[line]))

    # ------------------------------------------------------------------ what backs the region
    def back(self, descriptor: int, offset: int, register: Register) -> None:
        """Lay the file's pages at `offset` under the region and copy its content there.

        `register(kind, payload)` appends a schema block to that segment and returns its place.
        A store of another thread between copy and map is lost: one of a counter's increments.
        """
        with self.lock:
            self._register = register
            os.pwrite(descriptor, bytes(self.bytes), offset)
            lay_file(self.memory, descriptor, offset)
            self.words[RegionWord.DIRECTORY_COUNT] = self.words[RegionWord.FILE_COUNT] = 0
            for allocation in self._allocations:
                self._publish(allocation)
            for entry in range(len(self._files)):
                self._publish_file(entry)

    def unback(self) -> None:
        """Go on in anonymous memory with the same content; what the file holds stays there."""
        with self.lock:
            self._register = None
            content = bytes(self.bytes)
            lay_nothing(self.memory)
            self.bytes[:] = content

    def after_fork(self) -> None:
        """In a forked child: leave the parent's words, forget its threads and what it counted."""
        self.lock = threading.Lock()
        self._register = None
        lay_nothing(self.memory)
        self.draw_stream()
        self.words[RegionWord.PANEL_BYTES_USED] = sum(a.room for a in self._allocations)
        if (line := getattr(_thread, "line", None)) is not None:
            self.name_line(line)
            _thread.keeper = _Keeper(self, line)


class _Thread(threading.local):
    word: memoryview
    line: int
    keeper: _Keeper


_thread = _Thread()
OWN = Region()


def thread_word() -> memoryview:
    """Return the calling thread's probe word; look it up once at the entry of a function."""
    try:
        return _thread.word
    except AttributeError:
        return OWN.claim_line()


def register_file(
    module_id: int, path: str, source_hash: str, sites: tuple[tuple[int, str, str, bool], ...]
) -> None:
    """Make the marks of one source file known; a site is (line, function, label, waits)."""
    OWN.register_file(module_id, schema.file_text(path, source_hash, sites))
