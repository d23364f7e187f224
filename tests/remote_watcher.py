"""Looks at nodes of other hosts as the console's feed does, until they are as a test wants them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from isinglass import clock
from isinglass_console.model.reading import Reading
from isinglass_console.sources.remote import Fleet, RemoteSource

LIMIT_SECONDS = 40.0
INTERVAL_SECONDS = 0.1


class Watcher:
    """Reads a fleet as the console's feed does, and keeps every reading."""

    def __init__(self, fleet: Fleet, changed: Callable[[float], object]) -> None:
        self.fleet, self._pause = fleet, changed
        self.seen: list[Reading] = []

    def until(self, wanted: Callable[[list[Reading]], bool]) -> list[Reading]:
        """Read until the readings of a tick are as wanted; return them."""
        end_ns = clock.monotonic_ns() + int(LIMIT_SECONDS * 1e9)
        while True:
            readings = self.fleet.read((), INTERVAL_SECONDS, 50)
            self.seen.extend(readings)
            if wanted(readings):
                return readings
            assert clock.monotonic_ns() < end_ns, readings
            self._pause(INTERVAL_SECONDS)

    def ready(self, interval_seconds: float) -> list[RemoteSource]:
        """Read until the relays hold nothing but grants for such an interval; return the nodes."""
        self.until(lambda found: not found[0].repeated)
        while any(source.node.expected for source in self.fleet.sources):
            for source in self.fleet.sources:
                source.node.wait(LIMIT_SECONDS)
        self.fleet.read((), interval_seconds, 0)
        return self.fleet.sources

    def until_relays_but(self, other: psutil.Process) -> list[psutil.Process]:
        """Read until another relay than that one is there; return all."""
        found: list[psutil.Process] = []

        def another(_readings: list[Reading]) -> bool:
            found[:] = relays()
            return bool(found) and other not in found

        self.until(another)
        return found

    def until_first(self, condition: str) -> Reading:
        """Read until the first node is in a condition."""
        return self.until(lambda found: bool(found) and found[0].condition == condition)[0]


@contextmanager
def watching(*addresses: str, ssh_command: str = "") -> Iterator[Watcher]:
    """Look at addresses until the block ends."""
    changed = threading.Event()

    def pause(seconds: float) -> None:
        changed.wait(seconds)
        changed.clear()

    fleet = Fleet(addresses, ssh_command, changed.set)
    try:
        yield Watcher(fleet, pause)
    finally:
        fleet.close()


def beat_age(reading: Reading) -> float:
    assert reading.snapshot is not None and reading.snapshot.owner is not None
    return reading.snapshot.owner.heartbeat_age_seconds


def relays() -> list[psutil.Process]:
    """Return the relays of this test: those that look into its directory."""
    own = os.environ["ISINGLASS_RUNTIME_DIR"]
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if "relay" in words and process.environ().get("ISINGLASS_RUNTIME_DIR") == own:
                found.append(process)
        except psutil.Error:
            continue
    return found
