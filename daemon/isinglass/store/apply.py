"""Writing a batch into one transaction: records, packs, index entries, counts, table changes.

A record is written when it is greater than the stored one (see `records`) and not below its table's
floor, a counting one when it adds something to the stored one (see `counters`); so a batch may come
twice or late. Keys are written in their order, which keeps LMDB on one page for as long as possible
(sorted runs are several times faster than scattered ones). Every count changes with the record it
counts, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from isinglass.errors import StoreCorrupt
from isinglass.store import packs, scans, tables
from isinglass.store.changes import Applied, CreateTable, DropTable, Step, Writes
from isinglass.store.counters import merged
from isinglass.store.index import entries
from isinglass.store.records import FLAGS, TOMBSTONE, VERSION_BYTES, group_of, is_counting
from isinglass.store.tables import Catalogue, Table, TableShape
from isinglass.store.transaction import Scope

REBUILD_CHUNK = 1000  # records moved at a time when a table changes its shape


class BatchWriter:
    """Applies steps within one transaction, whose commit or abort is the caller's.

    After an abort the catalogue no longer agrees with the store and must be loaded again.
    """

    def __init__(self, scope: Scope, catalogue: Catalogue) -> None:
        self._scope, self._catalogue = scope, catalogue
        self._cursor = scope.cursor(scope.records)
        self._touched: dict[str, Table] = {}
        self._written = self._outdated = self._unknown = self._puts = self._bytes = 0

    def apply(self, steps: Iterable[Step]) -> Applied:
        """Apply all steps in their order and store the counts."""
        for step in steps:
            if isinstance(step, Writes):
                self._write(step)
            elif isinstance(step, DropTable):
                self._drop(step)
            else:
                self._create(step)
        for table in self._touched.values():
            tables.store_counts(self._scope, table)
        return Applied(self._written, self._outdated, self._unknown, self._puts, self._bytes)

    def _write(self, step: Writes) -> None:
        table = self._catalogue.tables.get(step.table)
        if table is None:
            self._unknown += len(step.records) + sum(map(len, step.groups.values()))
            return
        self.write(table, step.records)
        if step.separator != table.separator:  # the table has another shape by now
            for members in step.groups.values():
                self.write(table, members)
            return
        for group in sorted(step.groups):
            self._touched[table.name] = table
            self._write_group(table, group, step.groups[group])

    def write(self, table: Table, records: Mapping[bytes, bytes]) -> None:
        """Write records of one table, grouped by nothing yet."""
        if not records:
            return
        self._touched[table.name] = table
        if not table.separator:
            self._write_single(table, records)
            return
        groups: dict[bytes, dict[bytes, bytes]] = {}
        for key, record in records.items():
            groups.setdefault(group_of(key, table.separator), {})[key] = record
        for group in sorted(groups):
            self._write_group(table, group, groups[group])

    def _write_single(self, table: Table, records: Mapping[bytes, bytes]) -> None:
        """Write records that are stored each on its own."""
        ordered = sorted(records)
        keys = [table.prefix + key for key in ordered]
        stored = dict(self._cursor.getmulti(keys))
        items: list[tuple[bytes, bytes]] = []
        changed: list[tuple[bytes, bytes | None, bytes]] = []
        for key, place in zip(ordered, keys, strict=True):
            old = stored.get(place)
            if (record := _entering(table, old, records[key])) is not None:
                items.append((place, record))
                changed.append((key, old, record))
        if items:
            self._cursor.putmulti(items)
            self._puts += len(items)
            self._bytes += sum(len(record) for _, record in items)
        self._count(table, changed, len(ordered))

    def _write_group(self, table: Table, group: bytes, records: Mapping[bytes, bytes]) -> None:
        """Write records of one storage group into its packs."""
        place, cut = table.prefix + group, len(group)
        waiting = sorted(records, reverse=True)
        changed: list[tuple[bytes, bytes | None, bytes]] = []
        while waiting:
            pack = packs.find(self._cursor, place, table.prefix + waiting[-1])
            first, members, stop = pack or (place, {}, self._first_pack(place))
            known, before = len(members), len(changed)
            while waiting and (stop is None or table.prefix + waiting[-1] < stop):
                key = waiting.pop()
                old = members.get(key[cut:])
                if (record := _entering(table, old, records[key])) is not None:
                    members[key[cut:]] = record
                    changed.append((key, old, record))
            if len(changed) > before:
                if len(members) > known > 0:
                    members = dict(sorted(members.items()))
                items = packs.items_of(first, place, members)
                self._cursor.putmulti(items)
                self._puts += len(items)
                self._bytes += sum(len(value) for _, value in items)
        self._count(table, changed, len(records))

    def _first_pack(self, place: bytes) -> bytes | None:
        """Return the key of the group's first pack, when there is one above the group's own key."""
        found = self._cursor.set_range(place) and self._cursor.key()
        return found if found and found.startswith(place) else None

    def _count(
        self, table: Table, changed: list[tuple[bytes, bytes | None, bytes]], offered: int
    ) -> None:
        """Bring counts and indexes up to the records that changed."""
        self._written += len(changed)
        self._outdated += offered - len(changed)
        if not changed:
            return
        counts = table.counts
        tombstones = size = new = 0
        for key, old, record in changed:
            tombstones += record[FLAGS] & TOMBSTONE
            size += len(record)
            if old is None:
                new += 1
                size += len(key)
            else:
                tombstones -= old[FLAGS] & TOMBSTONE
                size -= len(old)
        counts.rows += new - tombstones
        counts.tombstones += tombstones
        counts.size_bytes += size
        counts.newest = max(counts.newest, max(item[2] for item in changed)[:VERSION_BYTES])
        if table.fields:
            self._index(table, changed)

    def _index(self, table: Table, changed: list[tuple[bytes, bytes | None, bytes]]) -> None:
        fields, totals = table.fields, table.counts.index_entries
        absent: list[bytes | None] = [None for _ in fields]
        gone: list[bytes] = []
        added: list[bytes] = []
        for key, old, record in changed:
            before = absent if old is None else entries(key, old, fields)
            for number, (was, now) in enumerate(
                zip(before, entries(key, record, fields), strict=True)
            ):
                if was == now:
                    continue
                if was is not None:
                    gone.append(was)
                    totals[number] -= 1
                if now is not None:
                    added.append(now)
                    totals[number] += 1
        scope = self._scope
        for entry in sorted(gone):
            if not scope.delete(entry, scope.indexes):
                raise StoreCorrupt(
                    f"an index of table {table.name!r} does not agree with it: restore the store"
                    " from another node, or drop the table and fill it again"
                )
        scope.cursor(scope.indexes).putmulti([(entry, b"") for entry in sorted(added)])

    def _drop(self, step: DropTable) -> None:
        table = self._catalogue.tables.get(step.table)
        if table is None:
            table = self._add(step.table, TableShape())
        if step.version > table.floor:
            table.raise_floor(step.version)
            self._rebuild(table, table.shape)

    def _create(self, step: CreateTable) -> None:
        table = self._catalogue.tables.get(step.table)
        if table is None:
            table = self._add(step.table, step.shape)
        if (step.version, step.shape) > (table.created, table.shape):
            table.created = step.version
            if step.shape != table.shape:
                self._rebuild(table, step.shape)
            else:
                tables.store_table(self._scope, self._catalogue, table)

    def _add(self, name: str, shape: TableShape) -> Table:
        draw = self._catalogue.draw_number
        table = Table(name, draw(), shape, [draw() for _ in shape.indexes])
        self._catalogue.tables[name] = table
        return table

    def _rebuild(self, table: Table, shape: TableShape) -> None:
        """Give a table new numbers, and take along what is newer than its floor.

        Mostly nothing is: only an update that overtook the drop of its table is.
        """
        tables.discard(self._scope, table)
        old = Table(table.name, table.number, table.shape, [0 for _ in table.fields])
        survivors = table.counts.newest > table.floor
        table.shape = shape
        draw = self._catalogue.draw_number
        table.place_at(draw(), [draw() for _ in shape.indexes])
        if survivors:
            bound = table.floor_bound
            for part in _chunks(self._scope, old):
                self.write(table, {key: record for key, record in part if record > bound})
        tables.store_table(self._scope, self._catalogue, table)


def _chunks(scope: Scope, table: Table) -> Iterator[list[tuple[bytes, bytes]]]:
    """Yield all records under a number, in lists; writing elsewhere meanwhile is fine."""
    low = b""
    while part := scans.read(scope, table, low, None, REBUILD_CHUNK):
        yield part
        low = part[-1][0] + b"\0"


def _entering(table: Table, old: bytes | None, record: bytes) -> bytes | None:
    """Return what is to stand where `old` does, now that `record` has come; None: nothing new."""
    if is_counting(record, old):
        together = merged(old, record, table.floor)
        return together if together and together != old else None
    return record if record > (old or table.floor_bound) else None
