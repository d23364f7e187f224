"""Tables for scripts: choose columns and rows, sort, and print as text, JSON, TSV or CSV.

One row is a dictionary by column; all rows of a table have the same columns. The options stand here
once, so every command that prints a table understands them in the same words.
"""

from __future__ import annotations

import csv
import sys

from isinglass.cli.options import Option, near
from isinglass.cli.sheet import Section
from isinglass.cli.units import number
from isinglass.errors import UsageError
from isinglass.harmless import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from isinglass.cli.options import Values

    Value = int | float | str | None
    Row = dict[str, Value]

SORT = Option("sort", "Sort by this column; - before it: the greatest first.", value="COLUMN")
SELECT = Option(
    "select", "Only rows for which this holds, such as 'for > 5 and thread = applier'.",
    value="CONDITION",
)  # fmt: skip
COLUMNS = Option("fields", "Only these columns, apart by commas; not with --json.", value="LIST")
TSV = Option("tsv", "Print one line a row, columns apart by tabs.")
CSV = Option("csv", "Print one line a row, as CSV.")


def chosen_columns(values: Values, columns: Sequence[str]) -> list[str]:
    """Return the columns that `--fields` names, in its order; all without it.

    Raises:
        UsageError: there is no such column.
    """
    named = [name.strip() for name in values.text("fields").split(",") if name.strip()]
    for name in named:
        known(name, columns)
    return named or list(columns)


def known(name: str, columns: Sequence[str]) -> str:
    """Return a column's name, or raise UsageError."""
    if name not in columns:
        raise UsageError(
            f"There is no column {name!r}{near(name, list(columns))}; there are"
            f" {', '.join(columns)}."
        )
    return name


def narrowed(rows: Iterable[Row], values: Values, columns: Sequence[str]) -> list[Row]:
    """Return the rows that `--select` lets through, as `--sort` orders them.

    Raises:
        UsageError: the condition is none, or there is no such column.
    """
    return in_order(filter(chooser(values, columns), rows), values, columns)


def chooser(values: Values, columns: Sequence[str]) -> Callable[[Row], bool]:
    """Return what tells whether `--select` lets a row through.

    Raises:
        UsageError: the condition is none, or there is no such column.
    """
    if not values.given("select"):
        return lambda _row: True
    from isinglass.cli.conditions import parsed, true_of

    alternatives = parsed(values.text("select"))
    for name, _, _ in (part for alternative in alternatives for part in alternative):
        known(name, columns)
    return lambda row: any(
        all(true_of(row[name], compare, than) for name, compare, than in alternative)
        for alternative in alternatives
    )


def in_order(rows: Iterable[Row], values: Values, columns: Sequence[str]) -> list[Row]:
    """Return the rows as `--sort` orders them.

    Raises:
        UsageError: there is no such column.
    """
    if not values.given("sort"):
        return list(rows)
    written = values.text("sort")
    column = known(written.removeprefix("-"), columns)
    return sorted(rows, key=lambda row: _order(row[column]), reverse=written.startswith("-"))


def _order(value: Value) -> tuple[int, float, str]:
    """Order numbers before texts, and what is not known before both."""
    if value is None or value != value:
        return (0, 0.0, "")
    return (2, 0.0, value) if isinstance(value, str) else (1, float(value), "")


def separator(values: Values) -> str:
    """Return what stands between columns: a tab, a comma, or "" when people read the table."""
    return "\t" if values.flag("tsv") else "," if values.flag("csv") else ""


def write(rows: Iterable[Row], columns: Sequence[str], between: str, *, head: bool = True) -> None:
    """Write a line of column names, and a line for each row, on stdout."""
    writer = csv.writer(sys.stdout, delimiter=between, lineterminator="\n")
    if head:
        writer.writerow(map(cell, columns))
    for row in rows:
        writer.writerow([cell(row[name]) for name in columns])


def section(rows: Iterable[Row], columns: Sequence[str]) -> Section:
    """Return rows as people read them; columns of numbers are aligned to the right."""
    found = list(rows)
    numbers = {
        name
        for name in columns
        if any(isinstance(row[name], int | float) for row in found)
        and not any(isinstance(row[name], str) for row in found)
    }
    shown = [f"{name}>" if name in numbers else name for name in columns]
    return Section("", shown, [tuple(text(row[name]) for name in columns) for row in found])


def text(value: object) -> str:
    """Return a value as people read it: "-" for what is not known."""
    if value is None:
        return "-"
    return number(value) if isinstance(value, float) else str(value)


def cell(value: object) -> object:
    """Return what stands in a line of TSV or CSV: texts harmless, "" for what is not known."""
    if isinstance(value, str):
        return harmless(value)
    return "" if value is None else value
