"""A snapshot: the bytes of a segment at one instant, decoded by the schema that lies in them.

Every view is a function of one or two snapshots; where the bytes came from (this machine, a
recording, the far side of a connection) makes no difference. Decoding is lazy and forgiving: what
cannot be true is left out, never an exception, since the bytes may be of a process that was killed
in the middle of a store.
"""

from __future__ import annotations

from itertools import compress

from isinglass.glass import layout, schema
from isinglass.glass.header import Header, text_at
from isinglass.glass.journal import DistinctError, Event, raw_events, read_errors, read_events
from isinglass.glass.layout import LineWord, RegionWord, SlotWord, TableWord
from isinglass.glass.panel_views import Catalogue, Directory, PanelView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, KeysView, Mapping

    from isinglass.glass.journal import RawEvent


class Verdict:
    """What a reader says of a process; asked of the kernel, not of the process."""

    NAMES = ("alive", "stalled", "clean exit", "killed")
    ALIVE, STALLED, CLEAN_EXIT, KILLED = NAMES


class Thread:
    """One probed thread: where it stands, and for how long (to a second, by the heartbeat)."""

    __slots__ = ("index", "name", "site", "stood_seconds", "tid", "word")

    def __init__(
        self, index: int, name: str, tid: int, word: int, site: schema.Site | None, stood: float
    ) -> None:
        self.index, self.name, self.tid, self.word = index, name, tid, word
        self.site, self.stood_seconds = site, stood


class TableRow:
    """A table, or an index of the table `index_of`, with its rows."""

    __slots__ = ("index_of", "name", "rows", "size_bytes")

    def __init__(self, name: str, index_of: str, rows: int, size_bytes: int) -> None:
        self.name, self.index_of, self.rows, self.size_bytes = name, index_of, rows, size_bytes


def site_of(files: Mapping[int, schema.FileSchema], word: int) -> schema.Site | None:
    """Return the mark that a probe word stands for, by the files of its process."""
    file = files.get(word >> layout.LINE_BITS)
    return file.site(word & (1 << layout.LINE_BITS) - 1) if file and word else None


