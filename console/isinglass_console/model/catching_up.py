"""When a replica that is behind will have caught up, told from how its lag went just now.

A lag in seconds is the age of the oldest update that is missing, so it falls in one piece at the
end. The number of missing updates falls from the moment at which the replica gets on again: once a
good part is gone since the peak of the last frames, that is the speed by which the rest is
reckoned. A lag that only trembles is judged by the straight line through all of them (least
squares), so that no trough looks like an end that is near.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, nan

FRAMES = 10
EVEN_SECONDS = 0.5
FALLEN_SHARE = 0.75  # of the peak: what is below has begun to catch up
STILL_SHARE = 0.03  # of the missing updates a second: slower than that, no end is foreseen


class Course(StrEnum):
    """Where a lag goes."""

    UNKNOWN = ""
    EVEN = "keeps up"
    NEARER = "catches up"
    FURTHER = "falls further behind"
    STEADY = "stays that far behind"


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
    now, peak = known[-1], max(known)
    if now <= peak * FALLEN_SHARE:
        known = known[len(known) - 1 - known[::-1].index(peak) :]
        rate = (peak - now) / ((len(known) - 1) * interval_seconds)
    else:
        rate = -_slope(known) / interval_seconds
    if abs(rate) <= now * STILL_SHARE:
        return CatchUp(Course.STEADY, rate=rate)
    if rate < 0:
        return CatchUp(Course.FURTHER, rate=rate)
    return CatchUp(Course.NEARER, now / rate, rate)


def _slope(values: Sequence[float]) -> float:
    """Return by how much the straight line through equally spaced values rises a step."""
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in range(len(values)))
    return sum((at - middle) * (value - mean) for at, value in enumerate(values)) / spread
