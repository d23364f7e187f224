"""`isinglass compare`: what changed most between two recordings, or two moments of one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from math import isinf, isnan

from isinglass.cli import tables
from isinglass.cli.documents import json_figure
from isinglass.cli.options import Command, Option, Positional, Values
from isinglass.cli.printing import show
from isinglass.cli.sheet import Section
from isinglass.cli.units import wall_time
from isinglass.errors import UsageError
from isinglass_console.model import format as text
from isinglass_console.model import heat, spots
from isinglass_console.model.comparison import Change, changes, means
from isinglass_console.model.figures import FIGURES
from isinglass_console.recording.opened import opened
from isinglass_console.recording.reading import Recording

COLUMNS = ("node", "figure", "before", "after", "ratio", "unit")
LINES_SHOWN = 10
LEAST_CHANGE = 0.005  # of a line's share of the time
COMMAND = Command(
    "compare",
    "Print what changed most between two recordings.",
    positionals=(
        Positional("BEFORE", "The recording of how it was.", completes="files"),
        Positional("AFTER", "The recording of how it is; may be the same.", completes="files"),
    ),
    options=(
        Option(
            "at",
            "Of AFTER the seconds before this moment: 14:05:30, -5m (before its end); all of both"
            " recordings when left out.",
            value="TIME",
        ),
        Option(
            "compare-at",
            "The moment of BEFORE that stands beside it; else as long after its start as --at is.",
            value="TIME",
        ),
        Option(
            "seconds", "How many, with --at.", value="N", kind="positive", short="s", default=10.0
        ),
        tables.SELECT,
        tables.SORT,
        tables.COLUMNS,
        Option("json", "Print one JSON document, with the hot lines."),
        tables.TSV,
        tables.CSV,
    ),
    notes=(
        "Figures are means; what changed most is first, by its ratio, up or down alike.",
        "Hot lines are of all threads of a node, as shares of their time; with --at alone.",
        "Exit code: 0 printed, 1 a file cannot be read, 2 the command line is wrong.",
    ),
    examples=(
        "isinglass compare monday.recording friday.recording",
        "isinglass compare old.recording new.recording --at -1m --select 'node = alder'",
        "isinglass compare night.recording night.recording --compare-at 02:10 --at 03:12:30",
    ),
)

Side = tuple[Recording, int, int]  # of it the frames from one number through another


def main(arguments: list[str]) -> int:
    """Print the comparison."""
    values = COMMAND.parse(arguments)
    before, after = _sides(values)
    found = changes(*(means(each.figures(first, last)) for each, first, last in (before, after)))
    rows = [_row(change) for change in found]
    rows = tables.narrowed(rows, values, COLUMNS)
    lines = _lines(before, after) if values.given("at") else []
    print(f"isinglass: before {_period(before)}; after {_period(after)}", file=sys.stderr)
    if values.flag("json"):
        document = {"format": 1, "figures": [_known(row) for row in rows], "lines": lines}
        print(json.dumps(document, indent=1))
    elif between := tables.separator(values):
        tables.write(map(_known, rows), tables.chosen_columns(values, COLUMNS), between)
    else:
        show(_sections(rows, lines, tables.chosen_columns(values, COLUMNS)))
    return 0


def _sides(values: Values) -> tuple[Side, Side]:
    names = ("AFTER", "BEFORE", "at", "compare-at")
    recording, at_ns, comparison = opened(*(values.text(name) for name in names))
    assert comparison is not None
    other = comparison.other
    assert isinstance(other, Recording)
    if not values.given("at"):
        if values.given("compare-at"):
            raise UsageError("--compare-at is the moment beside --at: give that, too.")
        return (other, other.oldest, other.newest), (recording, recording.oldest, recording.newest)
    number = comparison.number(at_ns)
    if number is None:
        raise UsageError(
            f"{other.path} has nothing that long after its start: choose with --compare-at."
        )
    seconds = values.number("seconds")
    return _before(other, number, seconds), _before(recording, recording.number_at(at_ns), seconds)


def _before(recording: Recording, number: int, seconds: float) -> Side:
    start_ns = recording.wall_ns(number) - int(seconds * 1e9)
    first = recording.number_from(start_ns + 1)
    return recording, min(first, number), number


def _period(side: Side) -> str:
    recording, first, last = side
    return f"{wall_time(recording.wall_ns(first))} to {wall_time(recording.wall_ns(last))}"


def _row(change: Change) -> tables.Row:
    unit, _ = FIGURES[change.figure]
    return {
        "node": change.node,
        "figure": change.figure,
        "before": change.before,
        "after": change.after,
        "ratio": change.ratio,
        "unit": unit,
    }


def _known(row: tables.Row) -> tables.Row:
    """Return a row with nothing where there is no number, or no limit: JSON has neither."""
    return {name: json_figure(value) for name, value in row.items()}


def _sections(
    rows: Iterable[tables.Row], lines: list[dict[str, object]], columns: list[str]
) -> Iterator[Section]:
    right = {"before": "before>", "after": "after>", "ratio": "ratio>"}
    heads = [right.get(name, name) for name in columns]
    yield Section("", heads, [[_shown(row, name) for name in columns] for row in rows])
    if lines:
        shown = [
            (
                str(line["node"]),
                text.share(float(str(line["before"]))),
                text.share(float(str(line["after"]))),
                str(line["line"]),
            )
            for line in lines[:LINES_SHOWN]
        ]
        yield Section("Where time went", ("node", "before>", "after>", "line"), shown)


def _shown(row: tables.Row, name: str) -> str:
    value = row[name]
    if not isinstance(value, float):
        return str(value)
    if isnan(value):
        return text.NOTHING
    if name != "ratio" and isinf(value):
        return text.pace(value)
    if name == "ratio":
        return f"{value:.3g}"
    unit = str(row["unit"])
    return f"{value * 100:.3g} %" if unit == "share" else text.quantity(value, unit)


def _lines(before: Side, after: Side) -> list[dict[str, object]]:
    """Return the lines whose share of a node's time changed, what got hotter first."""
    then, now = _spots(before), _spots(after)
    found = [
        (node, spot)
        for node in dict.fromkeys((*now, *then))
        for spot in spots.compared(now.get(node, []), then.get(node, []))
        if spot.site is not None and abs(spot.change) >= LEAST_CHANGE
    ]
    found.sort(key=lambda pair: -abs(pair[1].change))
    return [
        {
            "node": node,
            "line": f"{spot.site.path}:{spot.site.line} {spot.site.function}",
            "waits": spot.waits,
            "before": spot.share - spot.change,
            "after": spot.share,
        }
        for node, spot in found
        if spot.site is not None
    ]


def _spots(side: Side) -> dict[str, list[spots.Spot]]:
    recording, first, last = side
    frame = recording.frame(last)
    seconds = (recording.wall_ns(last) - recording.wall_ns(first)) / 1e9 + 1e-3
    return {
        node.name: spots.spots_of(
            spots.entries_of(node, heat.window(recording.tallies(node.name, last, seconds)))
        )
        for node in (frame.nodes if frame is not None else ())
    }
