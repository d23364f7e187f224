"""A day of the console in some minutes: real readings, a wall clock that runs ahead, each painted.

The app runs without a terminal; each tick it gets the nodes as they are now, as if a second had
passed, and paints. The history is full after fifteen minutes; what grows after that grows for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import psutil

from isinglass import clock
from isinglass_console.app import IsinglassApp
from isinglass_console.model.reading import Reading
from isinglass_console.sources.local import LocalSource

FULL_TICKS = 1_800  # twice the history
WIDTH, HEIGHT = 160, 48
SECOND_NS = clock.NANOSECONDS_PER_SECOND


class Growth(NamedTuple):
    """Resident MiB when the history was full, and at the end of so many ticks."""

    ticks: int
    full: float
    end: float


def _memory() -> float:
    return float(psutil.Process().memory_info().rss / 2**20)


async def _day(names: Sequence[str], ticks: int) -> Growth:
    app = IsinglassApp(names, feeding=False)
    sources = [LocalSource(name) for name in names]
    wall_ns, full = clock.wall_ns(), 0.0
    async with app.run_test(size=(WIDTH, HEIGHT)):
        for tick in range(ticks):
            wall_ns += SECOND_NS
            readings: list[Reading] = []
            for source in sources:
                source.sample(False)
                reading = source.read()
                if reading.snapshot is not None:
                    reading.snapshot.taken_wall_ns = wall_ns
                readings.append(reading)
            app.desk.absorb(readings, wall_ns, 1.0)
            app.paint()
            # A pilot's pause waits until the process is idle, longer than all else takes.
            painted = asyncio.Event()
            app.call_after_refresh(painted.set)
            await painted.wait()
            if tick == FULL_TICKS:
                full = _memory()
        end = _memory()
    for source in sources:
        source.close()
    return Growth(ticks, full, end)


def day(names: Sequence[str], ticks: int) -> Growth:
    """Let the console see so many seconds of nodes; return what memory it took."""
    return asyncio.run(_day(names, max(ticks, FULL_TICKS + 1)))
