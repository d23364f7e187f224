"""`isinglass relay`: the far side of a remote attach; a program speaks to it, over SSH.

It reads the segments of this user's nodes and writes nothing but its standard output, so it fits a
key that may do nothing else: `restrict,command="isinglass relay alder"` in authorized_keys. The
forced command says what may be seen; what the client asked for, which sshd hands on as
SSH_ORIGINAL_COMMAND, can only make that less.
"""

from __future__ import annotations

import sys

from isinglass import __version__
from isinglass.cli.forced import asked_for, is_forced, narrowed
from isinglass.cli.options import Command, Option, Positional
from isinglass.errors import SegmentMissing, UsageError
from isinglass.glass import layout
from isinglass.glass.permission import unseen_nodes

FLAGS = ("list", "no-source")

COMMAND = Command(
    "relay",
    "Send what a node shows to a console elsewhere; ssh starts it there.",
    positionals=(
        Positional(
            "NODE",
            "The only nodes that may be seen; all of this user's on this machine when none is"
            " given.",
            required=False,
            repeat=True,
            completes="nodes",
        ),
    ),
    options=(
        Option("list", "Print the names of the nodes that may be seen, and end."),
        Option("no-source", "Hand out no text of the source files that the nodes run."),
    ),
    notes=(
        "It speaks a protocol of its own on its standard input and output, and ends with its"
        " input.",
        'In authorized_keys: restrict,command="isinglass relay alder" KEY; then that key shows'
        " alder and nothing else.",
    ),
    examples=(
        "isinglass console ssh://operator@host/alder",
        "ssh operator@host isinglass relay --list",
    ),
)


def main(arguments: list[str]) -> int:
    """Relay until the client goes; returns 0."""
    values = COMMAND.parse(arguments)
    allowed, flags = values.texts("NODE"), [values.flag(name) for name in FLAGS]
    if is_forced():
        asked = asked_for(COMMAND, "NODE")
        allowed = narrowed(allowed, asked.texts("NODE"))
        flags = [here or asked.flag(name) for here, name in zip(flags, FLAGS, strict=True)]
    listing, no_source = flags
    if listing:
        names = allowed or layout.node_names()
        if not names and (why := unseen_nodes()):
            raise SegmentMissing(why)
        for name in names:
            print(name)
        return 0
    if sys.stdin.isatty() or sys.stdout.isatty():
        raise UsageError(
            "A relay speaks to a program: look at this machine from another one with"
            " `isinglass console ssh://HOST/NODE`, or here with `isinglass console`."
        )
    from isinglass.remote.relay import Relay

    pipes = sys.stdin.fileno(), sys.stdout.fileno()
    return Relay(allowed, *pipes, __version__, shows_source=not no_source).run()
