"""A monitor on another host: its spool, alarms and statistics, asked for over SSH.

The same interfaces as for a monitor of this machine, so screens and commands do not know the
difference. There `isinglass monitor relay` answers (`answering`), from the same files.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from isinglass import clock
from isinglass.errors import UsageError
from isinglass.remote.address import read_address
from isinglass.remote.asking import Asker
from isinglass_monitor.query.answering import MOST_ENTRIES, MOST_FIGURES
from isinglass_monitor.spool.reading import Cursor, Question, question_of
from isinglass_monitor.spool.records import Entry
from isinglass_monitor.statistics import Point

COMMAND = "isinglass monitor relay --orders"
LOOK_NS = clock.NANOSECONDS_PER_SECOND // 2


class FarAlarms(NamedTuple):
    """The document of alarms; `behind_ns`: how far the far clock is behind this machine's."""

    document: dict[str, Any]
    runs: bool
    name: str
    behind_ns: int


class FarMonitor:
    """A monitor at an address; all of it comes through one link, which mends by itself.

    Args:
        address: ssh://[USER@]HOST[:PORT]/[NAME]; without a name the one that is there.
        ssh_command: the system's ssh; empty for asyncssh.

    Raises:
        UsageError: the address is none.
    """

    def __init__(self, address: str, ssh_command: str = "") -> None:
        place = read_address(address)
        self.host = place.host.host
        named = f" {shlex.quote(place.node)}" if place.node else ""
        self._asker = Asker(place.way, COMMAND + named, ssh_command)

    def alarms(self) -> FarAlarms:
        """Return the newest document of alarms.

        Raises:
            RemoteError: the host does not answer.
            IsinglassError: no monitor has run there.
        """
        document, runs, name, far_wall_ns = self._asker.ask("alarms")
        return FarAlarms(document, runs, name, clock.wall_ns() - far_wall_ns)

    def order(self, order: dict[str, Any]) -> dict[str, Any]:
        """Give an order, and return the answer.

        Raises:
            RemoteError: the host does not answer.
            IsinglassError: the monitor cannot do it, or that link takes no orders.
        """
        answer: dict[str, Any] = self._asker.ask("order", order=order)
        return answer

    def spool(self) -> FarSpool:
        """Return its spool; raises as the methods of that do."""
        return FarSpool(self._asker, self.host)

    def statistics(self) -> FarStatistics:
        """Return its statistics."""
        return FarStatistics(self._asker)

    def close(self) -> None:
        """End the link."""
        self._asker.close()


class FarSpool:
    """The spool of a monitor on another host; its methods raise RemoteError and StoreError."""

    def __init__(self, asker: Asker, host: str) -> None:
        self._asker = asker
        name, self._runs = asker.ask("about")
        self.name = f"{name} at {host}"
        self._end = Cursor(0, 0)
        self._again_ns = 0

    def remark(self) -> str:
        """Return a sentence when its monitor did not run when this was opened."""
        if self._runs:
            return ""
        return f"the monitor {self.name} does not run: its spool ends where it ended"

    def refresh(self) -> None:
        """The far side looks by itself."""

    def ask(self, question: Question) -> Iterator[Entry]:
        """Yield the answer, oldest first; it comes in parts."""
        further: Question | None = question
        while further is not None:
            found, asked = self._asker.ask("forwards", question=further)
            further = question_of(asked) if asked else None
            yield from _entries(found)

    def newest(self, question: Question, count: int) -> list[Entry]:
        """Return the last entries of the answer, `count` at most, oldest first.

        Raises:
            UsageError: these are too many for one answer.
        """
        if count > MOST_ENTRIES:
            raise UsageError(
                f"From another host come the newest {MOST_ENTRIES} at most: say since when instead."
            )
        return _entries(self._asker.ask("newest", question=question, count=count))

    def end(self) -> Cursor:
        """Return the cursor behind everything that is there now."""
        return Cursor(*self._asker.ask("end"))

    def since(self, cursor: Cursor, commits: int = 256) -> tuple[list[Entry], Cursor]:
        """Return what came in after a cursor, and the cursor behind it.

        When nothing did, the host is not asked again for half a second.
        """
        now_ns = clock.monotonic_ns()
        if cursor == self._end and now_ns < self._again_ns:
            return [], cursor
        found, behind = self._asker.ask("since", cursor=cursor, commits=commits)
        if Cursor(*behind) == cursor:
            self._end, self._again_ns = cursor, now_ns + LOOK_NS
        return _entries(found), Cursor(*behind)

    def close(self) -> None:
        """The link is the monitor's."""


class FarStatistics:
    """The statistics of a monitor on another host; its methods raise RemoteError and StoreError."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def nodes(self) -> list[str]:
        """Return every node of which there are statistics."""
        return list(self._asker.ask("nodes"))

    def fields(self, node: str) -> list[str]:
        """Return every figure of a node of which there are points."""
        return list(self._asker.ask("fields", node=node))

    def read(self, node: str, field: str, since: int, until: int) -> list[Point]:
        """Return the points of a figure between two wall seconds."""
        return self.read_all([(node, field)], since, until)[0]

    def read_all(
        self, wanted: Sequence[tuple[str, str]], since: int, until: int
    ) -> list[list[Point]]:
        """Return the points of figures, each by node and field."""
        found: list[list[Point]] = []
        for at in range(0, len(wanted), MOST_FIGURES):
            asked = wanted[at : at + MOST_FIGURES]
            columns = self._asker.ask("points", wanted=asked, since=since, until=until)
            found += [[Point(*point) for point in column] for column in columns]
        return found

    def close(self) -> None:
        """The link is the monitor's."""


def _entries(found: Sequence[Sequence[Any]]) -> list[Entry]:
    return [Entry(*fields) for fields in found]
