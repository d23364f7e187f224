"""What it costs a program to log one event: into the ring, and by what one would use else.

Each way logs the same event, with the same two fields, in a process whose sender multicasts what is
in the ring meanwhile. Alone, beside a process that writes and flushes to the same disk, and beside
processes that take every processor. Each call is timed by itself; the ways take turns. Then what a
debug statement costs that is switched off.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from harness import Claim, Report, Table, finish, interleave, nanoseconds_each, options, ratio

import isinglass
from isinglass import clock, emit
from isinglass.emit.target import Target
from isinglass.glass import segment
from isinglass.glass.flags import flag
from isinglass.wire.transport.events import EventGroup

DIRECT, HANDLER, FILE_HANDLER = "isinglass.event", "logging, our handler", "logging, FileHandler"
COMPUTING = "(computing alone)"
WRITE, MULTICAST, DURABLE = "buffered write", "multicast send", "write and fsync"
CALLS = {
    DIRECT: 1000,
    COMPUTING: 1000,
    HANDLER: 1000,
    FILE_HANDLER: 1000,
    WRITE: 1000,
    MULTICAST: 300,
    DURABLE: 20,
}
CONDITIONS = ("alone", "disk hog", "processor hogs")
COUNTED = range(100)
GROUP = EventGroup("239.255.73.99", 17_399, "lo", 1)
OFF_TURNS = 200_000
FLAG, OFF, NOTHING = "if flag: (off)", "logger.debug (off)", "(empty loop)"
NANOSECONDS_PER_MICROSECOND = 1000

DISK_HOG = """
import os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
while True:
    os.pwrite(file, bytes(4 << 20), 0)
    os.fsync(file)
"""
PROCESSOR_HOG = "while True: pass"


@contextmanager
def hogs(condition: str, folder: str) -> Iterator[None]:
    """Run what disturbs, for a block."""
    commands: list[list[str]] = []
    if condition == "disk hog":
        commands = [[DISK_HOG, f"{folder}/hog"]]
    elif condition == "processor hogs":
        commands = [[PROCESSOR_HOG]] * len(os.sched_getaffinity(0))
    running = [subprocess.Popen([sys.executable, "-c", *command]) for command in commands]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


class Ways:
    """The ways to log; each is called with a number."""

    def __init__(self, folder: str) -> None:
        self.plain = open(f"{folder}/plain.log", "w")  # noqa: SIM115 - open as long as this
        self.durable = os.open(f"{folder}/durable.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        interface = socket.inet_aton("127.0.0.1")
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        # Somebody listens, as a monitor would: waking it is what a send costs most of.
        self.listener = subprocess.Popen(
            [sys.executable, __file__, "--listen"], stdout=subprocess.PIPE
        )
        assert self.listener.stdout is not None
        self.listener.stdout.readline()
        self.ours = self._logger("ours", isinglass.logging_handler())
        file_handler = logging.FileHandler(f"{folder}/handler.log")
        file_handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self.theirs = self._logger("theirs", file_handler)
        self.calls: dict[str, Callable[[int], object]] = {
            DIRECT: lambda n: isinglass.event(9, "orders", "order taken", number=n, total=12.5),
            COMPUTING: lambda _: sum(COUNTED),
            HANDLER: lambda n: self.ours.info("order taken: number=%d total=%g", n, 12.5),
            FILE_HANDLER: lambda n: self.theirs.info("order taken: number=%d total=%g", n, 12.5),
            WRITE: lambda n: self.plain.write(_line(n)),
            MULTICAST: lambda n: self.socket.sendto(_line(n).encode(), GROUP[:2]),
            DURABLE: self._durably,
        }

    def _logger(self, name: str, handler: logging.Handler) -> logging.Logger:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        return logger

    def _durably(self, number: int) -> None:
        os.write(self.durable, _line(number).encode())
        os.fsync(self.durable)

    def close(self) -> None:
        """End the listener."""
        self.listener.kill()
        self.listener.wait()


def _line(number: int) -> str:
    return f"{clock.wall_ns()} INFO orders order taken number={number} total={12.5:g}\n"


def listen() -> None:
    """Receive the group's datagrams for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(GROUP[:2])
        membership = socket.inet_aton(GROUP.group) + socket.inet_aton("127.0.0.1")
        end.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        print("ready", flush=True)
        while True:
            end.recv(2048)


