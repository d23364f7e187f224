"""A node that comes back after minutes, and a new one beside a large store, while writers go on.

Real daemons on the loopback, with two client processes that write at a steady pace, each through a
node of its own. What they feel of it is compared with what they felt around it, in one run:

    away   one of three nodes is killed, and started again after --minutes
    join   a new node joins a store of --records, --rounds times

A node that was away for longer than the journals reach is healed by comparing and copying, as a new
one is; the table says which of both it was.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

import harness
from replicated.servers import running
from replicated.servers import wait_until as look_until

import isinglass
from isinglass import clock
from isinglass.errors import SegmentError
from isinglass.glass.reader import SegmentReader
from isinglass.store.reading import StoreReader

STEP_SECONDS = 1200.0
LOOK_SECONDS = 0.25
FILL_TOGETHER = 5000
VALUE = {"customer": "Ada Lovelace", "street": "St James's Square 12", "open": True}
WRITER = """
import json, random, sys, time
import isinglass
node, pace, records, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
chance, due, errors = random.Random(seed), time.monotonic(), 0
value = {"customer": "Ada Lovelace", "street": "St James's Square 12", "open": False}
database = isinglass.connect(node, timeout_seconds=30)
print("ready", flush=True)
while True:
    due = max(due + 1 / pace, time.monotonic() - 0.1)
    time.sleep(max(due - time.monotonic(), 0))
    key = f"key {chance.randrange(records)}"
    started = time.monotonic_ns()
    try:
        database.put("t", key, {**value, "n": started})
    except isinglass.IsinglassError:
        errors += 1
    ended = time.monotonic_ns()
    print(started, ended - started, errors, flush=True)
"""


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds, and look seldom: looking takes processor time, too.

    Raises:
        Late: it does not hold within STEP_SECONDS.
    """
    look_until(condition, what, STEP_SECONDS, LOOK_SECONDS)


class Node:
    """One daemon of the cluster, which comes and goes."""

    def __init__(self, name: str, flags: Sequence[str], folder: Path) -> None:
        self.name, self._flags, self._folder = name, flags, folder
        self.store = folder / name
        self._running: Any = None

    def start(self) -> None:
        """Start it."""
        python = [sys.executable, "-m", "isinglass_console.cli", "daemon", "run"]
        log = self._folder / f"{self.name}.log"
        self._running = running([*python, self.name, *self._flags], log)
        self.process = self._running.__enter__()

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self._running is not None:
            self.process.send_signal(signal.SIGKILL)
            self._running.__exit__(None, None, None)
            self._running = None

    def figure(self, panel: str, field: str, instance: str = "") -> Any:
        """Return what its glass shows; 0 before it shows anything."""
        try:
            with SegmentReader(self.name) as reader:
                found = reader.snapshot().panel(panel, instance)
        except SegmentError:
            return 0
        return 0 if found is None else found.get(field)

    def digests(self) -> list[int]:
        """Return the digests of its store."""
        with StoreReader.open(self.store) as store:
            *_, digests = store.bucket_digests()
            return digests


def _has_writes(file: Path) -> bool:
    return file.stat().st_size > 6


class Writers:
    """Client processes that write at a steady pace, and how long each write took."""

    def __init__(self, nodes: Sequence[Node], pace: float, records: int, folder: Path) -> None:
        self._files = []
        self._processes = []
        for seed, node in enumerate(nodes):
            file = folder / f"writes-{node.name}"
            words = [sys.executable, "-c", WRITER, node.name, str(pace), str(records), str(seed)]
            with open(file, "wb") as output:
                self._processes.append(subprocess.Popen(words, stdout=output))
            self._files.append(file)
        for file in self._files:
            wait_until(partial(_has_writes, file), "the writers write")

    def between(self, start_ns: int, end_ns: int) -> tuple[list[int], int]:
        """Return the times of the writes that began in between, and how many were refused."""
        times, refused = [], 0
        for file in self._files:
            before = None
            for line in file.read_text().splitlines()[1:-1]:
                at, took, errors = map(int, line.split())
                if start_ns <= at < end_ns:
                    before = errors if before is None else before
                    refused += errors - before
                    before = errors
                    times.append(took)
        return sorted(times), refused

    def close(self) -> None:
        """End them."""
        for process in self._processes:
            process.terminate()
            process.wait()


