"""Frames as the console's own memory keeps them: what changed from one to the next, found in C.

Of each snapshot the used areas stand in a row; what the frame before had there is taken from it,
bit by bit (XOR), and deflated: a counter that grew leaves zeros but for its lowest bytes. Pieces
that did not change are left out, since most do not. Five nodes and a monitor take 9 kB a frame and
1.0 ms; 6 kB and 2.7 ms with `glass.snapshot_codec`, whose bytes go through links and into
recordings: it tells words from each other, and packs smaller where many rows are packed together.

    row      key       it is a difference to nothing, so that one can begin here
             bare      the frame without its snapshots, as `frame_codec` packs it
             levels    what judged the frame
             nodes     name and shape of each node with a snapshot; rows share equal ones
             packed    deflated: how many pieces (u32), their numbers (u32 each), the pieces
    shape    all of a snapshot but for the bytes, and where these stand in a row: its times, the
             shared area, of each process its slot and its region
"""

from __future__ import annotations

import struct
import zlib
from array import array
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from isinglass.glass import layout
from isinglass.glass.compaction import compact, expand, region_parts, shared_parts
from isinglass.glass.header import Header
from isinglass.glass.panel_views import Catalogue
from isinglass.glass.snapshot import Process, Snapshot
from isinglass.glass.unpacking import SLOT
from isinglass_console.model.board import Levels
from isinglass_console.model.frame import Frame
from isinglass_console.model.frame_codec import FrameEncoder, bare_frame

PIECE_BYTES = 128
LEVEL, WINDOW_BITS, MEMORY_LEVEL = 1, 12, 6  # little is cleared for each row: 0.16 ms, not 0.24
ROW_OVERHEAD_BYTES = 300
_NODE = -1  # stands for a slot, in the place of areas that are of no process
_TIMES, _COUNT = struct.Struct("<qq"), struct.Struct("<I")


class Shape(NamedTuple):
    """What the bytes of a snapshot mean.

    Attributes:
        processes: slot and verdict of each.
        sizes: of the areas, in bytes.
    """

    header: Header
    path: str
    inode: int
    catalogue: Catalogue
    processes: tuple[tuple[int, str], ...]
    sizes: tuple[int, ...]

    def areas(self, data: bytes) -> dict[tuple[int, int], bytes]:
        """Return the areas in a row of bytes, by slot and place among those of the slot."""
        ends = [*accumulate(self.sizes)]
        parts = (data[end - size : end] for end, size in zip(ends, self.sizes, strict=True))
        return dict(zip(self._keys(), parts, strict=True))

    def _keys(self) -> list[tuple[int, int]]:
        slots = (_NODE, *(slot for slot, _ in self.processes))
        return [(slot, place) for slot in slots for place in (0, 1)]

    def fitted(self, areas: dict[tuple[int, int], bytes]) -> bytes:
        """Return areas of another shape in a row of this one; what was not there is zeros."""
        return b"".join(
            areas.get(key, b"")[:size].ljust(size, b"\0")
            for key, size in zip(self._keys(), self.sizes, strict=True)
        )


class KeptRow(NamedTuple):
    """One frame; see the module."""

    key: bool
    bare: bytes
    levels: Levels
    nodes: tuple[tuple[str, Shape], ...]
    packed: bytes

    @property
    def size_bytes(self) -> int:
        """What it takes, but for what rows share."""
        return len(self.bare) + len(self.packed) + ROW_OVERHEAD_BYTES


_Known = dict[str, tuple[Shape, bytes]]


class RowPacker:
    """Makes rows of frames, one after the other."""

    def __init__(self) -> None:
        self._encoder = FrameEncoder()
        self._known: _Known = {}
        self._nodes: tuple[tuple[str, Shape], ...] = ()
        self._pieces: list[bytes] = []  # of what is known of all nodes

    def pack(self, frame: Frame, bare: Frame, *, key: bool) -> KeptRow:
        """Return the row of a frame.

        Args:
            bare: the frame without its snapshots.
        """
        known: _Known = {}
        for node in frame.nodes:
            if node.snapshot is not None:
                earlier = self._known.get(node.name)
                known[node.name] = _row_of(node.snapshot, earlier[0] if earlier else None)
        nodes = tuple((name, shape) for name, (shape, _) in known.items())
        pieces = _pieces(b"".join([data for _, data in known.values()]))
        same = nodes == self._nodes
        before = self._pieces
        if key or not same:
            before = _pieces(_fitted({} if key else self._known, nodes))
        packed = _packed(before, pieces)
        self._nodes = nodes = self._nodes if same else nodes
        self._known, self._pieces = known, pieces
        return KeptRow(key, self._encoder.encode(bare), frame.levels, nodes, packed)


