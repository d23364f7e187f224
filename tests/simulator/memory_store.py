"""A store in memory for simulations: holds and answers what `Store` does, without LMDB or files.

A simulated node needs thousands of stores a second, each with a crash. The twin does with
dictionaries what the store does with pages; a property test compares the two. `crash` either keeps
what was applied, as a killed process does, or takes back what was not flushed, as a power loss may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set

from isinglass.errors import TableMissing
from isinglass.store import buckets, counters, pieces, records
from isinglass.store.changes import Applied, CreateTable, DropTable, Step, Writes
from isinglass.store.tables import TableShape, TableState

DIGEST_PIECE = 100  # records between two yields of `bucket_digests`


class MemoryTable:
    """One table: its state, and its stored records by key."""

    def __init__(self, shape: TableShape) -> None:
        self.shape = shape
        self.created = self.floor = records.NEVER
        self.records: dict[bytes, bytes] = {}

    def copy(self) -> MemoryTable:
        """Return the same table, apart from this one."""
        made = MemoryTable(self.shape)
        made.created, made.floor, made.records = self.created, self.floor, dict(self.records)
        return made


class State:
    """All tables and notes at one moment."""

    def __init__(self) -> None:
        self.tables: dict[str, MemoryTable] = {}
        self.notes: dict[bytes, bytes] = {}

    def copy(self) -> State:
        """Return the same state, apart from this one."""
        made = State()
        made.tables = {name: table.copy() for name, table in self.tables.items()}
        made.notes = dict(self.notes)
        return made

    def apply(self, steps: Iterable[Step], notes: Mapping[bytes, bytes]) -> Applied:
        """Apply a batch."""
        written = outdated = unknown = size = 0
        for step in steps:
            if isinstance(step, DropTable):
                self._drop(step)
            elif isinstance(step, CreateTable):
                self._create(step)
            else:
                for members in (step.records, *step.groups.values()):
                    table = self.tables.get(step.table)
                    if table is None:
                        unknown += len(members)
                        continue
                    changed = _write(table, members)
                    written += len(changed)
                    outdated += len(members) - len(changed)
                    size += sum(map(len, changed))
        self.notes.update(notes)
        self.notes = {key: note for key, note in self.notes.items() if note}
        return Applied(written, outdated, unknown, written, size)

    def _drop(self, step: DropTable) -> None:
        table = self.tables.setdefault(step.table, MemoryTable(TableShape()))
        if step.version > table.floor:
            table.floor, old, table.records = step.version, table.records, {}
            _write(table, old)

    def _create(self, step: CreateTable) -> None:
        table = self.tables.setdefault(step.table, MemoryTable(step.shape))
        table.created, table.shape = max((table.created, table.shape), (step.version, step.shape))


def _write(table: MemoryTable, members: Mapping[bytes, bytes]) -> list[bytes]:
    """Write records; return those that changed something."""
    bound = b"" if table.floor == records.NEVER else records.older_bound(table.floor)
    changed = []
    for key, record in members.items():
        old = table.records.get(key)
        if records.is_counting(record) or (old and records.is_counting(old)):
            record = counters.merged(old, record, table.floor) or b""
        elif record <= (old or bound):
            continue
        if record and record != old:
            table.records[key] = record
            changed.append(record)
    return changed


class MemoryStore:
    """The twin of `Store`: the same methods, as far as a simulated node calls them."""

    def __init__(self) -> None:
        self._now, self._disk = State(), State()
        self._unflushed: list[tuple[list[Step], Mapping[bytes, bytes]]] = []

    def apply(
        self,
        steps: Iterable[Step],
        *,
        sync: bool = False,
        notes: Mapping[bytes, bytes] | None = None,
    ) -> Applied:
        """Apply a batch, as `Store.apply`."""
        batch, remembered = [_frozen(step) for step in steps], dict(notes or {})
        applied = self._now.apply(batch, remembered)
        self._unflushed.append((batch, remembered))
        if sync:
            self.flush()
        return applied

    def flush(self) -> None:
        """Let everything applied so far survive any crash."""
        for batch, notes in self._unflushed:
            self._disk.apply(batch, notes)
        self._unflushed = []

    def crash(self, *, keep_applied: bool) -> None:
        """End as by kill -9 (keeps what was applied), or as by a power loss (what was flushed)."""
        if keep_applied:
            self.flush()
        else:
            self._now, self._unflushed = self._disk.copy(), []

    def look_up(self, table: str, key: bytes) -> bytes | None:
        """Return a stored record, tombstones included, or None, as `Store.look_up`."""
        found = self._now.tables.get(table)
        if found is None or found.created <= found.floor:
            raise TableMissing(f"there is no table {table!r}: create it first")
        return found.records.get(key)

    def stored(self, table: str, key: bytes) -> bytes | None:
        """Return a stored record, tombstones included, also of a table that is dropped."""
        found = self._now.tables.get(table)
        return found.records.get(key) if found else None

    def reclaim(self, horizon: bytes) -> dict[tuple[str, bytes], bytes]:
        """Delete the tombstones up to a version, as `Store.reclaim`; return them."""
        bound, reclaimed = records.older_bound(horizon), {}
        for name, table in self._now.tables.items():
            gone = [k for k, r in table.records.items() if r[10] == records.TOMBSTONE and r < bound]
            disk = self._disk.tables.get(name)
            for key in gone:
                reclaimed[name, key] = table.records.pop(key)
                if disk is not None and disk.records.get(key, bound) < bound:
                    del disk.records[key]
        return reclaimed

    def every_record(self) -> Iterator[pieces.Item]:
        """Yield table, key and record of everything, tombstones included."""
        for name, table in self._now.tables.items():
            for key, record in table.records.items():
                yield name, key, record

    def table_states(self) -> list[TableState]:
        """Return the state of every table, dropped ones included, in the order of their names."""
        return [
            TableState(name, table.shape, table.created, table.floor)
            for name, table in sorted(self._now.tables.items())
        ]

    def notes(self) -> dict[bytes, bytes]:
        """Return all notes."""
        return dict(self._now.notes)

    def newest_stamp(self) -> int:
        """Return the newest stamp of all records, creates and drops; 0 when there is none."""
        versions = [
            version
            for table in self._now.tables.values()
            for version in (table.created, table.floor, *table.records.values())
        ]
        return max(map(records.version_stamp, versions), default=0)

    def bucket_digests(self) -> Iterator[list[int]]:
        """Yield the growing digests, as `Store.bucket_digests`."""
        digests = [0] * buckets.COUNT
        place: pieces.Place | None = pieces.START
        while place is not None:
            items, place = self._piece(place, lambda *_: True, DIGEST_PIECE, pieces.PIECE_BYTES)
            for table, key, record in items:
                buckets.count_in(digests, table.encode(), key, record)
            yield digests

    def bucket_records(
        self,
        wanted: Set[int],
        after: pieces.Place = pieces.START,
        limit_bytes: int = pieces.PIECE_BYTES,
    ) -> tuple[list[pieces.Item], pieces.Place | None]:
        """Return records of some buckets, and where to go on, as `Store.bucket_records`."""

        def is_wanted(table: str, key: bytes) -> bool:
            return buckets.bucket_of(table.encode(), key) in wanted

        return self._piece(after, is_wanted, 1 << 30, limit_bytes)

    def _piece(
        self,
        place: pieces.Place,
        wanted: Callable[[str, bytes], bool],
        limit: int,
        limit_bytes: int,
    ) -> tuple[list[pieces.Item], pieces.Place | None]:
        items: list[pieces.Item] = []
        size = 0
        for name, table in sorted(self._now.tables.items()):
            for key in sorted(table.records):
                if (name, key) < place or not wanted(name, key):
                    continue
                if size >= limit_bytes or len(items) >= limit:
                    return items, (name, key)
                items.append((name, key, table.records[key]))
                size += len(key) + len(table.records[key])
        return items, None


def _frozen(step: Step) -> Step:
    """Return a step that does not change when its maker goes on with what it was made of."""
    if not isinstance(step, Writes):
        return step
    groups = {group: dict(members) for group, members in step.groups.items()}
    return Writes(step.table, dict(step.records), groups, step.separator)
