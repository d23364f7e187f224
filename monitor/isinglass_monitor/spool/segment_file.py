"""A segment of the spool: one LMDB environment, the one file that imports LMDB here.

    records    key → value                       in order of time, see `spool/records`
    by_node    node, stamp, stream, sequence     → nothing
    warnings   the same                          → severity; records with WARN or worse, and gaps
    arrivals   number of the commit              → the keys that it stored, in order of time
    streams    stream                            → what the spool has of it, see `spool/streams`
    meta       "segment"                         → `Contents`

Each commit is flushed, data pages before the meta page, so a kill or a power loss takes nothing
back that was committed, and the file is whole. A read holds its snapshot for READ_LIMIT_SECONDS at
most, since LMDB uses no page again that a reader may see. Deleting rows never makes the file
smaller: a segment is only ever added to, and goes as a whole.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lmdb
import msgpack

from isinglass import clock
from isinglass.errors import DiskFull, StoreCorrupt, StoreError
from isinglass.glass.severity import WARNING
from isinglass.store.engine import DAMAGED, DATA_FILE, FILE_MODE, LOCK_FILE
from isinglass.store.opening import prepare
from isinglass.store.room import says_full
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.records import Pair, Record, to_by_node
from isinglass_monitor.spool.streams import LOST, StreamRecord

MAP_BYTES = 4 << 30  # address space, far above what a segment may grow to
TABLES = (b"records", b"by_node", b"warnings", b"arrivals", b"streams", b"meta")
FORMAT = 1
READERS = 256
READ_LIMIT_SECONDS = 0.5
CHUNK_ROWS = 4096
FIRST_CHUNK_ROWS = 64
_CONTENTS = b"segment"


class SegmentNotThere(StoreError):
    """There is no segment: it is just being made, or has just been removed."""


class Contents(NamedTuple):
    """What a segment holds; stamps are 0 while it is empty."""

    created_ns: int
    arrived_ns: int = 0  # when its last record came
    earliest: int = 0
    latest: int = 0
    records: int = 0
    events: int = 0
    lost: int = 0
    commits: int = 0
    closed: bool = False


class SegmentFile:
    """One segment, to write (by one thread) or to read.

    Raises:
        StoreError: it cannot be opened; StoreCorrupt when it is damaged, DiskFull without room.
    """

    def __init__(self, path: Path, *, readonly: bool = False, created_ns: int = 0) -> None:
        self.path, self.readonly = path, readonly
        try:
            if not readonly:
                path.mkdir(0o750, exist_ok=True)
                prepare(path / DATA_FILE, path / LOCK_FILE, READERS, FILE_MODE)
            self._environment = lmdb.open(
                str(path),
                map_size=MAP_BYTES,
                readonly=readonly,
                create=not readonly,
                mode=FILE_MODE,
                max_dbs=len(TABLES),
                max_readers=READERS,
            )
            # A reader that was killed leaves its slot; there are READERS of them.
            self._environment.reader_check()
            made = [self._environment.open_db(name, create=not readonly) for name in TABLES]
            self._tables: dict[str, Any] = dict(
                zip((name.decode() for name in TABLES), made, strict=True)
            )
        except (lmdb.Error, OSError) as error:
            raise explained(error, path) from error
        found = self.contents()
        if found is None:
            found = Contents(created_ns)
        self.known = found

    # ---------------------------------------------------------------- writing
    def write(self, pieces: Sequence[Piece], streams: Iterable[StreamRecord], now_ns: int) -> None:
        """Commit pieces, with what the spool then has of their streams.

        Args:
            now_ns: wall time.

        Raises:
            DiskFull, StoreError: nothing of it is stored.
        """
        records, dropped = _outcome(pieces)
        pairs = [(record.key, record.value) for record in records]
        nodes = [to_by_node(record.key) for record in records]
        warnings = [
            (node, bytes((record.severity,)))
            for node, record in zip(nodes, records, strict=True)
            if record.severity >= WARNING
        ]
        contents = self._after(pieces, records, now_ns)
        tables = self._tables
        try:
            with self._environment.begin(write=True) as transaction:
                for key in dropped:  # first: what is left of a gap may have the key of the whole
                    transaction.delete(key, db=tables["records"])
                    transaction.delete(to_by_node(key), db=tables["by_node"])
                    transaction.delete(to_by_node(key), db=tables["warnings"])
                transaction.cursor(tables["records"]).putmulti(pairs, overwrite=False)
                transaction.cursor(tables["by_node"]).putmulti([(key, b"") for key in nodes])
                if warnings:
                    transaction.cursor(tables["warnings"]).putmulti(warnings)
                if pairs:
                    keys = b"".join([key for key, _ in pairs])
                    number = contents.commits.to_bytes(8, "big")
                    transaction.put(number, keys, db=tables["arrivals"])
                for stream in streams:
                    key = stream.stream.to_bytes(8, "big")
                    transaction.put(key, stream.packed(), db=tables["streams"])
                transaction.put(_CONTENTS, _contents_bytes(contents), db=tables["meta"])
        except lmdb.Error as error:
            raise explained(error, self.path) from error
        self.known = contents

    def _after(self, pieces: Sequence[Piece], records: Sequence[Record], now_ns: int) -> Contents:
        """Return the contents as they are once these pieces are stored."""
        known = self.known
        events = sum(record.events for record in records)
        lost = sum(piece.events for piece in pieces if piece.how == LOST)
        earliest, latest = known.earliest, known.latest
        if records:
            first = int.from_bytes(records[0].key[:8], "big")
            earliest = min(earliest, first) if earliest else first
            latest = max(latest, max(record.latest for record in records))
        return known._replace(
            created_ns=known.created_ns or now_ns, arrived_ns=now_ns, earliest=earliest,
            latest=latest, records=known.records + len(records), events=known.events + events,
            lost=known.lost + lost, commits=known.commits + 1,
        )  # fmt: skip

    def finish(self) -> None:
        """Note that nothing will be added any more."""
        contents = self.known._replace(closed=True)
        try:
            with self._environment.begin(write=True) as transaction:
                transaction.put(_CONTENTS, _contents_bytes(contents), db=self._tables["meta"])
        except lmdb.Error as error:
            raise explained(error, self.path) from error
        self.known = contents

    @property
    def size_bytes(self) -> int:
        """How much of the file is in use."""
        return int((self._environment.info()["last_pgno"] + 1) * 4096)

    # ---------------------------------------------------------------- reading
    def contents(self) -> Contents | None:
        """Return what the segment holds now; None before its first commit."""
        packed = self.get("meta", _CONTENTS)
        if packed is None:
            return None
        number, *rest = msgpack.unpackb(packed)
        if number != FORMAT:
            raise StoreError(
                f"The spool {self.path} was written in format {number}, this program reads"
                f" {FORMAT}: use the version that wrote it, or move it away."
            )
        return Contents(*rest)

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return one value."""
        try:
            with self._environment.begin(self._tables[table]) as transaction:
                value: bytes | None = transaction.get(key)
                return value
        except lmdb.Error as error:
            raise explained(error, self.path) from error

    def scan(
        self, table: str, first: bytes, end: bytes, *, backwards: bool = False
    ) -> Iterator[Pair]:
        """Yield keys and values from `first` on, below `end`, in snapshots that are short."""
        rows = FIRST_CHUNK_ROWS
        while True:
            chunk = self._chunk(table, first, end, rows, backwards)
            yield from chunk
            if not chunk:
                return
            if backwards:
                end = chunk[-1][0]
            else:
                first = chunk[-1][0] + b"\0"
            rows = min(rows * 4, CHUNK_ROWS)

    def _chunk(
        self, table: str, first: bytes, end: bytes, rows: int, backwards: bool
    ) -> list[Pair]:
        found: list[Pair] = []
        until = clock.monotonic_ns() + int(READ_LIMIT_SECONDS * clock.NANOSECONDS_PER_SECOND)
        try:
            with self._environment.begin(self._tables[table]) as transaction:
                cursor = transaction.cursor()
                if backwards:
                    inside = cursor.prev() if cursor.set_range(end) else cursor.last()
                    moving = cursor.iterprev() if inside else iter(())
                else:
                    moving = cursor.iternext() if cursor.set_range(first) else iter(())
                for pair in moving:
                    if pair[0] < first if backwards else pair[0] >= end:
                        break
                    found.append(pair)
                    if len(found) >= rows or (
                        not len(found) % FIRST_CHUNK_ROWS and clock.monotonic_ns() > until
                    ):
                        break
        except lmdb.Error as error:
            raise explained(error, self.path) from error
        return found

    def fetch(self, keys: Sequence[bytes]) -> list[Pair]:
        """Return those of some records that are there, in the order of the keys."""
        try:
            with self._environment.begin(self._tables["records"]) as transaction:
                get = transaction.get
                return [(key, value) for key in keys if (value := get(key)) is not None]
        except lmdb.Error as error:
            raise explained(error, self.path) from error

    def node_numbers(self) -> list[int]:
        """Return the number of every node that the segment has records of."""
        found, place = [], b""
        try:
            with self._environment.begin(self._tables["by_node"]) as transaction:
                cursor = transaction.cursor()
                while cursor.set_range(place):
                    number = int.from_bytes(cursor.key()[:4], "big")
                    found.append(number)
                    if number == 0xFFFF_FFFF:
                        break
                    place = (number + 1).to_bytes(4, "big")
        except lmdb.Error as error:
            raise explained(error, self.path) from error
        return found

    def close(self) -> None:
        """Let go of the files."""
        self._environment.close()


