"""How large a recording of the demo is, how soon any instant of it is shown, and what it costs.

The demo's three nodes run with their real load, and each second is read as `isinglass record` reads
it. What was read is then written as an hour into a real file, the clock going on: forwards,
backwards and forwards again, so that no second is further from the one before than it was. It turns
where a chapter ends, the piece that is packed together, so that no chapter has a second twice. That
file is opened, and instants at random are shown: all nodes of the frame decoded, with the trends
and the heat that the view draws.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from harness import Claim, Report, Table, finish, folders, options

from isinglass import clock, collecting
from isinglass.glass import layout
from isinglass_console.demo_nodes import NAMES
from isinglass_console.model.frame import Frame
from isinglass_console.model.hub import Hub
from isinglass_console.model.log import LogEntry
from isinglass_console.recording.format import CHAPTER_ROWS
from isinglass_console.recording.reading import Recording
from isinglass_console.recording.recorder import Recorder
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.views import page_of
from isinglass_console.sources.feed import Feed
from isinglass_console.sources.files import SourceFiles

NODES = 3
HOUR_SECONDS = 3600
SEEKS = 100
LIMIT_MEGABYTES, LIMIT_MILLISECONDS = 3.0, 100.0
STARTS_WITHIN_SECONDS = 90
WARM_SECONDS = 10

Taken = tuple[Frame, Sequence[LogEntry]]


@contextmanager
def demo(data: Path) -> Iterator[None]:
    """Run the demo without its console while the block runs, and wait until all of it works."""
    command = [sys.executable, "-m", "isinglass_console.cli", "demo", "--headless"]
    command += ["--seconds", "100000", "--nodes", str(NODES), "--data-dir", str(data)]
    command += ["--runtime-dir", os.environ["ISINGLASS_RUNTIME_DIR"]]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until_ns = clock.monotonic_ns() + STARTS_WITHIN_SECONDS * 10**9
        while not {*NAMES[:NODES]} <= {*layout.node_names()}:
            if clock.monotonic_ns() > until_ns or process.poll() is not None:
                raise SystemExit("the demo did not start")
            clock.sleep(0.1)
        clock.sleep(WARM_SECONDS)
        yield
    finally:
        process.terminate()
        process.wait(60)


def read(seconds: int) -> list[Taken]:
    """Return what the nodes were, second by second."""
    hub, came = Hub(), threading.Event()
    found: list[Taken] = []
    feed = Feed(NAMES[:NODES], 1.0, came.set)
    feed.start()
    while len(found) < seconds:
        came.wait()
        came.clear()
        for delivery in feed.take():
            frame = hub.take(delivery.readings, delivery.wall_ns, 1.0)
            found.append((frame, tuple(hub.fresh)))
    feed.stop()
    return found


def write_hour(path: Path, taken: list[Taken]) -> float:
    """Write an hour of it; return the milliseconds of CPU that a frame took."""
    recorder = Recorder(path, taken[0][0].wall_ns, durable=False)
    began_ns, start_ns = clock.thread_cpu_ns(), taken[0][0].wall_ns
    there_and_back = [*taken, *reversed(taken)]
    for second in range(HOUR_SECONDS):
        frame, events = there_and_back[second % len(there_and_back)]
        recorder.take(replace(frame, wall_ns=start_ns + second * 10**9), events)
    spent_ns = clock.thread_cpu_ns() - began_ns
    recorder.close()
    return spent_ns / 1e6 / HOUR_SECONDS


def seeks(path: Path, view: str) -> tuple[list[float], list[float]]:
    """Show instants at random on a screen of 120 × 36; return milliseconds of CPU, and by the wall.

    Others use the machine, so it is the first that a claim can be made of.
    """
    recording, chance = Recording(path), random.Random(1)
    spent, passed = [], []
    desk, files = Desk(recorded=recording), SourceFiles()
    desk.settings.view = view
    first, last = (recording.wall_ns(n) for n in (recording.oldest, recording.newest))
    desk.scene(120, 34)  # the index and the first chapter: opening is told apart
    page_of(desk.scene(120, 34), files)
    for _ in range(SEEKS):
        began_ns, cpu_ns = clock.perf_ns(), clock.thread_cpu_ns()
        desk.go_to(chance.randrange(first, last))
        scene = desk.scene(120, 34)
        assert len(scene.frame.nodes) == NODES
        page_of(scene, files)
        spent.append((clock.thread_cpu_ns() - cpu_ns) / 1e6)
        passed.append((clock.perf_ns() - began_ns) / 1e6)
    recording.close()
    return sorted(spent), sorted(passed)


def _late(times: list[float]) -> float:
    return times[int(len(times) * 0.99)]


def main() -> int:
    """Read the demo, write an hour of it, seek in it, and report."""
    parser = options(__doc__.split("\n")[0], rounds=1)
    parser.add_argument("--seconds", type=int, default=240, help="seconds read from the demo")
    parser.add_argument("--note", default="", help="a line to add, such as who shared the machine")
    arguments = parser.parse_args()
    if arguments.seconds % CHAPTER_ROWS:
        raise SystemExit(f"--seconds must be a multiple of {CHAPTER_ROWS}, a chapter")
    with folders() as data:
        path = data / "hour.recording"
        with demo(data / "demo"):
            taken = read(arguments.seconds)
        milliseconds = write_hour(path, taken)
        megabytes = path.stat().st_size / 1e6 / NODES
        began_ns = clock.perf_ns()
        Recording(path).close()
        opening = (clock.perf_ns() - began_ns) / 1e6
        collecting.settle()  # as the console does after its first page
        found = {view: seeks(path, view) for view in ("overview", "probes")}
    worst = max(_late(spent) for spent, _ in found.values())
    rows = [
        (view, median(spent), _late(spent), median(passed), _late(passed))
        for view, (spent, passed) in found.items()
    ]
    processes = [len(n.snapshot.processes) for n in taken[-1][0].nodes if n.snapshot is not None]
    report = Report(
        script="recording.py",
        title="an hour of the demo's three nodes, recorded",
        claims=[
            Claim("MB a node and hour at 1 Hz", megabytes, LIMIT_MEGABYTES),
            Claim("milliseconds of CPU to show an instant, 99 %", worst, LIMIT_MILLISECONDS),
        ],
        tables=[
            Table(("to show an instant, ms", "CPU", "CPU, 99 %", "passed", "passed, 99 %"), rows),
        ],
        notes=[
            f"{arguments.seconds} s were read; nodes of {processes} processes. Writing takes"
            f" {milliseconds:.2f} ms of CPU a frame of all nodes, packing included; opening the"
            f" hour takes {opening:.0f} ms. {arguments.note}".rstrip()
        ],
    )
    return finish(report, arguments)


if __name__ == "__main__":
    sys.exit(main())
