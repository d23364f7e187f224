"""One node's warnings out of a large spool, beside `grep` over the same events as text.

The node has one event in NODES, the warnings are one in WARNING_EVERY of its; the text has a line
an event, in order of time. Both are read once before, so neither waits for the disk.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TextIO

import harness

from isinglass import clock
from isinglass.glass.severity import WARNING
from isinglass.wire.event_bodies import WireEvent, pack_events
from isinglass_monitor.query.rendering import line
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.reading import Question, SpoolReader
from isinglass_monitor.spool.records import entries, event_records
from isinglass_monitor.spool.retention import Limits
from isinglass_monitor.spool.streams import RECEIVED
from isinglass_monitor.spool.writer import SpoolWriter

NODES, TOGETHER, WARNING_EVERY = 20, 7, 1000
PIECES = 2000  # of a transaction
NODE = "node07"
GOAL_MILLISECONDS, GOAL_RATIO = 50, 20
DAY_NS = 86_400 * clock.NANOSECONDS_PER_SECOND


def pieces(count: int) -> Iterator[Piece]:
    """Yield the events, spread over a day."""
    start_ns = clock.wall_ns() - DAY_NS
    for number in range(count // TOGETHER):
        node, turn = number % NODES, number // NODES
        wall_ns = start_ns + int(DAY_NS * number * TOGETHER / count)
        stamp, first = clock.stamp_floor(wall_ns), turn * TOGETHER + 1
        events = [
            WireEvent(
                stamp + at,
                13 if (first + at) % WARNING_EVERY == 0 else 9,
                "request",
                f"the request {first + at} of client 10.1.2.3 for page 17 took long; retry",
                "page=17\ttook=250",
                "page.py:17",
            )
            for at in range(TOGETHER)
        ]
        name = f"node{node:02d}"
        (packed,) = pack_events(name, "daemon", first, events)
        body = [name, "daemon", first, [list(event) for event in events]]
        records = event_records(node + 1, body, packed, wall_ns)
        last = first + TOGETHER - 1
        yield Piece(node + 1, name, "daemon", RECEIVED, first, last, records, wall_ns)


def build(folder: Path, text: Path, count: int) -> float:
    """Write the spool and the text; return the events a second that the spool took."""
    writer = SpoolWriter(folder, Limits(size_bytes=1 << 50, free_bytes=0), clock.wall_ns(), print)
    spent, batch = 0, list[Piece]()
    with open(text, "w") as lines:
        for piece in pieces(count):
            batch.append(piece)
            if len(batch) == PIECES:
                spent += _commit(writer, batch, lines)
                batch = []
        spent += _commit(writer, batch, lines)
    writer.close()
    return count / spent * 1e9


def _commit(writer: SpoolWriter, batch: list[Piece], lines: TextIO) -> int:
    started = clock.perf_ns()
    writer.commit(batch, batch[-1].arrived_ns)
    spent = clock.perf_ns() - started
    for piece in batch:
        for record in piece.records:
            for entry in entries(record.key, record.value):
                print(line(entry), file=lines)
    return spent


def _ask(folder: Path) -> tuple[float, int]:
    started = clock.perf_ns()
    with SpoolReader(folder) as reader:
        found = sum(1 for _ in reader.ask(Question(nodes=(NODE,), severity=WARNING)))
    return (clock.perf_ns() - started) / 1e6, found


def _grep(text: Path) -> tuple[float, int]:
    started = clock.perf_ns()
    pattern = f" WARN  {NODE}/"
    done = subprocess.run(["grep", "-c", "-F", pattern, str(text)], stdout=subprocess.PIPE)
    return (clock.perf_ns() - started) / 1e6, int(done.stdout)


def measure(report: harness.Report, arguments: argparse.Namespace, folder: Path) -> None:
    """Add the table and the claims on asking."""
    spool, text = folder / "spool", folder / "events.log"
    count = arguments.events // TOGETHER * TOGETHER
    rate = build(spool, text, count)
    ours, theirs, found = list[float](), list[float](), set[int]()
    for turn in range(arguments.rounds + 1):
        (one, answers), (other, lines) = _ask(spool), _grep(text)
        found |= {answers, lines}
        if turn:
            ours.append(one)
            theirs.append(other)
    assert len(found) == 1, f"the answers differ: {found}"
    size = sum(path.stat().st_size for path in spool.rglob("data.mdb"))
    rows = [
        ["isinglass, open and ask", median(ours), size / count],
        ["grep -F over the text", median(theirs), text.stat().st_size / count],
    ]
    title = f"{found.pop():,} warnings of one of {NODES} nodes out of {count:,} events"
    report.tables.append(harness.Table(["by", "milliseconds", "bytes an event"], rows, title))
    report.claims.append(
        harness.Claim("milliseconds until the answer is there", median(ours), GOAL_MILLISECONDS)
    )
    ratio = median(other / one for one, other in zip(ours, theirs, strict=True))
    report.claims.append(harness.Claim("times faster than grep", ratio, GOAL_RATIO, at_most=False))
    report.notes.append(
        f"Filling that spool, one process, {PIECES * TOGETHER:,} events a transaction, flushed:"
        f" {rate:,.0f} events/s."
    )
