"""The one thread that reads: snapshots once an interval, probe words in between, off the UI loop.

It hands over readings and keeps nothing, so a slow screen cannot slow it, and it never touches the
screen. What it hands over waits in a queue that the screen empties; when the screen falls far
behind, the oldest readings are dropped, not the newest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import random

from isinglass import clock
from isinglass.cli.nodes import is_remote
from isinglass.glass import layout
from isinglass.glass.schedule import Schedule
from isinglass_console.model.frame import Condition
from isinglass_console.model.reading import Reading
from isinglass_console.sources.far_files import FarFiles
from isinglass_console.sources.local import LocalSource
from isinglass_console.sources.reading_thread import ReadingThread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass_console.sources.remote import Fleet

SAMPLES_PER_SECOND = 5.0  # fifty in the ten seconds that a share is of; each wakes who looks
WAITING_READINGS = 120


@dataclass(frozen=True, slots=True)
class Delivery:
    """The readings of one tick."""

    readings: tuple[Reading, ...]
    wall_ns: int
    interval_seconds: float


class Feed(ReadingThread):
    """Reads nodes at an interval until it is stopped.

    Args:
        nodes: the nodes to read, ssh:// addresses among them; empty for all that are found on this
            machine, now and later.
        interval_seconds: time from one reading to the next.
        arrived: called in this thread when something was put into an empty queue.
        ssh_command: what reaches other hosts; empty for asyncssh.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        interval_seconds: float,
        arrived: Callable[[], None],
        ssh_command: str = "",
    ) -> None:
        super().__init__("feed")
        self.interval_seconds = interval_seconds
        self.samples_per_second = SAMPLES_PER_SECOND
        self.problem = ""
        remote = [name for name in nodes if is_remote(name)]
        self._wanted = tuple(name for name in nodes if not is_remote(name))
        self._finds_nodes = not nodes
        self._fleet: Fleet | None = None
        if remote:
            # What reaches other hosts is half as much to load as the console itself.
            from isinglass_console.sources.remote import Fleet

            self._fleet = Fleet(remote, ssh_command, self._hurry.set)
        self.far_files = FarFiles(self._fleet)
        self._sources: dict[str, LocalSource] = {}
        self._arrived = arrived
        self._waiting: deque[Delivery] = deque(maxlen=WAITING_READINGS)

    def is_here(self, node: str) -> bool:
        """Return whether a node that is shown is one of this machine."""
        return node in self._sources

    def take(self) -> list[Delivery]:
        """Return what was read since the last call, oldest first."""
        found = []
        while self._waiting:
            found.append(self._waiting.popleft())
        return found

    def set_interval(self, seconds: float) -> None:
        """Read at another interval from now on."""
        self.interval_seconds = seconds
        self._hurry.set()

    def run(self) -> None:
        """Read, sample until the next reading is due, and again."""
        while True:
            self._hurry.clear()
            if self._ended.is_set():
                break
            end_ns = clock.monotonic_ns() + int(self.interval_seconds * 1e9)
            try:
                self._read_all()
                self.problem = ""
                self._sample_until(end_ns)
            except Exception as reason:
                # A screen that says why it stands still is better than one that just does.
                self.problem = f"reading failed: {reason!r}"
                self._arrived()
                self._rests_until(end_ns)
        for source in self._sources.values():
            source.close()
        if self._fleet is not None:
            self._fleet.close()

    def _read_all(self) -> None:
        names = self._wanted
        if self._finds_nodes:
            names = tuple(sorted({*layout.node_names(), *self._sources}))
        for name in names:
            if name not in self._sources:
                self._sources[name] = LocalSource(name)
        readings = [self._read(name) for name in names]
        if self._fleet is not None:
            looks = round(self.samples_per_second)
            readings += self._fleet.read(names, self.interval_seconds, looks)
        self._waiting.append(Delivery(tuple(readings), clock.wall_ns(), self.interval_seconds))
        self._arrived()

    def _read(self, name: str) -> Reading:
        """Read one node; a damaged segment must not end the reading of the others."""
        try:
            return self._sources[name].read()
        except Exception as reason:
            self._sources.pop(name).close()
            self._sources[name] = LocalSource(name)
            return Reading(name, Condition.UNREADABLE, f"its segment cannot be read: {reason!r}")

    def _sample_until(self, end_ns: int) -> None:
        """Sample at random instants until the end; a period that went by is missed, not made up."""
        start_ns = clock.monotonic_ns()
        schedule = Schedule(self.samples_per_second, start_ns, random)
        for due_ns in schedule.instants(end_ns):
            now_ns = clock.monotonic_ns()
            if now_ns - due_ns >= 2 * schedule.period_ns:
                continue
            if due_ns >= end_ns or self._rests_until(due_ns):
                break
            late = clock.monotonic_ns() - due_ns >= schedule.period_ns
            for source in self._sources.values():
                source.sample(late)
        self._rests_until(end_ns)

    def _rests_until(self, due_ns: int) -> bool:
        """Wait for an instant; return whether there is something else to do at once."""
        rest = (due_ns - clock.monotonic_ns()) / 1e9
        return self._hurry.wait(rest) if rest > 0 else self._hurry.is_set()
