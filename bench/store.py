"""Records applied to the store: merged and unmerged, by workload and batch; offers, reads, scans.

An update is offered to the queue, taken in a batch and applied in one transaction, as the daemon
does it, but on one thread and without a socket. "Unmerged" is the same queue with merging off: each
update is a write of its own. "scattered" keys hardly meet in a batch; "hot" keys have the
frequencies of words in a text (Zipf), as a counter of identifiers makes them.
"""

from __future__ import annotations

import itertools
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import harness

from isinglass import clock
from isinglass.store import records
from isinglass.store.changes import CreateTable, Writes
from isinglass.store.database import Store
from isinglass.store.merge import UpdateQueue
from isinglass.store.panels import QueuePanel
from isinglass.store.reading import StoreReader
from isinglass.store.tables import TableShape

Updates = list[tuple[bytes, bytes]]

KEYS = 50_000
BATCH = 10_000
PLAIN, INDEXED = TableShape(), TableShape("", ("n",))
GROUPED = TableShape("/")
UNLIMITED = 1 << 40


def updates_of(count: int, hot: bool, grouped: bool) -> Updates:
    """Return updates as a queue gets them, the same ones each time."""
    chance = random.Random(1)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, KEYS + 1))) if hot else None
    ranks = chance.choices(range(KEYS), cum_weights=weights, k=count)
    form = b"%d/%d" if grouped else b"%d.%d"
    return [
        (form % divmod(rank, 20), records.encode(stamp, 0, payload))
        for stamp, rank in enumerate(ranks, start=10)
        for payload in [records.pack_value({"n": rank % 100, "seen": stamp})]
    ]


@contextmanager
def new_store(shape: TableShape, durability: str) -> Iterator[Store]:
    directory = tempfile.mkdtemp(prefix="isinglass-bench-")
    try:
        with Store.open(directory, durability=durability) as store:
            store.apply([CreateTable("t", shape, records.version_bytes(1, 0))])
            yield store
    finally:
        shutil.rmtree(directory)


class Case:
    """One workload through queue and store; each call is one run on an empty store.

    Args:
        batch: updates of one transaction.
    """

    def __init__(
        self,
        updates: Updates,
        shape: TableShape = PLAIN,
        *,
        merging: bool = True,
        batch: int = BATCH,
        durability: str = "second",
    ) -> None:
        self.updates, self.shape, self.merging = updates, shape, merging
        self.batch, self.durability = batch, durability
        self.avoided = 0.0

    def __call__(self) -> float:
        """Return updates a second, from offer to commit."""
        panel = QueuePanel()
        with new_store(self.shape, self.durability) as store:
            queue = UpdateQueue(panel, UNLIMITED, UNLIMITED, merging=self.merging)
            queue.define(store.table_states())
            started = clock.perf_ns()
            for first in range(0, len(self.updates), self.batch):
                for key, record in self.updates[first : first + self.batch]:
                    queue.offer("t", key, record, 0)
                while batch := queue.take(self.batch):
                    queue.applied(batch, store.apply(batch.steps).written_bytes, 0)
            spent = clock.perf_ns() - started
        self.avoided = panel.avoided
        panel.release()
        return len(self.updates) / spent * clock.NANOSECONDS_PER_SECOND


def offers(updates: Updates, shape: TableShape) -> float:
    """Return the nanoseconds of one offer, taking included."""
    panel = QueuePanel()
    queue = UpdateQueue(panel, UNLIMITED, UNLIMITED)
    queue.offer_create("t", shape, records.version_bytes(1, 0), 0)

    def work() -> None:
        for key, record in updates:
            queue.offer("t", key, record, 0)
        queue.take(UNLIMITED)

    spent = harness.nanoseconds_each(work, len(updates))
    panel.release()
    return spent