def _outcome(pieces: Sequence[Piece]) -> tuple[list[Record], list[bytes]]:
    """Return the records to store, in order, and the keys of gap records that are to go before."""
    dropped = [key for piece in pieces for key in piece.dropped]
    if not dropped:
        return sorted(record for piece in pieces for record in piece.records), dropped
    kept: dict[bytes, Record] = {}
    for piece in pieces:
        for key in piece.dropped:
            kept.pop(key, None)
        for record in piece.records:
            kept.setdefault(record.key, record)
    return sorted(kept.values()), dropped


def _contents_bytes(contents: Contents) -> bytes:
    packed: bytes = msgpack.packb([FORMAT, *contents])
    return packed


def explained(error: Exception, path: Path) -> StoreError:
    """Return the error that says what an operator can do."""
    code = getattr(error, "errno", None) or getattr(error, "code", 0)
    if says_full(error):
        return DiskFull(f"The disk under the spool {path} has no room: free some.")
    if isinstance(error, DAMAGED):
        return StoreCorrupt(f"The spool's segment {path} is damaged ({error}).")
    if code == errno.ENOENT or isinstance(error, lmdb.NotFoundError):
        return SegmentNotThere(f"There is no segment of a spool at {path}.")
    if isinstance(error, (lmdb.ReadonlyError, lmdb.LockError, PermissionError)):
        return StoreError(f"The spool {path} may not be opened by this user ({error}).")
    return StoreError(f"The spool {path} cannot be used: {error}.")


def data_bytes(path: Path) -> int:
    """Return how large a segment's files are on the disk; 0 when it is gone."""
    try:
        return os.stat(path / DATA_FILE).st_blocks * 512
    except OSError:
        return 0
