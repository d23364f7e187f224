"""How `isinglass log` prints entries: lines for people, JSON, or the columns of a table.

The log may have no end, so each entry is printed by itself as it comes; only what puts entries in
order has to wait for all of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from isinglass.cli import tables
from isinglass.cli.options import Values
from isinglass.cli.sheet import GAP
from isinglass.errors import UsageError
from isinglass.harmless import harmless
from isinglass_monitor.query.rendering import COLUMNS, json_line, line, row
from isinglass_monitor.spool.records import Entry

# what leaves no sense in the other, and why
_NOT_TOGETHER = (
    ("follow", ("until", "sort"), "--follow has no end"),
    ("show-cursor", ("tsv", "csv"), "a cursor is no row of a table, and --cursor-file keeps it"),
    ("otlp", ("tsv", "csv", "fields", "sort"), "--otlp prints nothing"),
)


def check(values: Values) -> None:
    """Refuse options that make no sense together.

    Raises:
        UsageError: some do not.
    """
    for name, others, why in _NOT_TOGETHER:
        for other in filter(values.given, others if values.given(name) else ()):
            raise UsageError(f"{why[0].upper()}{why[1:]}: leave out --{other}, or --{name}.")


def chooser(values: Values) -> Callable[[Entry], bool] | None:
    """Return what tells whether `--select` lets an entry through; None without it.

    Raises:
        UsageError: the condition is none, or there is no such column.
    """
    if not values.given("select"):
        return None
    chooses = tables.chooser(values, COLUMNS)
    return lambda entry: chooses(row(entry))


def in_order(entries: Iterable[Entry], values: Values) -> Iterable[Entry]:
    """Return the entries as `--sort` orders them.

    Raises:
        UsageError: there is no such column.
    """
    if not values.given("sort"):
        return entries
    found = list(entries)
    rows: list[tables.Row] = [{**row(entry), "number": at} for at, entry in enumerate(found)]
    return [found[int(each["number"] or 0)] for each in tables.in_order(rows, values, COLUMNS)]


def printer(values: Values) -> Callable[[Iterable[Entry]], None]:
    """Return what prints entries as the options say; the names of the columns come at once.

    Raises:
        UsageError: there is no such column.
    """
    columns = tables.chosen_columns(values, COLUMNS)
    tables.in_order((), values, COLUMNS)  # what is wrong is said before anything is printed
    if between := "" if values.flag("json") else tables.separator(values):
        tables.write((), columns, between)
        return lambda entries: tables.write(map(row, entries), columns, between, head=False)
    text = _text(values, columns)

    def show(entries: Iterable[Entry]) -> None:
        for entry in entries:
            sys.stdout.write(text(entry) + "\n")

    return show


def _text(values: Values, columns: Sequence[str]) -> Callable[[Entry], str]:
    if values.flag("json"):
        return json_line
    if values.given("fields"):
        return partial(_columns, columns=columns)
    return partial(line, colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))


def _columns(entry: Entry, columns: Sequence[str]) -> str:
    found = row(entry)
    return GAP.join(harmless(tables.text(found[name])) for name in columns)
