"""`isinglass load FILE --table T --key FIELD`: a CSV or JSON Lines file into a table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from typing import TextIO

from isinglass import clock
from isinglass.cli.database import DURABILITY, NODE, TEXT, database
from isinglass.cli.options import Command, Option, Positional, Values
from isinglass.cli.printing import JSON, tell
from isinglass.cli.rows import FORMATS, BadRow, Row, format_of, read
from isinglass.cli.units import counted
from isinglass.client import Client
from isinglass.errors import BadRecord, TableMissing, UsageError

COMMAND = Command(
    "load",
    "Load a CSV or JSON Lines file into a table.",
    positionals=(Positional("FILE", "the file; - for standard input", completes="files"),),
    options=(
        Option("table", "The table to load into.", value="TABLE", short="t"),
        Option("key", "The field that becomes each record's key.", value="FIELD", short="k"),
        NODE,
        Option("create", "Create the table when it is not there."),
        Option("index", "With --create, index this field.", value="FIELD", repeat=True),
        Option(
            "group-by",
            "With --create, store together records whose keys agree up to this character.",
            value="CHARACTER",
        ),
        Option("format", "The file's format; otherwise told from its name.", value="FORMAT",
               choices=FORMATS),
        TEXT,
        Option("skip-bad", "Count the rows that are no records, and go on."),
        Option("batch", "Records sent at a time.", value="N", kind="count", default=1000),
        DURABILITY,
        JSON,
    ),
    notes=(
        "The first line of a CSV names its columns. Loading a file again changes nothing.",
        "Exit code: 0 loaded; 1 a row is no record (those before it are loaded), or the node"
        " takes no writes; 2 the command line is wrong.",
    ),
    examples=(
        "isinglass load words.csv --table words --key word --create --index length",
        "zcat orders.jsonl.gz | isinglass load - --table orders --key id --skip-bad",
    ),
)  # fmt: skip
BAD_ROWS_SHOWN = 10


class _Load:
    """One load: where rows come from and go to, and what was stored and skipped so far."""

    def __init__(self, client: Client, values: Values, advance: Callable[[int], None]) -> None:
        self._client, self._advance = client, advance
        self._name, self._table = values.text("FILE"), values.text("table")
        self._limit, self._skip = values.whole("batch"), values.flag("skip-bad")
        self._batch: list[Row] = []
        self.stored = self.skipped = 0

    def run(self, rows: Iterable[Row | BadRow]) -> None:
        """Store the rows, and wait until they are in the store.

        Raises:
            BadRecord: one is no record, and none may be skipped; those before it are stored.
        """
        for row in rows:
            if isinstance(row, BadRow):
                self._pass_over(row)
                continue
            self._batch.append(row)
            if len(self._batch) >= self._limit:
                self._store()
        self._store()
        self._client.flush()

    def _store(self) -> None:
        if self._batch:
            self._client.put_many(self._table, ((row.key, row.value) for row in self._batch))
            self.stored += len(self._batch)
            self._batch.clear()
            self._advance(self.stored)

    def _pass_over(self, row: BadRow) -> None:
        where = f"{self._name}:{row.line}: {row.reason}"
        if not self._skip:
            self._store()
            raise BadRecord(
                f"{where}; what is before it is stored ({counted(self.stored, 'record')}),"
                " --skip-bad goes on behind it."
            )
        self.skipped += 1
        if self.skipped <= BAD_ROWS_SHOWN:
            print(f"isinglass: skipped {where}", file=sys.stderr)


def main(arguments: list[str]) -> int:
    """Load the file and print what was done."""
    values = COMMAND.parse(arguments)
    for name in ("table", "key"):
        if not values.given(name):
            raise UsageError(f"`isinglass load` needs --{name}.")
    if not values.flag("create") and (values.texts("index") or values.given("group-by")):
        raise UsageError("--index and --group-by shape a new table: give --create, too.")
    started_ns = clock.monotonic_ns()
    with ExitStack() as stack:
        file = stack.enter_context(_opened(values.text("FILE")))
        client = stack.enter_context(database(values, "load"))
        _make_table(client, values)
        load = _Load(client, values, _progress(file, values, stack))
        load.run(_rows(file, values))
    seconds = (clock.monotonic_ns() - started_ns) / clock.NANOSECONDS_PER_SECOND
    _print_summary(load, seconds, values)
    return 0


def _opened(name: str) -> TextIO:
    if name == "-":
        return sys.stdin
    try:
        return open(name, encoding="utf-8-sig", newline="")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.") from None


def _make_table(client: Client, values: Values) -> None:
    table = values.text("table")
    if values.flag("create"):
        client.create_table(table, group_by=values.text("group-by"), indexes=values.texts("index"))
    elif table not in client.tables():
        raise TableMissing(f"There is no table {table!r}; --create makes it.")


def _rows(file: TextIO, values: Values) -> Iterator[Row | BadRow]:
    name = values.text("FILE")
    try:
        first = file.readline()
        kind = values.text("format") or format_of(name, first)
        lines = chain([first] if first else [], file)
        yield from read(lines, kind, values.text("key"), values.flag("text"))
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
    except UnicodeDecodeError as error:
        raise BadRecord(f"{name} is not UTF-8: {error}.") from None


def _progress(file: TextIO, values: Values, stack: ExitStack) -> Callable[[int], None]:
    """Return what shows how far the load is: a bar on a terminal, nothing elsewhere."""
    if not sys.stdout.isatty() or values.flag("json"):
        return lambda _stored: None
    from isinglass.cli.terminal import progress_bar

    return stack.enter_context(progress_bar(file, values.text("table")))


def _print_summary(load: _Load, seconds: float, values: Values) -> None:
    name, table = values.text("FILE"), values.text("table")
    rate = load.stored / seconds if seconds else 0.0
    skipped = f", {counted(load.skipped, 'row')} skipped" if load.skipped else ""
    tell(
        values,
        f"{counted(load.stored, 'record')} from {name} into table {table}"
        f" in {seconds:.1f} s ({rate:,.0f}/s){skipped}",
        {
            "file": name,
            "table": table,
            "stored": load.stored,
            "skipped": load.skipped,
            "seconds": round(seconds, 3),
        },
    )
