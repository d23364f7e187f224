"""Plays a timeline: which moment is shown at which time, at some speed; moves a cursor, no more.

Pure: the caller owns the clock. A time in which nothing was recorded is skipped, and where the
clock of who recorded was set back it goes on from the time of then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from isinglass_console.model.timeline import Timeline, gap_ns

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Player:
    """Playing since `since_ns` (monotonic) from `moment_ns` (wall time) on."""

    speed: float
    moment_ns: int
    since_ns: int

    def moment(self, now_ns: int) -> int:
        """Return the moment to show now."""
        return self.moment_ns + int((now_ns - self.since_ns) * self.speed)

    def at_speed(self, speed: float, now_ns: int) -> Player:
        """Return the player going on at another speed."""
        return Player(speed, self.moment(now_ns), now_ns)

    def number(
        self, timeline: Timeline, shown: int, interval_seconds: float, now_ns: int
    ) -> tuple[Player, int]:
        """Return the number of the frame to show now, and the player, past a gap if in one.

        Args:
            shown: the number of the frame that is shown, and `interval_seconds` its interval.
        """
        moment = self.moment(now_ns)
        longest_ns = gap_ns(interval_seconds)
        while shown < timeline.newest:
            at, following = timeline.wall_ns(shown), timeline.wall_ns(shown + 1)
            if following < at or following - max(at, moment) > longest_ns:
                return replace(self, moment_ns=following, since_ns=now_ns), shown + 1
            if following > moment:
                break
            shown += 1
        return self, shown


def next_speed(speed: float, steps: int) -> float:
    """Return the next higher (positive) or lower speed."""
    at = SPEEDS.index(min(SPEEDS, key=lambda each: abs(each - speed))) + steps
    return SPEEDS[min(max(at, 0), len(SPEEDS) - 1)]
