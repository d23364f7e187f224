"""Giving space back in small steps: ranges of dropped tables, and tombstones nobody needs.

Each step looks at a bounded number of entries in its own short transaction, so the applier waits
for a few milliseconds at most. Garbage ranges stand in the store (see `tables`) and survive a
restart; the sweep for tombstones only remembers its position and starts again after one.

A tombstone may go when every known node has passed it: the caller gives that as a horizon, a
version. An older update that arrives after that would bring the record back, so no horizon may be
above what a node that counts can still send.
"""

from __future__ import annotations

from typing import NamedTuple

from isinglass.store import packs, scans, tables
from isinglass.store.index import prefix_end
from isinglass.store.records import NEVER, VERSION_BYTES, group_of, is_tombstone, older_bound
from isinglass.store.tables import GARBAGE, RECORD_GARBAGE, Catalogue, Table
from isinglass.store.transaction import Scope, items_between

_NONE = b"\xff" * VERSION_BYTES  # newer than every version


class Reclaimed(NamedTuple):
    """What one step did; `more` tells whether another step at once would find work."""

    garbage: int
    tombstones: int
    more: bool


def has_garbage(scope: Scope) -> bool:
    """Tell whether any range of a dropped table waits to be deleted."""
    cursor = scope.cursor(scope.meta)
    return cursor.set_range(GARBAGE) and cursor.key().startswith(GARBAGE)


def delete_garbage(scope: Scope, limit: int) -> int:
    """Delete up to `limit` entries of dropped tables; return how many."""
    marks = scope.cursor(scope.meta)
    deleted = 0
    while deleted < limit and marks.set_range(GARBAGE) and marks.key().startswith(GARBAGE):
        mark, kind = marks.item()
        prefix = mark[len(GARBAGE) :]
        cursor = scope.cursor(scope.records if kind == RECORD_GARBAGE else scope.indexes)
        found = cursor.set_range(prefix)
        while found and deleted < limit and cursor.key().startswith(prefix):
            cursor.delete()
            found = bool(cursor.key())
            deleted += 1
        if not found or not cursor.key().startswith(prefix):
            scope.delete(mark, scope.meta)
            marks = scope.cursor(scope.meta)
    return deleted


class TombstoneSweep:
    """Goes round the tables that have tombstones, a bounded stretch at a time."""

    def __init__(self) -> None:
        self._place: tuple[str, bytes] | None = None  # table and key where to go on
        self._oldest_kept: dict[str, bytes] = {}  # by table, as seen in its last whole round
        self._oldest_seen = _NONE

    def work(self, catalogue: Catalogue, horizon: bytes) -> bool:
        """Tell whether any table may have tombstones below the horizon."""
        return self._place is not None or bool(self._next(catalogue, "", horizon))

    def _next(self, catalogue: Catalogue, name: str, horizon: bytes) -> str:
        wanted = (
            table.name
            for table in list(catalogue.tables.values())  # another thread may add one meanwhile
            if table.name > name
            and table.counts.tombstones
            and self._oldest_kept.get(table.name, NEVER) < horizon
        )
        return min(wanted, default="")

    def step(self, scope: Scope, catalogue: Catalogue, horizon: bytes, limit: int) -> int:
        """Look at up to `limit` records and delete the tombstones below the horizon; say how many.

        Args:
            horizon: a version; tombstones of this version or an older one go.
        """
        name, low = self._place or (self._next(catalogue, "", horizon), b"")
        table = catalogue.tables.get(name)
        if table is None:
            self._place = None
            return 0
        if not low:
            self._oldest_seen = _NONE
        part = scans.read(scope, table, low, None, limit)
        bound = older_bound(horizon)
        dead = {key: record for key, record in part if is_tombstone(record) and record < bound}
        kept = [record for key, record in part if is_tombstone(record) and record >= bound]
        self._oldest_seen = min([self._oldest_seen, *(record[:VERSION_BYTES] for record in kept)])
        if dead:
            _delete(scope, table, dead)
        if len(part) == limit:
            self._place = (name, part[-1][0] + b"\0")
        else:
            # Where none was kept, whatever comes next is to be looked at.
            self._oldest_kept[name] = NEVER if self._oldest_seen == _NONE else self._oldest_seen
            following = self._next(catalogue, name, horizon)
            self._place = (following, b"") if following else None
        return len(dead)


def _delete(scope: Scope, table: Table, dead: dict[bytes, bytes]) -> None:
    for key, record in dead.items():
        if not table.separator:
            scope.delete(table.prefix + key, scope.records)
        else:
            _delete_from_pack(scope, table, key)
        table.counts.tombstones -= 1
        table.counts.size_bytes -= len(key) + len(record)
    tables.store_counts(scope, table)


def _delete_from_pack(scope: Scope, table: Table, key: bytes) -> None:
    group = group_of(key, table.separator)
    cursor = scope.cursor(scope.records)
    pack = packs.find(cursor, table.prefix + group, table.prefix + key)
    if pack is None:
        return
    pack.records.pop(key[len(group) :], None)
    if pack.records:
        [(place, value)] = packs.items_of(pack.key, table.prefix + group, pack.records)
        scope.put(place, value, scope.records)
    else:
        scope.delete(pack.key, scope.records)


def garbage_entries(scope: Scope) -> int:
    """Count the entries that wait to be deleted; for `verify`, not for every day."""
    total = 0
    for mark, kind in items_between(scope.cursor(scope.meta), GARBAGE, prefix_end(GARBAGE)):
        prefix = mark[len(GARBAGE) :]
        cursor = scope.cursor(scope.records if kind == RECORD_GARBAGE else scope.indexes)
        total += sum(1 for _ in items_between(cursor, prefix, prefix_end(prefix)))
    return total
