"""What stands in a recording: its tables, and how 120 rows become a chapter.

A recording is one LMDB file. Each frame is committed as a row of its own at once, so a recorder
that is killed loses none; 120 rows are then packed into a chapter, which takes their place in one
transaction. A second of one node of the demo is about 2 kB as a row and 800 bytes in a chapter.

    meta      "recording"        → msgpack {format, isinglass, began_ns}
    schemas   node, 0, 8 bytes generation  → the schema's blocks, deflated
    wholes    node, 0, 8 bytes checksum    → a whole snapshot, deflated
    rows      8 bytes number     → a row (`model/frame_codec`), of the open chapter alone
    index     8 bytes number of the first frame  → frames, events: numbers; then the wall time
                                   of each frame, signed, to the one before
    chapters  the same           → the rows, without events and snapshots: msgpack, LZMA
    snapshots the same           → of each node, from key row to key row [the snapshots' rests,
                                   their columns] (`isinglass.glass.columns`): msgpack, LZMA
    events    the same           → the events, when there are any: msgpack, LZMA
    levels, board, alarms        → what judged them, what was wrong (`recording/board_tables`)

Numbers of frames count up by one, without a gap; in keys they are big-endian. Another number of the
format is another format: what only adds a table keeps the number.
"""

from __future__ import annotations

import lzma
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from isinglass.errors import IsinglassError
from isinglass.glass.columns import Turned, turn, turned
from isinglass.glass.differences import Source, put_number, put_signed
from isinglass_console.model.frame_codec import shown_nodes, taken_apart

FORMAT = 1
OF_CHAPTERS = ("index", "chapters", "snapshots", "events")
TABLES = ("meta", "schemas", "wholes", "rows", *OF_CHAPTERS)
META = b"recording"
# behind the header of the first page (lmdb mdb.c, MDB_MAGIC)
LMDB_MAGIC, LMDB_MAGIC_PLACE = (0xBEEFC0DE).to_bytes(4, "little"), 16
CHAPTER_ROWS = 120
KEY_ROWS = 15  # what is decoded at most to show any frame
LARGEST_CHAPTER_BYTES = 1 << 30
# Counters are written byte by byte: no position in a row is like another, modulo anything.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 4, "lp": 0, "pb": 0}]
_pack: Callable[[Any], bytes] = msgpack.packb
_WRONG = (ValueError, TypeError, KeyError, IndexError, AttributeError)


class RecordingError(IsinglassError):
    """A recording cannot be read or written."""


class RecordingDamaged(RecordingError):
    """What stands in the file is not what was recorded."""


class RecordingFormatUnknown(RecordingError):
    """The file was recorded in another format."""


def check_kind(path: Path) -> None:
    """Check that a file is of the kind that recordings are: one of LMDB.

    Raises:
        RecordingError, RecordingDamaged: there is none, or it is of another kind.
        OSError: it cannot be read.
    """
    if path.is_dir():
        raise RecordingError(f"{path} is a folder, no recording of isinglass.")
    if not path.is_file():
        raise RecordingError(f"There is no recording {path}.")
    with path.open("rb") as file:
        file.seek(LMDB_MAGIC_PLACE)
        if file.read(len(LMDB_MAGIC)) != LMDB_MAGIC:
            raise RecordingDamaged(f"{path} is no recording of isinglass.")


class Chapter(NamedTuple):
    """What the index says of a chapter: its first frame, its events, the times of its frames."""

    first: int
    events: int
    walls_ns: tuple[int, ...]

    @property
    def last(self) -> int:
        """The number of its last frame."""
        return self.first + len(self.walls_ns) - 1


def key_of(number: int) -> bytes:
    """Return the key of a frame."""
    return number.to_bytes(8, "big")


def life_key(node: str, number: int) -> bytes:
    """Return the key of a node's schema by its generation, or of a whole one by its checksum."""
    return node.encode() + b"\0" + number.to_bytes(8, "big")


def life_of(key: bytes) -> tuple[str, int]:
    """Return the node and the number that a key was made of."""
    return key[:-9].decode("utf-8", "replace"), int.from_bytes(key[-8:], "big")


def index_bytes(chapter: Chapter) -> bytes:
    """Return what the index says of a chapter."""
    out, before = bytearray(), 0
    put_number(out, len(chapter.walls_ns))
    put_number(out, chapter.events)
    for wall_ns in chapter.walls_ns:
        put_signed(out, wall_ns - before)
        before = wall_ns
    return bytes(out)


def chapter_of(key: bytes, data: bytes) -> Chapter:
    """Return a chapter by what the index says.

    Raises:
        RecordingDamaged: that is nothing.
    """
    source, wall_ns, walls = Source(data), 0, []
    try:
        count, events = source.number(), source.number()
        for _ in range(count):
            wall_ns += source.signed()
            walls.append(wall_ns)
    except ValueError as reason:
        raise RecordingDamaged(f"The index of this recording is damaged ({reason}).") from reason
    return Chapter(int.from_bytes(key, "big"), events, tuple(walls))


class PackedChapter(NamedTuple):
    """What three tables have of a chapter; `events` is empty when there are none."""

    rows: bytes
    snapshots: bytes
    events: bytes
    events_count: int


def pack_rows(rows: Sequence[bytes]) -> PackedChapter:
    """Return a chapter of rows."""
    bare: list[bytes] = []
    told: list[Any] = []
    messages: defaultdict[str, list[list[bytes]]] = defaultdict(
        lambda: [[] for _ in range(0, len(rows), KEY_ROWS)]
    )
    for at, row in enumerate(rows):
        rest, events, snapshots = taken_apart(row)
        bare.append(rest)
        told.extend(events)
        for node, message in snapshots.items():
            messages[node][at // KEY_ROWS].append(message)
    turned = {node: [turn(part) for part in parts] for node, parts in messages.items()}
    events_bytes = _packed(told) if told else b""
    return PackedChapter(_packed(bare), _packed(turned), events_bytes, len(told))


def snapshots_of(rows: Sequence[bytes], snapshots: Any, part: int) -> list[dict[str, Turned]]:
    """Return the snapshots of the rows of a chapter from key row number `part` to the next.

    Args:
        rows: these rows.
        snapshots: what `unpack` gave of the chapter's.

    Raises:
        RecordingDamaged, FrameDamaged: they are not there as they were packed.
    """
    try:
        messages = {node: iter(turned(*parts[part])) for node, parts in snapshots.items()}
        return [{node: next(messages[node]) for node in shown_nodes(row)} for row in rows]
    except (*_WRONG, StopIteration) as reason:
        raise _damaged(reason) from reason


def unpack(data: bytes) -> Any:
    """Return the rows, the snapshots, or the events of a chapter.

    Raises:
        RecordingDamaged: they are not there as they were packed.
    """
    try:
        unpacking = lzma.LZMADecompressor()
        return msgpack.unpackb(unpacking.decompress(data, LARGEST_CHAPTER_BYTES))
    except (lzma.LZMAError, ValueError, msgpack.UnpackException, EOFError) as reason:
        raise _damaged(reason) from reason


def _damaged(reason: Exception) -> RecordingDamaged:
    return RecordingDamaged(f"A part of this recording is damaged ({reason}): look at another.")


def _packed(items: Any) -> bytes:
    return lzma.compress(_pack(items), lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=FILTERS)
