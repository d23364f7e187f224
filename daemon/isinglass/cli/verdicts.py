"""A process's verdict as a sentence, and what it means for a command's exit code."""

from __future__ import annotations

from isinglass import clock
from isinglass.cli.units import seconds, wall_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.glass.snapshot import Process, Snapshot

EXIT_ALIVE = 0
EXIT_NOT_ALIVE = 1
SENTENCES = {
    "alive": "ALIVE, heartbeat {age} ago",
    "stalled": "STALLED, has not moved for {age}",
    "clean exit": "CLEAN EXIT at {time}, {age} ago",
    "killed": "KILLED, last seen {time}, {age} ago; its last state is below",
}


def sentence(process: Process, taken_wall_ns: int) -> str:
    """Return what the reader must know first about a process."""
    age = process.heartbeat_age_seconds
    if process.verdict == "clean exit" and process.ended_wall_ns:
        age = (taken_wall_ns - process.ended_wall_ns) / clock.NANOSECONDS_PER_SECOND
    seen_ns = taken_wall_ns - int(age * clock.NANOSECONDS_PER_SECOND)
    return SENTENCES[process.verdict].format(age=seconds(age), time=wall_time(seen_ns))


def exit_code(snapshot: Snapshot) -> int:
    """Return 0 when the node's owner is alive, else 1."""
    owner = snapshot.owner
    return EXIT_ALIVE if owner is not None and owner.verdict == "alive" else EXIT_NOT_ALIVE
