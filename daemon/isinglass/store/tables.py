"""The catalogue of tables: names, shapes, versions and counts, as they stand in the store's `meta`.

A table is a number in front of its records' keys. Dropping it gives the name a new number at once;
what lies under the old number is garbage that `reclaim` deletes in small steps. The `floor` is the
version of the newest drop: an update that is not newer never enters again, however late it comes.
A table is visible when it was created after its newest drop; what is newer than the drop is kept
also while the table is invisible, so that a create and a drop may arrive in either order.

    !format       u32   FORMAT
    !schema       u64   grows with every change of a table: cached catalogues compare it
    !next         u32   the next free number, of tables and indexes alike
    t NAME        msgpack [number, separator of groups, [[field, number of its index]...],
                           version of the create, floor]
    c u32         msgpack [records, tombstones, bytes, newest record's version,
                           [entries of an index...]]
    n KEY         what `Store.apply` noted beside the records
    g u32         b"r" or b"i": a range of `records` or `indexes` under this number is garbage
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

import msgpack

from isinglass.errors import BadRecord, StoreCorrupt, TableMissing
from isinglass.store.index import IndexedField, prefix_end
from isinglass.store.records import NEVER, older_bound
from isinglass.store.transaction import Scope, items_between

FORMAT = 1
FORMAT_KEY, SCHEMA_KEY, NEXT_KEY = b"!format", b"!schema", b"!next"
TABLE, COUNTS, GARBAGE, NOTE = b"t", b"c", b"g", b"n"
RECORD_GARBAGE, INDEX_GARBAGE = b"r", b"i"

NAME_LIMIT_BYTES = 120
FIELD_LIMIT_BYTES = 400
INDEX_LIMIT = 16
NUMBER_BYTES = 4


class TableShape(NamedTuple):
    """What a table is created with.

    group_by: one character; records whose keys agree up to its first place are stored together.
        Nothing: each record on its own.
    indexes: the fields that have an index.
    """

    group_by: str = ""
    indexes: tuple[str, ...] = ()

    def check(self) -> TableShape:
        """Return the shape if it can be had.

        Raises:
            BadRecord: the separator is no single character, or a field is empty, too long or named
                twice.
        """
        if len(self.group_by) > 1:
            raise BadRecord(f"group_by is one character or nothing, not {self.group_by!r}")
        if len(set(self.indexes)) != len(self.indexes) or "" in self.indexes:
            raise BadRecord(f"an index needs a field of its own: {', '.join(self.indexes)!r}")
        if any(len(field.encode()) > FIELD_LIMIT_BYTES for field in self.indexes):
            # What a table is travels as one update, which nodes cannot send in any length.
            raise BadRecord(f"the name of an indexed field has at most {FIELD_LIMIT_BYTES} bytes")
        if len(self.indexes) > INDEX_LIMIT:
            raise BadRecord(f"a table has at most {INDEX_LIMIT} indexes, not {len(self.indexes)}")
        return self


class TableCounts:
    """The exact counts of a table, changed in the transaction that changes the table."""

    __slots__ = ("index_entries", "newest", "rows", "size_bytes", "tombstones")

    def __init__(self, indexes: int) -> None:
        self.rows = 0
        self.tombstones = 0
        self.size_bytes = 0
        self.newest = NEVER
        self.index_entries = [0] * indexes

    def as_list(self) -> list[Any]:
        """Return the counts in their stored order."""
        return [self.rows, self.tombstones, self.size_bytes, self.newest, self.index_entries]


class Table:
    """One table of the catalogue, as the engine works with it."""

    __slots__ = (
        "counts", "created", "fields", "floor", "floor_bound", "name", "number",
        "prefix", "separator", "shape",
    )  # fmt: skip

    def __init__(
        self, name: str, number: int, shape: TableShape, index_numbers: Iterable[int]
    ) -> None:
        self.name = name
        self.shape = shape
        self.created = self.floor = NEVER
        self.floor_bound = b""  # every record is above it
        self.place_at(number, index_numbers)

    def place_at(self, number: int, index_numbers: Iterable[int]) -> None:
        """Put the table, empty, under new numbers."""
        self.number, self.prefix = number, number_bytes(number)
        self.separator = self.shape.group_by.encode()
        self.fields = tuple(
            IndexedField(field, number_bytes(index_number))
            for field, index_number in zip(self.shape.indexes, index_numbers, strict=True)
        )
        self.counts = TableCounts(len(self.fields))

    def raise_floor(self, version: bytes) -> None:
        """Make every record that is not newer than `version` too old to enter."""
        self.floor, self.floor_bound = version, older_bound(version)

    @property
    def visible(self) -> bool:
        """Whether the table was created after its newest drop."""
        return self.created > self.floor


class TableState(NamedTuple):
    """What a queue is told of a table that the store knows, visible or not."""

    name: str
    shape: TableShape
    created: bytes
    floor: bytes


class TableInfo(NamedTuple):
    """What a reader is told of a table; `indexes` maps each indexed field to its entries."""

    name: str
    rows: int
    tombstones: int
    size_bytes: int
    group_by: str
    indexes: dict[str, int]


def number_bytes(number: int) -> bytes:
    """Return the four bytes in front of the keys of a table or an index."""
    return number.to_bytes(NUMBER_BYTES, "big")


def check_name(name: str) -> None:
    """Refuse a name that no table can have.

    Raises:
        BadRecord: the name is empty, too long, or has characters that do not print.
    """
    if not name or not name.isprintable() or len(name.encode()) > NAME_LIMIT_BYTES:
        raise BadRecord(
            f"a table's name is 1 to {NAME_LIMIT_BYTES} bytes of printable text, not {name!r:.80}"
        )


class Catalogue:
    """All tables of a store at one schema version; the writer keeps it, readers reload it."""

    def __init__(self, schema: bytes, next_number: int) -> None:
        self.schema = schema
        self.next_number = next_number
        self.tables: dict[str, Table] = {}
        self.direct: dict[str, bytes] = {}  # a reader's short way: tables of single records

    def visible(self, name: str) -> Table:
        """Return a table that readers and writers may use.

        Raises:
            TableMissing: it was never created, or was dropped.
        """
        table = self.tables.get(name)
        if table is None or not table.visible:
            raise TableMissing(f"there is no table {name!r}: create it first")
        return table

    def draw_number(self) -> int:
        """Return a number that no table or index ever had."""
        self.next_number += 1
        return self.next_number - 1


def load(scope: Scope) -> Catalogue:
    """Read the catalogue.

    Raises:
        StoreCorrupt: the catalogue is damaged or of another format.
    """
    try:
        return _load(scope)
    except (ValueError, TypeError, KeyError, IndexError, msgpack.UnpackException) as error:
        raise StoreCorrupt(
            f"the catalogue of tables is damaged ({error}): restore the store from another node"
        ) from error


def _load(scope: Scope) -> Catalogue:
    form = scope.get(FORMAT_KEY, scope.meta)
    if form is None or int.from_bytes(form, "big") != FORMAT:
        raise StoreCorrupt(
            f"the store has format {int.from_bytes(form or b'', 'big')}, this version reads"
            f" {FORMAT}: use the isinglass that wrote it, or restore the store from another node"
        )
    schema, following = scope.get(SCHEMA_KEY, scope.meta), scope.get(NEXT_KEY, scope.meta)
    catalogue = Catalogue(schema or b"", int.from_bytes(following or b"", "big"))
    cursor = scope.cursor(scope.meta)
    found = cursor.set_range(TABLE)
    while found and cursor.key().startswith(TABLE):
        table = _table(cursor.key()[len(TABLE) :].decode(), cursor.value())
        read_counts(scope, table)
        catalogue.tables[table.name] = table
        if table.visible and not table.separator:
            catalogue.direct[table.name] = table.prefix
        found = cursor.next()
    return catalogue


def _table(name: str, stored: bytes) -> Table:
    number, group_by, indexes, created, floor = msgpack.unpackb(stored)
    shape = TableShape(group_by, tuple(field for field, _ in indexes))
    table = Table(name, number, shape, [index_number for _, index_number in indexes])
    table.created = created
    if floor != NEVER:
        table.raise_floor(floor)
    return table


def read_counts(scope: Scope, table: Table) -> None:
    """Read the counts of a table anew."""
    stored = scope.get(COUNTS + table.prefix, scope.meta)
    if stored is None:
        raise KeyError(f"table {table.name!r} has no counts")
    counts = table.counts
    rows, tombstones, size_bytes, newest, entries = msgpack.unpackb(stored)
    counts.rows, counts.tombstones, counts.size_bytes = rows, tombstones, size_bytes
    counts.newest, counts.index_entries = newest, entries


def store_counts(scope: Scope, table: Table) -> None:
    """Write the counts of a table."""
    stored = cast(bytes, msgpack.packb(table.counts.as_list()))
    scope.put(COUNTS + table.prefix, stored, scope.meta)


def store_table(scope: Scope, catalogue: Catalogue, table: Table) -> None:
    """Write a table after a change of its shape, number or versions, and move the schema on."""
    indexes = [[field, int.from_bytes(prefix, "big")] for field, prefix in table.fields]
    stored = [table.number, table.shape.group_by, indexes, table.created, table.floor]
    scope.put(TABLE + table.name.encode(), cast(bytes, msgpack.packb(stored)), scope.meta)
    store_counts(scope, table)
    catalogue.schema = (int.from_bytes(catalogue.schema, "big") + 1).to_bytes(8, "big")
    scope.put(SCHEMA_KEY, catalogue.schema, scope.meta)
    scope.put(NEXT_KEY, catalogue.next_number.to_bytes(4, "big"), scope.meta)


def store_notes(scope: Scope, notes: Mapping[bytes, bytes]) -> None:
    """Write notes; an empty one deletes what its key had."""
    for key, note in notes.items():
        if note:
            scope.put(NOTE + key, note, scope.meta)
        else:
            scope.delete(NOTE + key, scope.meta)


def notes(scope: Scope) -> dict[bytes, bytes]:
    """Return all notes."""
    found = items_between(scope.cursor(scope.meta), NOTE, prefix_end(NOTE))
    return {key[len(NOTE) :]: note for key, note in found}


def discard(scope: Scope, table: Table) -> None:
    """Make everything under the table's present numbers garbage."""
    scope.put(GARBAGE + table.prefix, RECORD_GARBAGE, scope.meta)
    scope.delete(COUNTS + table.prefix, scope.meta)
    for _, prefix in table.fields:
        scope.put(GARBAGE + prefix, INDEX_GARBAGE, scope.meta)


def create(scope: Scope) -> None:
    """Write the catalogue of an empty store."""
    scope.put(FORMAT_KEY, FORMAT.to_bytes(4, "big"), scope.meta)
    scope.put(SCHEMA_KEY, bytes(8), scope.meta)
    scope.put(NEXT_KEY, (1).to_bytes(4, "big"), scope.meta)


def info(table: Table) -> TableInfo:
    """Return what a reader is told of a table."""
    counts = table.counts
    entries = dict(zip(table.shape.indexes, counts.index_entries, strict=True))
    return TableInfo(
        table.name, counts.rows, counts.tombstones, counts.size_bytes, table.shape.group_by, entries
    )
