"""`isinglass scan TABLE`: the records of a key range, or of an index, in order."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice

from isinglass.cli.database import NODE, TEXT, cell, database, json_text, pair, typed
from isinglass.cli.options import Command, Option, Positional, Values
from isinglass.cli.printing import show
from isinglass.cli.sheet import Section
from isinglass.client import Client
from isinglass.errors import UsageError

PAGE_RECORDS = 200
COMMAND = Command(
    "scan",
    "Print the records of a key range or of an index, in order.",
    positionals=(Positional("TABLE", "the table"),),
    options=(
        NODE,
        Option("start", "From this key on, or with --by from this value on.", value="KEY"),
        Option("stop", "Up to this key, without it; with --by up to this value.", value="KEY"),
        Option("prefix", "Only keys that start with this.", value="TEXT"),
        Option("where", "Only records whose indexed field has this value.", value="FIELD=VALUE"),
        Option("by", "In the order of this indexed field.", value="FIELD"),
        Option("limit", "At most so many.", value="N", kind="count", short="n"),
        Option("reverse", "From the last to the first."),
        Option("keys", "Print the keys only."),
        Option("count", "Print how many there are, and nothing else."),
        TEXT,
        Option("json", "Print one JSON document a line (NDJSON)."),
    ),
    examples=(
        "isinglass scan orders --start 2026/ --stop 2027/",
        "isinglass scan orders --where customer=Ada --json | jq .value.total",
        "isinglass scan orders --by total --start 100 --reverse --limit 10",
    ),
)

Found = Iterator[tuple[str, dict[str, object]]]


def main(arguments: list[str]) -> int:
    """Print the records."""
    values = COMMAND.parse(arguments)
    with database(values, "scan") as client:
        _print(_records(client, values), values)
    return 0


def _records(client: Client, values: Values) -> Found:
    table = values.text("TABLE")
    limit = values.whole("limit") if values.given("limit") else None
    reverse, as_text = values.flag("reverse"), values.flag("text")
    ways = [name for name in ("where", "by", "prefix") if values.given(name)]
    if len(ways) > 1:
        raise UsageError(f"--{ways[0]} and --{ways[1]} are two ways to choose: give one.")
    if values.given("where"):
        field, value = pair(values.text("where"), as_text)
        return client.find(table, field, value, limit=limit, reverse=reverse)
    start = values.text("start") if values.given("start") else None
    stop = values.text("stop") if values.given("stop") else None
    if values.given("by"):
        return client.find(
            table,
            values.text("by"),
            start=... if start is None else typed(start, as_text),
            stop=... if stop is None else typed(stop, as_text),
            limit=limit,
            reverse=reverse,
        )
    prefix = values.text("prefix") if values.given("prefix") else None
    return client.scan(table, start, stop, prefix=prefix, limit=limit, reverse=reverse)


def _print(found: Found, values: Values) -> None:
    if values.flag("count"):
        print(sum(1 for _ in found))
    elif values.flag("keys"):
        for key, _value in found:
            print(cell(key))
    elif values.flag("json"):
        for key, value in found:
            print(json_text({"key": key, "value": value}))
    elif sys.stdout.isatty():
        while page := list(islice(found, PAGE_RECORDS)):
            show([_table(page)])
    else:
        for key, value in found:
            print("\t".join((cell(key), *(f"{cell(f)}={cell(part)}" for f, part in value.items()))))


def _table(page: Iterable[tuple[str, dict[str, object]]]) -> Section:
    """Return a page of records as a table with a column for each field that any of them has."""
    page = list(page)
    fields = list(dict.fromkeys(field for _key, value in page for field in value))
    rows = [
        (cell(key), *(cell(value[field]) if field in value else "" for field in fields))
        for key, value in page
    ]
    return Section("", ("key", *map(cell, fields)), rows)
