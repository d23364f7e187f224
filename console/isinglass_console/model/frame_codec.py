"""Frames as rows of bytes: the form in which recordings keep them.

A row is msgpack, in which the snapshots stand as `glass.snapshot_codec` packs them: as the
difference to the row before, or, in a *key* row, to a whole one. The whole ones, and the schemas,
are kept apart, in `Lives`: most often one of each for a node's life. A row of one node with ten
threads takes about 1.5 kB, a key row 3 kB.

    row    key (true, false), number, wall time, interval, nodes, events
    node   name, condition, sentence, age, ended, restarted,
           names of the figures, tab between them; their values, doubles,
           troubles [figure, raise at, clear at, severity, word, unit, note, value],
           samples [taken, late, seconds, sampled], snapshot (bytes, or nil)
    event  wall time, node, process, severity, flag, message, where, [stamp, stream, sequence]

    sampled    numbers (`glass.differences`): threads, then of each: slot, claim, line in its
               region, words, 1 when its usage is known; then of each word: it doubled, plus 1
               when it waits; then the samples of each word; then of each usage: running, queued, us

All that does not change from row to row stands before what does, for whoever compresses many rows.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import msgpack

from isinglass.errors import IsinglassError, PackedSnapshotError
from isinglass.glass.columns import Turned
from isinglass.glass.differences import Source, put_number
from isinglass.glass.schedstat import Usage
from isinglass.glass.snapshot import Snapshot
from isinglass.glass.snapshot_codec import (
    SnapshotDecoder,
    SnapshotEncoder,
    base_of,
    checksum_of,
)
from isinglass_console.model.board import Levels, Severity, Threshold, Trouble
from isinglass_console.model.frame import Frame, NodeFrame
from isinglass_console.model.heat import MICROSECOND_NS, Tally
from isinglass_console.model.lives import Lives
from isinglass_console.model.log import LogEntry

LARGEST_KEY_BYTES = 16384  # a key that is larger is better the difference to a new whole one
_KEY = b"\xc3"  # true, in msgpack
_pack: Callable[[Any], bytes] = msgpack.packb
_WRONG = (
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    IndexError,
    struct.error,
    msgpack.UnpackException,
)


class FrameDamaged(IsinglassError):
    """A row is not what was kept."""


class FrameEncoder:
    """Makes rows of frames, one after the other; whoever keeps them compresses many together."""

    def __init__(self) -> None:
        self._encoders: dict[str, SnapshotEncoder] = {}
        self._packed_at: dict[str, int] = {}  # the number of each node's last frame
        self._levels: Levels | None = None
        self.lives = Lives()

    def encode(self, frame: Frame, events: Iterable[LogEntry] = (), *, key: bool = False) -> bytes:
        """Return the row of a frame.

        Args:
            events: what is kept with it.
            key: let the row be one that decoding can begin with.
        """
        if frame.levels != self._levels:
            self._levels = frame.levels
            self.lives.levels.append((frame.number, frame.levels))
        nodes = [self._node(node, frame.number, key) for node in frame.nodes]
        told = [_event(entry) for entry in events]
        return _pack([key, frame.number, frame.wall_ns, frame.interval_seconds, nodes, told])

    def _node(self, node: NodeFrame, number: int, key: bool) -> list[object]:
        packed = None
        if node.snapshot is not None:
            # Whoever begins at the key row before it has not seen a node that was away.
            away = self._packed_at.get(node.name) != number - 1
            self._packed_at[node.name] = number
            packed = self._packed(node.name, node.snapshot, number, key or away)
        tally = node.tally
        return [
            node.name,
            node.condition,
            node.sentence,
            node.age_seconds,
            node.ended_wall_ns,
            node.restarted_wall_ns,
            "\t".join(node.figures),
            array("d", node.figures.values()).tobytes(),
            [_trouble(trouble) for trouble in node.troubles],
            [tally.taken, tally.late, tally.seconds, _sampled(tally)],
            packed,
        ]

    def _packed(self, name: str, snapshot: Snapshot, number: int, key: bool) -> bytes:
        if name not in self._encoders:
            self._encoders[name] = SnapshotEncoder(schema=False, deflate=False)
        encoder = self._encoders[name]
        self.lives.catalogues[name][snapshot.generation] = snapshot.catalogue
        if encoder.knows(snapshot):
            packed = encoder.encode(snapshot, key=key)
            if not key or len(packed) <= LARGEST_KEY_BYTES:
                return packed
        whole = encoder.encode(snapshot, whole=True)
        self.lives.begin(name, number, snapshot.generation, checksum_of(whole), whole)
        return encoder.encode(snapshot, key=True)


def _trouble(trouble: Trouble) -> list[object]:
    own = trouble.threshold
    levels = (own.figure, own.raise_at, own.clear_at, int(own.severity))
    return [*levels, own.word, own.unit, own.note, trouble.value]


def _event(entry: LogEntry) -> list[object]:
    head = (entry.wall_ns, entry.node, entry.process, entry.severity)
    return [*head, entry.flag, entry.message, entry.where, entry.place]


def _sampled(tally: Tally) -> bytes:
    threads, words, samples = [len(tally.sampled)], list[int](), list[int]()
    usages = bytearray()
    for key, (counts, idle, usage) in tally.sampled.items():
        threads += (*key, len(counts), usage is not None)
        words += [word << 1 | (word in idle) for word in counts]
        samples += counts.values()
        for nanoseconds in usage or ():
            put_number(usages, nanoseconds // MICROSECOND_NS)
    # From frame to frame these are the same, but for what the threads used.
    return b"".join(map(_number, (*threads, *words, *samples))) + usages


@lru_cache(maxsize=4096)
def _number(number: int) -> bytes:
    packed = bytearray()
    put_number(packed, number)
    return bytes(packed)


# ---------------------------------------------------------------------- reading
class PackedRow(NamedTuple):
    """A row; `turned`: the snapshots of its nodes, when they are not in it."""

    packed: bytes
    turned: Mapping[str, Turned] | None = None

    @property
    def key(self) -> bool:
        """Whether decoding can begin with it."""
        return self.packed[1:2] == _KEY


class FrameDecoder:
    """Makes frames of rows again; begins with a key row, and then takes each that follows.

    Args:
        lives: what the rows leave out; may grow later.
    """

    def __init__(self, lives: Lives) -> None:
        self._lives = lives
        self._decoders: dict[str, SnapshotDecoder] = {}
        self._last: list[Any] = []

    def take(self, row: PackedRow) -> None:
        """Take a row without making a frame of it.

        Raises:
            FrameDamaged: it is not what was kept, or does not follow the row before.
        """
        fields, turned = _fields(row.packed), row.turned
        try:
            for node in fields[4]:
                name, packed = node[0], node[10]
                if packed is not None:
                    self._apply(name, packed if turned is None else turned[name])
        except (*_WRONG, PackedSnapshotError) as reason:
            raise _damaged(reason) from reason
        self._last = fields

    def _apply(self, name: str, packed: bytes | Turned) -> None:
        if name not in self._decoders:
            self._decoders[name] = SnapshotDecoder(self._lives.catalogues[name])
        decoder = self._decoders[name]
        base = packed.base if isinstance(packed, Turned) else base_of(packed)
        if not decoder.knows(base) and (whole := self._lives.wholes[name].get(base)):
            decoder.apply(whole)
        if isinstance(packed, Turned):
            decoder.take(*packed.opened())
        else:
            decoder.apply(packed)

    @property
    def number(self) -> int:
        """The number of the last row."""
        return int(self._last[1])

    def frame(self) -> Frame:
        """Return the frame of the last row.

        Raises:
            FrameDamaged: its schema is not there.
        """
        return replace(
            _frame(self._last, self._decoders), levels=self._lives.levels_at(self.number)
        )


def bare_frame(row: bytes) -> Frame:
    """Return a frame without its snapshots; any row will do.

    Raises:
        FrameDamaged: it is not what was kept.
    """
    return _frame(_fields(row), {})


def figures_of(row: bytes) -> dict[str, tuple[str, dict[str, float]]]:
    """Return condition and figures of each node, without the rest; raises as `bare_frame` does."""
    try:
        return {node[0]: (node[1], _figures(node)) for node in _fields(row)[4]}
    except _WRONG as reason:
        raise _damaged(reason) from reason


def tally_of(row: bytes, name: str) -> Tally | None:
    """Return the samples of one node, None when the row has it not; raises as `bare_frame` does."""
    try:
        return next((_tally(*node[9]) for node in _fields(row)[4] if node[0] == name), None)
    except _WRONG as reason:
        raise _damaged(reason) from reason


def wall_of(row: bytes) -> int:
    """Return the time of a frame; raises as `bare_frame` does."""
    wall_ns: int = _fields(row)[2]
    return wall_ns


def events_of(row: bytes) -> list[LogEntry]:
    """Return the events that were kept with a frame; raises as `bare_frame` does."""
    return entries_of(_fields(row)[5])


def taken_apart(row: bytes) -> tuple[bytes, list[Any], dict[str, bytes]]:
    """Return a row without events and snapshots, the events, and the packed snapshots by node.

    Raises:
        FrameDamaged: it is not what was kept.
    """
    fields, snapshots = _fields(row), {}
    events, fields[5] = fields[5], []
    for node in fields[4]:
        if node[10] is not None:
            snapshots[node[0]], node[10] = node[10], b""
    return _pack(fields), events, snapshots


def shown_nodes(row: bytes) -> list[str]:
    """Return the nodes of a row that have a snapshot; raises as `bare_frame` does."""
    return [node[0] for node in _fields(row)[4] if node[10] is not None]


def entries_of(events: Sequence[Any]) -> list[LogEntry]:
    """Return events as a row has them as entries of the log.

    Raises:
        FrameDamaged: they are none.
    """
    try:
        return [_entry(*fields) for fields in events]
    except _WRONG as reason:
        raise _damaged(reason) from reason


def _entry(wall_ns: int, node: str, process: str, severity: int, *rest: Any) -> LogEntry:
    flag, message, where, (stamp, stream, sequence) = rest
    place = (stamp, stream, sequence)
    return LogEntry(wall_ns, node, process, severity, flag, message, where, place)


def _fields(row: bytes) -> list[Any]:
    try:
        fields: list[Any] = msgpack.unpackb(row)
        if len(fields) != 6 or any(len(node) != 11 for node in fields[4]):
            raise ValueError("other fields than a frame's")
    except _WRONG as reason:
        raise _damaged(reason) from reason
    return fields


def _damaged(reason: Exception) -> FrameDamaged:
    return FrameDamaged(f"A frame that was kept is damaged ({reason}): look at another moment.")


def _frame(fields: list[Any], decoders: dict[str, SnapshotDecoder]) -> Frame:
    try:
        nodes = tuple(_node(node, decoders.get(node[0])) for node in fields[4])
        return Frame(fields[1], fields[2], fields[3], nodes)
    except (*_WRONG, PackedSnapshotError) as reason:
        raise _damaged(reason) from reason


def _node(fields: list[Any], decoder: SnapshotDecoder | None) -> NodeFrame:
    name, condition, sentence, age_seconds, ended_wall_ns, restarted_wall_ns = fields[:6]
    return NodeFrame(
        name,
        condition,
        sentence,
        decoder.snapshot() if decoder is not None and fields[10] is not None else None,
        _tally(*fields[9]),
        age_seconds,
        ended_wall_ns,
        restarted_wall_ns,
        _figures(fields),
        tuple(_trouble_of(*trouble) for trouble in fields[8]),
    )


def _figures(fields: list[Any]) -> dict[str, float]:
    names, values = fields[6], array("d", fields[7])
    return dict(zip(names.split("\t") if names else (), values, strict=True))


def _trouble_of(
    figure: str, raise_at: float, clear_at: float, severity: int, *rest: Any
) -> Trouble:
    word, unit, note, value = rest
    level = Severity(severity)
    return Trouble(Threshold(figure, raise_at, clear_at, level, word, unit, note), value)


def _tally(taken: int, late: int, seconds: float, sampled: bytes) -> Tally:
    tally, source = Tally(taken=taken, late=late, seconds=seconds), Source(sampled)
    threads = [source.numbers(5) for _ in range(source.number())]
    words = [source.numbers(thread[3]) for thread in threads]
    samples = [source.numbers(thread[3]) for thread in threads]
    for thread, marks, counts in zip(threads, words, samples, strict=True):
        usage = None
        if thread[4]:
            usage = Usage(*(number * MICROSECOND_NS for number in source.numbers(2)))
        idle = {mark >> 1 for mark in marks if mark & 1}
        of_words = dict(zip((mark >> 1 for mark in marks), counts, strict=True))
        tally.put((thread[0], thread[1], thread[2]), of_words, idle, usage)
    return tally
