"""The same records through three copies of each system: ours, redis with two replicas, etcd.

One client process writes; single puts take turns with single puts, batches of 100 with batches. A
run ends when every copy has everything, which redis tells by itself (`WAIT 0` waits for no replica
before each answer, `WAIT 1` for one). etcd flushes its log to the disk before each answer, which
the others do once a second; it is asked through its JSON gateway, over one kept connection.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

import harness

from replicated.replicas import (
    Copies,
    EtcdCopies,
    RedisCopies,
    Run,
    lags,
    our_copies,
    percentile,
    run,
)
from replicated.servers import Absent, cluster, etcd_servers, redis_servers
from replicated.workload import BATCH, KINDS
from replicated.writers import Order, Targets, Writers

COLUMNS = [
    "system", "keys", "updates/s into every copy", "median answer, µs", "99 % answer, µs",
    "CPU of all servers, µs each", "lag at half of it, median ms", "99 % ms",
]  # fmt: skip


class Case(NamedTuple):
    """A row: its name, what is ordered, and where its copies are."""

    name: str
    order: Order
    copies: Copies


def measure(report: harness.Report, options: argparse.Namespace, folder: Path) -> None:
    """Add a table of single puts and one of batches."""
    with ExitStack() as stack:
        nodes = stack.enter_context(cluster(folder, 3))
        ours = stack.enter_context(our_copies(nodes))
        systems: dict[str, tuple[int, Copies]] = {}
        for name, start, copies_of in (
            ("redis", redis_servers, RedisCopies),
            ("etcd", etcd_servers, lambda _, pids: EtcdCopies(pids)),
        ):
            try:
                ports, pids = stack.enter_context(start(folder))
            except Absent as absent:
                report.notes.append(f"Beside {name}: {absent}.")
                print(f"peers: {absent}", file=sys.stderr)
            else:
                systems[name] = ports[0], copies_of(ports, pids)
        ports_of = {name: port for name, (port, _) in systems.items()}
        writers = stack.enter_context(
            Writers([Targets(nodes.names[0], ports_of.get("redis", 0), ports_of.get("etcd", 0))])
        )
        for title, together in (("Single puts", 1), (f"Batches of {BATCH}", BATCH)):
            cases = _cases(together, ours, {name: each for name, (_, each) in systems.items()})
            rows = _rows(title, cases, writers, options)
            report.tables.append(
                harness.Table(COLUMNS, rows, f"{title}, three copies, one client process")
            )


def _cases(together: int, ours: Copies, systems: dict[str, Copies]) -> list[Case]:
    cases = []
    for kind in KINDS:
        order = Order("isinglass", kind, together)
        cases.append(Case("isinglass, eventual", order, ours))
        if together == 1:
            for ack in ("primary", "one", "majority"):
                strict = order._replace(consistency="immediate", ack=ack)
                cases.append(Case(f"isinglass, immediate, ack={ack}", strict, ours))
        if "redis" in systems:
            cases += [
                Case(f"redis, WAIT {replicas}",
                     Order("redis", kind, together, replicas=replicas), systems["redis"])
                for replicas in (0, 1)
            ]  # fmt: skip
        if "etcd" in systems:
            cases.append(Case("etcd", Order("etcd", kind, together), systems["etcd"]))
    return cases


def _rows(
    title: str, cases: list[Case], writers: Writers, options: argparse.Namespace
) -> list[list[object]]:
    runs: dict[Case, list[Run]] = {case: [] for case in cases}
    for turn in range(max(2, options.rounds // 3)):
        for case in cases:
            print(f"peers: {title}, round {turn}, {case.name}", file=sys.stderr)
            seconds = options.seconds / 2
            runs[case].append(run(case.copies, writers, case.order._replace(seconds=seconds)))
    rows: list[list[object]] = []
    for case, found in runs.items():
        each_second = median(each.each_second for each in found)
        half = case.order._replace(seconds=options.seconds, each_second=each_second / 2)
        behind = [] if case.name == "etcd" else lags(case.copies, writers, half)
        rows.append(
            [
                case.name, case.order.kind, each_second,
                *(median(percentile(each.done.times_ns, share) for each in found) / 1e3
                  for share in (0.5, 0.99)),
                median(each.cpu_microseconds for each in found),
                *(percentile(behind, share) * 1e3 if behind else None for share in (0.5, 0.99)),
            ]
        )  # fmt: skip
    return rows
