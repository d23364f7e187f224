"""Where the threads of a node stand: seen when an alarm is raised, and kept for its report.

Only of nodes on this machine: their segments are files here, also when their daemons hang or are
dead. One small file an alarm, so that the alarms themselves stay small; the newest are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from isinglass.cli.dump_text import thread_row
from isinglass.cli.nodes import take_snapshot
from isinglass.cli.ps import short_path
from isinglass.errors import SegmentError
from isinglass_monitor.atomic_file import read_document, replace_document
from isinglass_monitor.views import MONITOR_PREFIX

DIRECTORY = "threads"
KEPT_FILES = 500
MOST_THREADS = 200


def standing(nodes: Iterable[str]) -> list[dict[str, Any]]:
    """Return where each thread of these nodes stands now; nothing of a node that is elsewhere."""
    rows: list[dict[str, Any]] = []
    for node in sorted(nodes):
        try:
            snapshot = take_snapshot(node.removeprefix(MONITOR_PREFIX))
        except (SegmentError, OSError):
            continue
        for process in snapshot.processes:
            for thread in process.threads:
                name, _, place, _, doing = thread_row(thread)
                rows.append(
                    {
                        "wall_ns": snapshot.taken_wall_ns,
                        "node": node,
                        "process": f"{process.name} {process.pid}, {process.verdict}",
                        "thread": name,
                        "where": short_path(place),
                        "doing": doing,
                        "seconds": thread.stood_seconds,
                    }
                )
    return rows[:MOST_THREADS]


def keep(data: Path, number: int, rows: list[dict[str, Any]]) -> None:
    """Keep what was seen when an alarm was raised.

    Raises:
        OSError: it cannot be written.
    """
    folder = data / DIRECTORY
    folder.mkdir(exist_ok=True, mode=0o750)
    replace_document(folder / f"{number}.json", rows)
    (folder / f"{number - KEPT_FILES}.json").unlink(missing_ok=True)


def kept(data: Path, number: int) -> list[dict[str, Any]]:
    """Return what was seen when an alarm was raised; nothing when nothing was kept."""
    rows = read_document(data / DIRECTORY / f"{number}.json")
    return rows if isinstance(rows, list) else []
