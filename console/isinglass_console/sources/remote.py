"""Nodes on other hosts as sources: what their links brought, never younger than it is.

The feed asks once a tick, as it asks local nodes, and hears at once: frames come by themselves,
granted one tick ahead so that they are here just in time. What did not come is shown as it was,
with its age; a node whose link is down is never shown as up, and its processes' heartbeats grow
old with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from copy import copy
from itertools import chain, count

from isinglass import clock
from isinglass.glass.snapshot import Process, Snapshot
from isinglass.remote.address import Address, read_address
from isinglass.remote.arrivals import Arrival
from isinglass.remote.links import Links
from isinglass.remote.remote_node import RemoteNode
from isinglass_console.model import format as text
from isinglass_console.model.frame import DIM_AFTER_INTERVALS, Condition
from isinglass_console.model.heat import Tally
from isinglass_console.model.log import LogEntry
from isinglass_console.model.reading import Reading
from isinglass_console.sources.local import condition_in, condition_of, log_entries, tally_of

SILENT_SECONDS = 5.0
SILENT_INTERVALS = 5.0
LIST_SECONDS = 5.0
LATE_SHARE, LATE_SECONDS = 0.25, 0.25  # how long a tick waits for frames: of an interval, at most


class RemoteSource:
    """One node behind a link; all calls come from one thread.

    Args:
        name: what it is called on the screen.
        node: the node.
    """

    def __init__(self, name: str, node: RemoteNode) -> None:
        self.name = name
        self.node = node
        self.interval_seconds = 1.0
        self.looks_per_second = 0
        self.in_time = True
        self.tick_ns = 0
        self._last: Arrival | None = None
        self._seen: Snapshot | None = None
        self._seen_ns = 0  # when that was taken, on this machine's monotonic clock

    def read(self) -> Reading:
        """Return the node as it was when its newest frame was taken."""
        tally, events, restarted = Tally(), list[LogEntry](), False
        came = False
        for arrival in self.node.take():
            self._last, self.in_time = arrival, True
            if arrival.snapshot is None:
                continue
            self._seen, self._seen_ns, came = arrival.snapshot, arrival.taken_ns, True
            restarted = restarted or arrival.restarted
            tally.extend(tally_of(arrival.snapshot, arrival.threads, arrival.sampling))
            events.extend(self._entries(arrival.snapshot, arrival))
        if came and self.age_seconds > DIM_AFTER_INTERVALS * self.interval_seconds:
            self.node.hurry(self.looks_per_second)
        else:
            tick_ns = self.tick_ns or clock.monotonic_ns()
            self.node.want(self.interval_seconds, self.looks_per_second, tick_ns)
        condition, sentence = self._state()
        snapshot, taken_wall_ns = self._shown(condition)
        return Reading(
            self.name,
            condition,
            sentence,
            snapshot,
            tally,
            tuple(events),
            restarted,
            taken_wall_ns,
            repeated=not came,
        )

    def runs(self, path: str, source_hash: str) -> bool:
        """Tell whether a process of the node has marks in that version of a file."""
        seen = self._seen
        return seen is not None and any(
            file.path == path and file.source_hash == source_hash
            for process in seen.processes
            for file in process.files.values()
        )

    def sample(self, late: bool) -> None:
        """The far side looks at the threads, as often as the last grant said."""

    def close(self) -> None:
        """The link, which other nodes use as well, is its fleet's."""

    def _entries(self, snapshot: Snapshot, arrival: Arrival) -> Iterable[LogEntry]:
        processes = {(process.slot, process.claim): process for process in snapshot.processes}
        for slot, claim, events in arrival.events:
            if (slot, claim) in processes:
                yield from log_entries(self.name, processes[slot, claim], events)

    @property
    def age_seconds(self) -> float:
        """How long ago, at most, the newest frame was taken."""
        return _since(self._last.taken_ns) if self._last is not None else 0.0

    def _state(self) -> tuple[str, str]:
        """Return the condition and its sentence."""
        link, last = self.node.link, self._last
        if self.node.wrong is not None:
            return Condition.UNREADABLE, str(self.node.wrong)
        if not link.up and link.wrong is not None:
            since = text.clock(link.since_wall_ns)
            return Condition.LINK_DOWN, f"LINK DOWN since {since}: {link.wrong}"
        if last is None or not link.up:
            return Condition.CONNECTING, f"connecting to {link.way[-1]}"
        if self.age_seconds > max(SILENT_SECONDS, SILENT_INTERVALS * self.interval_seconds):
            return Condition.LINK_DOWN, "LINK DOWN: nothing comes through it any more"
        if last.wrong is not None:
            return condition_of(last.wrong), str(last.wrong)
        assert last.snapshot is not None
        return condition_in(last.snapshot), ""

    def _shown(self, condition: str) -> tuple[Snapshot | None, int]:
        """Return the snapshot to show, and when it was taken, on this machine's wall clock."""
        if self._seen is None or self._last is None:
            return None, 0
        if self._last.wrong is not None and condition not in (
            Condition.LINK_DOWN,
            Condition.CONNECTING,
        ):
            return None, 0
        # What came last may have said that the node cannot be read: what is shown is older.
        age, now_ns = _since(self._seen_ns), clock.wall_ns()
        if age <= DIM_AFTER_INTERVALS * self.interval_seconds and condition == Condition.ALIVE:
            return self._seen, now_ns - int(age * 1e9)
        return aged(self._seen, age), now_ns


