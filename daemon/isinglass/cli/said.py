"""What a command says on a node's timeline: an event in the node's segment, by its own process.

It needs nobody's answer: while the daemon is stopped the event waits in the segment, and is sent
to monitors when the daemon gets on. Where there is no daemon any more the command sends it itself,
if this machine's settings say where.
"""

from __future__ import annotations

import os

from isinglass import emit
from isinglass.cli.accounts import account_name
from isinglass.emit.program import target_here
from isinglass.emit.target import Target
from isinglass.errors import SettingsError
from isinglass.glass import segment
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Verdict

KEPT = (
    "kept in the node's segment alone: its daemon does not run, and no settings say where to send"
)


def user() -> str:
    """Return who gives the command, by the name of the account."""
    name = account_name(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{name} ({behind})" if behind and behind != name else name


def say(node: str, process: str, severity: int, flag: str, message: str, **fields: object) -> bool:
    """Store an event; False when no monitor will hear of it.

    Raises:
        SegmentError: the node has no segment that this process may join.
    """
    with SegmentReader(node) as reader:
        alive = reader.verdicts().get(0) in (Verdict.ALIVE, Verdict.STALLED)
    with segment.attach(node, process) as glass:
        glass.event(severity, flag, message, **fields, by=user())
        if alive:
            return True
        target = _target(node)
        if target is not None:
            emit.begin(target, process)
            emit.end()
    return target is not None


def _target(node: str) -> Target | None:
    try:
        return target_here(node)
    except SettingsError:
        return None