class Process:
    """One process of the node: its verdict, threads, panels, events and errors."""

    def __init__(
        self, slot: int, words: list[int], raw: bytes, verdict: str, snapshot: Snapshot
    ) -> None:
        self.slot, self.raw, self.verdict = slot, raw, verdict
        self.claim, self.pid = words[SlotWord.CLAIM], words[SlotWord.PID]
        self.start_ticks = words[SlotWord.START_TICKS]
        self.claimed_wall_ns = words[SlotWord.CLAIMED_WALL_NS]
        self.ended_wall_ns = words[SlotWord.ENDED_WALL_NS]
        beat = words[SlotWord.HEARTBEAT_NS]
        self.heartbeat_age_seconds = max(snapshot.taken_monotonic_ns - beat, 0) / 1e9
        self._beat_ns = beat
        self._catalogue = snapshot.catalogue
        self._words = memoryview(raw).cast("Q")
        self.name = text_at(raw, layout.PROCESS_NAME_PLACE, layout.PROCESS_NAME_BYTES)
        self.command = text_at(raw, layout.COMMAND_PLACE, layout.COMMAND_BYTES)
        self._directory: Directory | None = None
        self._panels: dict[int, PanelView] = {}
        self._files: Mapping[int, schema.FileSchema] | None = None

    @property
    def holds_its_region(self) -> bool:
        """Whether what was copied of the region is this process's: both name the same claim."""
        return bool(self._words[RegionWord.CLAIM] == self.claim)

    @property
    def slot_words(self) -> list[int]:
        """The words of its slot that it was made of, the others zero; see `layout.SlotWord`."""
        claimed, ended = self.claimed_wall_ns, self.ended_wall_ns
        return [0, self.claim, self.pid, 0, claimed, self._beat_ns, ended, 0]

    @property
    def files(self) -> Mapping[int, schema.FileSchema]:
        """The probed files of this process by module id."""
        if self._files is None:
            first, count = layout.FILES_OFFSET, self._words[RegionWord.FILE_COUNT]
            length = min(count, layout.FILE_ENTRIES) * layout.WORD_BYTES
            self._files = self._catalogue.module_files(self.raw[first : first + length])
        return self._files

    def site(self, word: int) -> schema.Site | None:
        """Return the mark that a probe word stands for; None when it was never marked."""
        return site_of(self.files, word)

    @property
    def event_stream(self) -> int:
        """The number of this life of the ring; 0 when the region is another process's by now."""
        own = self._words[RegionWord.CLAIM] == self.claim
        return self._words[RegionWord.STREAM] if own else 0

    @property
    def event_head(self) -> int:
        """The position behind the newest event of this process's ring."""
        return self._words[RegionWord.EVENT_HEAD]

    @property
    def threads(self) -> tuple[Thread, ...]:
        """The probed threads that live, or lived when the process died."""
        count = min(self._words[RegionWord.LINE_COUNT], layout.PROBE_LINES)
        return tuple(thread for line in range(count) if (thread := self._thread(line)))

    @property
    def thread_ids(self) -> list[int]:
        """The kernel's number of the thread of each probe line, 0 of a free line."""
        count = min(self._words[RegionWord.LINE_COUNT], layout.PROBE_LINES)
        step = layout.PROBE_LINE_BYTES // layout.WORD_BYTES
        first = layout.PROBES_OFFSET // layout.WORD_BYTES + LineWord.NATIVE_ID
        return self._words[first : first + count * step : step].tolist()

    def _thread(self, line: int) -> Thread | None:
        place = layout.PROBES_OFFSET + line * layout.PROBE_LINE_BYTES
        at = place // layout.WORD_BYTES
        tid, word = self._words[at + LineWord.NATIVE_ID], self._words[at]
        if tid == 0:
            return None
        name = text_at(self.raw, place + layout.LINE_NAME_PLACE, layout.LINE_NAME_BYTES)
        # A line that changed since the last heartbeat has stood for less than one.
        still = word == self._words[at + LineWord.WATCHED_PROBE]
        since = self._words[at + LineWord.SINCE_NS] if still else self._beat_ns
        age = self._beat_ns - since + self.heartbeat_age_seconds * 1e9 if self._beat_ns else 0
        return Thread(line, name, tid, word, self.site(word), max(age, 0) / 1e9)

    @property
    def panels(self) -> tuple[PanelView, ...]:
        """The panels of this process, in the order in which they were made."""
        return tuple(self._panel(number) for number in range(len(self._own.panels)))

    @property
    def panel_names(self) -> KeysView[str]:
        """The name of each panel once, in that order."""
        return self._own.named.keys()

    @property
    def _own(self) -> Directory:
        if self._directory is None:
            count = min(self._words[RegionWord.DIRECTORY_COUNT], layout.DIRECTORY_ENTRIES)
            end = layout.DIRECTORY_OFFSET + count * layout.DIRECTORY_ENTRY_BYTES
            self._directory = self._catalogue.directory(self.raw[layout.DIRECTORY_OFFSET : end])
        return self._directory

    def _panel(self, number: int) -> PanelView:
        found = self._panels.get(number)
        if found is None:
            panel, instance, start = self._own.panels[number]
            found = self._panels[number] = PanelView(panel, instance, self.raw, start)
        return found

    def panel(self, name: str, instance: str = "") -> PanelView | None:
        """Return a panel of this process, or None."""
        number = self._own.at.get((name, instance))
        return None if number is None else self._panel(number)

    def panels_of(self, name: str) -> list[PanelView]:
        """Return all instances of a panel, in the order in which they were made."""
        return [self._panel(number) for number in self._own.named.get(name, ())]

    def numbers(self, name: str, field: str) -> list[float]:
        """Return a field that is one word, of all instances of a panel, as floats."""
        return self._own.numbers(name, field, self.raw)

    @property
    def errors(self) -> tuple[DistinctError, ...]:
        """The distinct errors of this process; empty when they were not copied."""
        return read_errors(self.raw, self.site)

    def raw_events(self) -> Iterator[RawEvent]:
        """Yield the events still in this process's ring as they stand there, oldest first."""
        if len(self.raw) < layout.REGION_BYTES:
            return iter(())
        ring = memoryview(self.raw)[layout.EVENTS_OFFSET :]
        return raw_events(ring, self._words[RegionWord.EVENT_HEAD])

    @property
    def events(self) -> tuple[Event, ...]:
        """The events still in this process's ring, oldest first; empty when not copied."""
        return read_events(self.raw, self.site)


