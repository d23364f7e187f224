"""The events of all nodes in the order in which they happened, as far as the console saw them.

They come from the event rings of the segments, so there is a log without a log server, and it
survives the process. Each ring is read up to a sequence number; the log keeps the newest 4,000
events, about 2 MB.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field

from isinglass.glass.severity import severity_name

KEPT = 4000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event, or one thing that the console itself noticed."""

    wall_ns: int
    node: str
    process: str
    severity: int
    flag: str
    message: str
    where: str = ""
    place: tuple[int, int, int] = (0, 0, 0)  # stamp, stream, sequence, where they are known

    @property
    def key(self) -> str:
        """What tells the event from all others."""
        stamp, stream, sequence = self.place
        if stamp:
            return f"{self.node} {stamp:x} {stream:x} {sequence}"
        return f"{self.node} {self.wall_ns} {self.process} {self.message}"

    @property
    def search(self) -> str:
        """The text that a filter looks through."""
        name = severity_name(self.severity)
        return f"{self.node} {self.process} {name} {self.flag} {self.message} {self.where}"


def _time(entry: LogEntry) -> int:
    return entry.wall_ns


@dataclass(slots=True)
class Log:
    """Events by time; what comes late is sorted in where it belongs."""

    entries: list[LogEntry] = field(default_factory=list)

    def add(self, entries: Iterable[LogEntry]) -> None:
        """Add events, in any order."""
        for entry in entries:
            if not self.entries or entry.wall_ns >= self.entries[-1].wall_ns:
                self.entries.append(entry)
            else:
                insort(self.entries, entry, key=_time)
        if len(self.entries) > KEPT:
            del self.entries[: len(self.entries) - KEPT]

    def around(self, _wall_ns: int, _least: int = KEPT) -> Log:
        """Return the events about a moment: all that are kept."""
        return self

    def until(self, wall_ns: int) -> list[LogEntry]:
        """Return the events not after a moment, oldest first."""
        end = bisect_right(self.entries, wall_ns, key=_time)
        return self.entries[:end]
