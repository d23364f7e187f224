"""What the console costs on a terminal of 160 x 48, beside others and an empty app.

It looks at five nodes with about sixteen threads each, and their monitor; htop, btop and glances
look at the machine, Dolphie, which is made with Textual, too, at one idle database server. Steady
cost: each program runs in a tmux of its own, takes turns with the others, settles first, and is
then measured by the kernel's account of all its processes; in its first seconds a console also
reads what the monitor kept of the last fifteen minutes. First paint and the switch of a view are
measured on a bare pseudo-terminal, by the bytes that come; views are switched while paused, so that
nothing else is painted. Memory is watched over a day at one frame a second that is gone through in
some minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from consoled import database
from consoled.stage import stage
from consoled.terminal import Cost, Pty, steady_cost, steady_costs
from harness import Claim, Report, Table, finish, folders, options

ISINGLASS = str(Path(sys.executable).with_name("isinglass"))
VIEWS = {
    "overview": "1", "probes": "2", "queue": "3", "flow": "4", "lag": "5", "store": "6",
    "log": "7", "alarms": "8", "panels": "9",
}  # fmt: skip
PEERS = {
    "htop": "htop -d 10",
    "btop": "btop --utf-force",
    "glances": "glances --time 1 --disable-check-update",
}
EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("ready")
Empty().run()
"""
PARTS = ("steady", "views", "paint", "switch", "day")


def environment_for(folder: Path) -> dict[str, str]:
    """Return the environment in which the programs run."""
    config = folder / "config" / "btop"
    config.mkdir(parents=True)
    (config / "btop.conf").write_text("update_ms=1000\n")
    return {
        **os.environ,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "SHELL": "/bin/sh",
    }


def console(interval_seconds: float = 1.0) -> str:
    """Return the command line of the console."""
    return f"{ISINGLASS} console --interval {interval_seconds:g}"


def steady(report: Report, environment: dict[str, str], arguments: Namespace) -> None:
    """Compare the overview with other programs."""
    cases = {"isinglass, overview, 1 Hz": console(), "isinglass, overview, 4 Hz": console(0.25)}
    cases |= {name: line for name, line in PEERS.items() if shutil.which(line.split()[0])}
    with ExitStack() as stack:
        if absent := database.missing():
            report.notes.append(f"Not beside Dolphie: {', '.join(absent)} not installed here.")
        else:
            port = stack.enter_context(database.mariadb(Path(environment["HOME"])))
            cases["Dolphie, one idle server"] = f"dolphie --socket {port} --user root"
        costs = _cost_of_each(cases, environment, arguments)
    columns = ("program", "CPU % of a core", "RSS MiB", "KiB/s to the terminal")
    rows = [(name, *cost) for name, cost in costs.items()]
    report.tables.append(Table(columns, rows, "Steady"))
    once, often = (costs[name] for name in list(cases)[:2])
    report.claims += [
        Claim("CPU of the overview at 1 Hz, % of a core", once.cpu, 1.5),
        Claim("KiB a second to the terminal at 1 Hz", once.sent, 30),
        Claim("CPU of the overview at 4 Hz, % of a core", often.cpu, 4.0),
    ]
    report.notes += [f"{name} is not installed here." for name in PEERS if name not in cases]


def _cost_of_each(
    cases: dict[str, str], environment: dict[str, str], arguments: Namespace
) -> dict[str, Cost]:
    found: dict[str, list[Cost]] = {name: [] for name in cases}
    for _ in range(arguments.rounds):
        for name, line in cases.items():
            cost = steady_cost(line, environment, arguments.settle, arguments.seconds)
            found[name].append(cost)
    return {name: Cost(*map(median, zip(*runs, strict=True))) for name, runs in found.items()}


