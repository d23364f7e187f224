"""Who reads the store, and for how long: LMDB's reader table with processes and ages.

A snapshot that is held keeps every page that was replaced since, so a forgotten reader makes the
data file grow. LMDB's table says process, thread and snapshot, but not since when: `ReaderAges`
remembers when each snapshot was first seen, so an age is too low by at most the time between looks.
A reader that is on the newest snapshot holds nothing back (`commits_behind` 0), whatever its age.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

NANOSECONDS_PER_SECOND = 1e9
_IDLE = "-"


class Reader(NamedTuple):
    """One slot of the reader table; `commits_behind` counts the commits since its snapshot."""

    pid: int
    thread: int
    active: bool
    age_seconds: float
    commits_behind: int
    dead: bool


class ReaderAges:
    """Turns LMDB's listing of readers into `Reader`s, remembering since when each was seen."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int, int], int] = {}

    def observe(
        self, listing: str, last_commit: int, now_ns: int, is_alive: Callable[[int], bool]
    ) -> list[Reader]:
        """Return all readers, the oldest snapshot first.

        Args:
            listing: from LMDB: a heading, then a line of pid, thread (hexadecimal), snapshot each.
            last_commit: number of the newest write transaction.
            is_alive: tells whether the process with that pid still has the store open.
        """
        readers: list[Reader] = []
        seen: dict[tuple[int, int, int], int] = {}
        for pid, thread, snapshot in _slots(listing):
            behind = age = 0
            if snapshot is not None:
                identity = (pid, thread, snapshot)
                seen[identity] = self._seen.get(identity, now_ns)
                behind, age = last_commit - snapshot, now_ns - seen[identity]
            old, dead = age / NANOSECONDS_PER_SECOND, not is_alive(pid)
            readers.append(Reader(pid, thread, snapshot is not None, old, behind, dead))
        self._seen = seen
        return sorted(readers, key=lambda reader: (not reader.active, -reader.age_seconds))


def _slots(listing: str) -> list[tuple[int, int, int | None]]:
    slots = []
    for line in listing.splitlines():
        words = line.split()
        if len(words) == 3 and words[0].isdigit():
            snapshot = None if words[2] == _IDLE else int(words[2])
            slots.append((int(words[0]), int(words[1], 16), snapshot))
    return slots
