"""The file of a recording: the one place of the console that imports LMDB.

Every commit is flushed, data before the page that points to it, so what was recorded is there after
a kill and after a loss of power. A recording that nobody writes is one file, fit to be copied; the
lock file beside it is there while a recorder runs, and after one that was killed.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import lmdb
import msgpack

from isinglass import __version__
from isinglass.errors import DiskFull
from isinglass.glass.locks import is_locked, try_lock
from isinglass.glass.panel_views import Catalogue
from isinglass.glass.snapshot_codec import LARGEST_BODY_BYTES
from isinglass.store.engine import DAMAGED, FILE_MODE
from isinglass.store.opening import prepare
from isinglass.store.room import says_full
from isinglass_console.model.lives import Lives, Name
from isinglass_console.recording.board_tables import (
    ALARMS,
    BOARD,
    BOARD_TABLES,
    ENDED_BYTES,
    LEVELS,
    Put,
    RecordedBoard,
)
from isinglass_console.recording.format import (
    FORMAT,
    META,
    OF_CHAPTERS,
    TABLES,
    Chapter,
    PackedChapter,
    RecordingDamaged,
    RecordingError,
    RecordingFormatUnknown,
    chapter_of,
    check_kind,
    index_bytes,
    key_of,
    life_key,
    life_of,
)

MAP_BYTES = 1 << 38  # address space, far above what a recording may grow to
PAGE_BYTES, READERS = 4096, 126
LOCK_SUFFIX, PART_SUFFIX = "-lock", ".part"
WRITER_BYTE = 0  # locked by who writes; a reader asks who has it, and takes no lock itself

Parts = Mapping[Name, bytes]


class RecordingFile:
    """One recording, to read, or to write by one recorder; a process has it open once.

    Args:
        path: the file.
        writes: make it, or go on with it.
        durable: flush each commit; False for a file that is of no use until it is copied.
        began_ns: wall time, for one that is made.

    Raises:
        RecordingError: it cannot be opened; RecordingDamaged, RecordingFormatUnknown say why.
        DiskFull: there is no room.
    """

    def __init__(
        self, path: Path, *, writes: bool = False, durable: bool = True, began_ns: int = 0
    ) -> None:
        self.path, self._writes, self._durable = path, writes, durable
        self._held = -1
        self._environment: Any = None
        self._identity: tuple[int, bool] | None = None
        try:
            if writes:
                self._hold()
            else:
                check_kind(path)
            self._environment = self._opened()
            self._identity = self._identity_now()
            self._check_size()
            if writes:
                self._check_whose()
            self._tables = {name: self._table(name) for name in TABLES}
            with suppress(lmdb.NotFoundError):
                self._tables.update({name: self._table(name) for name in BOARD_TABLES})
            self._check_format(began_ns)
        except (lmdb.Error, OSError) as error:
            self._release()
            raise explained(error, path) from error
        except BaseException:
            self._release()
            raise

    def _hold(self) -> None:
        """Keep other recorders off."""
        self._held = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        if not try_lock(self._held, WRITER_BYTE):
            raise RecordingError(f"Another recorder writes {self.path}: choose another file.")

    def _release(self) -> None:
        self._identity = None
        if self._environment is not None:
            self._environment.close()
        if self._held >= 0:
            os.close(self._held)
            self._held = -1

    def _has_lock_file(self) -> bool:
        return os.access(f"{self.path}{LOCK_SUFFIX}", os.W_OK)

    def _opened(self) -> Any:
        lock = self._writes or self._has_lock_file()
        if self._writes:
            prepare(self.path, Path(f"{self.path}{LOCK_SUFFIX}"), READERS, FILE_MODE)
        return lmdb.open(
            str(self.path),
            subdir=False,
            map_size=MAP_BYTES,
            readonly=not self._writes,
            create=self._writes,
            sync=self._durable,
            lock=lock,
            mode=FILE_MODE,
            max_dbs=len(TABLES) + len(BOARD_TABLES),
            max_readers=READERS,
        )

    def _table(self, name: str) -> Any:
        return self._environment.open_db(name.encode(), create=self._writes)

    def _check_size(self) -> None:
        """A page behind the end of a file that was cut is a SIGBUS."""
        needed = (self._environment.info()["last_pgno"] + 1) * PAGE_BYTES
        size = self.path.stat().st_size
        if size and size < needed:
            raise RecordingDamaged(
                f"{self.path} has {size:,} of {needed:,} bytes, somebody cut it: copy it again."
            )

    def _check_whose(self) -> None:
        """Make no tables in a database of somebody else."""
        with self._environment.begin() as transaction:
            names = {bytes(name) for name, _ in transaction.cursor()}
        if names - {name.encode() for name in (*TABLES, *BOARD_TABLES)}:
            raise RecordingDamaged(f"{self.path} is no recording that could be gone on with.")

    def _check_format(self, began_ns: int) -> None:
        told = self._get("meta", META)
        if told is None:
            if not self._writes:
                raise RecordingDamaged(f"{self.path} is no recording of isinglass.")
            about = {"format": FORMAT, "isinglass": __version__, "began_ns": began_ns}
            with self._environment.begin(self._tables["meta"], write=True) as transaction:
                transaction.put(META, msgpack.packb(about))
            return
        try:
            about = msgpack.unpackb(told)
            number, by = about["format"], about["isinglass"]
        except (ValueError, TypeError, KeyError, msgpack.UnpackException) as reason:
            raise RecordingDamaged(f"{self.path} does not say what it is ({reason}).") from reason
        if number != FORMAT:
            raise RecordingFormatUnknown(
                f"{self.path} was recorded by isinglass {by} in format {number}, this isinglass"
                f" reads format {FORMAT}: open it with the isinglass that wrote it."
            )

    # ------------------------------------------------------------------ writing
    def append(
        self, number: int, row: bytes, schemas: Parts, wholes: Parts, board: Iterable[Put] = ()
    ) -> None:
        """Commit a row, with the schemas and whole snapshots that it is the first to need.

        Args:
            board: what of levels and alarms is new with it.

        Raises:
            DiskFull, RecordingError: nothing of it is stored.
        """
        try:
            with self._environment.begin(write=True) as transaction:
                for table, parts in (("schemas", schemas), ("wholes", wholes)):
                    for life, data in parts.items():
                        key, packed = life_key(*life), zlib.compress(data, 9)
                        transaction.put(key, packed, db=self._tables[table])
                for table, key, data in board:
                    transaction.put(key, data, db=self._tables[table])
                transaction.put(key_of(number), row, db=self._tables["rows"])
        except lmdb.Error as error:
            raise explained(error, self.path) from error

    def finish_chapter(self, chapter: Chapter, packed: PackedChapter) -> None:
        """Put a chapter in the place of its rows; raises as `append` does."""
        key, tables = key_of(chapter.first), self._tables
        try:
            with self._environment.begin(write=True) as transaction:
                transaction.put(key, index_bytes(chapter), db=tables["index"])
                transaction.put(key, packed.rows, db=tables["chapters"])
                transaction.put(key, packed.snapshots, db=tables["snapshots"])
                if packed.events:
                    transaction.put(key, packed.events, db=tables["events"])
                for number in range(chapter.first, chapter.last + 1):
                    transaction.delete(key_of(number), db=tables["rows"])
        except lmdb.Error as error:
            raise explained(error, self.path) from error

    def forget(
        self,
        chapters: Sequence[Chapter],
        oldest: Chapter,
        schemas: Iterable[Name],
        wholes: Iterable[Name],
    ) -> None:
        """Take chapters out; their pages are used again. Raises as `append` does.

        Args:
            oldest: the chapter that is the first one then.
            schemas, wholes: those that no chapter needs any more.
        """
        try:
            with self._environment.begin(write=True) as transaction:
                for chapter in chapters:
                    for table in OF_CHAPTERS:
                        transaction.delete(key_of(chapter.first), db=self._tables[table])
                for table, lives in (("schemas", schemas), ("wholes", wholes)):
                    for life in lives:
                        transaction.delete(life_key(*life), db=self._tables[table])
                for table in (LEVELS, BOARD):
                    keys = [key for key, _ in transaction.cursor(db=self._tables[table])]
                    earlier = [key for key in keys if key <= key_of(oldest.first)]
                    for key in earlier[:-1]:
                        transaction.delete(key, db=self._tables[table])
                for key, data in list(transaction.cursor(db=self._tables[ALARMS])):
                    if bytes(ENDED_BYTES) < data[:ENDED_BYTES] < key_of(oldest.walls_ns[0]):
                        transaction.delete(key, db=self._tables[ALARMS])
        except lmdb.Error as error:
            raise explained(error, self.path) from error

    def copy(self, path: Path) -> None:
        """Write a copy without unused pages, or nothing; raises as `append` does."""
        whole = False
        try:
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
            try:
                self._environment.copyfd(target, compact=True)
                os.fsync(target)
                whole = True
            finally:
                os.close(target)
                if not whole:
                    os.unlink(path)
        except (lmdb.Error, OSError) as error:
            raise explained(error, path) from error

    def compact(self) -> None:
        """Leave out the unused pages, about a megabyte; the last thing before `close`.

        Without room for a copy the file stays as it is.
        """
        whole = self.path.resolve()  # a link to it stays one
        part = whole.with_name(whole.name + PART_SUFFIX)
        with suppress(OSError):
            os.unlink(part)
        try:
            self.copy(part)
            os.replace(part, whole)
        except (RecordingError, DiskFull, OSError):
            with suppress(OSError):
                os.unlink(part)

    @property
    def size_bytes(self) -> int:
        """How long the file is."""
        return int((self._environment.info()["last_pgno"] + 1) * PAGE_BYTES)

    # ------------------------------------------------------------------ following
    @property
    def version(self) -> int:
        """A number that grows with each commit of whoever writes."""
        return int(self._environment.info()["last_txnid"])

    def is_written(self) -> bool:
        """Tell whether a recorder has the file."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return is_locked(descriptor, WRITER_BYTE)
        finally:
            os.close(descriptor)

    def is_another(self) -> bool:
        """Tell whether the file must be opened again: it was replaced, or a recorder took it."""
        return self._identity is None or self._identity_now() not in (self._identity, None)

    def _identity_now(self) -> tuple[int, bool] | None:
        try:
            return self.path.stat().st_ino, self._has_lock_file()
        except OSError:
            return None

    # ------------------------------------------------------------------ reading
    def contents(self, known: Mapping[int, Chapter]) -> tuple[list[Chapter], list[bytes]]:
        """Return the finished chapters, the oldest first, and the rows that are in none yet.

        Args:
            known: chapters that were read before, by their first number; they never change.
        """
        try:
            with self._environment.begin() as transaction:
                index = list(transaction.cursor(db=self._tables["index"]))
                rows = [row for _, row in transaction.cursor(db=self._tables["rows"])]
        except lmdb.Error as error:
            raise explained(error, self.path) from error
        numbered = ((int.from_bytes(key, "big"), key, data) for key, data in index)
        return [known.get(first) or chapter_of(key, data) for first, key, data in numbered], rows

    def of_chapter(self, table: str, first: int) -> bytes:
        """Return what a table has of a chapter; empty when it has nothing."""
        return self._get(table, key_of(first)) or b""

    def add_lives(self, lives: Lives) -> None:
        """Add what the rows leave out: schemas, and the snapshots that are whole."""
        found = dict(self._parts("schemas"))
        lives.keep_alone(found)
        for (node, generation), area in found.items():
            catalogue = lives.catalogues[node].setdefault(generation, Catalogue())
            if catalogue.used < len(area):
                catalogue.extend(area[catalogue.used :])
        lives.wholes.clear()
        for (node, checksum), whole in self._parts("wholes"):
            lives.wholes[node][checksum] = whole

    def lives(self, table: str) -> set[Name]:
        """Return of which lives there are `schemas`, or `wholes`."""
        return {life_of(key) for key, _ in self._pairs(table)}

    def board(self) -> RecordedBoard:
        """Return the levels and the alarms."""
        return RecordedBoard(*(self._pairs(table) for table in BOARD_TABLES))

    def _parts(self, table: str) -> Iterator[tuple[Name, bytes]]:
        for key, data in self._pairs(table):
            try:
                part = zlib.decompressobj().decompress(data, LARGEST_BODY_BYTES)
            except zlib.error as reason:
                raise RecordingDamaged(f"The {table} in {self.path} are damaged.") from reason
            yield life_of(key), part

    def _get(self, table: str, key: bytes) -> bytes | None:
        try:
            with self._environment.begin(self._tables[table]) as transaction:
                value: bytes | None = transaction.get(key)
                return value
        except lmdb.Error as error:
            raise explained(error, self.path) from error

    def _pairs(self, table: str) -> list[tuple[bytes, bytes]]:
        if table not in self._tables:
            return []
        try:
            with self._environment.begin(self._tables[table]) as transaction:
                return list(transaction.cursor())
        except lmdb.Error as error:
            raise explained(error, self.path) from error

    def close(self) -> None:
        """Let go of the file."""
        if self._writes and self._held >= 0:
            with suppress(OSError):
                os.unlink(f"{self.path}{LOCK_SUFFIX}")
        self._release()


def explained(error: Exception, path: Path) -> RecordingError | DiskFull:
    """Return the error that says what an operator can do."""
    code = getattr(error, "errno", None) or getattr(error, "code", 0)
    if says_full(error):
        return DiskFull(f"The disk under {path} has no room: free some, or record elsewhere.")
    if isinstance(error, (*DAMAGED, lmdb.NotFoundError)):
        return RecordingDamaged(f"{path} is no recording, or damaged ({error}).")
    if isinstance(error, lmdb.MapFullError):
        return DiskFull(f"{path} has reached {MAP_BYTES >> 30} GiB: begin another recording.")
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return RecordingError(f"{path} may not be opened by this user ({error}).")
    return RecordingError(f"{path} cannot be used as a recording: {error}.")
