"""LMDB: the one file that imports it. Opening, transactions, errors, forks, readers.

Everything above this file works on a `Scope`; nothing above it sees an LMDB error. What happens to
a commit, by durability of the environment:

    sync     survives kill -9 and power loss: data pages and meta page are flushed in that order
    no sync  survives kill -9, because the pages are in the kernel; a power loss takes back what was
             not flushed, and may damage the file, since the kernel writes pages in any order: after
             a crash of the machine the daemon reads the whole store before it uses it

Locks. LMDB has one writer: the daemon that holds `daemon.lock`, one thread of it at a time (`Store`
sees to that, with a limit). Readers wait for nobody. `_gate` makes the readers of one process take
turns, for microseconds, so that no read transaction is open while it forks: the child could
otherwise take the parent's reader slot away, and pages from under the parent's snapshot. After a
fork a reader's child opens the store for itself; a writer's child cannot use it.

The map of a reader is far larger than any store, so a daemon that comes back with a larger map
costs its readers nothing; where address space is limited they take the new size when LMDB asks.
"""

from __future__ import annotations

import errno
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import lmdb

from isinglass import clock
from isinglass.errors import DiskFull, MapFull, StoreCorrupt, StoreError
from isinglass.glass import locks
from isinglass.glass.probe import mark
from isinglass.store.readers import Reader, ReaderAges
from isinglass.store.tables import SCHEMA_KEY
from isinglass.store.transaction import Scope

T = TypeVar("T")

DATA_FILE, LOCK_FILE = "data.mdb", "lock.mdb"
READER_MAP_BYTES = 1 << 40
READER_LIMIT = 1024  # read transactions at one time, of all processes
FORK_GATE_LIMIT_SECONDS = 1.0
FULL_DISK_BYTES = 1 << 20  # with less free, a write that was cut short was so for want of room
RESERVE_BYTES = 16 << 20  # what a drop or a clean-up may take beyond a map that is full

_DISK_FULL_CODES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DAMAGED = (
    lmdb.CorruptedError,
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
    lmdb.VersionMismatchError,
    lmdb.IncompatibleError,
)
_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