def percentile(times: Sequence[int], share: float) -> float:
    """Return a percentile of sorted nanoseconds, in microseconds."""
    return times[min(int(len(times) * share), len(times) - 1)] / 1000 if times else 0.0


class Run:
    """A cluster with writers."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.arguments, self.folder = arguments, folder
        flags = [
            f"--cluster=bench-{os.getpid()}", "--insecure", "--interface=lo",
            f"--multicast-group=239.255.{os.getpid() % 250 + 1}.{os.getpid() // 250 % 250 + 1}",
            f"--multicast-port={20_000 + os.getpid() % 20_000}",
        ]  # fmt: skip
        self.nodes = [Node(name, flags, folder) for name in ("alder", "birch", "cedar")]

    def live(self, *nodes: Node) -> None:
        """Wait until nodes are live."""
        wait_until(
            lambda: all(node.figure("cluster", "state") == "live" for node in nodes),
            "the nodes are live",
        )  # fmt: skip

    def in_step(self, other: Node) -> bool:
        """Tell whether a node is live, and as near to the others as they are to each other."""
        near = self.arguments.pace / 2  # what is written in half a second
        return other.figure("cluster", "state") == "live" and all(
            node.figure("peer", "lag_updates", other.name) <= near
            and node.figure("peer", "state", other.name) == "up"
            for node in self.nodes[:2]
        )

    def fill(self, records: int) -> None:
        """Write so many records, and wait until all nodes have them."""
        alder = self.nodes[0]
        with isinglass.connect(alder.name, timeout_seconds=300) as database:
            database.create_table("t")
            for first in range(0, records, FILL_TOGETHER):
                last = min(first + FILL_TOGETHER, records)
                database.put_many(
                    "t", [(f"key {n}", {**VALUE, "n": 0}) for n in range(first, last)]
                )
            database.flush()

    @contextmanager
    def writing(self, records: int) -> Iterator[Writers]:
        """Let the writers write for a block."""
        writers = Writers(self.nodes[:2], self.arguments.pace / 2, records, self.folder)
        try:
            yield writers
        finally:
            writers.close()

    def close(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            node.kill()

    def differing(self) -> int:
        """Return in how many buckets the stores of the nodes differ, once all is quiet."""
        wait_until(
            lambda: all(
                node.figure("peer", "lag_updates", other.name) == 0
                for node in self.nodes
                for other in self.nodes
                if node is not other
            ),
            "no node is behind another",
        )  # fmt: skip
        first, *others = [node.digests() for node in self.nodes]
        return sum(
            one != another for other in others for one, another in zip(first, other, strict=True)
        )


def _copied(node: Node) -> tuple[int, int]:
    """Return how many records a node has copied, and how many it was sent again."""
    return int(node.figure("cluster", "copied")), int(node.figure("cluster", "repaired"))


def _row(
    what: str, took: float, copied: tuple[int, int], parts: list[tuple[list[int], int]]
) -> list[object]:
    (before, _), (during, refused) = parts
    return [
        what, took, *copied,
        percentile(before, 0.5), percentile(during, 0.5),
        percentile(before, 0.99), percentile(during, 0.99), refused,
    ]  # fmt: skip


def _lose(node: Node) -> None:
    """Kill a node and take its disk away."""
    node.kill()
    shutil.rmtree(node.store)


def _quiet(run: Run) -> tuple[int, int]:
    """Let the writers write alone for a while; return from when to when."""
    since_ns = clock.monotonic_ns()
    clock.sleep(run.arguments.before)
    return since_ns, clock.monotonic_ns()


def measure_away(run: Run, report: harness.Report, rows: list[list[object]]) -> None:
    """Kill a node, start it again after a while, and wait until it is in step."""
    minutes = run.arguments.minutes
    cedar = run.nodes[2]
    run.fill(run.arguments.away_records)
    with run.writing(run.arguments.away_records) as writers:
        cedar.kill()
        clock.sleep(max(minutes * 60 - run.arguments.before, 0))
        since_ns, _ = _quiet(run)
        missed = int(run.nodes[0].figure("peer", "lag_updates", "cedar"))
        missed += int(run.nodes[1].figure("peer", "lag_updates", "cedar"))
        started_ns = clock.monotonic_ns()
        cedar.start()
        wait_until(lambda: run.in_step(cedar), "cedar is back in step")
        ended_ns = clock.monotonic_ns()
        took = (ended_ns - started_ns) / 1e9
        parts = [writers.between(since_ns, started_ns), writers.between(started_ns, ended_ns)]
        rows.append(_row(f"away {minutes:g} min, {missed:,} missed", took, _copied(cedar), parts))
    differing = run.differing()
    report.claims += [
        harness.Claim("time to be back in step over time away", took / (minutes * 60), 0.1),
        harness.Claim("buckets that differ after coming back", differing, 0),
        harness.Claim("writes refused while it came back", parts[1][1], 0),
    ]


def measure_join(run: Run, report: harness.Report, rows: list[list[object]]) -> None:
    """Let a new node join a large store, some times; compare with the quiet before and after it."""
    records = run.arguments.records
    cedar, ratios, refused = run.nodes[2], [], 0
    _lose(cedar)
    run.fill(records)
    with run.writing(records) as writers:
        quiet = [_quiet(run)]
        joins: list[tuple[int, int]] = []
        copies: list[tuple[int, int]] = []
        for left in reversed(range(run.arguments.rounds)):
            started_ns = clock.monotonic_ns()
            cedar.start()
            wait_until(lambda: run.in_step(cedar), "cedar has joined")
            joins.append((started_ns, clock.monotonic_ns()))
            copies.append(_copied(cedar))
            if left:
                _lose(cedar)
            else:
                cedar.kill()
            quiet.append(_quiet(run))
        cedar.start()
        wait_until(lambda: run.in_step(cedar), "cedar is back in step")
        for number, (started_ns, ended_ns) in enumerate(joins):
            around = [writers.between(*span)[0] for span in quiet[number : number + 2]]
            parts = [(sorted(around[0] + around[1]), 0), writers.between(started_ns, ended_ns)]
            took = (ended_ns - started_ns) / 1e9
            rows.append(_row(f"join, {records:,} records", took, copies[number], parts))
            ratios.append(percentile(parts[1][0], 0.99) / percentile(parts[0][0], 0.99))
            refused += parts[1][1]
    differing = run.differing()
    report.claims += [
        harness.Claim("writers' p99 while a node joins over p99 around it", median(ratios), 1.5),
        harness.Claim("writes refused while a node joins", refused, 0),
        harness.Claim("buckets that differ after joining", differing, 0),
    ]


PARTS = {"away": measure_away, "join": measure_join}


def measure(arguments: argparse.Namespace) -> harness.Report:
    """Run the parts that were asked for, each with a cluster of its own."""
    report = harness.Report("joining.py", "nodes that come back, and new ones, under load")
    rows: list[list[object]] = []
    for name in arguments.only or PARTS:
        with harness.folders() as folder:
            run = Run(arguments, folder)
            try:
                for node in run.nodes:
                    node.start()
                run.live(*run.nodes)
                PARTS[name](run, report, rows)
            finally:
                run.close()
    columns = [
        "what", "seconds", "copied", "repaired", "p50 quiet, µs", "p50 then, µs",
        "p99 quiet, µs", "p99 then, µs", "refused",
    ]  # fmt: skip
    report.tables.append(harness.Table(columns, rows))
    report.notes.append(
        f"Two writers with {arguments.pace:g} puts a second together, each through a node of its"
        " own; nodes, writers and the benchmark share this machine's processors."
    )
    return report


def _ended(*_: int | FrameType | None) -> None:
    raise SystemExit("joining.py: ended by a signal")


def main() -> int:
    parser = harness.options(__doc__.split("\n")[0], rounds=3)
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="a part, any number of times"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="away (default 10)")
    parser.add_argument(
        "--records", type=int, default=1_000_000, help="of the store that is joined"
    )
    parser.add_argument("--away-records", type=int, default=100_000, help="of the other store")
    parser.add_argument("--pace", type=float, default=500.0, help="puts a second (default 500)")
    parser.add_argument("--before", type=float, default=20.0, help="quiet seconds on either side")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ended)
    return harness.finish(measure(parser.parse_args()), parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
