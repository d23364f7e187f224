"""The console's sources without a screen: all that reads nodes, with nobody who looks at them."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from isinglass import clock
from isinglass_console.model.frame import Condition
from isinglass_console.sources.feed import Feed
from remoting.watching import cpu_seconds

START_SECONDS = 60.0


def feed(nodes: Sequence[str], settle_seconds: float, seconds: float) -> float:
    """Return what reading nodes once a second takes, % of a core, once all of them are there."""
    arrived = threading.Event()
    reading = Feed(nodes, 1.0, arrived.set)
    reading.start()
    try:
        _until_alive(reading, arrived)
        _read(reading, arrived, settle_seconds)
        before, began_ns = cpu_seconds([os.getpid()]), clock.monotonic_ns()
        _read(reading, arrived, seconds)
        spent = cpu_seconds([os.getpid()]) - before
        return 100 * spent / ((clock.monotonic_ns() - began_ns) / 1e9)
    finally:
        reading.stop()


def _until_alive(reading: Feed, arrived: threading.Event) -> None:
    end_ns = clock.monotonic_ns() + int(START_SECONDS * 1e9)
    while clock.monotonic_ns() < end_ns:
        arrived.wait(1.0)
        arrived.clear()
        for delivery in reading.take():
            conditions = {each.condition for each in delivery.readings}
            if conditions == {Condition.ALIVE}:
                return
    raise SystemExit("the nodes did not come up")


def _read(reading: Feed, arrived: threading.Event, seconds: float) -> None:
    """Take what comes for a while, as a screen does."""
    end_ns = clock.monotonic_ns() + int(seconds * 1e9)
    while (rest := (end_ns - clock.monotonic_ns()) / 1e9) > 0:
        arrived.wait(rest)
        arrived.clear()
        reading.take()
