"""Updates a second into every store, and how far stores are behind: by nodes, keys and merging.

One client process a node writes as fast as it can; a run ends when every store has everything.
Then the same writers write half as much a second, and marks show the lag: at full speed flow
control keeps half a queue waiting on purpose, so the lag there is what was chosen, not what it
costs. Immediate writes have no batch: each client has four threads that write one at a time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import harness

from replicated.replicas import OurCopies, Run, lags, our_copies, percentile, run
from replicated.servers import cluster
from replicated.workload import KEYS, KINDS, key_of, value_of
from replicated.writers import Order, Targets, Writers

TOGETHER = 1000
THREADS = 4
COMMIT_SECONDS = 0.1
GOALS = {"uniform": 20_000.0, "zipf": 60_000.0}
COLUMNS = [
    "nodes", "put", "keys", "merging", "updates/s into every store", "CPU of all daemons, µs each",
    "writes avoided %", "lag at half of it, median ms", "99 % ms",
]  # fmt: skip


def eventual(kind: str, seconds: float) -> Order:
    """Return the order to write as much as possible."""
    return Order("isinglass", kind, TOGETHER, seconds)


def immediate(kind: str, seconds: float) -> Order:
    """Return the order to write through the primaries."""
    return Order("isinglass", kind, 1, seconds, threads=THREADS, consistency="immediate")


@contextmanager
def prepared(folder: Path, nodes: int, **settings: object) -> Iterator[tuple[OurCopies, Writers]]:
    """Run a cluster whose stores hold every key, with a writer at each node, for a block."""
    with (
        cluster(folder, nodes, gather_seconds=COMMIT_SECONDS, **settings) as made,
        our_copies(made) as copies,
        Writers([Targets(name) for name in made.names]) as writers,
    ):
        copies.fill((key_of(rank), value_of(0)) for rank in range(KEYS))
        yield copies, writers


def measure(report: harness.Report, options: argparse.Namespace, folder: Path) -> None:
    """Add the table of all combinations."""
    rows = []
    for nodes in (1, 3, 5):
        for merging in ("true", "false"):
            with prepared(folder, nodes, merge=merging) as (copies, writers):
                for kind in KINDS:
                    orders = {"eventual": eventual(kind, options.seconds)}
                    if merging == "true":
                        orders["immediate"] = immediate(kind, options.seconds)
                    for name, order in orders.items():
                        words = [str(nodes), name, kind, "on" if merging == "true" else "off"]
                        print("throughput:", *words, file=sys.stderr)
                        rows.append([*words, *_row(copies, writers, order)])
    report.tables.append(harness.Table(COLUMNS, rows, "Throughput, commits each 100 ms"))


def _row(copies: OurCopies, writers: Writers, order: Order) -> list[float | None]:
    before = copies.merged()
    full = run(copies, writers, order)
    avoided, offered = (now - then for now, then in zip(copies.merged(), before, strict=True))
    half = order._replace(
        together=min(order.together, 100),
        each_second=full.each_second / 2 / len(copies.cluster.names) / order.threads,
    )
    behind = [seconds * 1e3 for seconds in lags(copies, writers, half)]
    return [
        full.each_second, full.cpu_microseconds, 100 * avoided / max(offered, 1),
        percentile(behind, 0.5) if behind else None, percentile(behind, 0.99) if behind else None,
    ]  # fmt: skip


def measure_goals(report: harness.Report, options: argparse.Namespace, folder: Path) -> None:
    """Add the claims for three nodes at once."""
    found: dict[str, list[Run]] = {kind: [] for kind in GOALS}
    with prepared(folder, 3) as (copies, writers):
        for turn in range(max(2, options.rounds // 3)):
            for kind in GOALS:
                print(f"nodes: round {turn}, {kind} keys", file=sys.stderr)
                found[kind].append(run(copies, writers, eventual(kind, options.seconds)))
        repaired = copies.cluster.total("cluster", "repaired")
    rows = [
        (kind, median(each.each_second for each in runs),
         median(each.cpu_microseconds for each in runs), min(each.each_second for each in runs))
        for kind, runs in found.items()
    ]  # fmt: skip
    report.tables.append(
        harness.Table(
            ["keys", "updates/s into every store", "CPU of all daemons, µs each", "least"], rows,
            "Three nodes at once, a client process at each, commits each 100 ms",
        )
    )  # fmt: skip
    report.notes.append(f"Three nodes at once: {repaired:,.0f} updates came by repair.")
    for kind, each_second, *_ in rows:
        sentence = f"three nodes at once, {kind} keys, updates a second into every store"
        report.claims.append(harness.Claim(sentence, each_second, GOALS[kind], at_most=False))
