"""What one put costs its writer: eventual, immediate, beside redis, beside a bare round trip.

One client process; the cases take turns, so each round's figures are of one time. An immediate put
has to go to another node for two of three records; only those are compared with a round trip.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

import harness

from replicated.replicas import our_copies, percentile
from replicated.servers import Absent, cluster, echo, redis_servers
from replicated.writers import Done, Order, Targets, Writers

OPERATIONS = 800
BARE = "bare TCP round trip between two processors"
CASES = {
    BARE: Order("echo", apart=True),
    "the same, both on one processor": Order("echo"),
    "eventual": Order("isinglass"),
    "immediate, ack=primary": Order("isinglass", consistency="immediate"),
    "immediate, ack=one": Order("isinglass", consistency="immediate", ack="one"),
    "immediate, ack=majority": Order("isinglass", consistency="immediate", ack="majority"),
    "redis SET": Order("redis"),
}


def measure(report: harness.Report, options: argparse.Namespace, folder: Path) -> None:
    """Add the table of latencies and two claims."""
    with ExitStack() as stack:
        nodes = stack.enter_context(cluster(folder, 3))
        stack.enter_context(our_copies(nodes))
        cases = dict(CASES)
        try:
            ports, _ = stack.enter_context(redis_servers(folder))
        except Absent as absent:
            ports = [0]
            del cases["redis SET"]
            report.notes.append(f"Latency beside redis: {absent}.")
        targets = Targets(nodes.names[0], ports[0], echo=stack.enter_context(echo(folder)))
        writers = stack.enter_context(Writers([targets]))
        found = _rounds(cases, writers, options)
    _tell(report, found)


def _rounds(
    cases: dict[str, Order], writers: Writers, options: argparse.Namespace
) -> dict[str, list[Done]]:
    found: dict[str, list[Done]] = {name: [] for name in cases}

    def case(name: str) -> float:
        order = cases[name]._replace(seconds=options.seconds, limit=OPERATIONS)
        found[name].append(writers.work(order))
        return 0.0

    rounds = options.rounds
    print(f"latency: {rounds} rounds of {len(cases)} cases", file=sys.stderr)
    harness.interleave({name: partial(case, name) for name in cases}, rounds)
    return {name: runs[1:] for name, runs in found.items()}


def _tell(report: harness.Report, found: dict[str, list[Done]]) -> None:
    rows = []
    for name, runs in found.items():
        parts = [(name, [run.times_ns for run in runs])]
        if "immediate" in name:
            parts.append((f"{name}, another node's", [run.elsewhere_ns for run in runs]))
        for title, times in parts:
            each = [sum(taken) / max(len(taken), 1) for taken in times]
            middle = [percentile(taken, 0.5) for taken in times]
            last = [percentile(taken, 0.99) for taken in times]
            rows.append([title, 1e9 / median(each), median(middle) / 1e3, median(last) / 1e3])
    report.tables.append(
        harness.Table(
            ["put of one record, one client", "per second", "median, µs", "99 %, µs"], rows,
            "Latency at three nodes",
        )
    )  # fmt: skip
    figures = {name: [sum(run.times_ns) / len(run.times_ns) for run in runs]
               for name, runs in found.items()}  # fmt: skip
    if "redis SET" in figures:
        ahead = harness.ratio(figures, "redis SET", "eventual")
        sentence = "eventual single puts a second over redis-py's SET"
        report.claims.append(harness.Claim(sentence, ahead, 1.0, at_most=False))
    more = [
        (percentile(immediate.elsewhere_ns, 0.5) - percentile(eventual.times_ns, 0.5))
        / percentile(bare.times_ns, 0.5)
        for immediate, eventual, bare in zip(
            found["immediate, ack=primary"], found["eventual"], found[BARE],
            strict=True,
        )
    ]  # fmt: skip
    sentence = (
        "immediate put stamped by another node, ack=primary, less an eventual put, over a bare TCP"
        " round trip between two Python processes (medians)"
    )
    report.claims.append(harness.Claim(sentence, median(more), 2.0))
