"""The moments at which something went wrong, of all who say so: events, alarms, thresholds.

The keys that go from one to the next need a time and a sentence, whoever told it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from isinglass.glass.severity import ERROR, WARNING
from isinglass_console.model.alarms import Alarm
from isinglass_console.model.board import Severity
from isinglass_console.model.log import LogEntry

LEVELS = {Severity.WARNING: WARNING, Severity.STALE: WARNING, Severity.CRITICAL: ERROR}


@dataclass(frozen=True, slots=True)
class Moment:
    """When something went wrong at a node; `event` is the key of the log's entry, if it is one."""

    wall_ns: int
    level: int
    node: str
    sentence: str
    event: str = ""


def of_log(entries: Iterable[LogEntry]) -> list[Moment]:
    """Return the moments of events that warn or are errors."""
    return [
        Moment(entry.wall_ns, entry.severity, entry.node, entry.message, entry.key)
        for entry in entries
        if entry.severity >= WARNING
    ]


def of_alarms(alarms: Iterable[Alarm]) -> list[Moment]:
    """Return when each alarm was raised."""
    return [
        Moment(alarm.raised_ns, alarm.level, alarm.node, f"{alarm.rule} raised: {alarm.value}")
        for alarm in alarms
    ]


def beyond(moments: Iterable[Moment], least: int, at_ns: int, step: int) -> Moment | None:
    """Return the next moment after `at_ns` (the one before, with -1) that is as bad as `least`."""
    bad = [moment for moment in moments if moment.level >= least]
    if step > 0:
        return min((m for m in bad if m.wall_ns > at_ns), key=_time, default=None)
    return max((m for m in bad if m.wall_ns < at_ns), key=_time, default=None)


def _time(moment: Moment) -> int:
    return moment.wall_ns
