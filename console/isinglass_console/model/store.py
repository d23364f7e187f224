"""The store's side of a node: commit latency, sizes, tables and their indexes, readers."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from isinglass.glass.histogram import HistogramValue
from isinglass.glass.snapshot import Snapshot
from isinglass_console.model import format as text
from isinglass_console.model.figures import MICROSECOND, panels_of
from isinglass_console.model.rates import Pair, number

Labelled = tuple[str, str, str]  # label, value, role
SLOW_COMMIT_SECONDS = 0.1
LONG_READ_SECONDS = 10.0
PERCENTILES = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (1.0, "max"))


def latencies(pair: Pair, field: str) -> HistogramValue | None:
    """Return the values of the last interval, or since the start when there were none."""
    owner = pair.now.owner
    window = pair.window(owner, "store", field)
    if window is not None and window.count == 0:
        return Pair(None, pair.now).window(owner, "store", field)
    return window


def commit_percentiles(pair: Pair) -> list[Labelled]:
    """Return the commit latency at a few percentiles."""
    value = latencies(pair, "commit_time")
    if value is None or value.count == 0:
        return [("commits", "none yet", "dim")]
    slow = value.percentile(0.99) * MICROSECOND > SLOW_COMMIT_SECONDS
    parts = [f"{text.seconds(value.percentile(p) * MICROSECOND)}" for p, _ in PERCENTILES]
    return [
        ("commit p50 p90", f"{parts[0]}   {parts[1]}", "plain"),
        ("commit p99 max", f"{parts[2]}   {parts[3]}", "warning" if slow else "plain"),
    ]


@dataclass(frozen=True, slots=True)
class StoreTable:
    """A table with its indexes' names, or one index."""

    name: str
    index_of: str
    rows: int
    size_bytes: int


def tables(snapshot: Snapshot) -> list[StoreTable]:
    """Return the tables in order of name, each followed by its indexes."""
    found = sorted(snapshot.tables, key=lambda t: (t.index_of or t.name, bool(t.index_of), t.name))
    return [StoreTable(t.name, t.index_of, t.rows, t.size_bytes) for t in found]


@dataclass(frozen=True, slots=True)
class StoreReader:
    """A process that holds a snapshot of the store."""

    pid: int
    command: str
    age_seconds: float
    behind: float

    @property
    def long(self) -> bool:
        """Whether it makes the file grow."""
        return self.age_seconds > LONG_READ_SECONDS


def readers(snapshot: Snapshot) -> list[StoreReader]:
    """Return who reads the store, the oldest first."""
    found = [
        StoreReader(
            int(number(panel, "pid")),
            str(panel.get("command", "")),
            number(panel, "age"),
            number(panel, "behind"),
        )
        for panel in panels_of(snapshot, "reader")
        if number(panel, "pid") > 0
    ]
    return sorted(found, key=lambda reader: -reader.age_seconds)


def store_rows(snapshot: Snapshot) -> list[Labelled]:
    """Return sizes and counts of the store, as far as it has them."""
    rows: list[Labelled] = []
    whole = [table for table in tables(snapshot) if not table.index_of]
    if whole:
        records = sum(table.rows for table in whole)
        plural = "table" if len(whole) == 1 else "tables"
        shown = f"{text.count(records)} in {len(whole)} {plural}"
        rows.append(("records", shown, "plain"))
    store = snapshot.panel("store")
    size, file_size = number(store, "map_size"), number(store, "file_size")
    if isfinite(file_size):
        share = text.share(number(store, "used_share"))
        rows.append(("LMDB file", f"{text.size(file_size)}, {share} of {text.size(size)}", "plain"))
    if isfinite(number(store, "readers")):
        oldest, dead = number(store, "oldest_reader"), number(store, "dead_readers")
        shown = f"{text.count(number(store, 'readers'))}, oldest {text.seconds(oldest)}"
        if dead > 0:
            shown += f", {text.count(dead)} dead"
        role = "warning" if oldest > LONG_READ_SECONDS or dead > 0 else "plain"
        rows.append(("reader slots", shown, role))
    return rows
