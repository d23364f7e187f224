"""Which segments of the spool have to go: by age, by size, by the disk's free space; pure.

Segments go whole and the oldest first; never the newest one, into which is written. So a spool that
has one segment alone may be larger than its limit, by one segment at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from isinglass import clock

AGE, SIZE, SPACE = "age", "size", "space"


class Limits(NamedTuple):
    """What the spool may take."""

    age_seconds: float = 30 * 86_400.0
    size_bytes: int = 16 << 30
    free_bytes: int = 1 << 30  # that the disk keeps free
    segment_bytes: int = 256 << 20
    segment_seconds: float = 86_400.0

    @property
    def rotate_bytes(self) -> int:
        """How large a segment gets: a small spool has smaller ones, so that one is an eighth."""
        return max(min(self.segment_bytes, self.size_bytes // 8), 1 << 20)


class Held(NamedTuple):
    """One segment on the disk."""

    number: int
    arrived_ns: int  # when its last record came, wall time
    size_bytes: int


def expendable(
    segments: Sequence[Held], limits: Limits, now_ns: int, free_bytes: int
) -> list[tuple[Held, str]]:
    """Return the segments to remove, oldest first, each with the limit that it is for.

    Args:
        segments: all of them.
        now_ns: wall time.
        free_bytes: of the disk.
    """
    oldest_ns = now_ns - int(limits.age_seconds * clock.NANOSECONDS_PER_SECOND)
    size = sum(segment.size_bytes for segment in segments)
    found = []
    for segment in sorted(segments)[:-1]:
        if segment.arrived_ns < oldest_ns:
            reason = AGE
        elif size > limits.size_bytes:
            reason = SIZE
        elif free_bytes < limits.free_bytes:
            reason = SPACE
        else:
            break
        found.append((segment, reason))
        size -= segment.size_bytes
        free_bytes += segment.size_bytes
    return found
