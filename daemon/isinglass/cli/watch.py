"""`isinglass watch`: values and rates at an interval, and a wait for a condition, for scripts.

Each line is a function of two snapshots. When the node restarts, the new segment is opened by
itself and the restart is told on stderr, since counters then start at zero again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from isinglass import clock
from isinglass.cli import nodes, tables
from isinglass.cli.conditions import Condition
from isinglass.cli.field_paths import FieldPath, Rates
from isinglass.cli.known_values import check
from isinglass.cli.options import Command, Option, Values
from isinglass.cli.selection import OPTIONS
from isinglass.cli.watch_output import COLUMNS, output
from isinglass.errors import SegmentError
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Snapshot, rates

COMMAND = Command(
    "watch",
    "Print values and rates at an interval, until a condition holds when one is given.",
    positionals=(nodes.ONE_NODE,),
    options=(
        Option(
            "interval",
            "Time between two outputs.",
            value="SECONDS",
            kind="positive",
            default=1.0,
            short="i",
        ),
        Option("count", "End after so many outputs.", value="N", kind="count", short="n"),
        Option("fields", "Only these values: PANEL.FIELD, apart by commas.", value="LIST"),
        *OPTIONS,
        tables.SELECT,
        tables.SORT,
        Option("until", "End, with exit code 0, when this holds.", value="CONDITION"),
        Option(
            "timeout",
            "Give up, with exit code 1, when it does not hold by then.",
            value="SECONDS",
            kind="positive",
        ),
        Option("json", "Print one JSON document a line (NDJSON)."),
        tables.TSV,
        tables.CSV,
        Option("quiet", "Print nothing; for --until.", short="q"),
        nodes.WAIT,
        nodes.SSH_COMMAND,
    ),
    notes=(
        "A condition compares values with numbers or words: PANEL.FIELD, rate(PANEL.FIELD),"
        " PANEL[INSTANCE].FIELD, a histogram's FIELD.p99, PROCESS/PANEL.FIELD, verdict,"
        " heartbeat_age_seconds; joined by `and`, `or`.",
        f"Each output is a table by itself, of which --select and --sort take the columns"
        f" {', '.join(COLUMNS)}.",
        "A value whose name neither the node nor the product knows is an error at once; one of a"
        " process that is yet to come is waited for when PROCESS/ stands before it.",
        "Exit code: 0 the condition holds, or the count is reached; 1 it did not hold in time, or"
        " there is no such node; 2 the command line is wrong, or names a value that will not come.",
    ),
    examples=(
        "isinglass watch alder --fields queue.offered,queue.length",
        "isinglass watch alder --until 'queue.length < 1' --timeout 60 --quiet",
        "isinglass watch alder --json | jq -c '.fields[] | select(.rate > 0)'",
        "isinglass watch alder --select 'rate > 100' --sort -rate",
    ),
)
EXIT_NOT_IN_TIME = 1
STARTING = "init"  # while it is, panels of its own may still come


class RemoteWatch:
    """A node on another host, with the snapshot before."""

    def __init__(self, name: str, wait_seconds: float, ssh_command: str) -> None:
        from isinglass.remote.attach import Follower

        self._follower = Follower(name, ssh_command, wait_seconds)
        self._previous: Snapshot | None = None
        self.node = self._follower.first.node

    def take(self) -> tuple[Snapshot, Rates]:
        """Return a new snapshot, and the rates since the last one."""
        arrival = self._follower.next()
        current = arrival.snapshot or self._follower.first
        if arrival.restarted:
            self._previous = None
            print(f"isinglass: node {self.node} was restarted.", file=sys.stderr)
        found = rates(self._previous, current) if self._previous else {}
        self._previous = current
        return current, found

    def close(self) -> None:
        """End the link."""
        self._follower.close()


class Watch:
    """A reader that follows a node through restarts, with the snapshot before."""

    def __init__(self, name: str, wait_seconds: float) -> None:
        self._name = name
        self._reader: SegmentReader = nodes.open_reader(name, wait_seconds)
        self._previous: Snapshot | None = None
        self.node = self._reader.header.node

    def take(self) -> tuple[Snapshot, Rates]:
        """Return a new snapshot, and the rates since the last one."""
        self._follow()
        current = self._reader.snapshot()
        found = rates(self._previous, current) if self._previous else {}
        self._previous = current
        return current, found

    def _follow(self) -> None:
        if not self._reader.replaced():
            return
        try:
            fresh = SegmentReader(self._name)
        except SegmentError:
            return  # Half made; the old one is shown until it is whole.
        self._reader.close()
        self._reader, self._previous = fresh, None
        print(f"isinglass: node {fresh.header.node} was restarted.", file=sys.stderr)

    def close(self) -> None:
        """Let go of the segment."""
        self._reader.close()


def main(arguments: list[str]) -> int:
    """Print until the count, the condition, the timeout or an interrupt."""
    values = COMMAND.parse(arguments)
    until = Condition(values.text("until")) if values.given("until") else None
    paths = [FieldPath(text.strip()) for text in values.text("fields").split(",") if text.strip()]
    watch = _watch(values)
    try:
        with output(values, paths) as show:
            held = _run(watch, _Pace(values), until, show)
    finally:
        watch.close()
    if until is None or held:
        return 0
    print(f"isinglass: {until.text} did not hold in time on node {watch.node}.", file=sys.stderr)
    return EXIT_NOT_IN_TIME


def _watch(values: Values) -> Watch | RemoteWatch:
    """Return what looks at the node: here, or through a link."""
    name, wait_seconds = values.text("NODE"), values.number("wait")
    if nodes.is_remote(name):
        return RemoteWatch(name, wait_seconds, values.text("ssh-command"))
    if not name:
        nodes.wait_for_any(name, wait_seconds)
    return Watch(nodes.only_one(name), wait_seconds)


class _Pace:
    """When to look again, and when to stop looking."""

    def __init__(self, values: Values) -> None:
        self._start_ns = clock.monotonic_ns()
        self._interval = values.number("interval")
        self._timeout = values.number("timeout") if values.given("timeout") else float("inf")
        self._count = values.whole("count") if values.given("count") else 0
        self._looks, self._due = 0, 0.0

    def next(self) -> bool:
        """Sleep until the next look; return False, at once, when there is none."""
        self._looks += 1
        elapsed = (clock.monotonic_ns() - self._start_ns) / clock.NANOSECONDS_PER_SECOND
        if elapsed >= self._timeout or self._looks == self._count:
            return False
        # Who was stopped for a while goes on from now: nothing is made up for.
        self._due = max(self._due, elapsed - self._interval) + self._interval
        clock.sleep(max(min(self._due, self._timeout) - elapsed, 0))
        return True


def _run(
    watch: Watch | RemoteWatch,
    pace: _Pace,
    until: Condition | None,
    show: Callable[[Snapshot, Rates], None],
) -> bool:
    """Look until the condition holds (True), or there is no next look (False).

    Raises:
        UsageError: the condition names a value that will not come.
    """
    unchecked = until.paths if until is not None else []
    while True:
        snapshot, found = watch.take()
        if unchecked and snapshot.state != STARTING:
            check(unchecked, snapshot)
            unchecked = []
        show(snapshot, found)
        if until is not None and until.holds(snapshot, found):
            return True
        if not pace.next():
            return False
