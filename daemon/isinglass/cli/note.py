"""`isinglass note TEXT`: an operator's remark on the same timeline as the events."""

from __future__ import annotations

from isinglass.cli import nodes, said
from isinglass.cli.database import NODE
from isinglass.cli.options import Command, Positional
from isinglass.cli.printing import JSON, tell
from isinglass.errors import UsageError
from isinglass.glass.severity import INFO

LONGEST_CHARACTERS = 1000
COMMAND = Command(
    "note",
    "Put a remark on the timeline of the cluster's events.",
    positionals=(Positional("TEXT", "what to remark"),),
    options=(NODE, JSON),
    notes=(
        "The remark is an event of severity INFO with the flag `note` in the node's segment, with"
        " the name of who makes it; the node's daemon sends it to the cluster's monitors.",
        "Exit code: 0 noted; 1 the node has no segment, or no monitor will hear of it; 2 no such"
        " node.",
    ),
    examples=('isinglass note "rebooting db3"',),
)


def main(arguments: list[str]) -> int:
    """Store the remark."""
    values = COMMAND.parse(arguments)
    text = values.text("TEXT").strip()
    if not text or len(text) > LONGEST_CHARACTERS:
        raise UsageError(f"A note has from 1 to {LONGEST_CHARACTERS:,} characters.")
    node = nodes.only_one(values.text("node"))
    heard = said.say(node, "note", INFO, "note", text)
    sentence = f"Noted at node {node}." if heard else f"Noted, and {said.KEPT}."
    tell(values, sentence, {"node": node, "note": text, "monitors_hear": heard})
    return 0 if heard else 1