def views(report: Report, environment: dict[str, str], arguments: Namespace) -> None:
    """Measure each view, at one and at four frames a second."""
    once, often = (
        steady_costs(
            console(interval), environment, arguments.settle, arguments.seconds, [*VIEWS.values()]
        )
        for interval in (1.0, 0.25)
    )
    rows = [
        (name, first.cpu, first.sent, second.cpu, second.sent, second.memory)
        for name, first, second in zip(VIEWS, once, often, strict=True)
    ]
    columns = ("view", "CPU %, 1 Hz", "KiB/s, 1 Hz", "CPU %, 4 Hz", "KiB/s, 4 Hz", "RSS MiB, 4 Hz")
    report.tables.append(Table(columns, rows, "Each view, one run"))
    worst = max(rows, key=lambda row: row[1])
    report.claims += [
        Claim(f"CPU of the dearest view ({worst[0]}) at 1 Hz, % of a core", worst[1], 1.5),
        Claim("KiB a second of the most talkative view at 1 Hz", max(row[2] for row in rows), 30),
        Claim("CPU of the dearest view at 4 Hz, % of a core", max(row[3] for row in rows), 4.0),
    ]


def paint(report: Report, environment: dict[str, str], arguments: Namespace) -> None:
    """Measure the time from exec to the first frame."""
    cases = {
        "isinglass console": (console().split(), b"LIVE", b"q"),
        "an empty Textual app": ([sys.executable, "-c", EMPTY], b"ready", b"\x11"),
    }
    found: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(3 * arguments.rounds):
        for name, (command, text, last_key) in cases.items():
            program = Pty(command, environment)
            found[name].append(1000 * program.wait_for(text))
            program.rest()
            program.close(last_key)
    rows = [(name, median(times), min(times), max(times)) for name, times in found.items()]
    report.tables.append(Table(("first paint", "median, ms", "least", "most"), rows))
    share = median(
        ours / empty for ours, empty in zip(*(found[name] for name in cases), strict=True)
    )
    report.claims.append(Claim("first paint over that of an empty Textual app", share, 2.5))


def switch(report: Report, environment: dict[str, str], arguments: Namespace) -> None:
    """Measure the time from a digit to the last byte of its view, while paused."""
    program = Pty(console().split(), environment)
    program.wait_for(b"LIVE")
    program.press(b" ")
    found: dict[str, list[float]] = {name: [] for name in VIEWS}
    program.press(VIEWS["panels"].encode())
    for _ in range(3 * arguments.rounds):
        for name, key in VIEWS.items():
            found[name].append(1000 * program.press(key.encode()))
    program.close(b"q")
    rows = [(name, median(times), max(times)) for name, times in found.items()]
    report.tables.append(Table(("switch to", "median, ms", "most"), rows))
    slowest = max(rows, key=lambda row: row[1])
    report.claims.append(Claim(f"switch to the slowest view ({slowest[0]}), ms", slowest[1], 50))


def long_day(report: Report, names: tuple[str, ...], arguments: Namespace) -> None:
    """Watch memory in a process of its own."""
    line = f"from consoled.day import day; print(*day({names!r}, {arguments.ticks}))"
    done = subprocess.run(
        [sys.executable, "-c", line], stdout=subprocess.PIPE, text=True, check=True,
        cwd=Path(__file__).parent,
    )  # fmt: skip
    ticks, full, end = (float(word) for word in done.stdout.split())
    row = (int(ticks), full, end)
    columns = ("frames", "MiB when the history is full", "MiB at the end")
    report.tables.append(Table(columns, [row], "A day at one frame a second, gone through faster"))
    report.claims.append(Claim("memory at the end over that with a full history", end / full, 1.05))


def main() -> int:
    """Measure all parts, or those that are named."""
    parser = options(__doc__.split("\n")[0], rounds=3)
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be repeated")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds a measurement")
    parser.add_argument("--settle", type=float, default=15.0, help="seconds before it")
    parser.add_argument("--ticks", type=int, default=86_400, help="frames of the day")
    arguments = parser.parse_args()
    report = Report("console.py", "the console on five nodes of sixteen threads, 160 x 48")
    wanted = arguments.only or PARTS
    with folders() as folder, stage(folder) as names:
        environment = environment_for(folder)
        parts = {"steady": steady, "views": views, "paint": paint, "switch": switch}
        for name, part in parts.items():
            if name in wanted:
                part(report, environment, arguments)
        if "day" in wanted:
            long_day(report, names, arguments)
    return finish(report, arguments)


if __name__ == "__main__":
    sys.exit(main())