def samples(call: Callable[[int], object], count: int) -> list[int]:
    """Return what each of `count` calls took, in nanoseconds."""
    found = []
    for number in range(count):
        started = clock.perf_ns()
        call(number)
        found.append(clock.perf_ns() - started)
    return found


def figures(taken: Sequence[int]) -> tuple[float, float, float]:
    """Return the median, the 99th percentile and the maximum, in microseconds."""
    ordered = sorted(taken)
    picked = (ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1])
    p50, p99, highest = (nanoseconds / NANOSECONDS_PER_MICROSECOND for nanoseconds in picked)
    return p50, p99, highest


def measured(ways: Ways, folder: str, rounds: int) -> dict[tuple[str, str], list[int]]:
    """Return all samples by condition and way."""
    found: dict[tuple[str, str], list[int]] = {}
    for condition in CONDITIONS:
        with hogs(condition, folder):
            clock.sleep(0.5)
            for turn in range(rounds + 1):
                for way, call in ways.calls.items():
                    taken = samples(call, CALLS[way])
                    if turn:
                        found.setdefault((condition, way), []).extend(taken)
    return found


def switched_off(rounds: int) -> dict[str, list[float]]:
    """Return the nanoseconds of a debug statement that is off, by round."""
    logger, debug_flag = logging.getLogger("ours"), flag("bench")

    def by_flag() -> None:
        for number in range(OFF_TURNS):
            if debug_flag:
                debug_flag("order taken", number=number)

    def by_logger() -> None:
        for number in range(OFF_TURNS):
            logger.debug("order taken: number=%d", number)

    def nothing() -> None:
        for _ in range(OFF_TURNS):
            pass

    works = {FLAG: by_flag, OFF: by_logger, NOTHING: nothing}
    cases = {name: lambda w=work: nanoseconds_each(w, OFF_TURNS) for name, work in works.items()}
    taken = interleave(cases, rounds)
    empty = taken.pop(NOTHING)
    return {
        name: [max(ns - free, 0.01) for ns, free in zip(values, empty, strict=True)]
        for name, values in taken.items()
    }


def report(found: dict[tuple[str, str], list[int]], off: dict[str, list[float]]) -> Report:
    """Return what was found."""
    by_case = {case: figures(taken) for case, taken in found.items()}
    rows = [[condition, way, *by_case[condition, way]] for condition in CONDITIONS for way in CALLS]
    direct, beside_hog = by_case["alone", DIRECT], by_case["disk hog", DIRECT]
    handler, file_handler = by_case["alone", HANDLER], by_case["alone", FILE_HANDLER]
    return Report(
        "emit.py",
        "what logging one event costs",
        tables=[
            Table(("condition", "way", "p50 µs", "p99 µs", "max µs"), rows),
            Table(
                ("a debug statement that is off", "ns"),
                [[name, median(values)] for name, values in off.items()],
            ),
        ],
        claims=[
            Claim("direct call, p50 in microseconds", direct[0], 3),
            Claim(
                "logging through our handler over FileHandler, p50",
                handler[0] / file_handler[0],
                1,
            ),
            Claim("direct call, p99 beside a disk hog over alone", beside_hog[1] / direct[1], 2),
            Claim("a flag that is off over a logger.debug that is off", ratio(off, FLAG, OFF), 0.5),
        ],
        notes=[
            "The sending thread of the process ran meanwhile, and a process received what it sent."
        ],
    )


def main() -> int:
    """Measure."""
    if "--listen" in sys.argv:
        listen()
    arguments = options(__doc__ or "", rounds=9).parse_args()
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        runtime = tempfile.mkdtemp(prefix="isinglass-bench-", dir="/dev/shm")
        os.environ["ISINGLASS_RUNTIME_DIR"] = runtime
        with segment.open_or_create("bench", "program"):
            emit.begin(Target("bench", b"k" * 32, GROUP), "program")
            ways = Ways(folder)
            try:
                found = measured(ways, folder, arguments.rounds)
                off = switched_off(arguments.rounds)
            finally:
                ways.close()
                emit.end()
    shutil.rmtree(runtime, ignore_errors=True)
    return finish(report(found, off), arguments)


if __name__ == "__main__":
    sys.exit(main())
