"""`isinglass history NODE FIELD...`: the past of figures, from the monitor's statistics.

Also of nodes that are gone. Every second of the last hour, every ten seconds of the last day, every
minute of the last thirty days; a spike of one second is in the greatest value of its step for ever.
"""

from __future__ import annotations

import sys
from contextlib import closing, contextmanager
from fnmatch import fnmatchcase

from isinglass import clock
from isinglass.cli.nodes import SSH_COMMAND, is_remote
from isinglass.cli.options import Command, Option, Positional, Values, near
from isinglass.cli.printing import JSON, show
from isinglass.errors import UsageError
from isinglass_monitor.commands.places import NAME, places_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from isinglass.cli.sheet import Section
    from isinglass_monitor.query.far_monitor import FarStatistics
    from isinglass_monitor.statistics_store import StatisticsFile
    from isinglass_monitor.trends import Trend

    Statistics = StatisticsFile | FarStatistics

MOST_TRENDS = 200

COMMAND = Command(
    "history",
    "Print how figures of a node went, as a line of bars and a table.",
    positionals=(
        Positional("NODE", "the node; also one that is gone", completes="nodes"),
        Positional(
            "FIELD",
            "PANEL.FIELD or PANEL.INSTANCE.FIELD, or a pattern",
            required=False,
            repeat=True,
        ),
    ),
    options=(
        Option("since", "From when on.", value="TIME", default="-1h", short="S"),
        Option("until", "Until when.", value="TIME", default="now", short="U"),
        Option("rows", "Rows of the table, at most.", value="N", kind="count", default=20),
        Option("bars", "Print the line of bars alone, a figure a line."),
        Option("totals", "Print counters as they stood, and not how fast they grew."),
        JSON,
        NAME,
        SSH_COMMAND,
    ),
    notes=(
        "Times: -10m, -2h30m, 14:05, 2026-11-28 14:05, yesterday, now.",
        "Without FIELD it prints which figures there are. node.up and node.silent_seconds are kept"
        " of every node.",
        "Exit code: 0 printed, 1 there is nothing of that time, 2 no such node or figure.",
    ),
    examples=(
        "isinglass history alder queue.length --since -1h",
        "isinglass history alder 'peer.*.lag_seconds' --since yesterday --bars",
        "isinglass history alder node.up --since -30d --json | jq .trends[0].points",
    ),
)
EXIT_NOTHING = 1


def main(arguments: list[str]) -> int:
    """Print the past."""
    values = COMMAND.parse(arguments)
    with _statistics(values) as file:
        node = _node(file, values.text("NODE"))
        if not values.texts("FIELD"):
            sys.stdout.write("".join(f"{field}\n" for field in file.fields(node)))
            return 0
        trends = [trend for trend in _trends(file, node, values) if trend.points]
    _print(trends, values)
    return 0 if trends else EXIT_NOTHING


@contextmanager
def _statistics(values: Values) -> Iterator[Statistics]:
    """Give the statistics of the monitor that was named, here or on another host."""
    if is_remote(values.text("name")):
        from isinglass_monitor.query.far_monitor import FarMonitor

        with closing(FarMonitor(values.text("name"), values.text("ssh-command"))) as monitor:
            yield monitor.statistics()
        return
    from isinglass_monitor.statistics_store import DIRECTORY, StatisticsFile

    path = places_of(values.text("name")).data / DIRECTORY
    with closing(StatisticsFile(path, writes=False)) as file:
        yield file


def _node(file: Statistics, name: str) -> str:
    nodes = file.nodes()
    if name not in nodes:
        there = ", ".join(nodes) or "none"
        raise UsageError(f"There are no statistics of {name!r}{near(name, nodes)}; of: {there}.")
    return name


def _trends(file: Statistics, node: str, values: Values) -> Iterator[Trend]:
    from isinglass_monitor.query.times import parse_time
    from isinglass_monitor.trends import step_for, trend

    now = clock.wall_ns()
    since, until = (
        parse_time(values.text(name), now) // clock.NANOSECONDS_PER_SECOND
        for name in ("since", "until")
    )
    if since >= until:
        raise UsageError("--since is not before --until.")
    step = step_for(until - since, values.whole("rows") if not values.flag("bars") else 60)
    known = file.fields(node)
    for pattern in values.texts("FIELD"):
        fields = [field for field in known if fnmatchcase(field, pattern)]
        if not fields:
            raise UsageError(
                f"There is no figure {pattern!r} of {node}{near(pattern, known)};"
                f" `isinglass history {node}` lists them."
            )
        for field in fields[:MOST_TRENDS]:
            # A rate needs the point before the first one.
            points = file.read(node, field, since - step, until + 1)
            made = trend(node, field, points, step, totals=values.flag("totals"))
            yield made._replace(points=[p for p in made.points if p.second > since - step])


def _print(trends: list[Trend], values: Values) -> None:
    if values.flag("json"):
        from isinglass.cli.database import json_text

        document = {"format": 1, "trends": [trend.document() for trend in trends]}
        sys.stdout.write(json_text(document, indent=1) + "\n")
    elif not trends:
        print("isinglass: nothing is known of that time.", file=sys.stderr)
    elif values.flag("bars"):
        show([_bars(trends)])
    else:
        show(_table(trend) for trend in trends)


def _bars(trends: list[Trend]) -> Section:
    from isinglass.cli.sheet import Section
    from isinglass_monitor.trends import figure_text

    rows = [(t.field, t.sparkline(), *map(figure_text, t.bounds()), t.unit) for t in trends]
    return Section("", ("field", "trend", "least>", "mean>", "greatest>", "unit"), rows)


def _table(trend: Trend) -> Section:
    from isinglass.cli.sheet import Section
    from isinglass.cli.units import wall_time
    from isinglass_monitor.trends import figure_text

    rows = [
        (
            wall_time(point.second * clock.NANOSECONDS_PER_SECOND),
            figure_text(point.mean),
            figure_text(point.minimum),
            figure_text(point.maximum),
        )
        for point in trend.points
    ]
    return Section(
        f"{trend.node} {trend.field}, {trend.unit}, every {trend.step_seconds} s",
        ("time", "mean>", "least>", "greatest>"),
        rows,
        lines=[f"  {trend.sparkline()}"],
    )
