"""What sampling costs at 1,000 Hz on 16 busy processes: the tool, and the processes it looks at.

The processes do the same work over and over, with marks, and count their rounds in the segment. In
each round five windows take turns: nobody looks (twice; the difference of the two is the noise),
`isinglass top` looks, a process only wakes up as often, and py-spy looks at the same processes,
where it is installed and allowed.
The processes keep every CPU busy, which is when a sampler is hardest put to be on time, and when it
must take its time from theirs. So the same is done once more with processes that work and rest in
turn, as daemons do, and leave a part of the machine idle: there it counts how long their work
takes them. Each has its turn at an instant of its own, so that who works beside whom is the same in
each window.
On a shared machine two windows alike differ by more than a sampler takes, and medians of six rounds
by several percent: hence 24 rounds, and a standard error beside each slow-down.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from math import nan, sqrt
from pathlib import Path
from statistics import mean, median, stdev
from typing import NamedTuple

import psutil
from busy import NODE, PROCESSES, WAKE, busy_processes
from harness import Claim, Report, Table, finish, interleave, number, options

from isinglass import clock
from isinglass.glass.reader import SegmentReader

COMMAND = str(Path(sys.executable).with_name("isinglass"))
PY_SPY = Path(sys.executable).with_name("py-spy")
RATE_HZ = 1000
SETTLE_SECONDS = 1.0
NOBODY, NOBODY_AGAIN, TOP, SPY = "nobody", "nobody, again", "isinglass top", "py-spy record"
WAKING = "(waking up alone)"
ROUNDS_TOGETHER = 200  # of a process that rests in between


class Look(NamedTuple):
    """What one window with a tool showed: its CPU share, and samples of each process a second."""

    cpu_share: float
    whole_cpu_share: float
    samples_hz: float
    on_time_share: float
    scheduling: str


class Beside(NamedTuple):
    """One run of a tool: rounds of the processes a second meanwhile, and what the tool took."""

    rate: float
    cpu_share: float
    whole_cpu_share: float
    seconds: float
    output: bytes


class Bench:
    """The 16 processes, and windows of looking at them."""

    def __init__(self, parent_pid: int, directory: Path, seconds: float, *, rests: bool) -> None:
        self.rests = rests
        self._parent_pid, self._directory, self._seconds = parent_pid, directory, seconds
        self._reader = SegmentReader(NODE)
        self.looks: dict[str, list[Look]] = {TOP: [], WAKING: [], SPY: []}
        self.work: dict[str, list[float]] = {
            name: [] for name in (NOBODY, TOP, NOBODY_AGAIN, WAKING, SPY)
        }

    def _progress(self) -> tuple[int, int, int]:
        """Return rounds done, CPU time had, and the time now, both in nanoseconds.

        Where the processes rest, the time is what their work took them, all together.
        """
        processes = self._reader.snapshot().processes
        panels = [panel for process in processes for panel in process.panels]
        rounds = [int(number(panel, "rounds")) for panel in panels]
        accounts = [Path(f"/proc/{process.pid}/schedstat").read_text() for process in processes]
        cpu_ns = sum(int(account.split()[0]) for account in accounts)
        if self.rests:
            return sum(rounds), cpu_ns, sum(int(number(panel, "work_time")) for panel in panels)
        return sum(rounds), cpu_ns, clock.perf_ns()

    def _rate(self, name: str) -> float:
        """Return rounds a second; keep rounds a CPU second.

        Of all processes together; where they rest, of one while it works.
        """
        rounds, cpu_ns, started = self._progress()
        clock.sleep(self._seconds)
        rounds_after, cpu_ns_after, ended = self._progress()
        self.work[name].append((rounds_after - rounds) / (cpu_ns_after - cpu_ns) * 1e9)
        return (rounds_after - rounds) / (ended - started) * 1e9

    def nobody(self, name: str) -> Callable[[], float]:
        """Return what measures the processes alone, with the same settling as the others."""

        def measure() -> float:
            clock.sleep(SETTLE_SECONDS)
            return self._rate(name)

        return measure

    def top(self) -> float:
        """Measure the processes while `isinglass top` looks."""
        command = [COMMAND, "top", NODE, "--rate", str(RATE_HZ), "--seconds", "3600", "--json"]
        seen = self._beside(TOP, command)
        samples = json.loads(seen.output)["samples"]
        self.looks[TOP].append(
            Look(
                seen.cpu_share,
                seen.whole_cpu_share,
                samples["achieved_hz"],
                samples["on_time_share"],
                samples["scheduling"],
            )
        )
        return seen.rate

    def waking(self) -> float:
        """Measure the processes while another one wakes up as often as `top`, and does nothing."""
        seen = self._beside(WAKING, [sys.executable, "-c", WAKE, str(RATE_HZ)])
        achieved_hz, _space, way = seen.output.decode().strip().partition(" ")
        self.looks[WAKING].append(
            Look(seen.cpu_share, seen.whole_cpu_share, float(achieved_hz), nan, way)
        )
        return seen.rate

    def spy(self) -> float:
        """Measure the processes while py-spy looks."""
        raw = self._directory / "py-spy.txt"
        command = [
            *(str(PY_SPY), "record", "--rate", str(RATE_HZ), "--duration", "unlimited"),
            *("--format", "raw", "--output", str(raw), "--subprocesses"),
            *("--pid", str(self._parent_pid)),
        ]
        seen = self._beside(SPY, command)
        lines = raw.read_text().splitlines()
        samples = sum(int(line.rsplit(" ", 1)[1]) for line in lines if "busy_work" in line)
        each_hz = samples / PROCESSES / seen.seconds
        on_time = each_hz / RATE_HZ
        self.looks[SPY].append(
            Look(seen.cpu_share, seen.whole_cpu_share, each_hz, on_time, "ordinary")
        )
        return seen.rate

    def _beside(self, name: str, command: Sequence[str]) -> Beside:
        """Measure the processes while a tool runs, then interrupt it, which ends it well."""
        started = clock.perf_ns()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            tool = psutil.Process(process.pid)
            clock.sleep(SETTLE_SECONDS)
            cpu_before, measured = _cpu_seconds(tool), clock.perf_ns()
            rate = self._rate(name)
            now = clock.perf_ns()
            cpu_share = (_cpu_seconds(tool) - cpu_before) / (now - measured) * 1e9
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            output = process.stdout.read()
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command[0]} ended with {process.returncode}")
        seconds = (now - started) / 1e9
        whole = (usage.ru_utime + usage.ru_stime) / seconds
        return Beside(rate, cpu_share, whole, seconds, output)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def spy_is_allowed() -> bool:
    """Tell whether py-spy is here and may look at a process of ours."""
    if not PY_SPY.exists():
        return False
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        clock.sleep(SETTLE_SECONDS)
        command = [str(PY_SPY), "dump", "--pid", str(process.pid)]
        found = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process.communicate(b"\n")
    return found.returncode == 0


def middle(looks: Sequence[Look], figure: Callable[[Look], float]) -> float:
    """Return the median of one figure of the looks."""
    return median(figure(look) for look in looks)


def slow_downs(figures: Mapping[str, Sequence[float]], name: str) -> list[float]:
    """Return by how much less was done beside a tool than alone, as a share, round by round.

    Alone is the mean of the round's two windows with nobody looking, which halves its variance.
    """
    alone = map(mean, zip(figures[NOBODY], figures[NOBODY_AGAIN], strict=True))
    return [1 - beside / both for beside, both in zip(figures[name], alone, strict=True)]


def standard_error(shares: Sequence[float]) -> float:
    """Return the standard error of the mean of shares, each of one round; nan for one round."""
    return stdev(shares) / sqrt(len(shares)) if len(shares) > 1 else nan


def noise(figures: Mapping[str, Sequence[float]]) -> float:
    """Return how much two windows with nobody looking differ, as a share."""
    pairs = zip(figures[NOBODY], figures[NOBODY_AGAIN], strict=True)
    return median(abs(second / first - 1) for first, second in pairs)


def table(bench: Bench, figures: dict[str, list[float]], title: str) -> Table:
    """Make the table of one way to work."""
    looks, work = bench.looks, bench.work
    rows: list[tuple[object, ...]] = [
        (
            name,
            100 * middle(looks[name], lambda look: look.cpu_share),
            100 * middle(looks[name], lambda look: look.whole_cpu_share),
            middle(looks[name], lambda look: look.samples_hz),
            None if name == WAKING else 100 * middle(looks[name], lambda look: look.on_time_share),
            100 * median(slow_downs(figures, name)),
            100 * standard_error(slow_downs(figures, name)),
            100 * median(slow_downs(work, name)),
        )
        for name in (TOP, WAKING, SPY)
        if looks[name]
    ]
    noises = 100 * noise(figures), None, 100 * noise(work)
    rows.append(("(noise)", None, None, None, None, *noises))
    columns = (
        *("tool", "CPU while sampling, %", "with start and end, %"),
        *("samples of each process a second", "on time, %"),
        *("slow-down, %", "its standard error, %", "less work per CPU second, %"),
    )
    return Table(columns, rows, title)


def add(
    report: Report, bench: Bench, figures: dict[str, list[float]], arguments: Namespace
) -> None:
    """Add what one way to work has shown."""
    looks = bench.looks
    slower = median(slow_downs(figures, TOP)) - noise(figures)
    if bench.rests:
        report.tables.append(table(bench, figures, "Processes that rest"))
        report.claims.append(Claim("slow-down by `top`, less the noise", slower, 0))
        report.notes.append(
            f"Processes that rest work for {ROUNDS_TOGETHER} rounds every {arguments.turn * 1000:g}"
            " ms, each at an instant of its own; their slow-down is that of their work, by the"
            " clock."
        )
        return
    report.tables.insert(0, table(bench, figures, "Every processor busy"))
    cpu_share = middle(looks[TOP], lambda look: look.cpu_share)
    on_time = middle(looks[TOP], lambda look: look.on_time_share)
    ways = ", ".join(sorted({look.scheduling for look in looks[TOP]}))
    report.claims += [
        Claim("CPU of `top`, as a share of one core", cpu_share, 0.03),
        Claim("samples of `top` on time, of all periods", on_time, 0.99, at_most=False),
        Claim("slow-down by `top` with every processor busy, less the noise", slower, 0),
    ]
    report.notes += [
        "Noise is the difference of two windows with nobody looking; a slow-down below zero is"
        f" noise, too. `top` sampled at {ways} priority.",
        f"With every processor busy `top` takes its time from the processes: {cpu_share:.2%} of one"
        f" of {len(os.sched_getaffinity(0))} processors; the rest of the slow-down are its"
        f" {RATE_HZ:,} wake-ups a second.",
        f"Waking up {RATE_HZ:,} times a second, and nothing else, takes"
        f" {middle(looks[WAKING], lambda look: look.cpu_share):.2%} of a core here.",
        "A py-spy sample counts as on time when there is one: it does not say when it was taken."
        " For its price py-spy gives whole stacks, and asks for no marks in the code.",
    ]
    if not looks[SPY]:
        report.notes[-1] = "py-spy is not installed, or not allowed to look here."


def measure(report: Report, arguments: Namespace, *, rests: bool, spies: bool) -> None:
    """Start the processes, take turns looking, and add what was seen."""
    together, turn = (ROUNDS_TOGETHER, arguments.turn) if rests else (1, 0.0)
    with ExitStack() as stack:
        runtime = stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm"))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["ISINGLASS_RUNTIME_DIR"] = runtime
        parent = stack.enter_context(busy_processes(directory, together, turn))
        bench = Bench(parent, directory, arguments.seconds, rests=rests)
        cases: dict[str, Callable[[], float]] = {
            NOBODY: bench.nobody(NOBODY),
            TOP: bench.top,
            NOBODY_AGAIN: bench.nobody(NOBODY_AGAIN),
            WAKING: bench.waking,
        }
        if spies:
            cases[SPY] = bench.spy
        figures = interleave(cases, arguments.rounds)
        # The first round is for warming up, as in `interleave`.
        bench.work = {name: found[1:] for name, found in bench.work.items() if found}
        add(report, bench, figures, arguments)


def main() -> int:
    """Measure both ways to work, and report."""
    parser = options(__doc__.split("\n")[0], rounds=24)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a window")
    parser.add_argument(
        "--turn", type=float, default=1.0, help="seconds of a turn, where they rest (default 1)"
    )
    arguments = parser.parse_args()
    title = f"sampling {PROCESSES} busy processes at {RATE_HZ:,} Hz"
    report, spies = Report("sampler.py", title), spy_is_allowed()
    for rests in (False, True):
        measure(report, arguments, rests=rests, spies=spies)
    return finish(report, arguments)


if __name__ == "__main__":
    sys.exit(main())
