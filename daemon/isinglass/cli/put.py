"""`isinglass put TABLE KEY VALUE`: store one record, given as JSON or as FIELD=VALUE words."""

from __future__ import annotations

import sys

from isinglass.cli.database import (
    ACK,
    CONSISTENCY,
    DURABILITY,
    NODE,
    TEXT,
    database,
    json_value,
    pair,
)
from isinglass.cli.options import Command, Option, Positional, Values
from isinglass.cli.printing import JSON, tell
from isinglass.errors import UsageError

COMMAND = Command(
    "put",
    "Store one record, whether it is there or not.",
    positionals=(
        Positional("TABLE", "the table"),
        Positional("KEY", "the record's key"),
        Positional("VALUE", "a JSON object, or FIELD=VALUE words, or - to read JSON", repeat=True),
    ),
    options=(
        NODE,
        DURABILITY,
        CONSISTENCY,
        ACK,
        TEXT,
        Option("create", "Create the table when it is not there."),
        JSON,
    ),
    examples=(
        'isinglass put orders 2026/1 \'{"customer": "Ada", "total": 12}\'',
        "isinglass put orders 2026/1 customer=Ada total=12",
    ),
)


def main(arguments: list[str]) -> int:
    """Store the record."""
    values = COMMAND.parse(arguments)
    value = _value(values)
    with database(values, "put") as client:
        if values.flag("create"):
            client.create_table(values.text("TABLE"))
        receipt = client.put(values.text("TABLE"), values.text("KEY"), value)
    facts = {"node": receipt.node, "table": values.text("TABLE"), "key": values.text("KEY")}
    tell(
        values, "", {**facts, "decided_by_primary": receipt.primary, "held_by_nodes": receipt.held}
    )
    if values.text("consistency") == "immediate" and not receipt.primary:
        print(
            f"isinglass: the record's primary did not answer; {receipt.node} took the write.",
            file=sys.stderr,
        )
    return 0


def _value(values: Values) -> dict[str, object]:
    words = values.texts("VALUE")
    if words == ["-"]:
        return _object(sys.stdin.read())
    if words[0].lstrip().startswith("{"):
        if len(words) > 1:
            raise UsageError(f"A JSON object stands alone, but {words[1]!r} follows it.")
        return _object(words[0])
    return dict(pair(word, values.flag("text")) for word in words)


def _object(text: str) -> dict[str, object]:
    try:
        value = json_value(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The value is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise UsageError('The value is JSON, but not an object: write {"field": ...}.')
    return value
