"""Writes and reads per second, beside redis-server with redis-py doing the same in the same rounds.

One and four client processes; single puts, batches of 100 (redis: a pipeline of 100), local reads
by key. redis-server keeps its append-only file with a flush each second, which is what durability
"second" is here; values are the same dictionary, packed with msgpack for redis. Both servers are
started for the run, on directories of their own, and ended by their pids.

The second table counts the demo's own workload (every identifier of a part of the standard library,
one update an occurrence) with merging on and off.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import harness
import msgpack

import isinglass
from isinglass import clock
from isinglass.glass.reader import SegmentReader
from isinglass_console import demo_workload as workload

TABLE = "bench"
KEYS = [f"key {number}" for number in range(10_000)]
BATCH = 100
START_SECONDS = 20.0
# Operations of all processes together in one round, with --size 1.
COUNTS = {"put": 4000, "batch": 20_000, "get": 40_000, "set": 4000, "pipeline": 20_000, "GET": 4000}
PAIRS = {"put": "set", "batch": "pipeline", "get": "GET"}
NAMES = {
    "put": "single put", "batch": "put_many(100)", "get": "local get",
    "set": "redis SET", "pipeline": "redis pipeline(100)", "GET": "redis GET",
}  # fmt: skip
MERGED_FOLDERS = ("json", "asyncio", "email", "http", "importlib", "unittest")
MERGED_BATCH = 250


def value_of(number: int) -> dict[str, Any]:
    """Return the record that all of them write."""
    return {"customer": "Ada Lovelace", "total": number, "open": True}


# ---------------------------------------------------------------------- what one process does
def put(database: isinglass.Client, count: int) -> None:
    for number, key in zip(range(count), itertools.cycle(KEYS), strict=False):
        database.put(TABLE, key, value_of(number))


def batch(database: isinglass.Client, count: int) -> None:
    keys = itertools.cycle(KEYS)
    for start in range(0, count, BATCH):
        items = ((next(keys), value_of(number)) for number in range(start, start + BATCH))
        database.put_many(TABLE, items)


def get(database: isinglass.Client, count: int) -> None:
    for _, key in zip(range(count), itertools.cycle(KEYS), strict=False):
        database.get(TABLE, key)


def redis_set(store: Any, count: int) -> None:
    for number, key in zip(range(count), itertools.cycle(KEYS), strict=False):
        store.set(key, msgpack.packb(value_of(number)))


def redis_pipeline(store: Any, count: int) -> None:
    keys = itertools.cycle(KEYS)
    for start in range(0, count, BATCH):
        pipeline = store.pipeline(transaction=False)
        for number in range(start, start + BATCH):
            pipeline.set(next(keys), msgpack.packb(value_of(number)))
        pipeline.execute()


def redis_get(store: Any, count: int) -> None:
    for _, key in zip(range(count), itertools.cycle(KEYS), strict=False):
        msgpack.unpackb(store.get(key))


WORK: dict[str, Callable[[Any, int], None]] = {
    "put": put, "batch": batch, "get": get,
    "set": redis_set, "pipeline": redis_pipeline, "GET": redis_get,
}  # fmt: skip


def worker(orders: Connection, redis_port: int) -> None:
    """Be a client of both: do what is ordered, and say how long it took."""
    import redis

    store = redis.Redis(port=redis_port)
    with isinglass.connect("bench", timeout_seconds=60) as database:
        orders.send("ready")
        while (order := orders.recv()) is not None:
            case, count = order
            started = clock.perf_ns()
            WORK[case](store if case in PAIRS.values() else database, count)
            if case in ("put", "batch"):
                database.flush()
            orders.send((started, clock.perf_ns()))


class Workers:
    """Client processes that work at the same time."""

    def __init__(self, count: int, redis_port: int) -> None:
        self._pipes = []
        for _ in range(count):
            mine, theirs = multiprocessing.Pipe()
            process = multiprocessing.get_context("spawn").Process(
                target=worker, args=(theirs, redis_port), daemon=True
            )
            process.start()
            self._pipes.append((mine, process))
        for pipe, _ in self._pipes:
            assert pipe.recv() == "ready"

    def each_second(self, case: str, count: int) -> float:
        """Let all do `count` operations together; return operations per second of all."""
        for pipe, _ in self._pipes:
            pipe.send((case, count))
        times = [pipe.recv() for pipe, _ in self._pipes]
        elapsed = max(ended for _, ended in times) - min(started for started, _ in times)
        return float(len(self._pipes) * count * 1e9 / elapsed)

    def close(self) -> None:
        for pipe, process in self._pipes:
            pipe.send(None)
            process.join()


# ---------------------------------------------------------------------- servers
@contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """Run redis-server on a free port for a block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder),
         "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = clock.monotonic_ns() + int(START_SECONDS * 1e9)
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if clock.monotonic_ns() > until:
                    raise
                clock.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def node(name: str, *flags: str) -> Iterator[None]:
    """Run a daemon for a block."""
    command = [sys.executable, "-m", "isinglass_console.cli", "daemon", "run", name, *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        if "is ready" not in line:
            raise RuntimeError(line)
        yield
    finally:
        process.terminate()
        process.wait()


# ---------------------------------------------------------------------- merging on and off
def demo_adds() -> list[tuple[str, int]]:
    """Return the adds of three counters over a part of the library, in turns of a file."""
    files = [
        file
        for folder in MERGED_FOLDERS
        for file in workload.source_files(workload.standard_library() / folder)
    ]
    shares = [
        [workload.adds_of(workload.identifiers(file), file) for file in files[number::3]]
        for number in range(3)
    ]
    turns = itertools.zip_longest(*shares, fillvalue=[])
    mixed = (itertools.chain.from_iterable(zip(*turn, strict=False)) for turn in turns)
    return [add for turn in mixed for add in turn]


def merge_case(updates: list[tuple[str, int]], merging: str) -> dict[str, float]:
    """Send the adds to a fresh daemon; return what it did."""
    name = f"merge-{merging}"
    with node(name, "--merge", merging), isinglass.connect(name, timeout_seconds=120) as database:
        database.create_table(workload.TABLE, group_by=workload.GROUP_BY, indexes=workload.INDEXES)
        started = clock.perf_ns()
        for start in range(0, len(updates), MERGED_BATCH):
            part = updates[start : start + MERGED_BATCH]
            database.add_many(workload.TABLE, part, workload.FIELD)
        database.flush()
        elapsed = (clock.perf_ns() - started) / 1e9
        with SegmentReader(name) as reader:
            snapshot = reader.snapshot()
    queue, applier = snapshot.panel("queue"), snapshot.panel("applier")
    assert queue is not None
    assert applier is not None
    return {
        "updates": len(updates) / elapsed,
        "writes": harness.number(queue, "written") / elapsed,
        "busy": len(updates) / harness.number(applier, "working_time"),
        "avoided": harness.number(queue, "avoided"),
    }


# ---------------------------------------------------------------------- the report
def measure(arguments: argparse.Namespace) -> harness.Report:
    report = harness.Report("throughput.py", "writes and reads, beside redis")
    with harness.folders() as folder:
        with ExitStack() as stack:
            port = stack.enter_context(redis_server(folder))
            stack.enter_context(node("bench"))
            throughput(report, arguments, port)
        merging(report, arguments)
    return report


def throughput(report: harness.Report, arguments: argparse.Namespace, port: int) -> None:
    with isinglass.connect("bench") as database:
        database.create_table(TABLE)
        batch(database, len(KEYS))
        database.flush()
    groups = {1: Workers(1, port), 4: Workers(4, port)}
    groups[1].each_second("pipeline", len(KEYS))

    def case(clients: int, name: str) -> Callable[[], float]:
        count = int(COUNTS[name] * arguments.size / clients) // BATCH * BATCH
        return lambda: groups[clients].each_second(name, count)

    cases = {f"{name} {clients}": case(clients, name) for clients in groups for name in WORK}
    figures = harness.interleave(cases, arguments.rounds)
    for group in groups.values():
        group.close()
    rows = []
    for clients in groups:
        for ours, theirs in PAIRS.items():
            pair = f"{ours} {clients}", f"{theirs} {clients}"
            middle = [median(figures[name]) for name in pair]
            ratio = harness.ratio(figures, *pair)
            rows.append([clients, NAMES[ours], middle[0], NAMES[theirs], middle[1], ratio])
    report.tables.append(
        harness.Table(
            ["processes", "isinglass", "per second", "redis-py", "per second", "ratio"],
            [[str(row[0]), *row[1:]] for row in rows],
            "Operations per second of all client processes together",
        )
    )
    wanted = {"put": 1.0, "batch": 1.0, "get": 30.0}
    for clients in groups:
        for ours, theirs in PAIRS.items():
            report.claims.append(
                harness.Claim(
                    f"{NAMES[ours]} over {NAMES[theirs]}, client processes: {clients}",
                    harness.ratio(figures, f"{ours} {clients}", f"{theirs} {clients}"),
                    wanted[ours],
                    at_most=False,
                )
            )
    report.notes.append("A ratio is the median of those of each round, in which both had the same"
                        " minute of the machine; not that of the medians beside it.")  # fmt: skip


def merging(report: harness.Report, arguments: argparse.Namespace) -> None:
    updates = demo_adds()[: int(60_000 * arguments.size)]
    results: dict[str, list[dict[str, float]]] = {"true": [], "false": []}
    for _ in range(max(1, arguments.rounds // 3)):
        for switch, found in results.items():
            found.append(merge_case(updates, switch))
    rows = [
        [
            {"true": "on", "false": "off"}[switch],
            *(median([each[name] for each in found])
              for name in ("updates", "busy", "writes")),
            f"{median([each['avoided'] for each in found]):.0%}",
        ]
        for switch, found in results.items()
    ]  # fmt: skip
    report.tables.append(
        harness.Table(
            ["merging", "updates/s", "updates per busy second", "writes/s", "writes avoided"],
            rows,
            f"The demo's workload, {len(updates):,} adds from one process",
        )
    )
    report.notes.append(
        "Without merging each update is a write of its own. What an add looks at is the same either"
        " way: what all that waits of its record says together, kept as at most two records."
    )


def main() -> int:
    parser = harness.options("Writes and reads per second, beside redis.", rounds=7)
    parser.add_argument(
        "--size", type=float, default=1.0, help="factor on the counts of operations"
    )
    arguments = parser.parse_args()
    return harness.finish(measure(arguments), arguments)


if __name__ == "__main__":
    sys.exit(main())
