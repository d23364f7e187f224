"""What `isinglass watch` prints for each look: a table, lines of columns, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from isinglass import clock
from isinglass.cli import tables
from isinglass.cli.documents import field_json, process_head
from isinglass.cli.field_paths import FieldPath, Rates, field_name, rate_key
from isinglass.cli.field_rows import values_of
from isinglass.cli.options import Values
from isinglass.cli.selection import Selection, title, wanted
from isinglass.cli.sheet import Section, plain
from isinglass.cli.units import field_value, is_plain_number, number, unit, wall_time
from isinglass.cli.verdicts import sentence
from isinglass.glass.panel_views import FieldView, PanelView
from isinglass.glass.snapshot import Process, Snapshot

Row = tuple[Process, PanelView, FieldView]
COLUMNS = ("time", "node", "process", "pid", "field", "value", "unit", "rate")
Show = Callable[[Snapshot, Rates], None]


@contextmanager
def output(values: Values, paths: Sequence[FieldPath]) -> Iterator[Show]:
    """Give the function that shows one look, in the form that the options and stdout ask for.

    Args:
        values: the options of `isinglass watch`.
        paths: the values to show; those that `values` selects when there are none.
    """
    selection = Selection(values)

    def rows(snapshot: Snapshot) -> list[Row]:
        return list(_named(snapshot, paths) if paths else _selected(snapshot, selection))

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    looks = _Looks(values, rows)

    def table(snapshot: Snapshot, rates: Rates) -> Section:
        return sheet(snapshot, rates, looks.fields(snapshot, rates))

    if values.flag("quiet"):
        yield lambda *_: None
    elif values.flag("json"):
        yield lambda look, rates: write(line(look, rates, looks.fields(look, rates)))
    elif between := tables.separator(values):
        yield lambda look, rates: looks.write(look, rates, between)
    elif sys.stdout.isatty():
        from isinglass.cli.terminal import LiveScreen

        with LiveScreen() as draw:
            yield lambda snapshot, rates: draw([table(snapshot, rates)])
    else:
        yield lambda snapshot, rates: write(plain([table(snapshot, rates)]) + "\n")


class _Looks:
    """What is shown of each look, chosen and in order; COLUMNS says by what."""

    def __init__(self, values: Values, rows: Callable[[Snapshot], list[Row]]) -> None:
        self._values, self._rows = values, rows
        self._as_found = not (values.given("select") or values.given("sort"))
        self._first = True
        tables.narrowed((), values, COLUMNS)  # what is wrong is said before anything is shown

    def fields(self, snapshot: Snapshot, rates: Rates) -> list[Row]:
        """Return the values that are shown; a histogram when one of its figures is."""
        found = self._rows(snapshot)
        if self._as_found:
            return found
        places = dict.fromkeys(row["place"] for row in self._lines(snapshot, rates, found))
        return [found[place] for place in places if isinstance(place, int)]

    def write(self, snapshot: Snapshot, rates: Rates, between: str) -> None:
        """Write a look as lines of columns; the names of the columns once."""
        lines = self._lines(snapshot, rates, self._rows(snapshot))
        tables.write(lines, COLUMNS, between, head=self._first)
        sys.stdout.flush()
        self._first = False

    def _lines(self, snapshot: Snapshot, rates: Rates, found: Sequence[Row]) -> list[tables.Row]:
        lines: list[tables.Row] = []
        at = snapshot.taken_wall_ns / clock.NANOSECONDS_PER_SECOND
        for place, (process, panel, field) in enumerate(found):
            head = (f"{at:.3f}", snapshot.node, process.name, process.pid)
            rate = rates.get(rate_key(process, panel, field))
            for name, value in values_of(field):
                figure = value if isinstance(value, int | float | str) else None
                facts = (f"{title(panel)}.{name}", figure, field.unit, rate)
                line = dict(zip(COLUMNS, (*head, *facts), strict=True))
                lines.append({**line, "place": place})
        return tables.narrowed(lines, self._values, COLUMNS)


def _named(snapshot: Snapshot, paths: Sequence[FieldPath]) -> Iterator[Row]:
    for path in paths:
        yield from path.fields(snapshot)


def _selected(snapshot: Snapshot, selection: Selection) -> Iterator[Row]:
    for process in filter(selection.process, snapshot.processes):
        for panel, fields in selection.panels(process):
            for field in fields:
                yield process, panel, field


def line(snapshot: Snapshot, rates: Rates, rows: Sequence[Row]) -> str:
    """Return one look as a line of JSON; the rate is null for what is no counter, and at first."""
    fields = [
        {
            **process_head(process),
            "panel": panel.name,
            "instance": panel.instance,
            "field": field.name,
            "unit": field.unit,
            "value": field_json(field),
            "rate": rates.get(rate_key(process, panel, field)),
        }
        for process, panel, field in rows
    ]
    owner = snapshot.owner
    document = {
        "node": snapshot.node,
        "taken_wall_ns": snapshot.taken_wall_ns,
        "verdict": owner.verdict if owner else None,
        "fields": fields,
    }
    return json.dumps(document) + "\n"


def sheet(snapshot: Snapshot, rates: Rates, rows: Sequence[Row]) -> Section:
    """Return one look as a table of values and rates."""
    lines = [
        (
            *(process.name, str(process.pid), field_name(panel, field)),
            *(_aligned(field, snapshot.taken_wall_ns), unit(field.unit)),
            _rate(rates.get(rate_key(process, panel, field))),
        )
        for process, panel, field in rows
    ]
    not_alive = [
        process
        for process in snapshot.processes
        if process.verdict != "alive" and wanted(process, (), False)
    ]
    return Section(
        f"node {snapshot.node}  {wall_time(snapshot.taken_wall_ns)}",
        ("process", "pid>", "value of", "value>", "unit", "a second>"),
        lines,
        lines=[
            f"{process.name} {process.pid} {sentence(process, snapshot.taken_wall_ns)}"
            for process in not_alive
        ],
        alarming=any(process.verdict != "clean exit" for process in not_alive),
        droppable=("pid>", "process"),
    )


def _aligned(field: FieldView, now_wall_ns: int) -> str:
    value = field_value(field, now_wall_ns)
    return value if is_plain_number(field) else value.partition(",")[0]


def _rate(rate: float | None) -> str:
    return "" if rate is None else number(rate)
