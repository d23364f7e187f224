"""`isinglass forget NODE`: give a node of the cluster up for good."""

from __future__ import annotations

from isinglass.cli.database import NODE, database
from isinglass.cli.options import Command, Positional
from isinglass.cli.printing import JSON, tell

COMMAND = Command(
    "forget",
    "Take a node that will not come back out of its cluster.",
    positionals=(Positional("NAME", "the node to forget; it must not be alive"),),
    options=(NODE, JSON),
    notes=(
        "Marks of deletions are kept until every known node has passed them, and a majority counts"
        " them all: forget what was taken away for good. A forgotten node that comes back after all"
        " ends with an error, and joins anew once its store is moved away.",
        "Exit code: 0 forgotten; 1 the node cannot be asked; 2 no such node, or it is alive.",
    ),
    examples=("isinglass forget cedar --node alder",),
)


def main(arguments: list[str]) -> int:
    """Forget the node."""
    values = COMMAND.parse(arguments)
    with database(values, "forget") as client:
        client.forget(values.text("NAME"))
        name = values.text("NAME")
        sentence = f"{client.node} has forgotten {name}; the other nodes follow."
        tell(values, sentence, {"node": client.node, "forgotten": name})
    return 0