class Snapshot:
    """A segment at one instant; made by a reader."""

    def __init__(
        self,
        *,
        header: Header,
        path: str,
        inode: int,
        taken_wall_ns: int,
        taken_monotonic_ns: int,
        catalogue: Catalogue,
        shared: bytes,
    ) -> None:
        self.header, self.path, self.inode = header, path, inode
        self.node, self.state, self.generation = header.node, header.state, header.generation
        self.taken_wall_ns, self.taken_monotonic_ns = taken_wall_ns, taken_monotonic_ns
        self.catalogue, self.shared = catalogue, shared
        self.processes: tuple[Process, ...] = ()
        self._tables: tuple[TableRow, ...] | None = None

    @property
    def tables(self) -> tuple[TableRow, ...]:
        """The tables and indexes of the node with their row counts."""
        if self._tables is None:
            self._tables = self._read_tables()
        return self._tables

    def _read_tables(self) -> tuple[TableRow, ...]:
        rows, words = [], memoryview(self.shared).cast("Q")
        places = range(layout.TABLES_PLACE, len(self.shared), layout.TABLE_BYTES)
        first, step = places.start // layout.WORD_BYTES, places.step // layout.WORD_BYTES
        present = words[first + TableWord.PRESENT :: step].tolist()
        for place in compress(places, [word == 1 for word in present]):
            at = place // layout.WORD_BYTES
            name, index_of = (
                text_at(self.shared, place + offset, layout.TABLE_NAME_BYTES)
                for offset in (layout.TABLE_NAME_PLACE, layout.TABLE_INDEX_OF_PLACE)
            )
            size = words[at + TableWord.SIZE_BYTES]
            rows.append(TableRow(name, index_of, words[at + TableWord.ROWS], size))
        return tuple(rows)

    def process(self, name: str) -> Process | None:
        """Return the first process of that name, or None."""
        return next((process for process in self.processes if process.name == name), None)

    @property
    def owner(self) -> Process | None:
        """The process that made the segment: the daemon."""
        for process in self.processes:
            if process.slot == 0:
                return process
        return None

    def panel(self, name: str, instance: str = "") -> PanelView | None:
        """Return a panel of the daemon, or None."""
        owner = self.owner
        return owner.panel(name, instance) if owner is not None else None


RateKey = tuple[int, int, str, str, str]


def counters(snapshot: Snapshot) -> dict[RateKey, int]:
    """Return every counter by (slot, claim, panel, instance, field)."""
    return {
        (process.slot, process.claim, panel.name, panel.instance, field.name): field.value
        for process in snapshot.processes
        for panel in process.panels
        for field in panel.fields
        if field.kind == "counter" and isinstance(field.value, int)
    }


def rates(previous: Snapshot, current: Snapshot) -> dict[RateKey, float]:
    """Return how fast each counter grew between two snapshots of one generation, per second.

    A process that came in between, or a node that was restarted, has no rates yet.
    """
    seconds = (current.taken_monotonic_ns - previous.taken_monotonic_ns) / 1e9
    if seconds <= 0 or previous.generation != current.generation:
        return {}
    before = counters(previous)
    return {
        key: max(value - before[key], 0) / seconds
        for key, value in counters(current).items()
        if key in before
    }
