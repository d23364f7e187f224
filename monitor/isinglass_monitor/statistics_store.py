"""Where statistics are kept: one LMDB environment, written by one thread once a second.

    tier, node, 0, start     a block (see `statistics`)
    "now", node, 0, second   what changed in a second of the minute that is not in a block yet
    "field", number          the name of a field

A second costs one small row a node. At the end of a minute the rows become a block, the coarser
blocks get their points, and what is too old goes, all in one transaction: so a killed monitor loses
nothing that was committed, and the file stays as large as the widest minute ever needed. When the
map is full all tiers are kept for a shorter time, which is counted.
"""

from __future__ import annotations

import math
import os
import queue
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb
import msgpack

from isinglass.errors import DiskFull, StoreError
from isinglass.glass.permission import refusal, unreadable
from isinglass.store.engine import DATA_FILE, FILE_MODE, LOCK_FILE
from isinglass.store.opening import prepare
from isinglass.store.room import says_full
from isinglass_monitor.statistics import TIERS, Block, Minute, Point, thin_column

DIRECTORY = "statistics"
MAP_BYTES, READERS = 4 << 30, 126
WAITING_SECONDS = 60  # seconds that may wait for the disk; what comes beyond is dropped and counted
SHORTER = 0.8  # what a full map makes of the time for which points are kept
LEAST_KEPT = 0.001
_NOW, _FIELD = 255, 254
_SECOND = struct.Struct(">Q")

Figures = Mapping[str, Mapping[str, float]]


def _key(kind: int, node: str, second: int) -> bytes:
    return _prefix(kind, node) + _SECOND.pack(second)


def _prefix(kind: int, node: str) -> bytes:
    return bytes((kind,)) + node.encode() + b"\0"


def _second_of(key: bytes) -> int:
    return int(_SECOND.unpack(key[-_SECOND.size :])[0])


