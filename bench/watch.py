"""What a second of the monitor's watch costs: the whole of `Watch.observe`, by the number of nodes.

Nodes report what real ones do: every field of every panel, one instance for each other node, a
third of them different from the second before, and nothing that raises an alarm. The figure is
processor time of the watch's thread. What it is compared with is to encode the same scoreboard once
as JSON, which the watch did before among other things.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import thread_time_ns

from harness import Claim, Report, Table, finish, folders, interleave, options, ratio

from isinglass import clock
from isinglass_monitor.alarms.rules import default_rules
from isinglass_monitor.figure_names import DERIVED, FieldFacts, catalogue
from isinglass_monitor.moment import Moment
from isinglass_monitor.views import DAEMON, Figure, NodeView
from isinglass_monitor.watch import Watch, WatchSettings

OF_THE_MONITOR = ("monitor", "intake", "spool", "sender")
OF_CLIENTS = ("client", "reader")
TASKS = 12
SIZES = (10, 50)
NEVER_GROWS = ("fail", "lost", "retry")  # what a node that is well does not report
GROWS = 3


def named(nodes: int, me: int) -> dict[str, Figure]:
    """Return what one of so many nodes reports, in its first second."""
    others = [f"n{number}" for number in range(nodes) if number != me]
    instances = {"timer": [f"task {n}" for n in range(TASKS)], "peer": others, "stream": others}
    return {
        f"{panel}.{instance}.{field}" if instance else f"{panel}.{field}": value(field, facts)
        for panel, fields in catalogue().items()
        if panel not in (*DERIVED, *OF_THE_MONITOR, *OF_CLIENTS)
        for instance in instances.get(panel, [""])
        for field, facts in fields.items()
    }


def value(field: str, facts: FieldFacts) -> Figure:
    """Return a figure as a node at rest has it."""
    if facts.kind == "text":
        return {"state": "ready"}.get(field, "")
    if facts.kind == "timestamp" and field != "retry_since":
        return clock.wall_ns()
    return 0.125 if facts.kind == "real" else 0


def changed(figures: dict[str, Figure], second: int) -> dict[str, Figure]:
    """Return the figures a second later: all times, and every second counter."""
    found, now = dict(figures), clock.wall_ns()
    for at, (key, before) in enumerate(figures.items()):
        if not isinstance(before, int) or any(word in key for word in NEVER_GROWS):
            continue
        if before > 1 << 60:
            found[key] = now
        elif at % 2 and not key.endswith("length"):
            found[key] = before + GROWS * (second % 7)
    return found


class Watched:
    """A watch of so many nodes; each round gives it some seconds."""

    def __init__(self, folder: Path, nodes: int) -> None:
        settings = WatchSettings(default_rules(), {})
        place = folder / str(nodes)
        self.watch = Watch("bench", place / "runtime", place / "data", settings, _say_nothing)
        self._figures = {f"n{number}": named(nodes, number) for number in range(nodes)}
        self._now_ns, self._second = clock.monotonic_ns(), 0

    def round(self, seconds: int = 3) -> float:
        """Return the milliseconds that a second cost."""
        spent_ns = 0
        for _ in range(seconds):
            self._second += 1
            self._now_ns += clock.NANOSECONDS_PER_SECOND
            self._figures = {n: changed(f, self._second) for n, f in self._figures.items()}
            views = {
                node: NodeView(node, self._now_ns, DAEMON, False, figures)
                for node, figures in self._figures.items()
            }
            started = thread_time_ns()
            self.watch.observe(self._now_ns, views)
            spent_ns += thread_time_ns() - started
        return spent_ns / seconds / 1e6

    def encoding(self) -> float:
        """Return the milliseconds that the scoreboard costs as JSON."""
        now = Moment(self._now_ns, clock.wall_ns())
        started = thread_time_ns()
        json.dumps(self.watch.board.document(now), separators=(",", ":"), allow_nan=False)
        return (thread_time_ns() - started) / 1e6


def _say_nothing(severity: int, flag: str, message: str, /, **fields: object) -> None:
    pass


@contextmanager
def watched(folder: Path) -> Iterator[dict[str, Callable[[], float]]]:
    """Yield the cases by their names."""
    stages = {nodes: Watched(folder, nodes) for nodes in SIZES}
    cases: dict[str, Callable[[], float]] = {f"{n} nodes": s.round for n, s in stages.items()}
    cases[f"only JSON, {SIZES[-1]} nodes"] = stages[SIZES[-1]].encoding
    try:
        yield cases
        for stage in stages.values():
            assert not stage.watch.book.alarms, f"alarms, {next(iter(stage.watch.book.alarms))}"
    finally:
        for stage in stages.values():
            stage.watch.close()


def main() -> int:
    """Measure, and report."""
    arguments = options(__doc__.split("\n")[0], rounds=9).parse_args()
    with folders() as data, watched(data) as cases:
        figures = interleave(cases, arguments.rounds)
    rows = [(name, median(found), min(found)) for name, found in figures.items()]
    most, alone = f"{SIZES[-1]} nodes", f"only JSON, {SIZES[-1]} nodes"
    report = Report(
        script="watch.py",
        title="a second of the monitor's watch",
        tables=[Table(("a second of", "median, ms of processor", "least, ms"), rows)],
        claims=[Claim("all of it / its scoreboard as JSON", ratio(figures, most, alone), 2.0)],
        notes=[f"Each of {SIZES[-1]} nodes reports {len(named(SIZES[-1], 0)):,} figures."],
    )
    return finish(report, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
