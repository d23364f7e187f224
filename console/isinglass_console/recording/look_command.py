"""`isinglass dump --replay` and `ps --replay`: what they print, of a moment of a recording.

The commands lie below the console and know no recordings: their tables have the options, and the
entry point calls these functions in their place.
"""

from __future__ import annotations

import sys
from pathlib import Path

from isinglass.cli import dump as dump_command
from isinglass.cli import ps as ps_command
from isinglass.cli.options import Values
from isinglass.cli.units import wall_time
from isinglass.errors import UsageError
from isinglass.glass.snapshot import Snapshot
from isinglass_console.model import format as text
from isinglass_console.model.frame import CONDITIONS, Condition
from isinglass_console.recording.reading import Recording
from isinglass_monitor.query.times import parse_time

# What a node is in when it was read at that very moment.
SEEN = (*CONDITIONS.values(), Condition.STARTING)


def dump(arguments: list[str]) -> int:
    """Print every panel as it was; returns the exit code of `isinglass dump`."""
    values = dump_command.COMMAND.parse(arguments)
    snapshots, code = _snapshots(values)
    return max(dump_command.report(snapshots, values), code)


def ps(arguments: list[str]) -> int:
    """Print where each thread was; returns the exit code of `isinglass ps`."""
    values = ps_command.COMMAND.parse(arguments)
    snapshots, code = _snapshots(values)
    return max(ps_command.report(snapshots, values), code)


def _snapshots(values: Values) -> tuple[list[Snapshot], int]:
    """Return the nodes that are asked for, at the moment that is; and 1 if one was not seen then.

    Of such a node, behind a link that was down, or unreadable, it is what was seen last.
    """
    recording = Recording(Path(values.text("replay")))
    number, end_ns = recording.newest, recording.wall_ns(recording.newest)
    if values.given("at"):
        number = recording.number_at(parse_time(values.text("at"), end_ns))
    frame = recording.frame(number)
    nodes = frame.nodes if frame is not None else ()
    found = {node.name: node.snapshot for node in nodes if node.snapshot is not None}
    wanted = values.text("NODE")
    if wanted and wanted not in found:
        names = ", ".join(found) or "no node"
        raise UsageError(f"The recording has {names} at that moment, not {wanted!r}.")
    if not found:
        raise UsageError("The recording has no node at that moment: choose another with --at.")
    moment = wall_time(frame.wall_ns) if frame is not None else ""
    print(f"isinglass: as it was recorded at {moment}", file=sys.stderr)
    unseen = [
        node
        for node in nodes
        if node.name in ((wanted,) if wanted else found) and node.condition not in SEEN
    ]
    for node in unseen:
        why = node.sentence or node.condition
        age = text.seconds(node.age_seconds)
        print(f"isinglass: {node.name}: {why}; this is {age} older", file=sys.stderr)
    return [found[wanted]] if wanted else list(found.values()), int(bool(unseen))