class StatisticsFile:
    """The environment, for one writer or for readers.

    Raises:
        StoreError: there is none (for a reader), or it cannot be opened.
        DiskFull: there is no room for it.
    """

    def __init__(self, path: Path, *, writes: bool, map_bytes: int = MAP_BYTES) -> None:
        if not writes and not os.path.exists(path):
            raise StoreError(
                unreadable(path)
                or f"There are no statistics in {path}: no monitor of that name has run here; start"
                " one with `isinglass monitor start`."
            )
        try:
            if writes:
                path.mkdir(parents=True, exist_ok=True)
                prepare(path / DATA_FILE, path / LOCK_FILE, READERS, FILE_MODE)
            self._environment = lmdb.open(
                str(path), map_size=map_bytes, readonly=not writes, create=writes, mode=FILE_MODE,
                max_readers=READERS,
            )  # fmt: skip
            # A reader that was killed leaves its slot, and there are only so many.
            self._environment.reader_check()
        except (lmdb.Error, OSError) as error:
            if says_full(error):
                raise DiskFull(f"The disk under {path} has no room: free some.") from error
            if isinstance(error, (lmdb.ReadonlyError, lmdb.LockError, PermissionError)):
                raise StoreError(refusal(path)) from error
            raise StoreError(f"There are no statistics in {path}: {error}.") from error
        self._minutes: dict[str, Minute] = {}
        self.kept_share = 1.0
        self._fields: dict[str, int] = {}
        with self._environment.begin() as transaction:
            self._load_fields(transaction)
            if writes:
                self._minutes = _minutes(transaction, bytes((_NOW,)))

    def close(self) -> None:
        """Close it; nothing may use it afterwards."""
        self._environment.close()

    def _load_fields(self, transaction: Any) -> None:
        for key, name in _range(transaction, bytes((_FIELD,))):
            self._fields[bytes(name).decode()] = _second_of(key)

    # ------------------------------------------------------------------ writing

    def write(self, second: int, nodes: Figures) -> None:
        """Store one second of all nodes.

        Raises:
            StoreError: the disk is full, or the map, even of much less.
        """
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    self._write(transaction, second, nodes)
                return
            except lmdb.MapFullError as error:
                self._reload()
                if self.kept_share <= LEAST_KEPT:
                    raise StoreError("The statistics' map is full.") from error
                self.kept_share *= SHORTER
                with self._environment.begin(write=True) as transaction:
                    self._forget_old(transaction, second)
            except (lmdb.Error, ValueError) as error:  # or a block is damaged
                self._reload()
                raise StoreError(f"The statistics cannot be written: {error}.") from error

    def _reload(self) -> None:
        """Forget what a transaction that was taken back had left in memory."""
        self._minutes, self._fields = {}, {}
        with self._environment.begin() as transaction:
            self._load_fields(transaction)
            self._minutes = _minutes(transaction, bytes((_NOW,)))

    def _write(self, transaction: Any, second: int, nodes: Figures) -> None:
        if any(not minute.holds(second) for minute in self._minutes.values()):
            self._end_minutes(transaction, second)
        for node, figures in nodes.items():
            minute = self._minutes.get(node)
            if minute is None:
                minute = self._minutes[node] = Minute(second)
            numbered = {
                self._number(transaction, name): float(value)
                for name, value in figures.items()
                if math.isfinite(value)
            }
            changed = minute.add(second, numbered)
            transaction.put(_key(_NOW, node, second), msgpack.packb(changed))

    def _number(self, transaction: Any, name: str) -> int:
        number = self._fields.get(name)
        if number is None:
            number = self._fields[name] = len(self._fields)
            transaction.put(bytes((_FIELD,)) + _SECOND.pack(number), name.encode())
        return number

    def _end_minutes(self, transaction: Any, second: int) -> None:
        for node, minute in self._minutes.items():
            if minute.holds(second):
                continue
            self._merge(transaction, node, minute)
            for key, _ in list(_range(transaction, _prefix(_NOW, node))):
                transaction.delete(key)
        self._minutes = {n: m for n, m in self._minutes.items() if m.holds(second)}
        self._forget_old(transaction, second)

    def _merge(self, transaction: Any, node: str, minute: Minute) -> None:
        columns = {field: minute.column(field) for field in minute.fields()}
        for number, tier in enumerate(TIERS):
            start = tier.block_start(minute.start)
            key = _key(number, node, start)
            before = transaction.get(key)
            block = Block.unpack(tier, start, before) if before else Block(tier, start)
            for field, values in columns.items():
                for point in thin_column(minute.start, values, tier.step_seconds):
                    block.put(field, point)
            transaction.put(key, block.pack())

    def _forget_old(self, transaction: Any, second: int) -> None:
        for number, tier in enumerate(TIERS):
            oldest = second - int(tier.kept_seconds * self.kept_share) - tier.block_seconds
            for node in _nodes(transaction, number):
                for key, _ in list(_range(transaction, _prefix(number, node))):
                    if _second_of(key) >= oldest:
                        break
                    transaction.delete(key)

    # ------------------------------------------------------------------ reading

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        """Give a transaction; what is damaged is an error with a sentence."""
        try:
            with self._environment.begin() as transaction:
                yield transaction
        except (lmdb.Error, ValueError) as error:
            raise StoreError(f"The statistics cannot be read: {error}.") from error

    def nodes(self) -> list[str]:
        """Return every node of which there are statistics."""
        with self._reading() as transaction:
            kinds = (*range(len(TIERS)), _NOW)
            return sorted({node for kind in kinds for node in _nodes(transaction, kind)})

    def fields(self, node: str) -> list[str]:
        """Return every field of which there are points of a node."""
        with self._reading() as transaction:
            self._load_fields(transaction)
            numbers: set[int] = set()
            for kind, tier in enumerate(TIERS):
                for key, data in _range(transaction, _prefix(kind, node)):
                    numbers.update(Block.unpack(tier, _second_of(key), data).columns)
            for _, data in _range(transaction, _prefix(_NOW, node)):
                numbers.update(_changes(data))
        return sorted(name for name, number in self._fields.items() if number in numbers)

    def read(self, node: str, field: str, since: int, until: int) -> list[Point]:
        """Return the points of a field from `since` until before `until`, wall seconds.

        Of each time the points of the shortest step that is still there.
        """
        return self.read_all([(node, field)], since, until)[0]

    def read_all(
        self, wanted: Sequence[tuple[str, str]], since: int, until: int
    ) -> list[list[Point]]:
        """Return the points of figures, each by node and field, as `read` does.

        Rows and blocks have all fields of a node, so each is unpacked once for all that are wanted.
        """
        with self._reading() as transaction:
            self._load_fields(transaction)
            numbered = [(node, self._fields.get(field)) for node, field in wanted]
            numbers: dict[str, set[int]] = {}
            for node, number in numbered:
                if number is not None:
                    numbers.setdefault(node, set()).add(number)
            rows = {
                node: _FieldsOfNode(transaction, node, own, since) for node, own in numbers.items()
            }
            found = [
                rows[node].points(number, until) if number is not None else []
                for node, number in numbered
            ]
        return [[p for p in points if since <= p.second < until] for points in found]


