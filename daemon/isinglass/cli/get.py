"""`isinglass get TABLE KEY`: one record, read straight from the store."""

from __future__ import annotations

import sys

from isinglass.cli.database import CONSISTENCY, NODE, cell, database, json_text
from isinglass.cli.options import Command, Positional
from isinglass.cli.printing import JSON, show
from isinglass.cli.sheet import Section

COMMAND = Command(
    "get",
    "Print one record.",
    positionals=(Positional("TABLE", "the table"), Positional("KEY", "the record's key")),
    options=(NODE, JSON, CONSISTENCY),
    notes=("Exit code: 0 it is there; 1 it is not, or the node cannot be asked.",),
    examples=("isinglass get orders 2026/1", "isinglass get orders 2026/1 --json | jq .total"),
)
EXIT_NOT_THERE = 1


def main(arguments: list[str]) -> int:
    """Print the record; return 1 when there is none."""
    values = COMMAND.parse(arguments)
    table, key = values.text("TABLE"), values.text("KEY")
    with database(values, "get") as client:
        value = client.get(table, key)
    if value is None:
        print(f"isinglass: table {table} has no record {key!r}.", file=sys.stderr)
        return EXIT_NOT_THERE
    if values.flag("json"):
        sys.stdout.write(json_text(value, indent=1) + "\n")
    else:
        rows = [(cell(field), cell(content)) for field, content in value.items()]
        show([Section("", ("field", "value"), rows, headers=False)])
    return 0
