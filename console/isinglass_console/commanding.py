"""What the console does outside: one of isinglass's own commands, in a process of its own.

The console only ever reads segments. Whoever stores an event joins one and becomes part of it, and
whoever asks for stacks touches a process; so that is left to the command that does it, leaves an
event that says who, and ends.
"""

from __future__ import annotations

import json
import subprocess
import sys

from isinglass.errors import IsinglassError
from isinglass.harmless import printable
from isinglass_console.model.stacks import Stacks

LIMIT_SECONDS = 20.0


class NotDone(IsinglassError):
    """The command did not do it; it said why."""


def command(*arguments: str) -> str:
    """Run `isinglass` with these arguments; return what it printed.

    Raises:
        NotDone: it could not, and why.
    """
    line = [sys.executable, "-m", "isinglass_console.cli", *arguments]
    try:
        done = subprocess.run(
            line,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as reason:
        raise NotDone(f"`isinglass {arguments[0]}` did not end: {reason}.") from reason
    if not done.stdout or (done.returncode and done.stderr):
        said = _sentence(done.stderr)
        raise NotDone(said or f"`isinglass {arguments[0]}` ended with code {done.returncode}.")
    return done.stdout


def _sentence(stderr: str) -> str:
    lines = stderr.strip().splitlines()
    return lines[0].removeprefix("isinglass: ") if lines else ""


def note(node: str, text: str) -> str:
    """Put a remark on the timeline of a node's cluster; return what to say."""
    return command("note", "--node", node, "--", text).strip()


def stacks(node: str, pid: int) -> Stacks:
    """Take the Python stacks of a process of a node of this machine, which touches it."""
    document = json.loads(command("stacks", node, "--process", str(pid), "--json"))
    (found,) = document["stacks"]
    return Stacks(
        document["taken_wall_ns"],
        node,
        found["process"],
        pid,
        found["way"],
        tuple(printable(line.expandtabs(4)) for line in found["lines"]),
    )


def drain(node: str, time: str, reason: str) -> str:
    """Drain a node of its clients' writes for a time; return what to say."""
    return command("daemon", "drain", node, "--for", time, "--because", reason).strip()


def resume(node: str) -> str:
    """Have a drained node take its clients' writes again; return what to say."""
    return command("daemon", "resume", node).strip()


def debug_flags(node: str) -> list[tuple[str, float]]:
    """Return the debug flags of a node, with the seconds that each is still on, 0 when off."""
    document = json.loads(command("debug", node, "--json"))
    return [(flag["flag"], flag["left_seconds"]) for flag in document["flags"]]


def switch_debug(node: str, switches: tuple[str, ...], time: str) -> str:
    """Switch debug flags of a node for a time; return what to say."""
    command("debug", node, *switches, "--for", time)
    return f"{' '.join(switches)} at {node} for {time}; the log says so"
