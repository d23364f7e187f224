"""The text inside a segment that says what its words mean; written once, read by every reader.

Plain lines of tab-separated columns, so that a reader needs no library to parse them, and a block
that a newer writer added is skipped by an older reader.

    block    8 bytes kind   8 bytes CRC-32 of the payload   8 bytes payload length (stored last)
             payload, UTF-8, padded with zeros to 8 bytes

    kind 1   panel <name> <size bytes> <help>
             field <name> <kind> <place> <length> <unit> <level> <help>     places in bytes
             part  <name> <kind> <place> <length> <unit> <level> <help>     of the latch above
    kind 2   file  <path> <sha-256 of the source>
             site  <line> <function> <label> <works|waits>
"""

from __future__ import annotations

from binascii import crc32
from struct import Struct

from isinglass.glass.layout import WORD_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    WordReader = Callable[[bytes, int], tuple[int | float, ...]]
    WordPlace = tuple[WordReader, int]

BLOCK_HEADER_BYTES = 3 * WORD_BYTES
PANEL_BLOCK, FILE_BLOCK = 1, 2
PLACE_PARTS = 3  # of a source file's path: its name, and the folders that tell it from others
LEVELS = ("info", "diagnostic", "debug")
OF_MANY_WORDS = ("latch", "histogram", "text")
_WORD = Struct("<Q").unpack_from
_SIGNED_OR_REAL = {"gauge": Struct("<q").unpack_from, "real": Struct("<d").unpack_from}
_WHITE = str.maketrans({"\t": " ", "\n": " ", "\r": " "})


class FieldSchema:
    """What one field is: its kind, place and length in bytes, unit, level and line of help."""

    __slots__ = ("help", "kind", "length", "level", "name", "parts", "place", "unit")

    def __init__(
        self, name: str, kind: str, place: int, length: int, unit: str, level: str, help_line: str
    ) -> None:
        self.name, self.kind, self.place, self.length = name, kind, place, length
        self.unit, self.level, self.help = unit, level, help_line
        self.parts: list[FieldSchema] = []


class PanelSchema:
    """A panel's name, size in bytes, line of help and fields."""

    __slots__ = ("_by_name", "_words", "fields", "help", "name", "size_bytes")

    def __init__(self, name: str, size_bytes: int, help_line: str) -> None:
        self.name, self.size_bytes, self.help = name, size_bytes, help_line
        self.fields: list[FieldSchema] = []
        self._by_name: dict[str, tuple[FieldSchema, FieldSchema | None]] = {}
        self._words: dict[str, WordPlace] | None = None

    @property
    def by_name(self) -> dict[str, tuple[FieldSchema, FieldSchema | None]]:
        """The field of each value's name, and the part of it when it is a latch.

        To be asked when all fields are there.
        """
        if not self._by_name:
            for field in self.fields:
                if field.kind != "latch":
                    self._by_name[field.name] = (field, None)
                for part in field.parts:
                    self._by_name[f"{field.name}.{part.name}"] = (field, part)
        return self._by_name

    @property
    def words(self) -> dict[str, WordPlace]:
        """How the value of each field that is one word is read, and where, by the field's name.

        To be asked when all fields are there.
        """
        if self._words is None:
            self._words = {
                field.name: (word_reader(field.kind), field.place)
                for field in self.fields
                if field.kind not in OF_MANY_WORDS
                and field.place >= 0
                and field.place % WORD_BYTES == 0
            }
        return self._words


def word_reader(kind: str) -> WordReader:
    """Return what reads a field of a kind that is one word: `reader(raw, place)[0]` is its value.

    It raises struct.error where the bytes end before it.
    """
    return _SIGNED_OR_REAL.get(kind, _WORD)


class Site:
    """One mark in a source file: where it stands, what it says, whether it waits or works."""

    __slots__ = ("function", "label", "line", "path", "source_hash", "waits")

    def __init__(
        self, path: str, source_hash: str, line: int, function: str, label: str, waits: bool
    ) -> None:
        self.path, self.source_hash, self.line = path, source_hash, line
        self.function, self.label, self.waits = function, label, waits


