"""What has a name on this machine: a node's daemon, a monitor, or a program that is neither.

They share the runtime directory and the lock, so that no two have one name. Whatever a command ends
or speaks of must be what it is for: the segment says what it is, by the name of the process that
made it.
"""

from __future__ import annotations

from isinglass.errors import SegmentError, StoreLocked, UsageError
from isinglass.glass.reader import SegmentReader
from isinglass.node import ownership

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.glass.snapshot import Snapshot
    from isinglass.node.ownership import Owner
    from isinglass.settings import Settings

# the process that made the segment: what its name is the name of, and who does what to it
ROLES = {
    "daemon": ("a node", "isinglass daemon {action} {name}"),
    "monitor": ("a monitor", "isinglass monitor {action} --name {name}"),
}
LIVING = ("alive", "stalled")


def snapshot_of(settings: Settings) -> Snapshot | None:
    """Return what the segment of a name shows, None when it cannot be read."""
    try:
        with SegmentReader(str(settings.node_runtime_dir / "segment")) as reader:
            return reader.snapshot()
    except SegmentError:
        return None


def look_at(settings: Settings, wanted: str, action: str) -> tuple[Owner | None, Snapshot | None]:
    """Return who holds a name, and what its segment shows.

    Args:
        wanted: the role that the command is for.
        action: what it is about to do, for the sentence.

    Raises:
        ProcessAway: this user may not look at it.
        UsageError: the name is another kind's; the sentence has the command that it needs.
    """
    owner, snapshot = ownership.owner_of(settings.node_runtime_dir), snapshot_of(settings)
    process = snapshot.owner if snapshot else None
    # A segment that is not its holder's says nothing of it: the holder is just beginning.
    if process is None or (owner is not None and owner.pid != process.pid):
        return owner, snapshot
    if process.name != wanted and process.name in ROLES:
        kind, command = ROLES[process.name]
        line = command.format(action=action, name=settings.node)
        raise UsageError(f"{settings.node} is {kind}, not {ROLES[wanted][0]}: give `{line}`.")
    return owner, snapshot


def refuse_program(settings: Settings) -> None:
    """Refuse to take a name that a program has, while the caller holds the lock of the name.

    Raises:
        StoreLocked: a process that is no daemon and no monitor has the segment.
    """
    snapshot = snapshot_of(settings)
    process = snapshot.owner if snapshot else None
    if process is not None and process.verdict in LIVING:
        raise StoreLocked(
            f"The name {settings.node} is in use by process {process.pid} ({process.name}), a"
            " program that is not a daemon: take another name, or end that program first."
        )
