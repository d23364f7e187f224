"""Reading a whole store and checking that it agrees with itself.

For each table: records decode, keys are in order and in the right group, counts are exact, every
record is in its indexes and nothing else is. Every entry of `records` and `indexes` belongs to a
table or to garbage that waits to be deleted.
"""

from __future__ import annotations

from typing import NamedTuple

from isinglass.errors import StoreError
from isinglass.store import counters, reclaim, scans
from isinglass.store.index import entries, prefix_end
from isinglass.store.records import (
    COUNTING,
    FLAGS,
    PAYLOAD,
    TOMBSTONE,
    VERSION_BYTES,
    check_key,
    is_counting,
    is_tombstone,
)
from isinglass.store.tables import Catalogue, Table, TableCounts
from isinglass.store.transaction import Scope, items_between

CHUNK = 5000
PROBLEM_LIMIT = 20  # of one store; the first few say enough


class Verified(NamedTuple):
    """What a check found; `problems` is empty when the store agrees with itself."""

    tables: int
    records: int
    index_entries: int
    problems: list[str]


def verify(scope: Scope, catalogue: Catalogue) -> Verified:
    """Check every table of the catalogue, and that no entry belongs to none."""
    problems: list[str] = []
    records = indexed = stored = 0
    for table in catalogue.tables.values():
        try:
            seen, packs = _check_table(scope, table, problems)
        except (StoreError, IndexError, ValueError) as error:
            problems.append(f"table {table.name!r}: {error}")
            continue
        records += seen.rows + seen.tombstones
        indexed += sum(seen.index_entries)
        stored += packs
    if not problems:
        waiting = reclaim.garbage_entries(scope)
        total = sum(
            1
            for handle in (scope.records, scope.indexes)
            for _ in items_between(scope.cursor(handle), b"", b"\xff" * 5)
        )
        if total != stored + indexed + waiting:
            problems.append(
                f"{total} entries are stored, but tables have {stored}, indexes {indexed} and"
                f" dropped tables {waiting}"
            )
    return Verified(len(catalogue.tables), records, indexed, problems[:PROBLEM_LIMIT])


def _check_table(scope: Scope, table: Table, problems: list[str]) -> tuple[TableCounts, int]:
    """Compare one table with its counts and indexes; return its true counts and LMDB entries."""
    seen = TableCounts(len(table.fields))
    wanted: list[set[bytes]] = [set() for _ in table.fields]
    last = low = b""
    while part := scans.read(scope, table, low, None, CHUNK):
        for key, record in part:
            _check_record(table, key, record, last)
            last = key
            dead = is_tombstone(record)
            seen.rows += not dead
            seen.tombstones += dead
            seen.size_bytes += len(key) + len(record)
            seen.newest = max(seen.newest, record[:VERSION_BYTES])
            for mine, entry in zip(wanted, entries(key, record, table.fields), strict=True):
                if entry is not None:
                    mine.add(entry)
        low = last + b"\0"
    for number, (field, prefix) in enumerate(table.fields):
        cursor = scope.cursor(scope.indexes)
        found = {entry for entry, _ in items_between(cursor, prefix, prefix_end(prefix))}
        seen.index_entries[number] = len(found)
        if found != wanted[number]:
            problems.append(
                f"table {table.name!r}, index {field!r}: {len(wanted[number] - found)} entries"
                f" are missing, {len(found - wanted[number])} are too many"
            )
    counts = table.counts
    seen.newest = max(seen.newest, counts.newest)  # the newest may have been reclaimed since
    for word, true, kept in zip(
        ("rows", "tombstones", "bytes", "newest", "index entries"),
        seen.as_list(),
        counts.as_list(),
        strict=True,
    ):
        if true != kept:
            problems.append(f"table {table.name!r}: {word} are {true}, but counted {kept}")
    cursor = scope.cursor(scope.records)
    lmdb_entries = items_between(cursor, table.prefix, prefix_end(table.prefix))
    return seen, sum(1 for _ in lmdb_entries)


def _check_record(table: Table, key: bytes, record: bytes, last: bytes) -> None:
    check_key(key)
    if key <= last:
        raise ValueError(f"the keys {last!r} and {key!r} are out of order")
    if len(record) < PAYLOAD or record[FLAGS] > COUNTING | TOMBSTONE or record < table.floor_bound:
        raise ValueError(f"the record of {key!r} is damaged, or older than its table")
    if is_counting(record):
        counters.check_record(record)
        if counters.merged(None, record, table.floor) != record:
            raise ValueError(f"the record of {key!r} has counts that are older than its table")
