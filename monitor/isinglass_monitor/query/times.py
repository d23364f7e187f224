"""Moments as people write them: `-10m`, `14:05`, `2026-11-28 14:05:30`; in the local time zone.

A time of day is the last one that has been: at nine in the morning, 14:05 is yesterday's. One that
there are two of, when clocks are set back, is the later of those that have been.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from isinglass.clock import NANOSECONDS_PER_SECOND
from isinglass.durations import seconds_of
from isinglass.errors import UsageError

_AGO = re.compile(r"-((?:\d+(?:\.\d+)?(?:s|min|m|h|d|w))+)")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?")
ALLOWED = "give a time as -10m, 14:05, 14:05:30, 2026-11-28, 2026-11-28 14:05 or now"


def parse_time(text: str, now_ns: int) -> int:
    """Return the moment that a text says, in nanoseconds since 1970.

    Args:
        now_ns: the wall time.

    Raises:
        UsageError: it says none.
    """
    text = text.strip()
    if text == "now":
        return now_ns
    now = datetime.fromtimestamp(now_ns // NANOSECONDS_PER_SECOND)  # local
    try:
        if match := _AGO.fullmatch(text):
            return now_ns - int(seconds_of(match[1]) * NANOSECONDS_PER_SECOND)
        if text in ("today", "yesterday"):
            day = now.date() - timedelta(days=text == "yesterday")
            return _nanoseconds(datetime(day.year, day.month, day.day))
        if _CLOCK.fullmatch(text):
            found = datetime.fromisoformat(
                f"{now.date()}T{text.zfill(len(text) + (text[1] == ':'))}"
            )
            times = (found.replace(fold=1), found, found - timedelta(days=1))
            return max(at for at in map(_nanoseconds, times) if at <= now_ns)
        return _nanoseconds(datetime.fromisoformat(text))
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{text!r} is no time: {ALLOWED}.") from None


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1000
