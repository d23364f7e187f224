"""`isinglass dump`: every panel of a node, whether it lives, hangs or is dead.

The command that people type first when something is wrong, so it depends on nothing but the
segment, says first whether what it shows is alive, and is quick: from exec to exit at most three
times an empty interpreter. That holds because this module and what it imports stay away from
argparse, json, re, enum, typing and dataclasses (a test looks).
"""

from __future__ import annotations

import sys

from isinglass.cli import nodes, verdicts
from isinglass.cli.dump_text import sections
from isinglass.cli.options import Command, Option, Values
from isinglass.cli.printing import JSON, show
from isinglass.cli.selection import OPTIONS, Selection
from isinglass.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.glass.snapshot import Snapshot

COMMAND = Command(
    "dump",
    "Print every panel of every process of a node, live or dead.",
    positionals=(nodes.ANY_NODES,),
    options=(
        *OPTIONS,
        Option("verbose", "Add the line of help of each field.", short="v"),
        Option("tables", "Print the tables and indexes only."),
        Option(
            "events", "Print the events and the distinct errors only; with --json, the events too."
        ),
        JSON,
        Option("tsv", "Print one line a field, columns apart by tabs."),
        Option("csv", "Print one line a field, as CSV."),
        Option(
            "fields",
            "Only these values, PANEL.FIELD apart by commas, and a row a process.",
            value="LIST",
        ),
        Option(
            "select",
            "Only nodes for which this holds, such as 'queue.length > 0'; as `isinglass watch`"
            " --until.",
            value="CONDITION",
        ),
        Option(
            "sort",
            "With --fields, by this value; - before it: the greatest first.",
            value="FIELD",
        ),
        nodes.WAIT,
        nodes.SSH_COMMAND,
        *nodes.REPLAY,
    ),
    notes=(
        "Exit code: 0 the daemon of every node shown is alive; 1 one is stalled, killed or has"
        " ended (its last state is still printed), or cannot be read, or there is no such node;"
        " 2 the command line is wrong.",
    ),
    examples=(
        "isinglass dump alder --panel queue --hide-zero",
        "isinglass dump --json --level debug | jq '.nodes[0].processes[].verdict'",
        "isinglass dump alder --wait 10",
        "isinglass dump --fields queue.length,queue.oldest --sort -queue.length --tsv",
        "isinglass dump ssh://operator@db1.example/alder --panel queue",
        "isinglass dump alder --replay night.recording --at 03:12:30",
    ),
)


def main(arguments: list[str]) -> int:
    """Print the dump; return 0 when every node's daemon is alive, else 1."""
    values = COMMAND.parse(arguments)
    nodes.refuse_replay(values)
    wait_seconds = values.number("wait")
    snapshots, unread = nodes.snapshots(
        values.text("NODE"),
        wait_seconds,
        values.text("ssh-command"),
        events=values.flag("events"),
    )
    return max(report(snapshots, values), unread)


def report(snapshots: list[Snapshot], values: Values) -> int:
    """Print snapshots as the options say; return the exit code."""
    if values.texts("process") or values.texts("panel"):
        from isinglass.cli.asked_for import check_panels, check_processes

        check_processes(snapshots, values.texts("process"), values.flag("ended"))
        check_panels(snapshots, values.texts("panel"))
    code = max(verdicts.exit_code(snapshot) for snapshot in snapshots)
    if values.given("fields") or values.given("select") or values.given("sort"):
        snapshots = _narrowed(snapshots, values)
    _print(snapshots, Selection(values), values)
    return code


def _narrowed(snapshots: list[Snapshot], values: Values) -> list[Snapshot]:
    """Return the nodes that `--select` chooses."""
    from isinglass.cli.dump_fields import selected

    if values.given("sort") and not values.given("fields"):
        raise UsageError("--sort goes with --fields: it orders by one of them.")
    return selected(snapshots, values)


def _print(snapshots: list[Snapshot], selection: Selection, values: Values) -> None:
    if values.given("fields"):
        from isinglass.cli.dump_fields import print_fields

        show(list(print_fields(snapshots, values)))
    elif values.flag("json"):
        from isinglass.cli.documents import document

        sys.stdout.write(document(snapshots, selection))
    elif values.flag("tsv") or values.flag("csv"):
        from isinglass.cli.field_rows import write_rows

        write_rows(snapshots, selection, sys.stdout, "\t" if values.flag("tsv") else ",")
    else:
        show(part for one in snapshots for part in sections(one, selection, values))
