"""Records and adds applied: merged and unmerged, by workload and batch; offers, reads, scans.

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
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median

import harness

from isinglass import clock
from isinglass.node.intake import Intake
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
        now: the clock: this thread's processor time, which a busy machine does not change, or the
            time that passed, where the disk is waited for.
    """

    def __init__(
        self,
        updates: Updates,
        shape: TableShape = PLAIN,
        *,
        merging: bool = True,
        batch: int = BATCH,
        durability: str = "second",
        now: Callable[[], int] = clock.thread_cpu_ns,
    ) -> None:
        self.updates, self.shape, self.merging = updates, shape, merging
        self.batch, self.durability, self.now = batch, durability, now
        self.avoided = 0.0

    def __call__(self) -> float:
        """Return updates a second of `now`, from offer to commit."""
        panel = QueuePanel()
        with new_store(self.shape, self.durability) as store:
            queue = UpdateQueue(panel, UNLIMITED, UNLIMITED, merging=self.merging)
            queue.define(store.table_states())
            started = self.now()
            for first in range(0, len(self.updates), self.batch):
                for key, record in self.updates[first : first + self.batch]:
                    queue.offer("t", key, record, 0)
                while batch := queue.take(self.batch):
                    queue.applied(batch, store.apply(batch.steps).written_bytes, 0)
            spent = self.now() - started
        self.avoided = panel.avoided
        panel.release()
        return len(self.updates) / spent * clock.NANOSECONDS_PER_SECOND


class Adds:
    """Adds of 1 to the keys of a workload, as the daemon makes, queues and applies them."""

    def __init__(self, updates: Updates) -> None:
        self.items = [(key, 1) for key, _ in updates]
        self.batch, self.avoided = BATCH, 0.0

    def __call__(self) -> float:
        """Return adds in a second of this thread's processor time, from intake to commit."""
        panel = QueuePanel()
        with new_store(PLAIN, "second") as store:
            queue = UpdateQueue(panel, UNLIMITED, UNLIMITED)
            queue.define(store.table_states())
            stamps = itertools.count(1000, self.batch)
            intake = Intake(queue, lambda _: next(stamps), store)
            started = clock.thread_cpu_ns()
            for first in range(0, len(self.items), self.batch):
                intake.add("t", "n", self.items[first : first + self.batch])
                while batch := intake.take(self.batch):
                    intake.applied(batch, store.apply(batch.steps).written_bytes)
            spent = clock.thread_cpu_ns() - started
        self.avoided = panel.avoided
        panel.release()
        return len(self.items) / spent * clock.NANOSECONDS_PER_SECOND


def cpu_nanoseconds_each(work: Callable[[], object], count: int) -> float:
    """Run `work` once and return this thread's nanoseconds for each of its `count` things."""
    started = clock.thread_cpu_ns()
    work()
    return (clock.thread_cpu_ns() - started) / count


def offers(updates: Updates, shape: TableShape) -> float:
    """Return the CPU nanoseconds of one offer, taking included."""
    panel = QueuePanel()
    queue = UpdateQueue(panel, UNLIMITED, UNLIMITED)
    queue.offer_create("t", shape, records.version_bytes(1, 0), 0)

    def work() -> None:
        for key, record in updates:
            queue.offer("t", key, record, 0)
        queue.take(UNLIMITED)

    spent = cpu_nanoseconds_each(work, len(updates))
    panel.release()
    return spent


def reads(rows: dict[bytes, bytes], rounds: int) -> dict[str, list[float]]:
    """Return records read by a client in a second of processor time, by kind of read."""
    with new_store(INDEXED, "none") as writer, ExitStack() as stack:
        writer.apply([Writes("t", rows)])
        writer.close()  # LMDB lets a process open a store once
        store = stack.enter_context(StoreReader.open(writer.path))
        keys = [record.key for record in store.scan("t")]
        random.Random(2).shuffle(keys)

        def rate(work: Callable[[], int]) -> Callable[[], float]:
            return lambda: 1e9 / cpu_nanoseconds_each(work, len(keys))

        return harness.interleave(
            {
                "get_value": rate(lambda: sum(1 for key in keys if store.get_value("t", key))),
                "get": rate(lambda: sum(1 for key in keys if store.get("t", key))),
                "scan": rate(lambda: sum(1 for _ in store.scan("t"))),
                "index_scan": rate(lambda: sum(1 for _ in store.index_scan("t", "n"))),
            },
            rounds,
        )


