"""A page of the log: what the operator asked for, and the part of the events that answers it.

The log is longer than any screen and may be longer than memory, so a screen has a window of it:
either the newest events, which it follows, or those around a moment. Whoever has the events (a
monitor's spool, the console's own memory) makes the page; the screen only says what it wants.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from isinglass_console.model.filter import Filter
from isinglass_console.model.log import LogEntry

ROWS_BEFORE, ROWS_AFTER = 400, 200
OWN = "this console's memory of the rings here"


@dataclass(slots=True)
class LogChoice:
    """What the operator set in the log.

    `at_ns`: what is read is around this moment; None: the log follows the time of all views.
    """

    at_ns: int | None = None
    severity: int = 0
    node_only: bool = False


@dataclass(frozen=True, slots=True)
class LogRequest:
    """Which part of the log is wanted: around a moment, or, without one, the newest, followed."""

    at_ns: int | None = None
    node: str = ""
    severity: int = 0
    filter: Filter = field(default_factory=Filter)

    def wants(self, entry: LogEntry) -> bool:
        """Return whether an event is among those that are asked for."""
        return (
            entry.severity >= self.severity
            and (not self.node or entry.node == self.node)
            and self.filter.lets_through(entry.search)
        )


@dataclass(frozen=True, slots=True)
class LogPage:
    """Events in order of time, and what there is beyond them.

    `searched_from_ns`: a search stopped here, older events were not looked at; 0: it did not.
    `sentence`: what is wrong with the source, if something is.
    """

    request: LogRequest
    entries: tuple[LogEntry, ...] = ()
    source: str = OWN
    more_before: bool = False
    more_after: bool = False
    searched_from_ns: int = 0
    sentence: str = ""


def page_of_log(log: Sequence[LogEntry], request: LogRequest) -> LogPage:
    """Return the page of events that are all in memory.

    Args:
        log: in order of time.
    """
    wanted = [entry for entry in log if request.wants(entry)]
    at = len(wanted)
    if request.at_ns is not None:
        at = bisect_right(wanted, request.at_ns, key=lambda entry: entry.wall_ns)
    first, end = max(0, at - ROWS_BEFORE), at + ROWS_AFTER
    return LogPage(
        request,
        tuple(wanted[first:end]),
        more_before=first > 0,
        more_after=end < len(wanted),
    )


def index_at(entries: Sequence[LogEntry], at_ns: int) -> int:
    """Return the index of the last event not after a moment, 0 when all are later."""
    return max(0, bisect_right(entries, at_ns, key=lambda entry: entry.wall_ns) - 1)
