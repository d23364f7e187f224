"""The fields of panels, decoded from the bytes of a region by the schema that lies beside them.

A console looks at a few fields of many panels each second, so nothing is decoded before somebody
asks for it, and what a directory says is worked out once for all snapshots in which it is the same.
"""

from __future__ import annotations

from math import nan
from struct import Struct
from struct import error as TooShort

from isinglass.glass import layout, schema
from isinglass.glass.header import text_at
from isinglass.glass.histogram import WORDS as HISTOGRAM_WORDS
from isinglass.glass.histogram import HistogramValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WORD, _ENTRY = Struct("<Q"), Struct("<QQ")
_HISTOGRAM = Struct(f"<{HISTOGRAM_WORDS}Q")

Value = int | float | str | HistogramValue


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
        panel: what its fields are.
        raw: its process's region; the panel begins at `start` in it.
    """

    __slots__ = ("_known", "_panel", "_raw", "_start", "help", "instance", "name")

    def __init__(self, panel: schema.PanelSchema, instance: str, raw: bytes, start: int) -> None:
        self.name, self.instance, self.help = panel.name, instance, panel.help
        self._panel, self._raw, self._start = panel, raw, start
        self._known: dict[str, Value | None] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all fields, in their order, also of those that cannot be read."""
        return tuple(self._panel.by_name)

    def field(self, name: str) -> FieldView | None:
        """Return a field with its value; None when there is none, or it cannot be read."""
        value = self._value(name)
        if value is None:
            return None
        field, part = self._panel.by_name[name]
        return FieldView(part or field, name, value)

    @property
    def fields(self) -> tuple[FieldView, ...]:
        """All fields that can be read, in their order."""
        found = (self.field(name) for name in self.names)
        return tuple(field for field in found if field is not None)

    def __getitem__(self, name: str) -> Value:
        value = self._value(name)
        if value is None:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Value = 0) -> Value:
        """Return a field's value, or `default` when this panel has no such field."""
        value = self._value(name)
        return default if value is None else value

    def number(self, name: str) -> float:
        """Return a numeric field as a float; NaN when this panel has no such field."""
        word = self._panel.words.get(name)
        if word is None:
            value = self._value(name)
            return float(value) if isinstance(value, (int, float)) else nan
        reader, place = word
        try:
            return float(reader(self._raw, self._start + place)[0])
        except TooShort:
            return nan

    def _value(self, name: str) -> Value | None:
        known = self._known
        return known[name] if name in known else self._decoded(name)

    def _decoded(self, name: str) -> Value | None:
        fields = self._panel.by_name
        value = _value(*fields[name], self._raw, self._start) if name in fields else None
        self._known[name] = value
        return value


class Directory:
    """Which panels a region has: schema, instance, and place in the region of each.

    `named`: the numbers of the panels of a name; `at`: that of a name and instance, the first.
    """

    def __init__(self, raw: bytes, known: Mapping[int, schema.PanelSchema]) -> None:
        self.panels: list[tuple[schema.PanelSchema, str, int]] = []
        self.named: dict[str, list[int]] = {}
        self.at: dict[tuple[str, str], int] = {}
        self._words: dict[tuple[str, str], list[schema.WordPlace]] = {}
        for place in range(0, len(raw), layout.DIRECTORY_ENTRY_BYTES):
            block, start = _ENTRY.unpack_from(raw, place)
            panel = known.get(block)
            if panel is None or not layout.PANELS_OFFSET <= start < layout.ERRORS_OFFSET:
                continue
            instance, number = text_at(raw, place + 24, 40), len(self.panels)
            self.panels.append((panel, instance, start))
            self.named.setdefault(panel.name, []).append(number)
            self.at.setdefault((panel.name, instance), number)

    def numbers(self, name: str, field: str, raw: bytes) -> list[float]:
        """Return a field that is one word of all panels of a name, all NaN if bytes are missing.

        Where they stand in a region is worked out once.
        """
        words = self._words.get((name, field))
        if words is None:
            panels = [self.panels[number] for number in self.named.get(name, ())]
            found = [(panel.words.get(field), start) for panel, _, start in panels]
            words = [(word[0], start + word[1]) for word, start in found if word is not None]
            self._words[name, field] = words
        try:
            return [float(reader(raw, place)[0]) for reader, place in words]
        except TooShort:
            return [nan] * len(words)


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
        self._module_files: dict[tuple[bytes, int], dict[int, schema.FileSchema]] = {}

    def directory(self, raw: bytes) -> Directory:
        """Return what a region's directory says; it changes when a panel is made, so it is kept."""
        key = (raw, len(self.panels))
        if key not in self._directories:
            if len(self._directories) >= layout.REGION_COUNT:
                self._directories.clear()
            self._directories[key] = Directory(raw, self.panels)
        return self._directories[key]

    def module_files(self, raw: bytes) -> dict[int, schema.FileSchema]:
        """Return the probed files by module id, out of a region's list; kept as directories are."""
        key = (raw, len(self.files))
        if key not in self._module_files:
            if len(self._module_files) >= layout.REGION_COUNT:
                self._module_files.clear()
            entries = memoryview(raw).cast("Q").tolist()
            found = ((entry >> 40, self.files.get(entry & (1 << 40) - 1)) for entry in entries)
            self._module_files[key] = {module: file for module, file in found if file is not None}
        return self._module_files[key]

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


# kind: what reads its bytes; any other kind is a word
_READERS: dict[str, Callable[[bytes, int, int], Value | None]] = {
    "text": _text, "histogram": _histogram,
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
    if field.kind in _READERS:
        return _READERS[field.kind](raw, place, length)
    return schema.word_reader(field.kind)(raw, place)[0]