def place_text(path: str, line: int) -> str:
    """Return where an event comes from as it is told; "" when that is not known."""
    return "/".join(path.split("/")[-PLACE_PARTS:]) + f":{line}" if path else ""


class FileSchema:
    """A probed source file, and its marks by line."""

    __slots__ = ("path", "sites", "source_hash")

    def __init__(self, path: str, source_hash: str) -> None:
        self.path, self.source_hash = path, source_hash
        self.sites: dict[int, Site] = {}

    def site(self, line: int) -> Site:
        """Return the mark on a line; one that is not in the table is shown by its line alone."""
        known = self.sites.get(line)
        return known or Site(self.path, self.source_hash, line, "?", "", False)


def _encoded(rows: Iterable[str]) -> bytes:
    # A path that is not UTF-8 comes as surrogates; it must not keep its module from being imported.
    return "\n".join(rows).encode("utf-8", "replace")


def _row(*columns: object) -> str:
    return "\t".join(str(column).translate(_WHITE) for column in columns)


def _field_row(tag: str, field: FieldSchema) -> str:
    return _row(
        tag, field.name, field.kind, field.place, field.length, field.unit, field.level, field.help
    )


def panel_text(panel: PanelSchema) -> bytes:
    """Return the payload of a panel's block."""
    rows = [_row("panel", panel.name, panel.size_bytes, panel.help)]
    for field in panel.fields:
        rows.append(_field_row("field", field))
        rows.extend(_field_row("part", part) for part in field.parts)
    return _encoded(rows)


def file_text(path: str, source_hash: str, sites: Iterable[tuple[int, str, str, bool]]) -> bytes:
    """Return the payload of a probed file's block; a site is (line, function, label, waits)."""
    rows = [_row("file", path, source_hash)]
    for line, function, label, waits in sites:
        rows.append(_row("site", line, function, label, "waits" if waits else "works"))
    return _encoded(rows)


def block_bytes(kind: int, payload: bytes) -> bytes:
    """Return a whole block; its length word is still zero, and is stored last by the writer."""
    head = kind.to_bytes(8, "little") + crc32(payload).to_bytes(8, "little") + bytes(8)
    return head + payload + bytes(-len(payload) % WORD_BYTES)


def blocks(area: bytes | memoryview, used: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield (place, kind, payload) of each whole block; stop at the first damaged one."""
    place = 0
    end = min(used, len(area))
    while place + BLOCK_HEADER_BYTES <= end:
        kind, crc, length = (
            int.from_bytes(area[place + at : place + at + 8], "little") for at in (0, 8, 16)
        )
        start = place + BLOCK_HEADER_BYTES
        if length == 0 or start + length > end:
            return
        payload = bytes(area[start : start + length])
        if crc32(payload) != crc:
            return
        yield place, kind, payload
        place = start + length + (-length % WORD_BYTES)


def _field(columns: list[str]) -> FieldSchema:
    name, kind, place, length, unit, level, help_line = columns[:7]
    return FieldSchema(name, kind, int(place), int(length), unit, level, help_line)


def parse_panel(payload: bytes) -> PanelSchema:
    """Parse a panel's block.

    Raises:
        ValueError: the text is not a panel's.
    """
    rows = [line.split("\t") for line in payload.decode().split("\n")]
    tag, name, size_bytes, help_line = rows[0][:4]
    if tag != "panel":
        raise ValueError(f"a panel block starts with {tag!r}")
    panel = PanelSchema(name, int(size_bytes), help_line)
    for tag, *columns in rows[1:]:
        if tag == "field":
            panel.fields.append(_field(columns))
        elif tag == "part":
            panel.fields[-1].parts.append(_field(columns))
    return panel


def parse_file(payload: bytes) -> FileSchema:
    """Parse a probed file's block.

    Raises:
        ValueError: the text is not a file's.
    """
    rows = [line.split("\t") for line in payload.decode().split("\n")]
    tag, path, source_hash = rows[0][:3]
    if tag != "file":
        raise ValueError(f"a file block starts with {tag!r}")
    file = FileSchema(path, source_hash)
    for tag, *columns in rows[1:]:
        if tag == "site":
            line, function, label, kind = columns[:4]
            number = int(line)
            file.sites[number] = Site(path, source_hash, number, function, label, kind == "waits")
    return file
