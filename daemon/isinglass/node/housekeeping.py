"""The daemon's periodic tasks: statistics, flushes, and giving back what nobody needs any more.

Each is one function of the store and the segment, run by the timer; the table at the end says how
often. All of them work in short steps, so that the applier never waits for long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from isinglass import clock
from isinglass.errors import SegmentError
from isinglass.glass.processes import command_of
from isinglass.glass.segment import Segment
from isinglass.glass.severity import INFO, WARNING
from isinglass.node.intake import Intake
from isinglass.node.panels import ReaderPanel
from isinglass.node.schedule import Task
from isinglass.settings import Settings
from isinglass.store import records
from isinglass.store.database import Store
from isinglass.store.tables import TableInfo

_Row = tuple[str, str]  # a table and nothing, or an index and its table
SHOWN_READERS = 16
RECLAIM_ENTRIES = 2000
RECLAIM_STEPS = 20
"""What one run gives back at most: 40,000 entries a second, in steps of some milliseconds."""


class Housekeeping:
    """The tasks, with what they remember from one run to the next.

    Attributes:
        passed_everywhere: in a cluster, returns the stamp through which every member has all.
    """

    def __init__(self, settings: Settings, segment: Segment, store: Store, intake: Intake) -> None:
        self._settings, self._segment = settings, segment
        self._store, self._intake = store, intake
        self._reader_rows: list[ReaderPanel] = []
        self._shown_tables: set[_Row] = set()
        self._left_out = 0
        self.passed_everywhere: Callable[[], int] | None = None

    def tasks(self) -> list[Task]:
        """Return the table of tasks with their intervals in seconds."""
        table = [
            Task("statistics", 1.0, self.statistics),
            Task("tables", 1.0, self.show_tables),
            Task("readers", 2.0, self.show_readers),
            Task("reclaim", 1.0, self.reclaim),
        ]
        if self._settings.durability == "second":
            table.insert(0, Task("flush", 1.0, self._store.flush))
        return table

    def statistics(self) -> None:
        """Bring the queue's and the store's panels up to date."""
        self._intake.publish()
        self._store.publish(clock.monotonic_ns())

    def show_tables(self) -> None:
        """Show every table and index with its rows."""
        rows = {row: figures for table in self._store.tables() for row, figures in _rows(table)}
        for name, index_of in self._shown_tables - rows.keys():
            self._segment.tables.remove(name, index_of)
            self._segment.event(INFO, "store", _table_news("is gone", name, index_of))
        shown = set()
        for (name, index_of), (count, size_bytes) in rows.items():
            try:
                self._segment.tables.set(name, count, size_bytes, index_of)
            except SegmentError:  # the list is full; those that are in it still change
                continue
            shown.add((name, index_of))
        for name, index_of in shown - self._shown_tables:
            self._segment.event(INFO, "store", _table_news("is there", name, index_of))
        self._shown_tables = shown
        self._tell_left_out(len(rows) - len(shown))

    def _tell_left_out(self, left_out: int) -> None:
        """Say, when it changes, how many tables and indexes nobody sees."""
        if left_out != self._left_out:
            self._left_out = left_out
            self._segment.event(WARNING, "store", "tables and indexes that the segment has no room"
                                " to list", count=left_out)  # fmt: skip

    def show_readers(self) -> None:
        """Show the readers with the oldest snapshots; clear those whose process is gone."""
        readers = self._store.readers(clock.monotonic_ns())
        if dead := [reader.pid for reader in readers if reader.dead]:
            self._store.clear_dead_readers()
            self._segment.event(WARNING, "store", "cleared the readers of dead processes",
                                pids=", ".join(map(str, dead)))  # fmt: skip
        active = [reader for reader in readers if reader.active and not reader.dead]
        active = active[:SHOWN_READERS]
        while len(self._reader_rows) > len(active):
            self._reader_rows.pop().release()
        while len(self._reader_rows) < len(active):
            self._reader_rows.append(ReaderPanel(str(len(self._reader_rows) + 1)))
        for row, reader in zip(self._reader_rows, active, strict=True):
            row.pid, row.command = reader.pid, command_of(reader.pid)
            row.age, row.behind = reader.age_seconds, reader.commits_behind

    def reclaim(self) -> None:
        """Delete a stretch of dropped tables and of tombstones that are old enough."""
        oldest = clock.wall_ns() - int(self._settings.tombstone_seconds * 1e9)
        stamp = clock.stamp_floor(max(oldest, 0))
        if self.passed_everywhere is not None:
            stamp = min(stamp, self.passed_everywhere())
        horizon = records.version_bytes(stamp, 0)
        for _ in range(RECLAIM_STEPS):
            if not self._store.reclaim(RECLAIM_ENTRIES, horizon).more:
                return


def _rows(table: TableInfo) -> Iterator[tuple[_Row, tuple[int, int]]]:
    """Yield the table and its indexes: each with its number of rows, and its bytes."""
    yield (table.name, ""), (table.rows, table.size_bytes)
    for field, entries in table.indexes.items():
        yield (field, table.name), (entries, 0)


def _table_news(what: str, name: str, index_of: str) -> str:
    return f"index {name} of table {index_of} {what}" if index_of else f"table {name} {what}"
