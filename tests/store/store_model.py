"""What a store must hold: the same steps applied to dictionaries, and a way to compare.

The model knows one rule, records of a key join (of plain ones the newest wins), and none of the
store's ways to get there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from isinglass.store import counters, records, scans, tables
from isinglass.store.changes import CreateTable, DropTable, Step, Writes
from isinglass.store.merge import UpdateQueue
from isinglass.store.panels import QueuePanel
from isinglass.store.reading import StoreReader
from isinglass.store.tables import TableShape
from isinglass.store.transaction import Scope


class TableContents(NamedTuple):
    """Everything of a table that must not depend on how it came to be."""

    created: bytes
    floor: bytes
    shape: TableShape
    records: dict[bytes, bytes]
    rows: int
    tombstones: int
    size_bytes: int


class Model:
    """Tables as dictionaries of stored records."""

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[bytes, TableShape]] = {}
        self.floors: dict[str, bytes] = {}
        self.records: dict[str, dict[bytes, bytes]] = {}

    def apply(self, steps: Iterable[Step]) -> None:
        for step in steps:
            name = step.table
            if isinstance(step, CreateTable):
                old = self.shapes.get(name, (records.NEVER, TableShape()))
                self.shapes[name] = max(old, (step.version, step.shape))
                self.records.setdefault(name, {})
            elif isinstance(step, DropTable):
                floor = max(self.floors.get(name, records.NEVER), step.version)
                self.floors[name] = floor
                self.shapes.setdefault(name, (records.NEVER, TableShape()))
                present, self.records[name] = self.records.get(name, {}), {}
                for key, record in present.items():
                    self._put(name, key, record)
            elif name in self.records:
                for members in (step.records, *step.groups.values()):
                    for key, record in members.items():
                        self._put(name, key, record)

    def _put(self, name: str, key: bytes, record: bytes) -> None:
        table = self.records[name]
        joined = counters.merged(table.get(key), record, self.floors.get(name, records.NEVER))
        if joined is not None:
            table[key] = joined

    def contents(self) -> dict[str, TableContents]:
        return {name: self._table(name) for name in self.shapes}

    def _table(self, name: str) -> TableContents:
        created, shape = self.shapes[name]
        found = dict(sorted(self.records[name].items()))
        dead = sum(map(records.is_tombstone, found.values()))
        size = sum(len(key) + len(record) for key, record in found.items())
        floor = self.floors.get(name, records.NEVER)
        return TableContents(created, floor, shape, found, len(found) - dead, dead, size)


def contents(store: StoreReader) -> dict[str, TableContents]:
    """Return what a store holds, invisible tables and tombstones included."""
    return store._engine.read(_contents)


def _contents(scope: Scope) -> dict[str, TableContents]:
    found = {}
    for table in tables.load(scope).tables.values():
        rows = dict(scans.read(scope, table, b"", None, 1 << 30))
        counts = table.counts
        found[table.name] = TableContents(
            table.created,
            table.floor,
            table.shape,
            rows,
            counts.rows,
            counts.tombstones,
            counts.size_bytes,
        )
    return found


def value_record(stamp: int, origin: int = 0, /, **fields: Any) -> bytes:
    """Return a stored record with these fields."""
    return records.encode(stamp, origin, records.pack_value(fields))


def tombstone(stamp: int, origin: int = 0) -> bytes:
    """Return a stored tombstone."""
    return records.encode(stamp, origin, None)


def create(table: str, stamp: int, group_by: str = "", *indexes: str) -> CreateTable:
    """Return the creation of a table."""
    return CreateTable(table, TableShape(group_by, indexes), version(stamp))


def drop(table: str, stamp: int) -> DropTable:
    """Return the drop of a table."""
    return DropTable(table, version(stamp))


def writes(table: str, **found: bytes) -> Writes:
    """Return writes of records whose keys are names."""
    return Writes(table, {key.encode(): record for key, record in found.items()})


def version(stamp: int) -> bytes:
    """Return the version of a stamp of origin 0."""
    return records.version_bytes(stamp, 0)


def identity_holds(queue: UpdateQueue, panel: QueuePanel) -> bool:
    """Tell whether every offered update is accounted for, with no batch in flight."""
    parts = panel.superseded + panel.stale + panel.dropped + panel.rolled + panel.written
    return panel.offered == parts + queue.length
