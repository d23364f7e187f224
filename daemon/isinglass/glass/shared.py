"""What all processes of a node share: the sequence, the clock of stamps, the list of tables.

Sequence and stamp are drawn under a kernel lock that a dead holder cannot keep; runs can be
leased, so that a batch costs one draw. Tables are written by the daemon alone and read by anyone
without a lock: an entry's PRESENT word is stored last.

    word 0  sequence   1  stamp   2  schema bytes used   3  table entries
    from byte 4,096: 480 entries x 128: present, rows, size, -, name 48 bytes, index of 48 bytes
"""

from __future__ import annotations

import fcntl
import threading

from isinglass import clock
from isinglass.errors import LockTimeout, SegmentError
from isinglass.glass import layout, locks
from isinglass.glass.layout import SharedWord, TableWord
from isinglass.glass.region import fit

DRAW_LIMIT_SECONDS = 1.0


class FileLock:
    """A kernel lock that also keeps the threads of this process apart; waited for with a limit."""

    def __init__(self, descriptor: int, place: int, what: str) -> None:
        self._descriptor, self._place, self._what = descriptor, place, what
        self._taking, self._giving = locks.requests(place)
        self._threads = threading.Lock()

    def __enter__(self) -> None:
        # A try, then a limit: with a limit an uncontended lock costs three times as much.
        if not self._threads.acquire(False) and not self._threads.acquire(
            timeout=DRAW_LIMIT_SECONDS
        ):
            raise LockTimeout(
                f"another thread of this process holds {self._what}: look where it stands"
                " (`isinglass ps`)"
            )
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, self._taking)
        except OSError:
            self._take_slowly()

    def _take_slowly(self) -> None:
        try:
            limit = DRAW_LIMIT_SECONDS
            locks.lock(self._descriptor, self._place, limit_seconds=limit, what=self._what)
        except BaseException:
            self._threads.release()
            raise

    def __exit__(self, *_: object) -> None:
        fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, self._giving)
        self._threads.release()


class Draws:
    """The node's shared sequence counter and hybrid logical clock."""

    def __init__(self, words: memoryview, descriptor: int) -> None:
        self._words = words
        self._lock = FileLock(descriptor, layout.SHARED_OFFSET, "the node's sequence and clock")

    def sequences(self, count: int = 1) -> int:
        """Return the first of `count` consecutive numbers that no other process gets.

        Raises:
            LockTimeout: a stopped process of the node holds the lock.
        """
        with self._lock:
            first = self._words[SharedWord.SEQUENCE] + 1
            self._words[SharedWord.SEQUENCE] += count
            return int(first)

    def stamps(self, count: int = 1, above: int = 0) -> int:
        """Return the first of `count` consecutive stamps above all drawn by any process.

        Args:
            above: a stamp seen elsewhere, which they are above as well.

        Raises:
            LockTimeout: a stopped process of the node holds the lock.
        """
        with self._lock:
            last = int(self._words[SharedWord.STAMP])
            first = max(last + 1, above + 1, clock.stamp_floor(clock.wall_ns()))
            self._words[SharedWord.STAMP] = first + count - 1
            return first

    def observe(self, stamp: int) -> None:
        """Make every later stamp of the node greater than `stamp`, seen elsewhere."""
        with self._lock:
            self._words[SharedWord.STAMP] = max(self._words[SharedWord.STAMP], stamp)

    @property
    def latest_stamp(self) -> int:
        """The newest stamp drawn; read without the lock."""
        return int(self._words[SharedWord.STAMP])


class TableList:
    """The tables and indexes of the node with their row counts; the daemon writes it."""

    def __init__(self, area: memoryview) -> None:
        self._bytes = area
        self._words = area.cast("Q")
        self._entries: dict[tuple[str, str], int] = {}

    def set(self, name: str, rows: int, size_bytes: int = 0, index_of: str = "") -> None:
        """Show a table, or an index of table `index_of`, with its number of rows.

        Raises:
            SegmentError: the list is full.
        """
        entry = self._entries.get((name, index_of))
        if entry is None:
            entry = self._add(name, index_of)
        word = self._word(entry)
        self._words[word + TableWord.ROWS] = rows
        self._words[word + TableWord.SIZE_BYTES] = size_bytes
        self._words[word + TableWord.PRESENT] = 1

    def remove(self, name: str, index_of: str = "") -> None:
        """Take a table or an index that was dropped out of the list."""
        entry = self._entries.pop((name, index_of), None)
        if entry is not None:
            self._words[self._word(entry) + TableWord.PRESENT] = 0

    def _word(self, entry: int) -> int:
        return (layout.TABLES_PLACE + entry * layout.TABLE_BYTES) // layout.WORD_BYTES

    def _add(self, name: str, index_of: str) -> int:
        taken = set(self._entries.values())
        entry = next((e for e in range(layout.TABLE_ENTRIES) if e not in taken), None)
        if entry is None:
            raise SegmentError(
                f"the segment lists {layout.TABLE_ENTRIES} tables and indexes at most: drop some"
            )
        self._entries[name, index_of] = entry
        place = self._word(entry) * layout.WORD_BYTES
        for text, offset in (
            (name, layout.TABLE_NAME_PLACE),
            (index_of, layout.TABLE_INDEX_OF_PLACE),
        ):
            start = place + offset
            room = layout.TABLE_NAME_BYTES
            self._bytes[start : start + room] = fit(text, room)
        count = max(self._words[SharedWord.TABLE_COUNT], entry + 1)
        self._words[SharedWord.TABLE_COUNT] = count
        return entry
