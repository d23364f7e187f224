"""Whether merging avoids more or fewer writes than a minute ago, and why; a function of trends.

Updates merge when one of a record comes while another of it waits. So a share falls for one of
three reasons, which the node's own figures tell apart: fewer updates wait, so that fewer meet; more
updates come than before, and those that came in addition meet none; or as many come and wait as
before, and it is their keys that repeat less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, nan

NOW_FRAMES, BEFORE_FRAMES = 5, 60
CHANGED_LEAST = 0.1  # of the share: less is the weather
FLOODED_FACTOR = 1.5
WAITS_FACTOR = 2.0


class Cause(StrEnum):
    """Why a share changed."""

    NONE = "none"
    FLOOD = "flood"
    WAITS = "waits"
    KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Level:
    """Figures of some frames together: share merged away, updates offered a second, waiting."""

    merged: float = nan
    offered: float = nan
    length: float = nan


@dataclass(frozen=True, slots=True)
class MergeChange:
    """The last seconds beside the minute before them.

    `added`: the share of the updates offered in addition that merged; NaN where none were.
    """

    now: Level
    before: Level
    cause: Cause
    added: float = nan


def merge_change(
    merged: Sequence[float], offered: Sequence[float], length: Sequence[float]
) -> MergeChange:
    """Return how the share of merged updates changed; the newest values last, gaps NaN."""
    now = _level(merged[-NOW_FRAMES:], offered[-NOW_FRAMES:], length[-NOW_FRAMES:])
    earlier = slice(-NOW_FRAMES - BEFORE_FRAMES, -NOW_FRAMES)
    before = _level(merged[earlier], offered[earlier], length[earlier])
    more = now.offered - before.offered
    added = (now.merged * now.offered - before.merged * before.offered) / more if more > 0 else nan
    return MergeChange(now, before, _cause(now, before), added)


def _level(merged: Sequence[float], offered: Sequence[float], length: Sequence[float]) -> Level:
    """Return the means; of the share, weighted by what was offered."""
    pairs = zip(merged, offered, strict=True)
    known = [(share, rate) for share, rate in pairs if isfinite(share) and rate > 0]
    total = sum(rate for _, rate in known)
    if not total > 0:
        return Level()
    waiting = [value for value in length if isfinite(value)]
    return Level(
        sum(share * rate for share, rate in known) / total,
        total / len(known),
        sum(waiting) / len(waiting) if waiting else nan,
    )


def _cause(now: Level, before: Level) -> Cause:
    change = now.merged - before.merged
    if not abs(change) >= CHANGED_LEAST:
        return Cause.NONE
    if change < 0 and now.offered >= before.offered * FLOODED_FACTOR:
        return Cause.FLOOD
    fewer, more = (now, before) if change < 0 else (before, now)
    if fewer.length * WAITS_FACTOR <= more.length and more.length > 0:
        return Cause.WAITS
    return Cause.KEYS
