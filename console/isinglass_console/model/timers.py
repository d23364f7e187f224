"""The periodic tasks of a daemon: when each ran, for how long, and how late it is."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from isinglass.glass.snapshot import Snapshot
from isinglass_console.model.board import Severity
from isinglass_console.model.figures import panels_of
from isinglass_console.model.frame import HEARTBEAT_SECONDS
from isinglass_console.model.rates import number

LATE_INTERVALS = 1.0
LATE_LEAST_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class TimerRow:
    """One task; times in seconds before the snapshot was taken."""

    name: str
    interval_seconds: float
    since_seconds: float
    duration_seconds: float
    late_seconds: float
    runs: float
    failures: float
    severity: Severity


def timer_rows(snapshot: Snapshot) -> list[TimerRow]:
    """Return the tasks of the daemon: those that are late or failed first, then by name."""
    rows = []
    for panel in panels_of(snapshot, "timer"):
        interval = number(panel, "interval")
        last, due = number(panel, "last_run"), number(panel, "next_run")
        since = (snapshot.taken_wall_ns - last) / 1e9 if last > 0 else nan
        waiting = (last_life_ns(snapshot) - due) / 1e9 if due > 0 else 0.0
        late = max(waiting, number(panel, "overdue"), 0.0)
        rows.append(
            TimerRow(
                panel.instance or panel.name,
                interval,
                since,
                number(panel, "last_duration"),
                late,
                number(panel, "runs"),
                number(panel, "failures"),
                _severity(late, interval, number(panel, "failures")),
            )
        )
    return sorted(rows, key=lambda row: (-row.severity, row.name))


def last_life_ns(snapshot: Snapshot) -> int:
    """Return until when the daemon was seen to live: who is dead is not late."""
    owner = snapshot.owner
    if owner is None or owner.heartbeat_age_seconds < 2 * HEARTBEAT_SECONDS:
        return snapshot.taken_wall_ns
    return snapshot.taken_wall_ns - int(owner.heartbeat_age_seconds * 1e9)


def _severity(late: float, interval: float, failures: float) -> Severity:
    if late > max(LATE_LEAST_SECONDS, LATE_INTERVALS * interval):
        return Severity.WARNING
    return Severity.WARNING if failures > 0 else Severity.WELL
