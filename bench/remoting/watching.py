"""One remote node looked at as the console does it, with the account of all processes it takes."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from isinglass import clock
from isinglass.remote.address import read_address
from isinglass.remote.ssh import Ssh
from isinglass_console.model.reading import Reading
from isinglass_console.sources.remote import Fleet, RemoteSource

START_SECONDS = 20.0
SETTLE_TICKS = 5
TCP_BYTES_RECEIVED = slice(128, 136)  # tcpi_bytes_received of linux/tcp.h


@dataclass
class Watched:
    """What looking took: CPU in seconds, bytes, and ages in seconds."""

    seconds: float = 0.0
    relay_cpu: float = 0.0
    sshd_cpu: float = 0.0
    client_cpu: float = 0.0
    wire_bytes: int = 0
    frames: int = 0
    frame_bytes: int = 0
    round_trip: float = 0.0
    ages: list[float] = field(default_factory=list)


def cpu_seconds(pids: list[int]) -> float:
    """Return the processor time of processes, by the scheduler's own account."""
    total_ns = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total_ns += int((task / "schedstat").read_text().split()[0])
    return total_ns / 1e9


class Watching:
    """A link to one node.

    Args:
        address: where it is.
        listener: the pid of the sshd, whose sessions' processor time counts.
    """

    def __init__(self, address: str, listener: int) -> None:
        self._changed = threading.Event()
        self._fleet = Fleet([address], "", self._changed.set)
        while (source := self._source()).node.frames_taken == 0:
            if not self._changed.wait(START_SECONDS):
                raise SystemExit(f"{address} does not answer")
            self._changed.clear()
        self.node = source.node
        assert self._fleet.links is not None
        self._links = self._fleet.links
        self.link = self._links.link(read_address(address).way)
        self.relay = int(str(self.link.facts["pid"]))
        parents = psutil.Process(self.relay).parents()
        names = [one.pid for one in parents]
        self.sessions = names[: names.index(listener)]

    def wire_bytes(self) -> int:
        """Return how many bytes have come through the link's socket."""
        carrier = self._links._carrier
        assert isinstance(carrier, Ssh)
        (task,) = carrier._connections.values()
        sock = task.result().get_extra_info("socket")
        told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return int.from_bytes(told[TCP_BYTES_RECEIVED], "little")

    def run(self, interval: float, looks: int, seconds: float) -> Watched:
        """Look once an interval, and account for it."""
        found = Watched()
        self._ticks(interval, looks, SETTLE_TICKS, Watched())
        began_ns, before = clock.monotonic_ns(), self._spent()
        self._ticks(interval, looks, round(seconds / interval), found)
        spent = [after - then for after, then in zip(self._spent(), before, strict=True)]
        found.relay_cpu, found.sshd_cpu, found.client_cpu = spent[:3]
        found.wire_bytes = round(spent[3])
        found.seconds = (clock.monotonic_ns() - began_ns) / 1e9
        found.round_trip = self.link.round_trip.mean_ns / 1e9
        return found

    def _spent(self) -> list[float]:
        families = ([self.relay], self.sessions, [os.getpid()])
        return [*(cpu_seconds(pids) for pids in families), self.wire_bytes()]

    def _ticks(self, interval: float, looks: int, count: int, found: Watched) -> None:
        """Show what has come at each tick; what is shown is oldest just before the next one."""
        due_ns, shown_ns, before = clock.monotonic_ns(), 0, self.node.frames_taken
        bytes_before = self.node.bytes_taken
        for _ in range(count):
            due_ns += int(interval * 1e9)
            clock.sleep(max(due_ns - clock.monotonic_ns(), 0) / 1e9)
            reading = self.look(interval, looks)
            if shown_ns:
                found.ages.append((clock.monotonic_ns() - shown_ns) / 1e9)
            if reading.snapshot is not None:
                shown_ns = reading.snapshot.taken_monotonic_ns
        found.frames = self.node.frames_taken - before
        found.frame_bytes = self.node.bytes_taken - bytes_before

    def look(self, interval: float, looks: int) -> Reading:
        """Take what has come, as the console's feed does."""
        return self._fleet.read((), interval, looks)[0]

    def _source(self) -> RemoteSource:
        self.look(1.0, 0)
        (source,) = self._fleet.sources
        return source

    def close(self) -> None:
        """End the link."""
        self._fleet.close()