class Statistics(NamedTuple):
    """Sizes of the data file: allowed, ever used, and free for new writes within the used part."""

    map_bytes: int
    file_bytes: int
    free_bytes: int
    last_commit: int
    entries: int


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
        self._gate = threading.Lock()
        self._gate_held = False
        self._ages = ReaderAges()
        self._abandoned: list[object] = []
        self._snapshot = -1  # the newest one that `lookup` saw, and its schema version
        self._schema: bytes | None = None
        self._open()
        _engines.add(self)

    def _open(self) -> None:
        try:
            self._environment = self._new_environment()
            handles = (
                self._environment.open_db(name, create=not self.readonly)
                for name in (b"records", b"indexes", b"meta")
            )
            self._records, self._indexes, self._meta = handles
        except lmdb.Error as error:
            raise self._explained(error) from error
        self._begin: Callable[..., Any] = self._environment.begin
        # LMDB's own locks go when any descriptor of the file is closed: kept as long as they are
        self._lock_file = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)

    def _new_environment(self) -> lmdb.Environment:
        def opened(map_bytes: int) -> lmdb.Environment:
            return lmdb.open(
                str(self.path),
                map_size=map_bytes,
                readonly=self.readonly,
                sync=self._sync,
                create=not self.readonly,
                mode=0o640,
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
        with self._gate:
            try:
                transaction = self._begin(self._records)
                record = transaction.get(key)
                snapshot = transaction.id()
                if snapshot != self._snapshot:
                    self._schema = transaction.get(SCHEMA_KEY, None, self._meta)
                    self._snapshot = snapshot
                transaction.abort()
                return self._schema, record
            except lmdb.Error as error:
                self._recover(error)
        return self.read(
            lambda scope: (scope.get(SCHEMA_KEY, scope.meta), scope.get(key, scope.records))
        )

    def read(self, work: Callable[[Scope], T]) -> T:
        """Return what `work` reads from one snapshot, which ends with the call.

        Raises:
            StoreError: LMDB cannot; StoreCorrupt when its pages are damaged.
        """
        with self._gate:
            try:
                return self._read(work)
            except lmdb.Error as error:
                self._recover(error)
            try:
                return self._read(work)
            except lmdb.Error as error:
                raise self._explained(error) from error

    def _read(self, work: Callable[[Scope], T]) -> T:
        with self._begin() as transaction:
            return work(Scope(transaction, self._records, self._indexes, self._meta))

    def _recover(self, error: lmdb.Error) -> None:
        """Do what makes a second attempt worth while, or raise what the error means."""
        if isinstance(error, lmdb.MapResizedError):
            self._environment.set_mapsize(0)
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
        transaction = self._begin(write=True)
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
            with self._gate:
                self._environment.set_mapsize(self._map_bytes + RESERVE_BYTES)
            return self._write(work)
        except lmdb.Error as error:
            raise self._explained(error) from error
        finally:
            with self._gate:
                self._environment.set_mapsize(self._map_bytes)

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
        with self._gate:
            self._environment.close()
            os.close(self._lock_file)
            self._open()

    # ---------------------------------------------------------------- looking
    def statistics(self) -> Statistics:
        """Return the sizes of the data file."""
        with self._gate:
            information = self._environment.info()
            with self._begin() as transaction:
                stats = [
                    transaction.stat(db) for db in (self._records, self._indexes, self._meta)
                ] + [self._environment.stat()]
        page = stats[0]["psize"]
        held = sum(s["branch_pages"] + s["leaf_pages"] + s["overflow_pages"] for s in stats)
        used = information["last_pgno"] + 1
        return Statistics(
            map_bytes=information["map_size"],
            file_bytes=used * page,
            free_bytes=max(used - held - 2, 0) * page,  # 2 pages are LMDB's own heads
            last_commit=information["last_txnid"],
            entries=sum(s["entries"] for s in stats[:3]),
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
        with self._gate:
            return self._environment.reader_check()

    def close(self) -> None:
        """Close the files; repeated calls do nothing."""
        with self._gate:
            if self._lock_file >= 0:
                self._environment.close()
                os.close(self._lock_file)
                self._lock_file = -1
        _engines.discard(self)

    # ---------------------------------------------------------------- errors and forks
    def _explained(self, error: lmdb.Error) -> StoreError:
        where = str(self.path)
        if isinstance(error, lmdb.MapFullError):
            return MapFull(
                f"the store {where} has reached its map size of {self._map_bytes >> 20} MiB:"
                " restart the daemon with a larger map_size_bytes, or drop a table"
            )
        if self._is_disk_full(getattr(error, "code", 0)):
            return DiskFull(f"the disk under {where} has no room: free some, writes then go on")
        if isinstance(error, _DAMAGED):
            return StoreCorrupt(
                f"the store {where} is damaged ({error}): move it away and restore it from another"
                " node or a copy"
            )
        if getattr(error, "code", 0) == errno.ENOENT or isinstance(error, lmdb.NotFoundError):
            return StoreError(f"there is no store at {where} yet: start the node's daemon")
        if isinstance(error, (lmdb.ReadonlyError, lmdb.LockError)):
            return StoreError(f"the store {where} may not be opened by this user ({error})")
        if isinstance(error, lmdb.ReadersFullError):
            return StoreError(f"{READER_LIMIT} readers use the store {where}: end some of them")
        return StoreError(f"the store {where} cannot be used: {error}")

    def _is_disk_full(self, code: int) -> bool:
        # LMDB calls a write that was cut short, as the last one before the end is, an IO error
        if code == errno.EIO:
            disk = os.statvfs(self.path)
            return disk.f_bavail * disk.f_frsize < FULL_DISK_BYTES
        return code in _DISK_FULL_CODES

    def before_fork(self) -> None:
        """Let no read transaction of another thread be open during the fork."""
        self._gate_held = self._gate.acquire(timeout=FORK_GATE_LIMIT_SECONDS)

    def after_fork_in_parent(self) -> None:
        """Let the readers go on."""
        if self._gate_held:
            self._gate.release()

    def after_fork_in_child(self) -> None:
        """Give up the parent's environment; a reader opens its own at its next read."""
        self._gate = threading.Lock()
        self._begin = self._begin_in_child
        if self.readonly and self._gate_held:
            self._environment.close()
            os.close(self._lock_file)
            self._lock_file = -1
        else:
            self._abandoned.append(self._environment)  # closing would touch the parent's slots

    def _begin_in_child(self, *_: object, **__: object) -> Any:
        if self._lock_file >= 0:
            raise StoreError(
                f"the store {self.path} was opened before this process was forked: open it again"
                " in a fresh process"
            )
        self._open()
        return self._begin(self._records)


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