class _FieldsOfNode:
    """What is kept of some fields of a node from a second on; a tier is read when it is needed."""

    def __init__(self, transaction: Any, node: str, fields: set[int], since: int) -> None:
        self._transaction, self._node, self._fields = transaction, node, fields
        self._since = since
        self._minute = _minutes(transaction, _prefix(_NOW, node)).get(node)
        self._tiers: dict[int, list[Block]] = {}

    def points(self, number: int, until: int) -> list[Point]:
        """Return the points of a field, of each time those of the shortest step."""
        found: list[Point] = []
        if self._minute is not None:
            column = self._minute.column(number)
            found = thin_column(self._minute.start, column, TIERS[0].step_seconds)
        earliest = min((point.second for point in found), default=until)
        for kind, tier in enumerate(TIERS):
            if earliest <= self._since:
                break
            older = [
                point
                for block in self._blocks(kind)
                for point in block.points(number)
                if point.second + tier.step_seconds <= earliest
            ]
            found = older + found
            earliest = min(earliest, *(point.second for point in older[:1]), until)
        return found

    def _blocks(self, kind: int) -> list[Block]:
        if kind not in self._tiers:
            tier = TIERS[kind]
            start = _key(kind, self._node, max(tier.block_start(self._since), 0))
            self._tiers[kind] = [
                Block.unpack(tier, _second_of(key), data, self._fields)
                for key, data in _range(self._transaction, _prefix(kind, self._node), start)
            ]
        return self._tiers[kind]


def _minutes(transaction: Any, prefix: bytes) -> dict[str, Minute]:
    """Return the minutes that are not in a block yet, by node; of the keys with a prefix."""
    found: dict[str, Minute] = {}
    for key, data in _range(transaction, prefix):
        node, second = key[1 : -_SECOND.size - 1].decode(), _second_of(key)
        minute = found.get(node)
        if minute is None or not minute.holds(second):
            minute = found[node] = Minute(second)
        minute.replay(second, _changes(data))
    return found


def _range(transaction: Any, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
    cursor = transaction.cursor()
    found = cursor.set_range(start or prefix)
    while found and cursor.key().startswith(prefix):
        yield cursor.key(), cursor.value()
        found = cursor.next()


def _nodes(transaction: Any, kind: int) -> list[str]:
    """Return the nodes that have a row of a kind; one seek a node."""
    found: list[str] = []
    cursor = transaction.cursor()
    there = cursor.set_range(bytes((kind,)))
    while there and cursor.key()[0] == kind:
        node = cursor.key()[1:].partition(b"\0")[0]
        found.append(node.decode())
        there = cursor.set_range(bytes((kind,)) + node + b"\1")
    return found


def _changes(data: bytes) -> dict[int, float]:
    return dict(msgpack.unpackb(data, strict_map_key=False))


class StatisticsWriter:
    """Writes seconds in a thread of its own, so that a slow disk holds nobody up."""

    def __init__(self, path: Path, *, map_bytes: int = MAP_BYTES) -> None:
        self._file = StatisticsFile(path, writes=True, map_bytes=map_bytes)
        self._waiting: queue.Queue[tuple[int, Figures] | None] = queue.Queue(WAITING_SECONDS)
        self.dropped = 0  # seconds
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name="statistics", daemon=True)
        self._thread.start()

    def put(self, second: int, nodes: Figures) -> None:
        """Have one second stored; it is dropped when a minute of them waits already."""
        try:
            self._waiting.put_nowait((second, nodes))
        except queue.Full:
            self.dropped += 1

    def close(self, limit_seconds: float = 10.0) -> None:
        """Store what waits, and end the thread; give up after the limit."""
        try:
            self._waiting.put(None, timeout=limit_seconds)
        except queue.Full:
            return
        self._thread.join(limit_seconds)
        if not self._thread.is_alive():
            self._file.close()

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            try:
                self._file.write(*item)
                self.trouble = ""
            except (StoreError, lmdb.Error) as error:
                self.dropped += 1
                self.trouble = str(error)
