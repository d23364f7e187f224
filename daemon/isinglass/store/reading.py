"""Reading a store: by key, by range of keys, by index; in the daemon and in every client.

Clients open the same files as the daemon and read them without a trip to it. Every read is of one
snapshot. A long scan is many short ones, so that no snapshot is held while somebody thinks: a scan
shows each record as it was at some moment of the scan, and a record that is there from its
beginning to its end exactly once.

The catalogue of tables is kept, and its version is read in the same snapshot as the record, so that
a table that was dropped and created again is never read under its old number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from pathlib import Path
from typing import Any, Self

from isinglass.errors import IndexMissing, TableMissing
from isinglass.store import buckets, pieces, records, scans, tables
from isinglass.store.engine import READER_MAP_BYTES, Engine
from isinglass.store.index import Bounds, IndexedField
from isinglass.store.readers import Reader
from isinglass.store.records import Record
from isinglass.store.sizes import Statistics
from isinglass.store.tables import Catalogue, Table, TableInfo, TableState
from isinglass.store.transaction import Scope
from isinglass.store.verify import Verified, verify

_FLAGS, _stored_value = records.FLAGS, records.stored_value
SCAN_CHUNK = 1000  # records of one snapshot of a scan: some two milliseconds


class StoreReader:
    """One store, open for reading; make it with `StoreReader.open`. Any thread may use it."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._lookup = engine, engine.lookup
        self._catalogue = engine.read(tables.load)

    @classmethod
    def open(cls, path: Path | str, *, map_size_bytes: int = READER_MAP_BYTES) -> Self:
        """Open a node's store, whether its daemon runs or not.

        Raises:
            StoreError: there is none yet, or this user may not.
            StoreCorrupt: its files are damaged.
        """
        engine = Engine(Path(path), map_bytes=map_size_bytes, sync=False, readonly=True)
        try:
            return cls(engine)
        except BaseException:
            engine.close()
            raise

    @property
    def path(self) -> Path:
        """The directory of the store."""
        return self._engine.path

    def close(self) -> None:
        """Close the files; repeated calls do nothing."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def look_up(self, table: str, key: bytes) -> bytes | None:
        """Return the stored record of a stored key, tombstones included, or None.

        Raises:
            TableMissing: there is no such table.
        """
        catalogue = self._catalogue
        prefix = catalogue.direct.get(table)
        if prefix is not None:
            schema, record = self._lookup(prefix + key)
            if schema == catalogue.schema:
                return record
        return self._engine.read(lambda scope: self._find(scope, table, key))

    def stored(self, table: str, key: bytes) -> bytes | None:
        """Return the stored record of a key as `look_up`, also of a table that is dropped."""
        try:
            return self.look_up(table, key)
        except TableMissing:
            return self._engine.read(lambda scope: self._find_hidden(scope, table, key))

    def stored_all(self, table: str, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the stored records of keys, of one snapshot, as far as they exist."""

        def find_all(scope: Scope) -> dict[bytes, bytes]:
            known = self._current(scope).tables.get(table)
            return {} if known is None else scans.find_all(scope, known, keys)

        return self._engine.read(find_all)

    def _find_hidden(self, scope: Scope, name: str, key: bytes) -> bytes | None:
        table = self._current(scope).tables.get(name)
        return None if table is None else scans.find(scope, table, key)

    def _find(self, scope: Scope, table: str, key: bytes) -> bytes | None:
        return scans.find(scope, self._table(scope, table), key)

    def _table(self, scope: Scope, name: str) -> Table:
        """Return a table as of this snapshot."""
        return self._current(scope).visible(name)

    def _current(self, scope: Scope) -> Catalogue:
        if scope.get(tables.SCHEMA_KEY, scope.meta) != self._catalogue.schema:
            self._catalogue = tables.load(scope)
        return self._catalogue

    def get(self, table: str, key: str) -> Record | None:
        """Return one record, or None when there is none or it is deleted.

        Raises:
            TableMissing: there is no such table.
        """
        place = key.encode("utf-8", "surrogatepass")  # no stored key has any, so it finds none
        record = self.look_up(table, place)
        return None if record is None else records.decode(place, record)

    def get_value(self, table: str, key: str) -> dict[str, Any] | None:
        """Return one record's value, or None: as `get`, with as few calls as there can be."""
        catalogue = self._catalogue
        prefix = catalogue.direct.get(table)
        if prefix is not None:
            schema, record = self._lookup(prefix + key.encode("utf-8", "surrogatepass"))
            if schema == catalogue.schema:
                return None if record is None or record[_FLAGS] & 1 else _stored_value(record)
        record = self.look_up(table, key.encode("utf-8", "surrogatepass"))
        return None if record is None or record[_FLAGS] & 1 else _stored_value(record)

    def scan(
        self,
        table: str,
        start: str = "",
        stop: str | None = None,
        *,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Iterator[Record]:
        """Return the records with start <= key < stop in the order of their keys.

        Args:
            stop: None is the end of the table.
            limit: at most so many.
            reverse: from the highest key down.

        Raises:
            TableMissing: there is no such table; also in the middle, when it is dropped meanwhile.
        """
        self._engine.read(lambda scope: self._table(scope, table))
        high = None if stop is None else stop.encode("utf-8", "surrogatepass")
        return self._scan(table, start.encode("utf-8", "surrogatepass"), high, limit, reverse)

    def _scan(
        self, table: str, low: bytes, high: bytes | None, limit: int | None, reverse: bool
    ) -> Iterator[Record]:
        left = SCAN_CHUNK if limit is None else limit
        size = min(SCAN_CHUNK, left)
        while left > 0:
            part = self._read_part(table, low, high, size, reverse)
            for key, record in part:
                found = records.decode(key, record)
                if found is not None and left > 0:
                    yield found
                    left -= limit is not None
            if len(part) < size:
                return
            size = SCAN_CHUNK  # much is deleted here: pass over it in few steps
            low, high = (low, part[-1][0]) if reverse else (part[-1][0] + b"\0", high)

    def _read_part(
        self, table: str, low: bytes, high: bytes | None, size: int, reverse: bool
    ) -> list[scans.Found]:
        return self._engine.read(
            lambda scope: scans.read(
                scope, self._table(scope, table), low, high, size, reverse=reverse
            )
        )

    def index_scan(
        self,
        table: str,
        field: str,
        *,
        equal: Any = ...,
        start: Any = ...,
        stop: Any = ...,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Iterator[Record]:
        """Return records by an indexed field: of one value, or start <= value < stop, in its order.

        None < False < True < numbers < text < bytes. An open end stays within the kind of the other
        bound; without any bound all records that have the field come.

        Raises:
            TableMissing, IndexMissing: there is no such table, or no index on the field.
            BadRecord: a bound is no value that an index holds.
        """
        bounds = {"equal": equal, "start": start, "stop": stop}
        self._engine.read(lambda scope: Bounds(self._index(scope, table, field), **bounds))
        return self._index_scan(table, field, bounds, limit, reverse)

    def _index(self, scope: Scope, table: str, field: str) -> IndexedField:
        for index in self._table(scope, table).fields:
            if index.field == field:
                return index
        raise IndexMissing(f"table {table!r} has no index on {field!r}: create it with one")

    def _index_scan(
        self, table: str, field: str, given: dict[str, Any], limit: int | None, reverse: bool
    ) -> Iterator[Record]:
        left = SCAN_CHUNK if limit is None else limit
        after: bytes | None = None  # the last index key seen, without the number of its index
        while left > 0:
            size = min(SCAN_CHUNK, left)

            def chunk(scope: Scope, size: int = size, after: bytes | None = after) -> Any:
                index = self._index(scope, table, field)
                bounds = Bounds(index, **given)
                beyond = None if after is None else index.prefix + after
                found = scans.read_index(scope, bounds, size, after=beyond, reverse=reverse)
                return bounds, found, scans.records_of(scope, self._table(scope, table), found)

            bounds, entries, part = self._engine.read(chunk)
            for key, record in part:
                found = records.decode(key, record)
                if found is not None and (bounds.exact or bounds.admits(found.value)):
                    yield found
                    left -= limit is not None
            if len(entries) < size:
                return
            after = entries[-1][tables.NUMBER_BYTES :]

    def tables(self) -> list[TableInfo]:
        """Return all tables that can be used, with exact counts, in the order of their names."""
        catalogue = self._engine.read(tables.load)
        return [tables.info(table) for table in catalogue.tables.values() if table.visible]

    def record_count(self) -> int:
        """Return how many records all tables have, tombstones and dropped tables included."""
        every = self._engine.read(tables.load).tables.values()
        return sum(table.counts.rows + table.counts.tombstones for table in every)

    def table_states(self) -> list[TableState]:
        """Return what the queue must know of every table, dropped ones included."""
        catalogue = self._engine.read(tables.load)
        return [
            TableState(table.name, table.shape, table.created, table.floor)
            for table in catalogue.tables.values()
        ]

    def notes(self) -> dict[bytes, bytes]:
        """Return what `Store.apply` noted beside the records, by its key."""
        return self._engine.read(tables.notes)

    def bucket_digests(self, horizon: int = 0) -> Iterator[list[int]]:
        """Yield the digests of all buckets after each piece that is read; the last are the store's.

        Args:
            horizon: tombstones with this stamp or an older one do not count: some nodes may have
                reclaimed them already, and others not.

        It is one list that grows. A caller that stops early has read no more than it asked for; a
        store that is written meanwhile gives digests of something in between.
        """
        digests = [0] * buckets.COUNT
        bound = records.older_bound(records.version_bytes(horizon, records.ORIGIN_LIMIT - 1))
        place: pieces.Place | None = pieces.START
        while place is not None:
            items, place = self._piece(place, pieces.PIECE_BYTES)
            for table, key, record in items:
                if record < bound and records.is_tombstone(record):
                    continue
                buckets.count_in(digests, table.encode(), key, record)
            yield digests

    def bucket_records(
        self,
        wanted: Set[int],
        after: pieces.Place = pieces.START,
        limit_bytes: int = pieces.PIECE_BYTES,
    ) -> tuple[list[pieces.Item], pieces.Place | None]:
        """Return records of some buckets, tombstones included, and what to pass as `after` next.

        Args:
            wanted: numbers of buckets.
            after: what the last call returned.
            limit_bytes: about as much is returned; less, or nothing, when it takes long to find.

        Returns:
            (table, key, stored record) in the order of tables and keys; and None at the end.
        """

        def is_wanted(table: str, key: bytes) -> bool:
            return buckets.bucket_of(table.encode(), key) in wanted

        return self._piece(after, limit_bytes, is_wanted)

    def _piece(
        self,
        place: pieces.Place,
        limit_bytes: int,
        wanted: Callable[[str, bytes], bool] | None = None,
    ) -> tuple[list[pieces.Item], pieces.Place | None]:
        return self._engine.read(
            lambda scope: pieces.read_piece(scope, self._current(scope), place, limit_bytes, wanted)
        )

    def newest_stamp(self) -> int:
        """Return the newest stamp of all records, creates and drops; 0 when there is none."""
        catalogue = self._engine.read(tables.load)
        versions = (
            max(table.created, table.floor, table.counts.newest)
            for table in catalogue.tables.values()
        )
        return max(map(records.version_stamp, versions), default=0)

    def statistics(self) -> Statistics:
        """Return the sizes of the data file."""
        return self._engine.statistics()

    def readers(self, now_ns: int) -> list[Reader]:
        """Return every reader of every process, the oldest snapshot first.

        Args:
            now_ns: monotonic time; ages count from when a snapshot was first seen here.
        """
        return self._engine.readers(now_ns)

    def verify(self) -> Verified:
        """Read everything and check that records, indexes and counts agree, in one snapshot."""
        return self._engine.read(lambda scope: verify(scope, tables.load(scope)))