def workloads(count: int) -> dict[str, Case | Adds]:
    """Return what is measured in processor time."""
    scattered, hot = updates_of(count, False, False), updates_of(count, True, False)
    lines, hot_lines = updates_of(count, False, True), updates_of(count, True, True)
    compared = {
        "scattered keys": (scattered, PLAIN),
        "hot keys": (hot, PLAIN),
        "hot keys, indexed": (hot, INDEXED),
        "scattered keys in groups": (lines, GROUPED),
        "hot keys in groups": (hot_lines, GROUPED),
    }
    cases: dict[str, Case | Adds] = {
        "adds, scattered keys": Adds(scattered),
        "adds, hot keys": Adds(hot),
    }
    for name, (updates, shape) in compared.items():
        cases[name] = Case(updates, shape)
        cases[f"{name}, unmerged"] = Case(updates, shape, merging=False)
    for batch in (1_000, 100):
        cases[f"hot keys, batches of {batch:,}"] = Case(hot, batch=batch)
    return cases


def durabilities(updates: Updates) -> dict[str, Callable[[], float]]:
    """Return what waits for the disk, measured in the time that passes."""
    return {
        f"{durability}, batches of {batch:,}": Case(
            updates, batch=batch, durability=durability, now=clock.perf_ns
        )
        for durability in ("second", "commit")
        for batch in (10_000, 1_000, 100)
    }


def main() -> int:
    parser = harness.options(__doc__.split("\n")[0], rounds=3)
    parser.add_argument("--updates", type=int, default=60_000, help="updates of one run")
    arguments = parser.parse_args()
    rounds, cases = arguments.rounds, workloads(arguments.updates)
    figures = harness.interleave(cases, rounds)
    hot = updates_of(arguments.updates, True, False)
    scattered = updates_of(arguments.updates, False, False)
    passed = harness.interleave(durabilities(hot), rounds)
    offering = harness.interleave(
        {
            name: partial(offers, updates, shape)
            for name, updates, shape in (
                ("scattered keys", scattered, PLAIN),
                ("hot keys", hot, PLAIN),
                ("scattered keys in groups", updates_of(arguments.updates, False, True), GROUPED),
            )
        },
        rounds,
    )
    read = reads(dict(scattered), rounds)
    report = harness.Report(
        "store.py",
        "updates through the queue into the store",
        tables=[
            harness.Table(
                ("workload", "updates a CPU second", "writes avoided %", "batch"),
                [
                    (name, median(figures[name]), case.avoided * 100, case.batch)
                    for name, case in cases.items()
                ],
            ),
            harness.Table(("hot keys, durability", "updates/s"), _medians(passed)),
            harness.Table(("offer", "CPU ns each"), _medians(offering)),
            harness.Table(("read by a client", "records a CPU second"), _medians(read)),
        ],
        claims=[
            _claim(figures, "hot keys", 1.5),
            _claim(figures, "hot keys, indexed", 1.5),
            _claim(figures, "hot keys in groups", 1.5),
            _claim(figures, "scattered keys", 0.8),
        ],
        notes=[f"{len(hot):,} updates a run over {KEYS:,} keys; one thread, queue included."],
    )
    return harness.finish(report, arguments)


def _medians(figures: dict[str, list[float]]) -> list[tuple[str, float]]:
    return [(name, median(values)) for name, values in figures.items()]


def _claim(figures: dict[str, list[float]], name: str, limit: float) -> harness.Claim:
    found = harness.ratio(figures, name, f"{name}, unmerged")
    return harness.Claim(
        f"updates a CPU second merged over unmerged, {name}", found, limit, at_most=False
    )


if __name__ == "__main__":
    sys.exit(main())
