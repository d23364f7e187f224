"""Flow control against stop and go, and against none: simulated, and in a real closed loop.

The same world three times, with a node that is slower than the others and writers that ask for
more than it can take. First in simulated time, where reports also get lost or take long; then in
processes of their own on the loopback interface (`tests/simulator/flow_loop.py`). Stop and go halts
writers at the backlog that ours aims at, and lets them go at 0.8 of it, which is the most
favourable to it. With `--write` the curves are drawn into docs/flow-control.svg.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import harness

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from simulator.flow_loop import Plan, rates, run_loop  # noqa: E402
from simulator.flow_simulation import (  # noqa: E402
    STEP_SECONDS,
    Case,
    Free,
    Ours,
    StopGo,
    simulate,
    variation,
)

PICTURE = ROOT / "docs" / "flow-control.svg"
LAWS = {"ours": Ours, "stop and go": StopGo, "none": Free}
LOOP_LAWS = {"ours": "ours", "stop and go": "stop_go", "none": "free"}
COLOURS = {"ours": "#0072b2", "stop and go": "#d55e00", "none": "#999999"}
SPEEDS = [1500.0, 1500.0, 1500.0, 600.0]
CASES = {
    "offered 4,000/s": Case(SPEEDS, [1000.0] * 4),
    "offered 40,000/s": Case(SPEEDS, [10_000.0] * 4),
    "0.5 s on the way": Case(SPEEDS, [1000.0] * 4, limit=4800, delay=0.5, seconds=40),
    "30 % of reports lost": Case(SPEEDS, [1000.0] * 4, loss=0.3),
    "80 % merging": Case(SPEEDS, [2000.0] * 4, merging=0.8),
    "half as fast from 4 s": Case(SPEEDS, [1000.0] * 4, slowdown=(3, 4.0, 0.5), seconds=16),
}
Curve = list[tuple[float, float]]


class Simulated(NamedTuple):
    """What a law made of a case: highest backlog and use are shares, of limit and of speed."""

    case: str
    law: str
    highest: float
    variation: float
    used: float


class Looped(NamedTuple):
    """What a law made of real processes; backlog, load and share merged are of the slow node."""

    law: str
    highest: float
    variation: float
    busy: float
    unfair: float
    merged: float


def simulated() -> tuple[list[Simulated], dict[str, tuple[float, float]]]:
    """Return a row a case and law, and (highest backlog, variation) of the first case by law."""
    rows: list[Simulated] = []
    first: dict[str, tuple[float, float]] = {}
    slowest = SPEEDS.index(min(SPEEDS))
    for name, case in CASES.items():
        factor = case.slowdown[2] if case.slowdown else 1.0
        for law_name, law in LAWS.items():
            found = simulate(case, law)
            used = found.applied_rate(slowest) / (SPEEDS[slowest] * factor)
            rows.append(Simulated(name, law_name, found.highest, found.variation, used))
            first.setdefault(law_name, (found.highest, found.variation))
    return rows, first


def looped(seconds: float) -> tuple[list[Looped], dict[str, Curve], dict[str, float]]:
    """Return a row a law, the backlog of the slow node by law, and the variation by law."""
    rows: list[Looped] = []
    curves: dict[str, Curve] = {}
    variations: dict[str, float] = {}
    for name, law in LOOP_LAWS.items():
        results = run_loop(Plan(law, [6000.0, 6000.0, 2000.0], demand=3000.0, seconds=seconds))
        slow, admitted = results[2], rates(results)
        variations[name] = variation(admitted[len(admitted) // 2 :])
        highest = max(sample[1] for sample in slow["samples"])
        shares = [result["samples"][-1][2] for result in results]
        unfair = max(shares) / min(shares) - 1
        rows.append(Looped(name, highest, variations[name], slow["busy"], unfair, slow["merged"]))
        curves[name] = [(sample[0], sample[1]) for sample in slow["samples"]]
    return rows, curves, variations


# ---------------------------------------------------------------------------- the picture
WIDTH, HEIGHT, LEFT, TOP = 720, 190, 60, 34
FONT = 'font-family="sans-serif" font-size="12"'


def chart(title: str, curves: dict[str, Curve], highest: float, offset: int) -> list[str]:
    """Return the elements of one chart; values above `highest` are cut off."""
    longest = max(time for curve in curves.values() for time, _ in curve)
    wide, high = WIDTH - LEFT - 20, HEIGHT - TOP - 26
    lines = [f'<text x="{LEFT}" y="{offset + 20}" fill="#333" {FONT}>{title}</text>']
    for part in (0.0, 0.5, 1.0):
        y = offset + TOP + high * (1 - part)
        label = f"{highest * part:,.1f}" if highest < 10 else f"{highest * part:,.0f}"
        lines.append(f'<path d="M{LEFT} {y:.1f}h{wide}" stroke="#ddd"/>')
        lines.append(
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#333" {FONT}>'
            f"{label}</text>"
        )
    for name, curve in reversed(curves.items()):
        points = " ".join(
            f"{LEFT + wide * time / longest:.1f},"
            f"{offset + TOP + high * (1 - min(value / highest, 1.0)):.1f}"
            for time, value in curve
        )
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="1.5"/>'
        )
    lines.append(
        f'<text x="{LEFT + wide}" y="{offset + HEIGHT - 6}" text-anchor="end" fill="#333" {FONT}>'
        f"{longest:.0f} s</text>"
    )
    return lines


def picture(real: dict[str, Curve]) -> str:
    """Return the SVG: backlog and pace as simulated, backlog as measured."""
    outcomes = {name: simulate(CASES["offered 4,000/s"], law) for name, law in LAWS.items()}
    backlogs = {name: curve(outcome.backlogs) for name, outcome in outcomes.items()}
    paces = {name: curve(outcome.rates) for name, outcome in outcomes.items()}
    charts = [
        ("Backlog of the slowest node, as a share of its limit (simulated)", backlogs, 1.0),
        ("Updates a second that all writers were let write (simulated)", paces, 4000.0),
        ("Backlog of the slowest node (three real processes)", real, 1.0),
    ]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT * 3 + 24}">',
        f'<rect width="{WIDTH}" height="{HEIGHT * 3 + 24}" fill="white"/>',
    ]
    for number, (title, curves, highest) in enumerate(charts):
        lines += chart(title, curves, highest, number * HEIGHT)
    for number, (name, colour) in enumerate(COLOURS.items()):
        x, y = LEFT + number * 130, HEIGHT * 3 + 8
        lines.append(f'<path d="M{x} {y}h20" stroke="{colour}" stroke-width="3"/>')
        lines.append(f'<text x="{x + 26}" y="{y + 4}" fill="#333" {FONT}>{name}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def curve(samples: Sequence[float]) -> Curve:
    """Return every third sample of a simulation with its time."""
    return [(number * STEP_SECONDS, samples[number]) for number in range(0, len(samples), 3)]


def main() -> int:
    parser = harness.options(__doc__.split("\n")[0], rounds=1)
    parser.add_argument("--seconds", type=float, default=12.0, help="length of a real run")
    arguments = parser.parse_args()
    rows, first = simulated()
    loop_rows, curves, variations = looped(arguments.seconds)
    ours = [row for row in rows if row.law == "ours"]
    steady = max(row.variation for row in ours)
    used = min(row.used for row in ours)
    highest = max(row.highest for row in ours)
    report = harness.Report("flow.py", "pace and backlog under flow control")
    report.claims = [
        harness.Claim("highest backlog / limit, ours, simulated", highest, 0.75),
        harness.Claim("variation of the pace, ours, simulated", steady, 0.15),
        harness.Claim("use of the slowest node, ours, simulated", used, 0.95, at_most=False),
        harness.Claim("variation, stop and go / ours, simulated",
                      first["stop and go"][1] / first["ours"][1], 5, at_most=False),
        harness.Claim("highest backlog / limit, ours, real processes", loop_rows[0].highest, 0.75),
        harness.Claim("variation of the pace, ours, real processes", variations["ours"], 0.15),
        harness.Claim("variation, stop and go / ours, real processes",
                      variations["stop and go"] / max(variations["ours"], 1e-9), 2, at_most=False),
    ]  # fmt: skip
    columns = ("highest backlog / limit", "variation of the pace", "use of the slowest node")
    report.tables = [
        harness.Table(("case", "law", *columns), rows, "Simulated, four nodes"),
        harness.Table(
            ("law", *columns, "largest share / smallest - 1", "merged"), loop_rows,
            "Three processes, six writers that ask for 9,000/s, slowest store 2,000/s",
        ),
    ]  # fmt: skip
    report.notes = ["Variation is standard deviation over mean, in the second half of each run."]
    assert all(math.isfinite(claim.figure) for claim in report.claims)
    if arguments.write:
        PICTURE.write_text(picture(curves), "utf-8")
    return harness.finish(report, arguments)


if __name__ == "__main__":
    sys.exit(main())