class RowUnpacker:
    """Makes frames of rows again; begins with a key row, and then takes each that follows."""

    def __init__(self) -> None:
        self._known: _Known = {}
        self._row: KeptRow

    def take(self, row: KeptRow) -> None:
        """Take a row without making a frame of it."""
        data = _unpacked(_fitted({} if row.key else self._known, row.nodes), row.packed)
        self._known, at = {}, 0
        for name, shape in row.nodes:
            end = at + sum(shape.sizes)
            self._known[name], at = (shape, data[at:end]), end
        self._row = row

    def frame(self) -> Frame:
        """Return the frame of the last row."""
        frame = bare_frame(self._row.bare)
        snapshots = {name: _snapshot(*known) for name, known in self._known.items()}
        nodes = tuple(replace(node, snapshot=snapshots.get(node.name)) for node in frame.nodes)
        return replace(frame, nodes=nodes, levels=self._row.levels)


# ---------------------------------------------------------------------- snapshots as bytes
def _row_of(snapshot: Snapshot, before: Shape | None) -> tuple[Shape, bytes]:
    """Return shape and bytes of a snapshot; what is as in the shape before is that itself."""
    areas = [
        _TIMES.pack(snapshot.taken_wall_ns, snapshot.taken_monotonic_ns),
        compact(snapshot.shared, shared_parts),
    ]
    for process in snapshot.processes:
        areas += SLOT.pack(*process.slot_words), compact(process.raw, region_parts)
    header = snapshot.header
    if before is not None and _said(before.header) == _said(header):
        header = before.header
    shape = Shape(
        header,
        snapshot.path,
        snapshot.inode,
        snapshot.catalogue,
        tuple((process.slot, process.verdict) for process in snapshot.processes),
        tuple(map(len, areas)),
    )
    return before if shape == before else shape, b"".join(areas)


def _said(header: Header) -> list[object]:
    return [getattr(header, name) for name in header.__slots__]


def _snapshot(shape: Shape, data: bytes) -> Snapshot:
    areas = shape.areas(data)
    wall_ns, monotonic_ns = _TIMES.unpack(areas[_NODE, 0])
    snapshot = Snapshot(
        header=shape.header,
        path=shape.path,
        inode=shape.inode,
        taken_wall_ns=wall_ns,
        taken_monotonic_ns=monotonic_ns,
        catalogue=shape.catalogue,
        shared=expand(areas[_NODE, 1], layout.SHARED_BYTES, shared_parts),
    )
    snapshot.processes = tuple(
        Process(
            slot,
            list(SLOT.unpack(areas[slot, 0])),
            expand(areas[slot, 1], layout.PANELS_OFFSET, region_parts),
            verdict,
            snapshot,
        )
        for slot, verdict in shape.processes
    )
    return snapshot


# ---------------------------------------------------------------------- bytes as differences
def _fitted(known: _Known, nodes: tuple[tuple[str, Shape], ...]) -> bytes:
    """Return what was known of nodes in one row, as their shapes have it now."""
    parts = []
    for name, shape in nodes:
        before, data = known.get(name, (None, b""))
        if before is not shape:
            data = shape.fitted(before.areas(data) if before is not None else {})
        parts.append(data)
    return b"".join(parts)


def _pieces(row: bytes) -> list[bytes]:
    return [row[at : at + PIECE_BYTES] for at in range(0, len(row), PIECE_BYTES)]


def _packed(before: list[bytes], after: list[bytes]) -> bytes:
    pairs = enumerate(zip(before, after, strict=True))
    numbers = array("I", [number for number, (old, new) in pairs if old != new])
    changes = _xor(*(b"".join([each[number] for number in numbers]) for each in (before, after)))
    # Most of it is zeros: runs of one byte are all that is worth looking for.
    deflating = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW_BITS, MEMORY_LEVEL, zlib.Z_RLE)
    told = _COUNT.pack(len(numbers)) + numbers.tobytes() + changes
    return deflating.compress(told) + deflating.flush()


def _unpacked(before: bytes, packed: bytes) -> bytes:
    told = zlib.decompress(packed, -zlib.MAX_WBITS)
    first = _COUNT.size * (1 + _COUNT.unpack_from(told)[0])
    data = bytearray(before)
    places = [number * PIECE_BYTES for number in array("I", told[_COUNT.size : first])]
    new = _xor(b"".join([before[at : at + PIECE_BYTES] for at in places]), told[first:])
    for at, piece in zip(places, range(0, len(new), PIECE_BYTES), strict=True):
        part = new[piece : piece + PIECE_BYTES]
        data[at : at + len(part)] = part
    return bytes(data)


def _xor(one: bytes, other: bytes) -> bytes:
    whole = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return whole.to_bytes(len(one), "little")
