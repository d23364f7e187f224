"""A snapshot: the bytes of a segment at one instant, decoded by the schema that lies in them.

Every view is a function of one or two snapshots; where the bytes came from (this machine, a
recording, the far side of a connection) makes no difference. Decoding is lazy and forgiving: what
cannot be true is left out, never an exception, since the bytes may be of a process that was killed
in the middle of a store.
"""

from __future__ import annotations

from struct import Struct

from isinglass.glass import layout, schema
from isinglass.glass.header import Header, text_at
from isinglass.glass.histogram import WORDS as HISTOGRAM_WORDS
from isinglass.glass.histogram import HistogramValue
from isinglass.glass.journal import DistinctError, Event, raw_events, read_errors, read_events
from isinglass.glass.layout import LineWord, RegionWord, SlotWord, TableWord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from isinglass.glass.journal import RawEvent

_WORD, _SIGNED, _REAL, _ENTRY = Struct("<Q"), Struct("<q"), Struct("<d"), Struct("<QQ")
_HISTOGRAM = Struct(f"<{HISTOGRAM_WORDS}Q")

Value = int | float | str | HistogramValue


class Verdict:
    """What a reader says of a process; asked of the kernel, not of the process."""

    NAMES = ("alive", "stalled", "clean exit", "killed")
    ALIVE, STALLED, CLEAN_EXIT, KILLED = NAMES


class FieldView:
    """One field with its value and everything that the catalogue says of it."""

    __slots__ = ("help", "kind", "level", "name", "unit", "value")

    def __init__(self, field: schema.FieldSchema, name: str, value: Value) -> None:
        self.name, self.value = name, value
        self.kind, self.unit, self.level, self.help = (
            field.kind, field.unit, field.level, field.help,
        )  # fmt: skip


class PanelView:
    """One panel instance of one process; `view["offered"]` is a value.

    A console looks at a few fields of many panels each second, so a field is decoded when somebody
    asks for it.

    Args:
        fields: all of its fields, when they are decoded already.
        source: else its schema, its process's region, and where in it the panel starts.
    """

    __slots__ = ("_fields", "_known", "_source", "help", "instance", "name")

    def __init__(
        self,
        name: str,
        instance: str,
        help_line: str,
        fields: tuple[FieldView, ...] | None = None,
        source: tuple[schema.PanelSchema, bytes, int] | None = None,
    ) -> None:
        self.name, self.instance, self.help = name, instance, help_line
        self._fields, self._source = fields, source
        self._known: dict[str, Value | None] = {field.name: field.value for field in fields or ()}

    @property
    def fields(self) -> tuple[FieldView, ...]:
        """All fields, in their order."""
        if self._fields is None and self._source is not None:
            panel, raw, start = self._source
            self._fields = tuple(
                FieldView(part or field, name, value)
                for name, (field, part) in panel.by_name.items()
                if (value := _value(field, part, raw, start)) is not None
            )
        return self._fields or ()

    def __getitem__(self, name: str) -> Value:
        value = self._value(name)
        if value is None:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Value = 0) -> Value:
        """Return a field's value, or `default` when this panel has no such field."""
        value = self._value(name)
        return default if value is None else value

    def _value(self, name: str) -> Value | None:
        known = self._known
        if name not in known and self._source is not None:
            panel, raw, start = self._source
            if (place := panel.by_name.get(name)) is not None:
                known[name] = _value(*place, raw, start)
        return known.get(name)


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


class Directory:
    """Which panels a region has: schema, instance, and place in the region of each.

    `named`: the numbers of the panels of a name; `at`: that of a name and instance, the first.
    """

    def __init__(self, raw: bytes, known: Mapping[int, schema.PanelSchema]) -> None:
        self.panels: list[tuple[schema.PanelSchema, str, int]] = []
        self.named: dict[str, list[int]] = {}
        self.at: dict[tuple[str, str], int] = {}
        for place in range(0, len(raw), layout.DIRECTORY_ENTRY_BYTES):
            block, start = _ENTRY.unpack_from(raw, place)
            panel = known.get(block)
            if panel is None or not layout.PANELS_OFFSET <= start < layout.ERRORS_OFFSET:
                continue
            instance, number = text_at(raw, place + 24, 40), len(self.panels)
            self.panels.append((panel, instance, start))
            self.named.setdefault(panel.name, []).append(number)
            self.at.setdefault((panel.name, instance), number)