def reads(directory: Path, rounds: int) -> list[tuple[str, float]]:
    """Return reads a second of a client process, by kind."""
    with StoreReader.open(directory) as store:
        keys = [record.key for record in store.scan("t")]
        random.Random(2).shuffle(keys)
        some = keys[:20_000]

        def each(read: Callable[[str, str], object]) -> Callable[[], object]:
            return lambda: [read("t", key) for key in some]

        cases: dict[str, tuple[Callable[[], object], int]] = {
            "get_value": (each(store.get_value), len(some)),
            "get": (each(store.get), len(some)),
            "scan": (lambda: sum(1 for _ in store.scan("t")), len(keys)),
            "index_scan": (lambda: sum(1 for _ in store.index_scan("t", "n")), len(keys)),
        }
        figures = harness.interleave(
            {
                name: lambda work=work, count=count: harness.nanoseconds_each(work, count)
                for name, (work, count) in cases.items()
            },
            rounds,
        )
    return [(name, 1e9 / median(spent)) for name, spent in figures.items()]


def main() -> int:
    parser = harness.options(__doc__.split("\n")[0], rounds=3)
    parser.add_argument("--updates", type=int, default=60_000, help="updates of one run")
    arguments = parser.parse_args()
    count = arguments.updates
    scattered, hot = updates_of(count, False, False), updates_of(count, True, False)
    lines, hot_lines = updates_of(count, False, True), updates_of(count, True, True)
    cases = {
        "scattered keys": Case(scattered),
        "scattered keys, unmerged": Case(scattered, merging=False),
        "hot keys": Case(hot),
        "hot keys, unmerged": Case(hot, merging=False),
        "hot keys, indexed": Case(hot, INDEXED),
        "hot keys, indexed, unmerged": Case(hot, INDEXED, merging=False),
        "scattered keys in groups": Case(lines, GROUPED),
        "scattered keys in groups, unmerged": Case(lines, GROUPED, merging=False),
        "hot keys in groups": Case(hot_lines, GROUPED),
        "hot keys in groups, unmerged": Case(hot_lines, GROUPED, merging=False),
        "hot keys, batches of 1,000": Case(hot, batch=1_000),
        "hot keys, batches of 1,000, commit": Case(hot, batch=1_000, durability="commit"),
        "hot keys, batches of 100": Case(hot, batch=100),
    }
    figures = harness.interleave(cases, arguments.rounds)
    offering = harness.interleave(
        {
            "scattered keys": lambda: offers(scattered, PLAIN),
            "hot keys": lambda: offers(hot, PLAIN),
            "scattered keys in groups": lambda: offers(lines, GROUPED),
        },
        arguments.rounds,
    )
    with new_store(INDEXED, "none") as store:
        store.apply([Writes("t", dict(scattered))])
        directory = Path(store._engine.path)
        store.close()
        read = reads(directory, arguments.rounds)
    applied = [
        (name, median(figures[name]), case.avoided * 100, case.batch, case.durability)
        for name, case in cases.items()
    ]
    report = harness.Report(
        "store.py",
        "updates through the queue into the store",
        tables=[
            harness.Table(
                ("workload", "updates/s", "writes avoided %", "batch", "durability"), applied
            ),
            harness.Table(
                ("offer", "ns each"), [(name, median(spent)) for name, spent in offering.items()]
            ),
            harness.Table(("read by a client", "records/s"), read),
        ],
        claims=[
            _claim(figures, "hot keys", 1.5),
            _claim(figures, "hot keys, indexed", 1.5),
            _claim(figures, "hot keys in groups", 1.5),
            _claim(figures, "scattered keys", 0.8),
        ],
        notes=[f"{count:,} updates a run over {KEYS:,} keys; on one thread, queue included."],
    )
    return harness.finish(report, arguments)


def _claim(figures: dict[str, list[float]], name: str, limit: float) -> harness.Claim:
    found = harness.ratio(figures, name, f"{name}, unmerged")
    return harness.Claim(f"updates/s merged over unmerged, {name}", found, limit, at_most=False)


if __name__ == "__main__":
    sys.exit(main())
