"""What a cursor moves over: the frames of some time, their trends and their events.

The console's own last fifteen minutes and a recording are the same to desk and screens: both have
these three, and nothing else is asked of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Protocol

from isinglass_console.model.alarms import Alarm, AlarmSheet
from isinglass_console.model.frame import Frame
from isinglass_console.model.heat import Tally
from isinglass_console.model.log import KEPT, Log, LogEntry


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
