"""When a replica that is behind will have caught up, told from how its lag went just now.

A lag in seconds is the age of the oldest update that is missing, so it falls in one piece at the
end; the number of missing updates falls from the moment at which the replica gets on again. So a
straight line is laid through that number (least squares), from its peak on if there was one, and
where it comes to nothing the replica has caught up. A lag that only trembles follows no line, and
no trough of it looks like an end that is near: most of its variance must be the line's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, nan

FRAMES = 10
EVEN_SECONDS = 0.5
FRAMES_OF_FALL = 4
LINE_SHARE = 0.6  # of the variance


class Course(StrEnum):
    """Where a lag goes."""

    UNKNOWN = ""
    EVEN = "keeps up"
    NEARER = "catches up"
    FURTHER = "falls further behind"
    STEADY = "no end in sight"
    DOWN = "catches up once it runs again"


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Where a lag goes; `seconds` until it is gone, `rate` by how many updates a second it falls.

    `rate` is negative while the lag grows, and both are NaN where nothing can be told.
    """

    course: Course
    seconds: float = nan
    rate: float = nan


def catch_up(
    lag_seconds: Sequence[float], lag_updates: Sequence[float], interval_seconds: float
) -> CatchUp:
    """Return where a lag goes.

    Args:
        lag_seconds, lag_updates: the values of the last frames, the newest last; gaps are NaN.
        interval_seconds: from frame to frame.
    """
    if not lag_seconds or not isfinite(lag_seconds[-1]):
        return CatchUp(Course.UNKNOWN)
    if lag_seconds[-1] < EVEN_SECONDS:
        return CatchUp(Course.EVEN, 0.0)
    known = [value for value in lag_updates[-FRAMES:] if isfinite(value)]
    if len(known) < 2:
        return CatchUp(Course.UNKNOWN)
    since_peak = known[len(known) - 1 - known[::-1].index(max(known)) :]
    rise, share = _line(since_peak if len(since_peak) >= FRAMES_OF_FALL else known)
    rate = -rise / interval_seconds
    if share < LINE_SHARE or (rate > 0 and known[-1] > known[-2]):
        return CatchUp(Course.STEADY)
    if rate < 0:
        return CatchUp(Course.FURTHER, rate=rate)
    return CatchUp(Course.NEARER, known[-1] / rate, rate)


def _line(values: Sequence[float]) -> tuple[float, float]:
    """Return how much the straight line through values rises a step, and its share of variance."""
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in range(len(values)))
    rise = sum((at - middle) * (value - mean) for at, value in enumerate(values)) / spread
    variance = sum((value - mean) ** 2 for value in values)
    return rise, rise * rise * spread / variance if variance > 0 else 0.0
