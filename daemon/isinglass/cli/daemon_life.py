"""Ask a daemon to end and wait for it; say how it is. The far side of `isinglass daemon`.

The process is waited for by its pidfd, so the end is noticed at once and can be nobody else's. What
a daemon that is asked to end still has to do stands in its segment: the one who waits reads it
there, without asking the daemon, and says it each second.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path

from isinglass import clock
from isinglass.cli.printing import tell
from isinglass.cli.roles import look_at, snapshot_of
from isinglass.cli.units import seconds
from isinglass.node import ownership

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.cli.options import Values
    from isinglass.glass.panel_views import PanelView
    from isinglass.glass.snapshot import Snapshot
    from isinglass.settings import Settings

EXIT_NOT_RUNNING = 3  # LSB, "Init Script Actions"
EXIT_STILL_RUNNING = 1
DRAINED = "drained"  # panel daemon, field state
REPORT_SECONDS = 1.0
DEATH_LIMIT_SECONDS = 10.0  # from SIGKILL to the end: a dying process may finish its disk write
ENDINGS = {
    "clean exit": "it was stopped and ended cleanly",
    "killed": "it was killed; `isinglass dump` shows its last state",
    "alive": "its segment is held by another process",
    "stalled": "its segment is held by a process that does not move",
}


def stop(settings: Settings, values: Values) -> int:
    """Send TERM and wait for the end; kill it when that was asked for. Return the exit code."""
    limit = values.number("limit") if values.given("limit") else settings.stop_limit_seconds
    owner, _ = look_at(settings, "daemon", "stop")
    if owner is None:
        facts = {"node": settings.node, "was_running": False, "pid": None, "killed": False}
        tell(values, f"No daemon of node {settings.node} runs here.", facts)
        return 0
    process = ownership.grasp(settings.node_runtime_dir, owner)
    try:
        _signalled(process, signal.SIGTERM)
        kills = values.given("kill-after")
        patience = values.number("kill-after") if kills else limit
        if _wait(process, patience, settings, owner.pid):
            return _ended(values, settings, owner.pid, killed=False)
        if not kills:
            _say(
                f"the daemon has not ended within {limit:g} s"
                f" ({_remaining(settings, owner.pid)}): wait longer with --limit, or kill it with"
                " --kill-after"
            )
            return EXIT_STILL_RUNNING
        return kill(process, settings, owner.pid, values)
    finally:
        os.close(process)


def _signalled(process: int, number: int) -> bool:
    """Send a signal; return False when the process has just ended by itself."""
    try:
        signal.pidfd_send_signal(process, number)
    except ProcessLookupError:
        return False
    return True


def kill(process: int, settings: Settings, pid: int, values: Values) -> int:
    """Kill a daemon, given by its pidfd, and wait for its end; return the exit code."""
    killed = _signalled(process, signal.SIGKILL)
    if not _wait(process, DEATH_LIMIT_SECONDS, settings, pid):
        _say(f"process {pid} was killed but does not end: it hangs in the kernel, see its stack")
        return EXIT_STILL_RUNNING
    return _ended(values, settings, pid, killed=killed)


def _ended(values: Values, settings: Settings, pid: int, *, killed: bool) -> int:
    how = "was killed" if killed else "has ended"
    facts = {"node": settings.node, "was_running": True, "pid": pid, "killed": killed}
    tell(values, f"The daemon of node {settings.node} (process {pid}) {how}.", facts)
    return 0


def _wait(process: int, limit_seconds: float, settings: Settings, pid: int) -> bool:
    """Return whether the process ended within the limit; say each second what is left to do."""
    poller = select.poll()
    poller.register(process, select.POLLIN)
    until_ns = clock.monotonic_ns() + int(limit_seconds * clock.NANOSECONDS_PER_SECOND)
    while True:
        left = (until_ns - clock.monotonic_ns()) / clock.NANOSECONDS_PER_SECOND
        if poller.poll(max(0.0, min(REPORT_SECONDS, left)) * 1000):
            return True
        if left <= 0:
            return False
        _say(f"waiting for process {pid}: {_remaining(settings, pid)}")


def _remaining(settings: Settings, pid: int) -> str:
    """Return what keeps the daemon from ending, from its segment and the kernel."""
    if _is_stopped(pid):
        return f"it is stopped and cannot act; `kill -CONT {pid}` lets it go on"
    snapshot = snapshot_of(settings)
    queue = snapshot.panel("queue") if snapshot else None
    if queue is None:
        return "it has not yet ended"
    return f"{queue.get('length')} updates in its queue are still to be written"


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2][1] == "T"
    except OSError:
        return False


def print_status(settings: Settings, *, as_json: bool) -> int:
    """Print whether the daemon runs; return 0 when it does, else 3."""
    owner, snapshot = look_at(settings, "daemon", "status")
    document = _status(settings, owner, snapshot)
    if as_json:
        import json

        print(json.dumps(document, indent=1))
    else:
        print(_sentence(document))
    return 0 if owner else EXIT_NOT_RUNNING


def _status(
    settings: Settings, owner: ownership.Owner | None, snapshot: Snapshot | None
) -> dict[str, object]:
    process = snapshot.owner if snapshot else None
    panel = snapshot.panel("daemon") if snapshot else None
    return {
        "node": settings.node,
        "running": owner is not None,
        "pid": owner.pid if owner else None,
        "state": snapshot.state if snapshot else None,
        "drained": panel is not None and panel.get("state") == DRAINED,
        "verdict": process.verdict if process else None,
        "heartbeat_age_seconds": round(process.heartbeat_age_seconds, 3) if process else None,
        "runtime_directory": str(settings.node_runtime_dir),
        "data_directory": _data_directory(settings, panel),
    }


def _data_directory(settings: Settings, panel: PanelView | None) -> str:
    """Return where the store lies: the daemon may have been told another place than the caller.

    The panel has room for the beginning of a long path.
    """
    own, told = str(settings.node_data_dir), str(panel.get("data_directory")) if panel else ""
    return own if own.startswith(told) else told


def _sentence(document: dict[str, object]) -> str:
    node, verdict = document["node"], document["verdict"]
    if document["running"]:
        how = "is starting" if verdict is None or document["state"] == "init" else "runs"
        if verdict == "stalled" and isinstance(age := document["heartbeat_age_seconds"], float):
            how = f"has not moved for {seconds(age)}"
        drained = " It is drained: no client may write." if document["drained"] else ""
        return f"The daemon of node {node} {how} (process {document['pid']}).{drained}"
    if verdict is None:
        return f"No daemon of node {node} runs here, nor did one since this machine booted."
    return f"No daemon of node {node} runs here: {ENDINGS[str(verdict)]}."


def _say(sentence: str) -> None:
    print(f"isinglass: {sentence}", file=sys.stderr, flush=True)
