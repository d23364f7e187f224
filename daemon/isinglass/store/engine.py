"""LMDB: the one file of the daemon that imports it. Opening, transactions, errors, forks, readers.

Everything above this file works on a `Scope`; nothing above it sees an LMDB error. What happens to
a commit, by durability of the environment:

    sync     survives kill -9 and power loss: data pages and meta page are flushed in that order
    no sync  survives kill -9, because the pages are in the kernel; a power loss takes back what was
             not flushed, and may damage the file, since the kernel writes pages in any order: after
             a crash of the machine the daemon reads the whole store before it uses it

Locks. LMDB has one writer: the daemon that holds `daemon.lock`, one thread of it at a time (`Store`
sees to that, with a limit, and `writer_lock` to foreign programs). Readers wait for nobody, but a
fork waits for the readers of its process (see `gate`), some microseconds: a child that closes its
copy of an open read transaction takes the parent's reader slot away, and the pages from under the
parent's snapshot. After a fork a reader's child opens the store for itself; a writer's cannot.

The map of a reader is far larger than any store, so a daemon that comes back with a larger map
costs its readers nothing; where address space is limited they take the new size when LMDB asks.
"""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import lmdb

from isinglass import clock
from isinglass.errors import DiskFull, MapFull, StoreCorrupt, StoreError
from isinglass.glass import locks
from isinglass.glass.probe import mark
from isinglass.store.gate import ReadGate
from isinglass.store.opening import prepare
from isinglass.store.readers import Reader, ReaderAges
from isinglass.store.room import DISK_FULL_CODES, has_room
from isinglass.store.sizes import Statistics, statistics
from isinglass.store.tables import SCHEMA_KEY
from isinglass.store.transaction import Scope
from isinglass.store.writer_lock import WriterLock, find_place

T = TypeVar("T")

DATA_FILE, LOCK_FILE = "data.mdb", "lock.mdb"
READER_MAP_BYTES = 1 << 40
READER_LIMIT = 1024  # read transactions at one time, of all processes
FILE_MODE = 0o640
RESERVE_BYTES = 16 << 20  # what a drop or a clean-up may take beyond a map that is full

DAMAGED = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError,
           lmdb.VersionMismatchError, lmdb.IncompatibleError)  # fmt: skip
_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


