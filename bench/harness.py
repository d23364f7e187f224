"""What every benchmark shares: interleaved rounds, the machine's line, tables, RESULTS.md.

The machines are shared and noisy, so a figure is the median of rounds that take turns with the
rounds of what it is compared to, and a claim is a ratio of two figures of one run. Each script owns
one section of RESULTS.md, found by its heading, and replaces it whole:

    ## `bench/SCRIPT.py`: TITLE
    date, machine, command; the claims, each with the figure that was measured; the tables; notes
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import re
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from isinglass import clock
from isinglass.glass.panel_views import PanelView

RESULTS = Path(__file__).with_name("RESULTS.md")
RESULTS_HEAD = """# Results

Ratios of figures taken in one run, each with the command that repeats it. The machines are shared:
trust ratios, not nanoseconds. `make bench` runs them all.
"""


@dataclass(frozen=True)
class Claim:
    """A ratio that must hold: `figure` is at most (or at least) `limit`."""

    sentence: str
    figure: float
    limit: float
    at_most: bool = True

    @property
    def holds(self) -> bool:
        return self.figure <= self.limit if self.at_most else self.figure >= self.limit

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "DOES NOT HOLD"
        bound = "at most" if self.at_most else "at least"
        return f"{self.sentence}: {self.figure:.3g} ({bound} {self.limit:g}: {verdict})"


@dataclass(frozen=True)
class Table:
    """Rows of numbers and words under named columns; the unit belongs in the column's name."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""


@dataclass
class Report:
    """What one script found; `script` is its file name and keys its section."""

    script: str
    title: str
    tables: list[Table] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def options(description: str, rounds: int = 9) -> argparse.ArgumentParser:
    """Return a parser with the flags that all benchmarks have; add your own to it."""
    # A shell has its background jobs ignore interrupts, and what they start with them: a tool that
    # is ended by one would never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="replace the section in RESULTS.md")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"rounds (default {rounds})")
    return parser


@contextmanager
def folders(within: str | None = None) -> Iterator[Path]:
    """Give a block a folder for data, and one on a tmpfs for segments; this process uses both.

    Args:
        within: the folder that the one for data is made in; None: the system's own for such.
    """
    data = tempfile.mkdtemp(prefix="isinglass-bench-", dir=within)
    runtime = tempfile.mkdtemp(prefix="isinglass-bench-", dir="/dev/shm")
    os.environ["ISINGLASS_RUNTIME_DIR"], os.environ["ISINGLASS_DATA_DIR"] = runtime, data
    try:
        yield Path(data)
    finally:
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(runtime, ignore_errors=True)


def number(panel: PanelView, field: str) -> float:
    """Return a figure of a panel that is a number.

    Raises:
        TypeError: it is none.
    """
    figure = panel[field]
    if not isinstance(figure, int | float):
        raise TypeError(f"{panel.name}.{field} is {figure!r}")
    return figure


def interleave(cases: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Call every case once a round, in an order that rotates, and return their figures by round.

    One round is thrown away first, for caches and the interpreter's specialisation.
    """
    names = list(cases)
    figures: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            figure = cases[name]()
            if turn:
                figures[name].append(figure)
    return figures


def ratio(figures: Mapping[str, Sequence[float]], over: str, under: str) -> float:
    """Return the median of the round by round ratios `over` / `under`."""
    pairs = zip(figures[over], figures[under], strict=True)
    return median(above / below for above, below in pairs)


def nanoseconds_each(work: Callable[[], object], count: int) -> float:
    """Run `work` once and return the nanoseconds for each of the `count` things it did."""
    started = clock.perf_ns()
    work()
    return (clock.perf_ns() - started) / count


def machine_line() -> str:
    """Return processor, cores, kernel and Python in one line."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    processor = model.group(1).strip() if model else platform.machine()
    cores = len(os.sched_getaffinity(0))
    kernel = ".".join(platform.release().split(".")[:2])
    return f"{processor}, {cores} cores, Linux {kernel}, Python {platform.python_version()}"


def command_line(script: str) -> str:
    """Return the command that repeats this run."""
    flags = [flag for flag in sys.argv[1:] if flag not in ("--write", "--json")]
    return shlex.join(["python", f"bench/{script}", *flags])


def shown(value: object) -> str:
    """Return a cell's text: three significant digits, thousands apart, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def table_lines(table: Table) -> list[str]:
    """Return a table as aligned markdown, which is also what the terminal shows."""
    grid = [list(table.columns), *[[shown(cell) for cell in row] for row in table.rows]]
    widths = [max(len(row[column]) for row in grid) for column in range(len(table.columns))]
    lines = ["| " + " | ".join(_aligned(row, widths)) + " |" for row in grid]
    lines.insert(1, "|" + "|".join(_rules(widths)) + "|")
    return [*([table.title + ":", ""] if table.title else []), *lines]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0])] + [
        cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
    ]


def _rules(widths: Sequence[int]) -> list[str]:
    return ["-" * (widths[0] + 2)] + ["-" * (width + 1) + ":" for width in widths[1:]]


def section(report: Report) -> str:
    """Return the report's section of RESULTS.md."""
    today = datetime.fromtimestamp(clock.wall_ns() // 10**9, UTC).date().isoformat()
    blocks = [
        f"## `bench/{report.script}`: {report.title}",
        f"{today}; {machine_line()}; `{command_line(report.script)}`",
        "\n".join(f"- {claim}" for claim in report.claims),
        *["\n".join(table_lines(table)) for table in report.tables],
        *report.notes,
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def replace_section(document: str, script: str, text: str) -> str:
    """Return RESULTS.md with the section of `script` replaced, or added in order of name."""
    head, *sections = re.split(r"^(?=## )", document or RESULTS_HEAD, flags=re.M)
    heading = f"## `bench/{script}`"
    kept = [old for old in sections if not old.startswith(heading)]
    blocks = [head, *sorted([*kept, text])]
    return "\n".join(block.rstrip("\n") + "\n" for block in blocks)


def finish(report: Report, arguments: argparse.Namespace) -> int:
    """Print the report, write its section when asked, and return 1 if a claim does not hold."""
    if arguments.json:
        claims = [{**asdict(claim), "holds": claim.holds} for claim in report.claims]
        print(json.dumps({**asdict(report), "claims": claims, "machine": machine_line()}))
    else:
        print(section(report))
    if arguments.write:
        with open(RESULTS, "a+", encoding="utf-8") as results:
            fcntl.flock(results, fcntl.LOCK_EX)
            results.seek(0)
            text = replace_section(results.read(), report.script, section(report))
            results.truncate(0)
            results.write(text)
    return 0 if all(claim.holds for claim in report.claims) else 1
