"""Which node a command looks at, and how it waits for one that is about to start."""

from __future__ import annotations

import sys

from isinglass import clock
from isinglass.cli.options import Option, Positional
from isinglass.errors import SegmentError, SegmentHalfWritten, SegmentMissing, UsageError
from isinglass.glass import layout
from isinglass.glass.permission import unseen_nodes
from isinglass.glass.reader import SegmentReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.cli.options import Values
    from isinglass.glass.snapshot import Snapshot

FIRST_DELAY_SECONDS = 0.01
LONGEST_DELAY_SECONDS = 0.25
REMOTE = "ssh://"
_ONE_OF = "The node, the path of its segment, or ssh://HOST/NODE;"
ONE_NODE = Positional(
    "NODE", f"{_ONE_OF} may be left out when there is only one.", required=False, completes="nodes"
)
ANY_NODES = Positional(
    "NODE", f"{_ONE_OF} all nodes of this machine when left out.", required=False, completes="nodes"
)
WAIT = Option(
    "wait",
    "Wait so long for a node that is about to start.",
    value="SECONDS",
    kind="seconds",
    default=0.0,
)
SSH_COMMAND = Option(
    "ssh-command",
    "Reach ssh:// addresses by this command, as `ssh -p 2222`, instead of asyncssh.",
    value="COMMAND",
)


REPLAY = (
    Option(
        "replay",
        "Print what a recording holds instead, of the moment --at or of its end.",
        value="FILE",
        completes="files",
    ),
    Option("at", "The moment: 14:05:30, -5m (before the recording's end).", value="TIME"),
)


def refuse_replay(values: Values) -> None:
    """Refuse what only the command `isinglass` can do, which knows recordings.

    Raises:
        UsageError: a recording, or a moment of one, is asked for.
    """
    if values.given("at") or values.given("replay"):
        raise UsageError("--at is a moment of a recording: name that with --replay FILE.")


def all_or_one(name: str) -> list[str]:
    """Return the node that was named, or every node of this machine.

    Raises:
        SegmentMissing: none was named, and there is none.
    """
    if name:
        return [name]
    names = layout.node_names()
    if not names:
        raise SegmentMissing(
            unseen_nodes()
            or f"No node has run here since this machine booted ({layout.runtime_directory()} has"
            " no segment); start one with `isinglass daemon start`."
        )
    return names


def only_one(name: str) -> str:
    """Return the node that was named, or the only one of this machine.

    Raises:
        SegmentMissing: none was named, and there is none.
        UsageError: none was named, and there are several.
    """
    names = all_or_one(name)
    if len(names) > 1:
        raise UsageError(f"There are several nodes here, name one: {', '.join(names)}.")
    return names[0]


def open_reader(name: str, wait_seconds: float = 0.0) -> SegmentReader:
    """Open a node's segment; wait for one that is not there yet.

    Polls with a growing delay: the directory itself may not exist yet, so there is nothing that
    an inotify watch could be put on.

    Raises:
        SegmentError: the segment cannot be read, or did not come within `wait_seconds`.
    """
    until_ns = clock.monotonic_ns() + int(wait_seconds * clock.NANOSECONDS_PER_SECOND)
    delay = FIRST_DELAY_SECONDS
    while True:
        try:
            return SegmentReader(name)
        except (SegmentMissing, SegmentHalfWritten):
            if clock.monotonic_ns() >= until_ns:
                raise
        clock.sleep(delay)
        delay = min(delay * 2, LONGEST_DELAY_SECONDS)


def is_remote(name: str) -> bool:
    """Tell whether a node's name is the address of one on another host."""
    return name.startswith(REMOTE)


def snapshots(
    name: str, wait_seconds: float = 0.0, ssh_command: str = "", *, events: bool = False
) -> tuple[list[Snapshot], int]:
    """Return one snapshot of the node that was named, on whichever host, or of all nodes.

    Of all nodes those that can be read; one that cannot is told on stderr, and makes the exit code,
    which comes second, 1.

    Raises:
        SegmentError: none can be read, or came within `wait_seconds`.
        RemoteError: its host cannot be reached or does not relay.
    """
    if is_remote(name):
        # Imported here: looking at the own machine needs no SSH.
        from isinglass.remote import attach

        return attach.snapshots(name, wait_seconds, ssh_command, events=events), 0
    found, reasons = [], []
    for each in wait_for_any(name, wait_seconds):
        try:
            found.append(take_snapshot(each, wait_seconds, events=events))
        except SegmentError as error:
            reasons.append(error)
    if not found:
        raise reasons[0]
    for reason in reasons:
        print(f"isinglass: {reason}", file=sys.stderr)
    return found, int(bool(reasons))


def take_snapshot(name: str, wait_seconds: float = 0.0, *, events: bool = False) -> Snapshot:
    """Return one snapshot of a node, with its events when they are asked for."""
    reader = open_reader(name, wait_seconds)
    try:
        return reader.snapshot(events=events)
    finally:
        reader.close()


def wait_for_any(name: str, wait_seconds: float) -> list[str]:
    """Return `all_or_one(name)`, waiting for a first node when none was named."""
    until_ns = clock.monotonic_ns() + int(wait_seconds * clock.NANOSECONDS_PER_SECOND)
    delay = FIRST_DELAY_SECONDS
    while not name and not layout.node_names() and clock.monotonic_ns() < until_ns:
        clock.sleep(delay)
        delay = min(delay * 2, LONGEST_DELAY_SECONDS)
    return all_or_one(name)
