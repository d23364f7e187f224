"""Where in the history the operator looks: live, or held at a moment.

Moving it touches nothing else: the source goes on filling the history while the cursor is held, so
letting go shows a live screen at once, and graphs have no gaps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OFFSET = re.compile(r"^[-−]\s*(?:(\d+)\s*h)?\s*(?:(\d+)\s*m(?:in)?)?\s*(?:(\d+(?:\.\d+)?)\s*s?)?$")
_CLOCK = re.compile(r"^(\d{1,2}):(\d{2})(?::(\d{2}))?$")
DAY_SECONDS = 86_400
LONGEST_SECONDS = 1e11  # back from now, that is before anything was recorded


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the history: the number of a frame, or None for always the newest."""

    number: int | None = None

    @property
    def live(self) -> bool:
        """Whether it follows the newest frame."""
        return self.number is None

    def settled(self, oldest: int, newest: int) -> int:
        """Return the number of the frame to show now; a moment that was forgotten is the oldest."""
        if self.number is None:
            return newest
        return min(max(self.number, oldest), newest)

    def held(self, oldest: int, newest: int) -> Cursor:
        """Return the cursor paused where it shows now."""
        return Cursor(self.settled(oldest, newest))

    def moved(self, steps: int, oldest: int, newest: int) -> Cursor:
        """Return the cursor so many frames on (back when negative), always paused."""
        return Cursor(min(max(self.settled(oldest, newest) + steps, oldest), newest))


def parse_moment(text: str, now_wall_ns: int) -> int | None:
    """Return the wall time that `-3m`, `-90`, `-1h 2m` or `14:02:30` (UTC) means, or None.

    A time of day later than now is yesterday's; nothing is before 1970.
    """
    text = text.strip()
    if match := _CLOCK.match(text):
        hours, minutes, rest = (int(part or 0) for part in match.groups())
        if hours > 23 or minutes > 59 or rest > 59:
            return None
        now_seconds = now_wall_ns // 1_000_000_000
        at = now_seconds // DAY_SECONDS * DAY_SECONDS + hours * 3600 + minutes * 60 + rest
        return (at if at <= now_seconds else at - DAY_SECONDS) * 1_000_000_000
    match = _OFFSET.match(text)
    if match is None or not any(match.groups()):
        return None
    hours_back, minutes_back, seconds_back = (float(part or 0) for part in match.groups())
    back = hours_back * 3600 + minutes_back * 60 + seconds_back
    return max(now_wall_ns - int(min(back, LONGEST_SECONDS) * 1e9), 0)
