"""`isinglass delete TABLE KEY...`: delete records, whether they are there or not."""

from __future__ import annotations

from isinglass.cli.database import DURABILITY, NODE, database
from isinglass.cli.options import Command, Positional
from isinglass.cli.printing import JSON, tell

COMMAND = Command(
    "delete",
    "Delete records, whether they are there or not.",
    positionals=(
        Positional("TABLE", "the table"),
        Positional("KEY", "the key of a record", repeat=True),
    ),
    options=(NODE, DURABILITY, JSON),
    examples=("isinglass delete orders 2026/1 2026/2",),
)


def main(arguments: list[str]) -> int:
    """Delete the records."""
    values = COMMAND.parse(arguments)
    table, keys = values.text("TABLE"), values.texts("KEY")
    with database(values, "delete") as client:
        for key in keys:
            client.delete(table, key)
        tell(values, "", {"node": client.node, "table": table, "keys": keys})
    return 0
