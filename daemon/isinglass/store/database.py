"""The store of a node, as its daemon has it: `StoreReader` and what writes.

`apply` takes the queue's batches, one transaction each: whole, or not at all.

What survives, by `durability`:

    "commit"   an applied batch survives kill -9 and power loss
    "second"   it survives kill -9; what the last flush (the timer's, once a second) did not cover
               may be lost to a power loss
    "none"     it survives kill -9; it is flushed when the kernel likes, and at close

The kernel writes pages in any order, so a power loss may damage the file of a store that is not
"commit", what `sync` flushed included. Such a store is read and checked as a whole before it is
used again (`isinglass.store.check`); if it is damaged, the node is filled from another one. Only
"commit" stands a power loss by itself.

A full disk or map fails a batch whole; `trouble` says so until an apply works, and reading goes on.

A flush that failed is the last one, and no batch is taken after it: the kernel tells of a page that
it could not write once, takes it for written then, and lets the next flush of it succeed (Rebello
et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020). The store is not marked
as closed either: after a crash of the machine it is read and checked as any that was open then.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Self, TypeVar

from isinglass import clock
from isinglass.errors import DiskFailed, DiskFull, MapFull, StoreCorrupt, StoreError
from isinglass.glass.flags import flag
from isinglass.glass.probe import mark
from isinglass.store import ownership, reclaim, tables
from isinglass.store.apply import BatchWriter
from isinglass.store.changes import Applied, Step, Writes
from isinglass.store.engine import Engine
from isinglass.store.panels import StorePanel
from isinglass.store.reading import StoreReader
from isinglass.store.records import NEVER
from isinglass.store.tables import Catalogue
from isinglass.store.transaction import Scope

STORE = flag("store")
DURABILITIES = ("commit", "second", "none")
MAP_BYTES = 16 << 30
WRITE_LOCK_LIMIT_SECONDS = 30.0
NANOSECONDS_PER_MICROSECOND = 1000
STATES: dict[type[StoreError], str] = {
    DiskFull: "disk full",
    MapFull: "map full",
    DiskFailed: "disk failed",
    StoreCorrupt: "damaged",
}
T = TypeVar("T")


class Store(StoreReader):
    """The store of a daemon, open for reading and writing; make it with `Store.open`."""

    def __init__(
        self,
        engine: Engine,
        owner: ownership.Owner,
        panel: StorePanel | None,
        durability: str,
    ) -> None:
        super().__init__(engine)
        self._owner, self._panel = owner, panel
        self._durability, self._open = durability, True
        self._writing = threading.Lock()
        self._writer: Catalogue | None = None  # loaded by the writing thread; None after a failure
        self._committed = self._flushed = 0  # write transactions
        self._sweep = reclaim.TombstoneSweep()
        self.trouble: StoreError | None = None
        self._unkept: DiskFailed | None = None

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        map_size_bytes: int = MAP_BYTES,
        durability: str = "second",
        panel: StorePanel | None = None,
    ) -> Self:
        """Open the store of a daemon, making it when there is none.

        Raises:
            StoreLocked: another daemon has it.
            StoreCorrupt: its files are damaged.
            DiskFull, StoreError: it cannot be made or opened.
        """
        if durability not in DURABILITIES:
            raise StoreError(f"durability is one of {', '.join(DURABILITIES)}, not {durability!r}")
        owner = ownership.take(Path(path), durability)
        engine = None
        try:
            engine = Engine(
                Path(path), map_bytes=map_size_bytes, sync=durability == "commit", readonly=False
            )
            engine.write(_create_if_new)
            engine.flush()
            owner.made()
            return cls(engine, owner, panel, durability)
        except BaseException:
            if engine:
                engine.close()
            owner.release()
            raise

    def close(self) -> None:
        """Flush and close; repeated calls do nothing."""
        if self._open:
            self._open = False
            with contextlib.suppress(StoreError):
                self._put_on_disk()
                self._owner.closing()
            self._engine.close()
            self._owner.release()

    def apply(
        self,
        steps: Iterable[Step],
        *,
        sync: bool = False,
        notes: Mapping[bytes, bytes] | None = None,
    ) -> Applied:
        """Apply a batch in one transaction, whole or not at all; again is the same as once.

        Args:
            sync: on the disk when it returns, also where the durability would not flush it.
            notes: what is remembered about it in the same transaction, by keys of at most 500
                bytes (see `notes`); an empty note deletes the one of its key.

        Raises:
            DiskFull, MapFull, StoreCorrupt, StoreError: nothing was written; `trouble` is set
                until an apply works.
            DiskFailed: the disk has refused a flush; `trouble` stays.
        """
        steps = list(steps)
        started = clock.perf_ns()
        makes_room = not any(isinstance(step, Writes) for step in steps)

        def work(scope: Scope, catalogue: Catalogue) -> Applied:
            tables.store_notes(scope, notes or {})
            return BatchWriter(scope, catalogue).apply(steps)

        try:
            if self._unkept is not None:
                raise self._unkept.with_traceback(None)
            applied, commit_ns = self._write(work, reserve=makes_room)
            if sync and self._durability != "commit":
                self.flush()
        except StoreError as error:
            self.trouble = error
            raise
        self.trouble = None
        if STORE:
            STORE("a transaction is committed", steps=len(steps), bytes=applied.written_bytes,
                  commit_microseconds=commit_ns // NANOSECONDS_PER_MICROSECOND)  # fmt: skip
        self._show_apply(applied, commit_ns, clock.perf_ns() - started)
        return applied

    def _write(
        self, work: Callable[[Scope, Catalogue], T], *, reserve: bool = False
    ) -> tuple[T, int]:
        """Commit what `work` writes; one thread at a time, with the writer's catalogue."""

        def run(scope: Scope) -> T:
            if self._writer is None:
                self._writer = tables.load(scope)
            mark("writing into the transaction")
            return work(scope, self._writer)

        mark.waiting("for another writing thread")
        if not self._writing.acquire(timeout=WRITE_LOCK_LIMIT_SECONDS):
            raise StoreError(
                f"another thread has written for {WRITE_LOCK_LIMIT_SECONDS:g} s: look where it"
                " stands (`isinglass ps`)"
            )
        try:
            result = self._engine.write(run, reserve=reserve)
            self._committed += 1
            self._count("commits")
            return result
        except BaseException:
            self._writer = None  # it may be ahead of the store
            self._count("failures")
            raise
        finally:
            self._writing.release()

    def _count(self, field: str, more: int = 1) -> None:
        if self._panel:
            setattr(self._panel, field, getattr(self._panel, field) + more)

    def _show_apply(self, applied: Applied, commit_ns: int, apply_ns: int) -> None:
        panel = self._panel
        if panel is None:
            return
        panel.written += applied.written
        panel.outdated += applied.outdated
        panel.written_bytes += applied.written_bytes
        panel.batch_records.record(applied.written + applied.outdated)
        panel.apply_time.record(apply_ns // NANOSECONDS_PER_MICROSECOND)
        panel.commit_time.record(commit_ns // NANOSECONDS_PER_MICROSECOND)
        panel.last_commit = clock.wall_ns()

    def flush(self) -> None:
        """Put everything applied so far on the disk; free when it is there already.

        Raises:
            DiskFailed: the disk refused, now or before.
        """
        committed, started = self._committed, clock.perf_ns()
        if committed == self._flushed or self._durability == "commit":
            return
        self._put_on_disk()
        self._flushed = committed
        if self._panel:
            spent = clock.perf_ns() - started
            self._panel.flush_time.record(spent // NANOSECONDS_PER_MICROSECOND)
            self._panel.last_flush = clock.wall_ns()

    def _put_on_disk(self) -> None:
        """Flush; what refused it once is never believed again."""
        if self._unkept is None:
            try:
                self._engine.flush()
                return
            except StoreError as error:
                self.trouble = self._unkept = DiskFailed(
                    f"the disk of the store {self.path} did not keep what was written ({error}):"
                    " mend the disk, then restart the node with an empty data folder, so that it"
                    " is filled from another one, or as it is, with what can still be read"
                )
        raise self._unkept.with_traceback(None)

    def reclaim(self, limit: int, horizon: bytes = NEVER) -> reclaim.Reclaimed:
        """Delete up to about `limit` entries that nobody needs: of dropped tables, then tombstones.

        Args:
            horizon: a version; tombstones not newer than it go.

        Raises:
            StoreError: as `apply`.
        """

        def work(scope: Scope, catalogue: Catalogue) -> reclaim.Reclaimed:
            garbage = reclaim.delete_garbage(scope, limit)
            gone = 0
            if garbage < limit and self._sweep.work(catalogue, horizon):
                gone = self._sweep.step(scope, catalogue, horizon, limit - garbage)
            more = reclaim.has_garbage(scope) or self._sweep.work(catalogue, horizon)
            return reclaim.Reclaimed(garbage, gone, more)

        known = self._writer or self._engine.read(tables.load)
        if not (self._sweep.work(known, horizon) or self._engine.read(reclaim.has_garbage)):
            return reclaim.Reclaimed(0, 0, False)
        done, _ = self._write(work, reserve=True)
        self._count("garbage_deleted", done.garbage)
        self._count("tombstones_deleted", done.tombstones)
        return done

    def clear_dead_readers(self) -> int:
        """Free the reader slots of processes that are gone; return how many."""
        cleared = self._engine.clear_dead_readers()
        self._count("readers_cleared", cleared)
        return cleared

    def held_up(self) -> StoreError | None:
        """Return what a writing thread cannot say, since a foreign program has it wait; or None."""
        return self._engine.writer_lock.held_up()

    def publish(self, now_ns: int) -> None:
        """Bring the panel's sizes, counts and readers up to date; for the timer, once a second.

        Args:
            now_ns: monotonic time.
        """
        panel = self._panel
        if panel is None:
            return
        panel.state = "ready" if self.trouble is None else STATES.get(type(self.trouble), "failed")
        panel.durability = self._durability
        shown, sizes = self.tables(), self.statistics()
        panel.tables, panel.rows = len(shown), sum(table.rows for table in shown)
        panel.tombstones = sum(table.tombstones for table in shown)
        panel.map_size, panel.file_size = sizes.map_bytes, sizes.file_bytes
        panel.free_size = sizes.free_bytes
        panel.used_share = (sizes.file_bytes - sizes.free_bytes) / sizes.map_bytes
        readers = self.readers(now_ns)
        panel.readers, panel.dead_readers = len(readers), sum(reader.dead for reader in readers)
        held = (reader.age_seconds for reader in readers if reader.commits_behind)
        panel.oldest_reader = max(held, default=0.0)


def _create_if_new(scope: Scope) -> None:
    if scope.get(tables.FORMAT_KEY, scope.meta) is None:
        tables.create(scope)
