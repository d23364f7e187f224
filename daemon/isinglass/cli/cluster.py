"""`isinglass cluster key FILE`: what a cluster needs before its first node starts."""

from __future__ import annotations

from pathlib import Path

from isinglass.cli.actions import chosen
from isinglass.cli.options import Command, Positional
from isinglass.cli.printing import JSON, tell
from isinglass.wire import cluster_key

ACTIONS = {
    "key": Command(
        "cluster key",
        "Make the key by which the nodes of a cluster know each other.",
        positionals=(
            Positional("FILE", "The file to make; it must not be there.", completes="files"),
        ),
        options=(JSON,),
        notes=(
            "Copy the file to every node and name it there with the setting cluster_key_file."
            " Its owner alone may read it.",
            "Exit code: 0 made, 2 not made.",
        ),
        examples=("isinglass cluster key /etc/isinglass/cluster.key",),
    ),
}
COMMAND = Command(
    "cluster",
    "Make the key of a cluster.",
    positionals=(Positional("ACTION", f"One of: {', '.join(ACTIONS)}."),),
    options=(JSON,),
    notes=("`isinglass cluster ACTION --help` lists the options of one action.",),
    examples=tuple(line for action in ACTIONS.values() for line in action.examples),
)


def main(arguments: list[str]) -> int:
    """Do what the first word says; return its exit code."""
    _, values = chosen(COMMAND, ACTIONS, arguments)
    path = Path(values.text("FILE"))
    cluster_key.create(path)
    sentence = f"Made {path}: copy it to every node, where cluster_key_file names it."
    tell(values, sentence, {"file": str(path)})
    return 0
