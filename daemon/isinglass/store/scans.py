"""Reading records in key order and by index, within one transaction.

Everything here returns lists, a bounded number of records at a time: a snapshot that is held while
somebody thinks keeps the data file growing (held for 5 s under load: half a gigabyte), so the
caller reads a chunk, lets go of the snapshot, and hands the records out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from isinglass.store import packs
from isinglass.store.index import Bounds, prefix_end, record_key
from isinglass.store.records import group_of
from isinglass.store.tables import Table
from isinglass.store.transaction import Cursor, Scope, items_between

Found = tuple[bytes, bytes]  # key of the record, stored record


def find(scope: Scope, table: Table, key: bytes) -> bytes | None:
    """Return the stored record of a key, tombstone or not, or None."""
    if not table.separator:
        return scope.get(table.prefix + key, scope.records)
    group = group_of(key, table.separator)
    cursor = scope.cursor(scope.records)
    pack = packs.find(cursor, table.prefix + group, table.prefix + key)
    return pack.records.get(key[len(group) :]) if pack else None


def find_all(scope: Scope, table: Table, keys: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the stored records of keys, tombstones included, as far as there are any."""
    cursor, cut = scope.cursor(scope.records), len(table.prefix)
    if not table.separator:
        places = [table.prefix + key for key in sorted(keys)]
        return {place[cut:]: record for place, record in cursor.getmulti(places)}
    found: dict[bytes, bytes] = {}
    last, pack = b"", None
    for key in sorted(keys):
        group, place = table.prefix + group_of(key, table.separator), table.prefix + key
        if pack is None or group != last or (pack.stop is not None and place >= pack.stop):
            last, pack = group, packs.find(cursor, group, place)
        record = pack.records.get(place[len(group) :]) if pack else None
        if record is not None:
            found[key] = record
    return found


def read(
    scope: Scope,
    table: Table,
    low: bytes,
    high: bytes | None,
    limit: int,
    *,
    reverse: bool = False,
) -> list[Found]:
    """Return at most `limit` stored records with low <= key < high, tombstones included.

    The order is that of the keys, downward with `reverse`; `high` None is the end of the table.
    """
    cursor = scope.cursor(scope.records)
    start = table.prefix + low
    end = prefix_end(table.prefix) if high is None else table.prefix + high
    found: list[Found] = []
    for key, record in _records(cursor, table, start, end, reverse=reverse):
        found.append((key, record))
        if len(found) == limit:
            break
    return found


def _records(
    cursor: Cursor, table: Table, start: bytes, end: bytes, *, reverse: bool
) -> Iterator[Found]:
    cut = len(table.prefix)
    if not table.separator:
        for key, record in items_between(cursor, start, end, reverse=reverse):
            yield key[cut:], record
        return
    first = _pack_before(cursor, table, start)
    low, high = start[cut:], end[cut:] if end.startswith(table.prefix) else None
    for key, value in items_between(cursor, first, end, reverse=reverse):
        group = group_of(key[cut:], table.separator)
        members = packs.unpack(value).items()
        for rest, record in reversed(members) if reverse else members:
            whole = group + rest
            if whole >= low and (high is None or whole < high):
                yield whole, record


def _pack_before(cursor: Cursor, table: Table, start: bytes) -> bytes:
    """Return the key of the pack that may hold `start`: the last one not above it."""
    if cursor.set_range(start):
        if cursor.key() == start or not cursor.prev():
            return start
    elif not cursor.last():
        return start
    return cursor.key() if cursor.key().startswith(table.prefix) else start


def read_index(
    scope: Scope,
    bounds: Bounds,
    limit: int,
    *,
    after: bytes | None = None,
    reverse: bool = False,
) -> list[bytes]:
    """Return at most `limit` keys of the index in the bounds, beyond `after` when it is given."""
    low, high = bounds.low, bounds.high
    if after is not None:
        low, high = (low, after) if reverse else (after + b"\0", high)
    cursor = scope.cursor(scope.indexes)
    entries: list[bytes] = []
    for entry, _ in items_between(cursor, low, high, reverse=reverse):
        entries.append(entry)
        if len(entries) == limit:
            break
    return entries


def records_of(scope: Scope, table: Table, entries: list[bytes]) -> list[Found]:
    """Return the stored records that index keys lead to, in the order of `entries`."""
    found = []
    for entry in entries:
        key = record_key(entry)
        record = find(scope, table, key)
        if record is not None:
            found.append((key, record))
    return found
