"""What a cursor moves over: the frames of some time, their trends and their events.

The console's own last fifteen minutes and a recording are the same to desk and screens: both have
these three, and nothing else is asked of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from math import nan
from typing import Protocol

from isinglass_console.model.alarms import Alarm, AlarmSheet
from isinglass_console.model.frame import Frame
from isinglass_console.model.heat import Tally
from isinglass_console.model.log import KEPT, Log, LogEntry

GAP_INTERVALS, GAP_SECONDS = 5.0, 5.0  # no frame for longer than both: nothing was recorded


class Timeline(Protocol):
    """Frames by their number, which counts up by one from frame to frame."""

    @property
    def oldest(self) -> int:
        """The number of the oldest frame; -1 when there is none."""

    @property
    def newest(self) -> int:
        """The number of the newest frame; -1 when there is none."""

    def frame(self, number: int) -> Frame | None:
        """Return a frame, None when it is not kept (any more)."""

    def wall_ns(self, number: int) -> int:
        """Return the time of a frame that is kept."""

    def number_at(self, wall_ns: int) -> int:
        """Return the number of the last frame not after a moment, or of the oldest."""

    def number_from(self, wall_ns: int) -> int:
        """Return the number of the first frame that is not before a moment, or of the newest."""

    def tallies(self, node: str, number: int, seconds: float) -> list[Tally]:
        """Return the probe samples of a node in the last `seconds` before frame `number`."""


def frames_before(timeline: Timeline, number: int, seconds: float) -> Iterator[int]:
    """Yield the numbers of the frames of the last seconds before one, that one first.

    They end where the clock was set back: what was recorded before that bears later times.
    """
    later_ns = timeline.wall_ns(number)
    start_ns = later_ns - int(seconds * 1e9)
    while number >= timeline.oldest and start_ns < timeline.wall_ns(number) <= later_ns:
        later_ns = timeline.wall_ns(number)
        yield number
        number -= 1


def gap_ns(interval_seconds: float) -> int:
    """Return the longest time from one frame to the next that is no gap."""
    return int(max(GAP_INTERVALS * interval_seconds, GAP_SECONDS) * 1e9)


def with_gaps(
    values: list[float], timeline: Timeline, number: int, interval_seconds: float
) -> list[float]:
    """Return values of the frames up to one, with NaN for each frame that a gap is long.

    Args:
        values: one a frame; the oldest go, as many as there are gaps for.
        interval_seconds: of the frames.
    """
    oldest = max(number - len(values) + 1, timeline.oldest)
    interval_ns, least_ns = int(interval_seconds * 1e9), gap_ns(interval_seconds)
    if not oldest < number <= timeline.newest:
        return values
    span_ns = timeline.wall_ns(number) - timeline.wall_ns(oldest)
    if span_ns < (number - oldest - 1) * interval_ns + least_ns:
        return values  # nearly always: one look instead of one a frame
    place = len(values) - 1
    for at in range(number, oldest, -1):
        between_ns = timeline.wall_ns(at) - timeline.wall_ns(at - 1)
        if between_ns > least_ns:
            missing = min(between_ns // interval_ns - 1, place)
            values[:place] = [*values[missing:place], *[nan] * missing]
            place -= missing
        if (place := place - 1) <= 0:
            break
    return values


class Trends(Protocol):
    """The figures of nodes from frame to frame."""

    def tail(self, key: Hashable, length: int, number: int) -> list[float]:
        """Return the `length` values that end with frame `number`, oldest first; gaps are NaN."""


class Events(Protocol):
    """The events of all nodes."""

    def around(self, wall_ns: int, least: int = KEPT) -> Log:
        """Return the events about a moment: at least so many before it, and some after it."""


class Replayed(Timeline, Trends, Events, Protocol):
    """What was recorded: frames, trends, events and alarms in one."""

    @property
    def grows(self) -> bool:
        """Whether a recorder goes on with it."""

    def follow(self) -> bool:
        """Take in what was recorded since; return whether there is anything new."""

    def sheet(self, number: int) -> AlarmSheet | None:
        """Return the alarms about a frame, as `sheet_at` wants them; None: none were recorded."""

    @property
    def alarms(self) -> Sequence[Alarm]:
        """All alarms that were recorded."""

    def warnings(self, wall_ns: int, step: int) -> Iterator[LogEntry]:
        """Yield the events that warn, or are errors, from a moment on, or back from it (-1)."""
