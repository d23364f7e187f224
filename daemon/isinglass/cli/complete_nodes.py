"""`isinglass complete-nodes`: the names of this machine's nodes, for the shell's completion."""

from __future__ import annotations

from isinglass.cli.options import Command
from isinglass.glass import layout

COMMAND = Command("complete-nodes", "Print the names of the nodes on this machine.")


def main(arguments: list[str]) -> int:
    """Print one name a line."""
    COMMAND.parse(arguments)
    for name in layout.node_names():
        print(name)
    return 0