class Catalogue:
    """The parsed schema blocks of one segment, by their place; blocks are only ever added.

    `area`: the bytes that were parsed, `used` of them.
    """

    def __init__(self) -> None:
        self.panels: dict[int, schema.PanelSchema] = {}
        self.files: dict[int, schema.FileSchema] = {}
        self.area = bytearray()
        self.used = 0
        self._directories: dict[tuple[bytes, int], Directory] = {}

    def directory(self, raw: bytes) -> Directory:
        """Return what a region's directory says; it changes when a panel is made, so it is kept."""
        key = (raw, len(self.panels))
        if key not in self._directories:
            if len(self._directories) >= layout.REGION_COUNT:
                self._directories.clear()
            self._directories[key] = Directory(raw, self.panels)
        return self._directories[key]

    def extend(self, area: bytes) -> None:
        """Parse the blocks that were added since the last call; `area` starts at `self.used`."""
        base = self.used
        for place, kind, payload in schema.blocks(area, len(area)):
            at = layout.SCHEMA_OFFSET + base + place
            try:
                if kind == schema.PANEL_BLOCK:
                    self.panels[at] = schema.parse_panel(payload)
                elif kind == schema.FILE_BLOCK:
                    self.files[at] = schema.parse_file(payload)
            except (ValueError, IndexError):
                pass  # A damaged block hides its own fields, not the others.
            end = base + place + schema.BLOCK_HEADER_BYTES + len(payload)
            end += -end % layout.WORD_BYTES
            self.area += area[self.used - base : end - base]
            self.used = end


def _text(raw: bytes, place: int, length: int) -> Value:
    return text_at(raw, place, length)


def _histogram(raw: bytes, place: int, length: int) -> Value | None:
    whole = length >= _HISTOGRAM.size
    return HistogramValue(list(_HISTOGRAM.unpack_from(raw, place))) if whole else None


def _real(raw: bytes, place: int, _length: int) -> Value:
    return float(_REAL.unpack_from(raw, place)[0])


def _signed(raw: bytes, place: int, _length: int) -> Value:
    return int(_SIGNED.unpack_from(raw, place)[0])


def _word(raw: bytes, place: int, _length: int) -> Value:
    return int(_WORD.unpack_from(raw, place)[0])


# kind: what reads its bytes; any other kind is a word
_READERS: dict[str, Callable[[bytes, int, int], Value | None]] = {
    "text": _text, "histogram": _histogram, "real": _real, "gauge": _signed,
}  # fmt: skip


def _value(
    field: schema.FieldSchema, part: schema.FieldSchema | None, raw: bytes, start: int
) -> Value | None:
    """Return what a field, or a part of a latch, says; None where that cannot be true."""
    place, length = start + field.place, field.length
    if place < 0 or place + length > len(raw) or place % layout.WORD_BYTES:
        return None
    if part is not None:
        number = _WORD.unpack_from(raw, place)[0]
        slot_bytes = layout.WORD_BYTES * len(field.parts)
        newest = layout.WORD_BYTES + (number & (layout.LATCH_SLOTS - 1)) * slot_bytes
        if number == layout.LATCH_UNREAD or newest + slot_bytes > length:
            return None
        field, place = part, place + newest + layout.WORD_BYTES * field.parts.index(part)
    return _READERS.get(field.kind, _word)(raw, place, length)


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
        self._files: dict[int, schema.FileSchema] | None = None

    @property
    def slot_words(self) -> list[int]:
        """The words of its slot that it was made of, the others zero; see `layout.SlotWord`."""
        claimed, ended = self.claimed_wall_ns, self.ended_wall_ns
        return [0, self.claim, self.pid, 0, claimed, self._beat_ns, ended, 0]

    @property
    def files(self) -> dict[int, schema.FileSchema]:
        """The probed files of this process by module id."""
        if self._files is None:
            first = layout.FILES_OFFSET // layout.WORD_BYTES
            count = min(self._words[RegionWord.FILE_COUNT], layout.FILE_ENTRIES)
            entries = self._words[first : first + count].tolist()
            known = self._catalogue.files
            found = ((e >> 40, known.get(e & (1 << 40) - 1)) for e in entries)
            self._files = {module: file for module, file in found if file is not None}
        return self._files

    def site(self, word: int) -> schema.Site | None:
        """Return the mark that a probe word stands for; None when it was never marked."""
        file = self.files.get(word >> layout.LINE_BITS)
        return file.site(word & (1 << layout.LINE_BITS) - 1) if file and word else None

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
            source = (panel, self.raw, start)
            found = PanelView(panel.name, instance, panel.help, None, source)
            self._panels[number] = found
        return found

    def panel(self, name: str, instance: str = "") -> PanelView | None:
        """Return a panel of this process, or None."""
        number = self._own.at.get((name, instance))
        return None if number is None else self._panel(number)

    def panels_of(self, name: str) -> list[PanelView]:
        """Return all instances of a panel, in the order in which they were made."""
        return [self._panel(number) for number in self._own.named.get(name, ())]

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

    @property
    def tables(self) -> tuple[TableRow, ...]:
        """The tables and indexes of the node with their row counts."""
        rows, words = [], memoryview(self.shared).cast("Q")
        for place in range(layout.TABLES_PLACE, len(self.shared), layout.TABLE_BYTES):
            at = place // layout.WORD_BYTES
            if words[at + TableWord.PRESENT] != 1:
                continue
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
