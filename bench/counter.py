"""What one increment of a counter costs in the daemon's hot loops, against prometheus_client.

The daemon's loops have the panel's words in a local and the field's place in a constant of their
module. Both sides count for real: the panel lies in a segment that readers could map, and the
multiprocess counter writes its mapped file. The cases take turns.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from statistics import median
from types import FunctionType

from harness import Claim, Report, Table, finish, interleave, nanoseconds_each, options, ratio

from isinglass.glass import segment
from isinglass.glass.catalog import Counter, Panel

STATEMENTS = 50
TURNS = 1_000

HOT, FIELD = "words[OFFERED] += 1", "panel.offered += 1"
SINGLE, MULTIPROCESS = "prometheus_client inc()", "prometheus_client inc(), multiprocess"
LABELLED = "prometheus_client labels(...).inc()"
EMPTY = "(empty loop)"


class OfferPanel(Panel):
    """The counter that is measured."""

    offered = Counter("updates", "Updates offered.")


def function(statement: str, first: str = "pass", **names: object) -> FunctionType:
    """Return a function that runs the statement STATEMENTS times in each of its turns."""
    lines = "\n".join([f"        {statement}"] * STATEMENTS)
    namespace: dict[str, object] = dict(names)
    exec(f"def work(turns):\n    {first}\n    for _ in range(turns):\n{lines}\n", namespace)
    work = namespace["work"]
    assert isinstance(work, FunctionType)
    return work


def prometheus_cases(directory: str) -> dict[str, FunctionType]:
    """Return the increments of prometheus_client, both of its ways to hold a value."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    try:
        import prometheus_client
        from prometheus_client import values
    except ImportError:
        sys.exit("prometheus_client is missing: pip install -e '.[bench]'")

    def counter(kind: type, name: str, *labels: str) -> prometheus_client.Counter:
        values.ValueClass = kind
        return prometheus_client.Counter(name, "What is measured.", labels)

    plain: type = values.MutexValue
    mapped: type = values.MultiProcessValue()
    return {
        SINGLE: function("counter.inc()", counter=counter(plain, "single")),
        MULTIPROCESS: function("counter.inc()", counter=counter(mapped, "multi")),
        LABELLED: function("counter.labels('a').inc()", counter=counter(plain, "labels", "of")),
    }


def timed(work: FunctionType) -> Callable[[], float]:
    """Return what runs a case once: nanoseconds for each of its statements."""
    return lambda: nanoseconds_each(lambda: work(TURNS), TURNS * STATEMENTS)


def measure(rounds: int, directory: str) -> tuple[dict[str, list[float]], int]:
    """Return nanoseconds of every case by round, and what the panel counted."""
    os.environ["ISINGLASS_RUNTIME_DIR"] = directory
    with segment.create("bench"):
        panel = OfferPanel()
        place = OfferPanel.offered.index
        cases = {
            EMPTY: function("pass"),
            HOT: function("words[OFFERED] += 1", "words = p.words", p=panel, OFFERED=place),
            FIELD: function("panel.offered += 1", panel=panel),
            **prometheus_cases(directory),
        }
        figures = interleave({name: timed(work) for name, work in cases.items()}, rounds)
        return figures, panel.offered


def main() -> int:
    """Measure and report."""
    arguments = options(__doc__ or "").parse_args()
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shared) as directory:
        figures, counted = measure(arguments.rounds, directory)
    expected = 2 * (arguments.rounds + 1) * TURNS * STATEMENTS
    if counted != expected:
        sys.exit(f"the panel counted {counted:,} of {expected:,} increments")
    floor = median(figures.pop(EMPTY))
    net = {name: [value - floor for value in row] for name, row in figures.items()}
    rows = [
        (name, median(values), median(values) / median(net[HOT]))
        for name, values in sorted(net.items(), key=lambda item: median(item[1]))
    ]
    report = Report("counter.py", "a counter's increment against prometheus_client")
    report.tables.append(Table(("increment", "ns", "× the first"), rows))
    single, several = "prometheus_client, single process", "prometheus_client, multiprocess"
    report.claims += [
        Claim(f"{single} / ours", ratio(net, SINGLE, HOT), 3, at_most=False),
        Claim(f"{several} / ours", ratio(net, MULTIPROCESS, HOT), 10, at_most=False),
    ]
    report.notes.append(
        "Not the same promise: a word of a panel has one writing thread, prometheus_client takes a"
        " lock so that any thread may count. Ours is in shared memory either way."
    )
    return finish(report, arguments)


if __name__ == "__main__":
    sys.exit(main())