def _since(taken_ns: int) -> float:
    return max(clock.monotonic_ns() - taken_ns, 0) / 1e9


def aged(snapshot: Snapshot, seconds: float) -> Snapshot:
    """Return a snapshot as if nothing had moved until so much later: heartbeats are older then."""
    later = copy(snapshot)
    later.taken_wall_ns += int(seconds * 1e9)
    later.taken_monotonic_ns += int(seconds * 1e9)
    later.processes = tuple(
        Process(process.slot, process.slot_words, process.raw, process.verdict, later)
        for process in snapshot.processes
    )
    return later


def _free(name: str, address: Address, taken: Collection[str]) -> str:
    """Return what to call a node, so that no other one is called that."""
    wanted = (name, f"{name}@{address.host.host}", f"{name}@{address.host}")
    numbered = (f"{wanted[-1]} ({number})" for number in count(2))
    return next(each for each in chain(wanted, numbered) if each not in taken)


class Fleet:
    """All nodes at the addresses that were given, those that come up later included.

    Args:
        addresses: ssh:// addresses.
        ssh_command: the system's ssh; empty for asyncssh.
        changed: called in another thread when a link came or went.

    Raises:
        UsageError: an address is none.
    """

    def __init__(
        self, addresses: Iterable[str], ssh_command: str, changed: Callable[[], None]
    ) -> None:
        self._addresses = [read_address(address) for address in addresses]
        self.links = Links(ssh_command, changed) if self._addresses else None
        self._sources: dict[tuple[int, str], RemoteSource] = {}
        self._asked_ns = clock.monotonic_ns()

    @property
    def sources(self) -> list[RemoteSource]:
        """The nodes that are known so far."""
        return list(self._sources.values())

    def read(self, taken: Iterable[str], interval_seconds: float, looks: int) -> list[Reading]:
        """Return what is known of each node.

        Args:
            taken: the names of nodes that are shown already.
            interval_seconds: the time until the next call.
            looks: how often a second the far side looks at the threads.
        """
        if self.links is None:
            return []
        self._ask()
        tick_ns = clock.monotonic_ns()
        self._wait(interval_seconds)
        used, readings = set(taken), []
        for number, address in enumerate(self._addresses):
            link = self.links.link(address.way)
            # A host without any node lists the empty name.
            names = (address.node,) if address.node else tuple(filter(None, link.names))
            for name in names:
                source = self._source(number, address, name, used)
                source.interval_seconds, source.looks_per_second = interval_seconds, looks
                source.tick_ns = tick_ns
                used.add(source.name)
                readings.append(source.read())
            if not names:
                readings.append(self._waiting(address))
        return readings

    def _wait(self, interval_seconds: float) -> None:
        """Wait a little for frames that are on their way, or they would be shown a tick later."""
        limit = min(interval_seconds * LATE_SHARE, LATE_SECONDS)
        end_ns = clock.monotonic_ns() + int(limit * 1e9)
        for source in self._sources.values():
            rest = (end_ns - clock.monotonic_ns()) / 1e9
            if source.node.expected and rest > 0 and source.in_time:
                # Who was not in time is not waited for again before it is.
                source.in_time = source.node.news.wait(rest)

    def _ask(self) -> None:
        """Ask hosts that are shown whole which nodes they have, now and then."""
        now_ns = clock.monotonic_ns()
        if self.links is not None and now_ns - self._asked_ns > LIST_SECONDS * 1e9:
            self._asked_ns = now_ns
            for address in self._addresses:
                if not address.node:
                    self.links.ask_names(self.links.link(address.way))

    def _source(self, number: int, address: Address, name: str, used: set[str]) -> RemoteSource:
        source = self._sources.get((number, name))
        if source is None:
            assert self.links is not None
            taken = used | {each.name for each in self._sources.values()}
            source = RemoteSource(_free(name, address, taken), self.links.node(address, name))
            self._sources[number, name] = source
        return source

    def _waiting(self, address: Address) -> Reading:
        """Return what to say of a host of which no node is known."""
        assert self.links is not None
        link = self.links.link(address.way)
        name = str(address.host)
        if link.up:
            return Reading(name, Condition.MISSING, f"no node of the user runs on {name}")
        if link.wrong is None:
            return Reading(name, Condition.CONNECTING, f"connecting to {name}")
        since = text.clock(link.since_wall_ns)
        return Reading(name, Condition.LINK_DOWN, f"LINK DOWN since {since}: {link.wrong}")

    def close(self) -> None:
        """End all links."""
        if self.links is not None:
            self.links.close()
