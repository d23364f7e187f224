"""`isinglass stacks`: the whole Python stacks of a node's processes; this command touches them.

All else here looks at shared memory. Stacks lie in the process itself, so this one stops it for
some milliseconds, or has it write them down (`cli/debugger`); it says so, and leaves an event.
"""

from __future__ import annotations

import sys

from isinglass.cli import nodes, said
from isinglass.cli.debugger import FAULTHANDLER, PY_SPY, take
from isinglass.cli.options import Command, Option, Positional
from isinglass.cli.printing import JSON
from isinglass.cli.selection import PROCESS, fits
from isinglass.cli.units import wall_time
from isinglass.errors import IsinglassError, ProcessAway, UsageError
from isinglass.glass.severity import INFO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from isinglass.glass.snapshot import Process, Snapshot

LIVING = ("alive", "stalled")
FORMAT = 1
COMMAND = Command(
    "stacks",
    "Print the whole Python stacks of a node's processes; this touches them.",
    positionals=(
        Positional(
            "NODE",
            "The node; may be left out when there is only one.",
            required=False,
            completes="nodes",
        ),
    ),
    options=(
        PROCESS,
        Option(
            "way",
            "How they are had; py-spy where it is installed, when left out.",
            value="WAY",
            choices=(PY_SPY, FAULTHANDLER),
        ),
        JSON,
    ),
    notes=(
        "The daemon alone without --process. py-spy (the extra `debug`) stops a process for some"
        " milliseconds to read it, and needs the right to trace it; without it the process writes"
        " its stacks itself at a signal: daemons of isinglass do, others when they have called"
        " isinglass.stacks_on_request().",
        "An event with the flag `stacks` says who asked, and how they came.",
        "Exit code: 0 printed; 1 one could not be had, and why; 2 no such process.",
    ),
    examples=("isinglass stacks alder", "isinglass stacks alder --process 'client*'"),
)
EXIT_NOT_ALL = 1


def main(arguments: list[str]) -> int:
    """Print the stacks; return 0 when all that were asked for could be had."""
    values = COMMAND.parse(arguments)
    name = nodes.only_one(values.text("NODE"))
    reader = nodes.open_reader(name)
    try:
        snapshot = reader.snapshot()
        chosen = _chosen(snapshot, values.texts("process"))
        found, failed = [], 0
        for process in chosen:
            try:
                text, way = take(process, reader.path, values.text("way"))
            except ProcessAway as error:
                print(f"isinglass: {error}", file=sys.stderr)
                failed += 1
                continue
            found.append((process, way, text))
            _say(snapshot.node, process, way)
    finally:
        reader.close()
    _print(snapshot, found, as_json=values.flag("json"))
    return EXIT_NOT_ALL if failed else 0


def _chosen(snapshot: Snapshot, globs: Sequence[str]) -> list[Process]:
    living = [process for process in snapshot.processes if process.verdict in LIVING]
    if not globs:
        chosen = [process for process in living if process.slot == 0]
    else:
        chosen = [
            process
            for process in living
            if fits(process.name, globs) or fits(str(process.pid), globs)
        ]
    if not chosen:
        what = f"process like {' or '.join(globs)}" if globs else "daemon"
        raise UsageError(
            f"Node {snapshot.node} has no living {what}; `isinglass ps {snapshot.node}` shows where"
            " the threads of the others stood."
        )
    return chosen


def _say(node: str, process: Process, way: str) -> None:
    """Leave an event; a node that takes none must not keep the stacks from being printed."""
    try:
        whose = f"{process.name} {process.pid}"
        said.say(node, "stacks", INFO, "stacks", f"the stacks of {whose} were taken", way=way)
    except (IsinglassError, OSError) as error:
        print(f"isinglass: no event could say who asked: {error}", file=sys.stderr)


def _print(snapshot: Snapshot, found: list[tuple[Process, str, str]], *, as_json: bool) -> None:
    if as_json:
        import json

        stacks = [
            {
                "process": process.name,
                "pid": process.pid,
                "way": way,
                "lines": text.splitlines(),
            }
            for process, way, text in found
        ]
        head = {"format": FORMAT, "node": snapshot.node, "taken_wall_ns": snapshot.taken_wall_ns}
        sys.stdout.write(json.dumps({**head, "stacks": stacks}, indent=1) + "\n")
        return
    at = wall_time(snapshot.taken_wall_ns)
    for process, way, text in found:
        print(f"{snapshot.node} {process.name} {process.pid}, by {way}, {at}\n\n{text}\n")