class Engine:
    """One LMDB environment with the three tables of a store.

    Args:
        path: directory of the files.
        map_bytes: what the data file may grow to; for a reader what it maps.
        sync: flush every commit.
        readonly: a client of the store.

    Raises:
        StoreCorrupt: the files are no LMDB store, or damaged.
        StoreError: they cannot be opened, or are not there yet (readonly).
        DiskFull: there is no room for the first pages.
    """

    def __init__(self, path: Path, *, map_bytes: int, sync: bool, readonly: bool) -> None:
        self.path, self.readonly, self._sync, self._map_bytes = path, readonly, sync, map_bytes
        self._gate, self._ages = ReadGate(), ReaderAges()
        self._lock_file = -1
        self._lost = False  # they could not be opened again: the next write tries
        self._abandoned: lmdb.Environment | None = None  # of the parent, in a forked child
        self._seen: tuple[int, bytes | None] = (-1, None)  # a snapshot and its schema version
        self._open()
        _engines.add(self)

    def _open(self) -> None:
        environment = None
        try:
            if not self.readonly:
                prepare(self.path / DATA_FILE, self.path / LOCK_FILE, READER_LIMIT, FILE_MODE)
            environment = self._environment = self._new_environment()
            # LMDB's own locks go when any descriptor of it is closed: open as long as they are
            self._lock_file = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
            place = None if self.readonly else find_place(lmdb.open, LOCK_FILE)
            self.writer_lock = WriterLock(self.path / LOCK_FILE, self._lock_file, place)
            self.writer_lock.await_free()
            handles = (
                self._environment.open_db(name, create=not self.readonly)
                for name in (b"records", b"indexes", b"meta")
            )
            self._records, self._indexes, self._meta = handles
        except (lmdb.Error, OSError, StoreError) as error:
            self._close_files(environment)
            if isinstance(error, StoreError):
                raise
            raise self._explained(error) from error
        # how a read begins: at once, when the gate is open again, or by opening in a child
        self._begin: Callable[..., Any] = self._environment.begin

    def _close_files(self, environment: lmdb.Environment | None) -> None:
        if environment is not None:
            environment.close()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    def _new_environment(self) -> lmdb.Environment:
        def opened(map_bytes: int) -> lmdb.Environment:
            return lmdb.open(
                str(self.path),
                map_size=map_bytes,
                readonly=self.readonly,
                sync=self._sync,
                create=not self.readonly,
                mode=FILE_MODE,
                max_dbs=3,
                max_readers=READER_LIMIT,
                # a kept read transaction spares the daemon LMDB's reader lock; a child that
                # closes its copy would free the slot, so readers, which may fork, keep none
                max_spare_txns=0 if self.readonly else 1,
            )

        try:
            return opened(self._map_bytes)
        except lmdb.MemoryError:
            if not self.readonly:
                raise
            return opened(1 << 20)  # LMDB maps at least what the file uses

    # ---------------------------------------------------------------- reading
    def lookup(self, key: bytes) -> tuple[bytes | None, bytes | None]:
        """Return the schema version and one value of `records`, of one snapshot: the fast path."""
        live = self._gate.live
        live.append(None)
        try:
            transaction = self._begin(self._records)
            record = transaction.get(key)
            number, schema = self._seen
            if transaction.id() != number:
                schema = transaction.get(SCHEMA_KEY, None, self._meta)
                self._seen = (transaction.id(), schema)
            transaction.abort()
            return schema, record
        except lmdb.Error as error:
            failure = error
        finally:
            live.pop()
        self._recover(failure)
        return self.read(
            lambda scope: (scope.get(SCHEMA_KEY, scope.meta), scope.get(key, scope.records))
        )

    def read(self, work: Callable[[Scope], T]) -> T:
        """Return what `work` reads from one snapshot, which ends with the call.

        Raises:
            StoreError: LMDB cannot; StoreCorrupt when its pages are damaged.
        """
        try:
            return self._read(work)
        except lmdb.Error as error:
            self._recover(error)
        try:
            return self._read(work)
        except lmdb.Error as error:
            raise self._explained(error) from error

    def _read(self, work: Callable[[Scope], T]) -> T:
        live = self._gate.live
        live.append(None)
        try:
            with self._begin(self._records) as transaction:
                return work(Scope(transaction, self._records, self._indexes, self._meta))
        finally:
            live.pop()

    def _recover(self, error: lmdb.Error) -> None:
        """Do what makes a second attempt worth while, or raise what the error means."""
        if isinstance(error, lmdb.MapResizedError):
            self._set_map(0)
        elif isinstance(error, lmdb.ReadersFullError):
            self._environment.reader_check()
        else:
            raise self._explained(error) from error

    # ---------------------------------------------------------------- writing
    def write(self, work: Callable[[Scope], T], *, reserve: bool = False) -> tuple[T, int]:
        """Commit what `work` writes; return its result and the commit's nanoseconds.

        Args:
            reserve: it makes room, so it may go beyond a full map for as long as it runs.

        Raises:
            DiskFull, MapFull, StoreCorrupt, StoreError: nothing of it was written.
        """
        try:
            return self._write(work)
        except lmdb.MapFullError as error:
            if not reserve:
                raise self._explained(error) from error
            return self._write_beyond(work)
        except lmdb.Error as error:
            if isinstance(error, lmdb.PanicError):
                self._reopen()
            raise self._explained(error) from error

    def _write(self, work: Callable[[Scope], T]) -> tuple[T, int]:
        mark("beginning a write transaction")
        if self._abandoned:
            raise self._forked()
        if self._lost:
            self._reopen()
        transaction = self.writer_lock.take(lambda: self._environment.begin(write=True))
        try:
            result = work(Scope(transaction, self._records, self._indexes, self._meta))
            mark("committing")
            started = clock.perf_ns()
            transaction.commit()
            return result, clock.perf_ns() - started
        except BaseException:
            transaction.abort()
            raise

    def _write_beyond(self, work: Callable[[Scope], T]) -> tuple[T, int]:
        try:
            self._set_map(self._map_bytes + RESERVE_BYTES)
            return self._write(work)
        except lmdb.Error as error:
            raise self._explained(error) from error
        finally:
            self._set_map(self._map_bytes)

    def flush(self) -> None:
        """Flush everything committed so far to the disk.

        Raises:
            DiskFull, StoreError: the disk refused.
        """
        mark("flushing to the disk")
        try:
            self._environment.sync(True)
        except lmdb.Error as error:
            raise self._explained(error) from error

    def _reopen(self) -> None:
        """Open the files again after LMDB gave up on them (its meta page could not be written)."""
        with self._alone():
            self._lost = True
            self._close_files(self._environment)
            self._open()
            self._lost = False

    def _set_map(self, size_bytes: int) -> None:
        with self._alone():
            self._environment.set_mapsize(size_bytes)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep the readers of this process out meanwhile."""
        self._shut()
        try:
            if not self._gate.wait_until_empty():
                raise StoreError(f"a read of the store {self.path} does not end: try again")
            yield
        finally:
            self._unshut()

    def _shut(self) -> None:
        self._gate.shut()
        self._begin = self._begin_when_open

    def _unshut(self) -> None:
        self._begin = self._environment.begin
        self._gate.open()

    def _begin_when_open(self, *_: object) -> Any:
        self._gate.step_back()
        return self._begin(self._records)

    # ---------------------------------------------------------------- looking
    def statistics(self) -> Statistics:
        """Return the sizes of the data file."""
        environment = self._environment
        tables = self.read(lambda scope: [scope.transaction.stat(table) for table in scope[1:]])
        return statistics(
            cast("dict[str, int]", environment.info()),
            tables,
            cast("dict[str, int]", environment.stat()),
        )

    def readers(self, now_ns: int) -> list[Reader]:
        """Return every reader slot of every process, the oldest snapshot first."""
        last_commit = self._environment.info()["last_txnid"]
        return self._ages.observe(
            self._environment.readers(), last_commit, now_ns, self._has_store_open
        )

    def _has_store_open(self, pid: int) -> bool:
        # LMDB's own rule: a process that uses the store holds a lock on the byte of its pid
        return locks.is_locked(self._lock_file, pid)

    def clear_dead_readers(self) -> int:
        """Free the slots of processes that are gone; return how many."""
        return self._environment.reader_check()

    def close(self) -> None:
        """Close the files; repeated calls do nothing."""
        _engines.discard(self)
        if self._lock_file >= 0 and not self._abandoned:
            self._shut()
            self._gate.wait_until_empty()
            self._close_files(self._environment)
            self._unshut()

    # ---------------------------------------------------------------- errors and forks
    def _explained(self, error: lmdb.Error | OSError) -> StoreError:
        where, code = str(self.path), getattr(error, "code", 0) or getattr(error, "errno", 0)
        if isinstance(error, lmdb.MapFullError):
            return MapFull(
                f"the store {where} has reached its map size of {self._map_bytes >> 20} MiB:"
                " restart the daemon with a larger map_size_bytes, or drop a table"
            )
        if self._is_disk_full(code):
            return DiskFull(f"the disk under {where} has no room: free some, writes then go on")
        if isinstance(error, DAMAGED):
            return StoreCorrupt(
                f"the store {where} is damaged ({error}): move it away and restore it from another"
                " node or a copy"
            )
        if code == errno.ENOENT or isinstance(error, lmdb.NotFoundError):
            return StoreError(f"there is no store at {where} yet: start the node's daemon")
        if isinstance(error, (lmdb.ReadonlyError, lmdb.LockError, PermissionError)):
            return StoreError(f"the store {where} may not be opened by this user ({error})")
        if isinstance(error, lmdb.ReadersFullError):
            return StoreError(f"{READER_LIMIT} readers use the store {where}: end some of them")
        return StoreError(f"the store {where} cannot be used: {error}")

    def _is_disk_full(self, code: int) -> bool:
        # LMDB calls a write that was cut short, as the last one before the end is, an IO error
        return code in DISK_FULL_CODES or (code == errno.EIO and not has_room(self.path, DATA_FILE))

    def before_fork(self) -> None:
        """Let no read transaction of another thread be open during the fork."""
        self._shut()
        self._gate.wait_until_empty()

    def after_fork_in_parent(self) -> None:
        """Let the readers go on."""
        self._unshut()

    def after_fork_in_child(self) -> None:
        """Give up the parent's environment; a reader opens its own at its next read."""
        untouched = not self._gate.live
        self._gate = ReadGate()
        self._begin = self._begin_in_child
        if self.readonly and untouched:
            self._close_files(self._environment)
        else:
            self._abandoned = self._environment  # closing would touch the parent's slots

    def _begin_in_child(self, *_: object) -> Any:
        if self._abandoned:
            raise self._forked()
        self._gate.shut()
        try:
            if self._lock_file < 0:  # the first thread of the child to come here
                self._open()
        finally:
            self._gate.open()
        return self._begin(self._records)

    def _forked(self) -> StoreError:
        return StoreError(
            f"the store {self.path} was opened before this process was forked: open it again in a"
            " fresh process"
        )


def _for_all(method: str) -> Callable[[], None]:
    def call() -> None:
        for engine in list(_engines):
            getattr(engine, method)()

    return call


os.register_at_fork(
    before=_for_all("before_fork"),
    after_in_parent=_for_all("after_fork_in_parent"),
    after_in_child=_for_all("after_fork_in_child"),
)
