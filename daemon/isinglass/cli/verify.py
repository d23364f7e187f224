"""`isinglass verify [NODE]`: compare the stores of a cluster's nodes, down to the record.

What differs may only be on its way, so whatever differs is looked at again after a moment; what
differs both times is printed, with the stamp that each node has. The node must be on this machine;
the others are asked through it.
"""

from __future__ import annotations

import sys
from typing import Any

from isinglass import clock
from isinglass.cli.database import cell, database, json_text
from isinglass.cli.options import Command, Option, Positional
from isinglass.cli.printing import JSON, show
from isinglass.cli.sheet import Section
from isinglass.cli.units import counted

COMMAND = Command(
    "verify",
    "Compare the stores of a cluster's nodes and name the records that differ.",
    positionals=(Positional("NODE", "the node to ask", required=False, completes="nodes"),),
    options=(
        JSON,
        Option(
            "timeout",
            "How long the comparison may take.",
            value="SECONDS",
            kind="positive",
            default=60.0,
        ),
    ),
    notes=(
        "Exit code: 0 all nodes that are heard hold the same; 1 they differ, or one is silent.",
    ),
    examples=("isinglass verify alder", "isinglass verify alder --json | jq .records"),
)
SECOND_LOOK_SECONDS = 1.0
EXIT_DIFFERENT = 1


def main(arguments: list[str]) -> int:
    """Compare, print, and return 1 when something differs."""
    values = COMMAND.parse(arguments)
    timeout = values.number("timeout")
    with database(values, "verify", node=values.text("NODE"), timeout_seconds=timeout) as client:
        result = client.verify()
        if result["records"]:
            clock.sleep(SECOND_LOOK_SECONDS)
            result = both(result, client.verify())
    if values.flag("json"):
        sys.stdout.write(json_text(result, indent=1) + "\n")
    else:
        _print(result)
    return EXIT_DIFFERENT if result["records"] else 0


def both(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return what differs in two looks at the same records with the same stamps."""
    seen = {(table, key): stamps for table, key, stamps in first["differing"]}
    lasting = [entry for entry in second["differing"] if seen.get((entry[0], entry[1])) == entry[2]]
    # What was counted beyond the records that are named cannot be told apart: it counts.
    beyond = max(second["records"] - len(second["differing"]), 0)
    return {**second, "differing": lasting, "records": len(lasting) + beyond}


def _print(result: dict[str, Any]) -> None:
    nodes = result["nodes"]
    if not result["records"]:
        print(f"The stores of {', '.join(nodes)} hold the same.")
        return
    differ = f"{counted(result['records'], 'record')} differ{'s' * (result['records'] == 1)}"
    print(f"{differ} between {', '.join(nodes)}:")
    rows = [
        (table, cell(key.decode(errors="replace")), *(_stamp(stamps.get(node)) for node in nodes))
        for table, key, stamps in result["differing"]
    ]
    show([Section("", ("table", "key", *nodes), rows)])


def _stamp(stamp: int | None) -> str:
    if stamp is None:
        return "-"
    wall = clock.stamp_wall_ns(abs(stamp)) // clock.NANOSECONDS_PER_MILLISECOND
    seconds, milliseconds = divmod(wall, 1000)
    text = clock.format_local("%Y-%m-%d %H:%M:%S", clock.local_time(seconds))
    counted = f"{text}.{milliseconds:03}+{abs(stamp) & 0xFFFF}"
    return f"deleted {counted}" if stamp < 0 else counted
