"""`isinglass add TABLE KEY FIELD [N]`: count a field of a record up or down."""

from __future__ import annotations

import re

from isinglass.cli.database import DURABILITY, NODE, database
from isinglass.cli.options import Command, Positional
from isinglass.cli.printing import JSON, tell
from isinglass.errors import UsageError

COMMAND = Command(
    "add",
    "Add to a field of a record; adds from any number of processes all count.",
    positionals=(
        Positional("TABLE", "the table"),
        Positional("KEY", "the record's key"),
        Positional("FIELD", "the field that is counted"),
        Positional("N", "what is added, 1 without it; may be negative", required=False),
    ),
    options=(NODE, DURABILITY, JSON),
    notes=(
        "Prints the count as the store has it afterwards, adds of others included.",
        "A put leaves the count alone; deleting the record sets it to zero.",
    ),
    examples=("isinglass add stock bolts sold", "isinglass add stock bolts left -12"),
)


def main(arguments: list[str]) -> int:
    """Add, and print what the field is then."""
    values = COMMAND.parse(arguments)
    table, key, field = values.text("TABLE"), values.text("KEY"), values.text("FIELD")
    number = _whole(values.text("N") or "1")
    with database(values, "add") as client:
        client.add(table, key, field, number)
        count = (client.get(table, key) or {}).get(field)
    facts = {"table": table, "key": key, "field": field, "added": number, "value": count}
    tell(values, str(count), facts)
    return 0


def _whole(text: str) -> int:
    if not re.fullmatch(r"[-+]?[0-9]+", text, re.ASCII):
        raise UsageError(f"{text!r} is no whole number.")
    return int(text)
