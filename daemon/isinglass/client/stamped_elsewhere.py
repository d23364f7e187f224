"""What this client wrote at other nodes, and its own node's store does not show yet.

A primary that a client asks itself gives a stamp, not a place in the own node's line. So what was
written is kept here until the own store shows that stamp or a newer one, and reads of such a record
are answered from here, as from `own_writes`:

    written ──answer with a stamp──▶ kept here ──the store shows it, or a newer one──▶ forgotten
                                         └──── KEPT_SECONDS ────▶ forgotten

A store that has nothing of a record has not heard of it yet, or has forgotten its deletion already:
then the primary is asked. Kept are what the last milliseconds brought, or PRUNE_AT writes.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import NamedTuple

from isinglass import clock
from isinglass.errors import RequestTimeout
from isinglass.glass.probe import mark

KEPT_SECONDS = 600.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.001, 0.02
ASK_AFTER_SECONDS = 0.2
PRUNE_AT = 64

Where = tuple[str, str]  # table and key


class Stamped(NamedTuple):
    """A write: its stamp, the packed value or None for a deletion, and when it was kept."""

    stamp: int
    payload: bytes | None
    kept_ns: int


class Elsewhere:
    """Own writes that other nodes stamped; several threads use it.

    Args:
        shows: tells of a table and key whether the own store has what was written at a stamp, or
            later; None when it has nothing of the record.
    """

    def __init__(self, shows: Callable[[str, str, int], bool | None]) -> None:
        self._shows, self._lock = shows, threading.Lock()
        self.kept: dict[Where, Stamped] = {}
        self._prune_at = PRUNE_AT
        _all.add(self)

    def add(self, table: str, key: str, stamp: int, payload: bytes | None) -> None:
        """Keep one write."""
        with self._lock:
            self.kept[table, key] = Stamped(stamp, payload, clock.monotonic_ns())
        if len(self.kept) >= self._prune_at:
            left = self._left()
            # Doubling keeps the cost of looking through them constant for each write.
            self._prune_at = max(PRUNE_AT, 2 * len(left))

    def waiting(self, table: str, key: str) -> Stamped | None:
        """Return the write of a record that the store does not show yet, or None."""
        found = self.kept.get((table, key))
        if found is None:
            return None
        age_ns = clock.monotonic_ns() - found.kept_ns
        is_old = age_ns > KEPT_SECONDS * clock.NANOSECONDS_PER_SECOND
        if is_old or self._shows(table, key, found.stamp):
            self._forget((table, key), found)
            return None
        return found

    def _left(self) -> list[Where]:
        """Forget what the store shows; return what it does not."""
        return [where for where in list(self.kept) if self.waiting(*where) is not None]

    def _forget(self, where: Where, found: Stamped) -> None:
        with self._lock:
            if self.kept.get(where) is found:
                del self.kept[where]

    def await_all(self, until_ns: int, is_gone: Callable[[str, str], bool]) -> None:
        """Wait until the store shows everything.

        Args:
            until_ns: monotonic time.
            is_gone: tells whether a record's primary has nothing of it.

        Raises:
            RequestTimeout: the time is over.
        """
        pause, started = FIRST_PAUSE_SECONDS, clock.monotonic_ns()
        while left := self._left():
            now = clock.monotonic_ns()
            if now > until_ns:
                raise RequestTimeout(
                    f"{len(left)} records that other nodes took for this client are not in the own"
                    " store yet: see how far the node is behind (`isinglass dump`, panel peer)"
                )
            if now - started > ASK_AFTER_SECONDS * clock.NANOSECONDS_PER_SECOND:
                self._forget_gone(left[0], is_gone)
            mark.waiting("for own writes to come from other nodes")
            clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _forget_gone(self, where: Where, is_gone: Callable[[str, str], bool]) -> None:
        found = self.kept.get(where)
        if found is not None and is_gone(*where):
            self._forget(where, found)

    def forget(self, table: str, key: str) -> None:
        """Forget the write of a record that this client has written again."""
        with self._lock:
            self.kept.pop((table, key), None)

    def forget_table(self, table: str) -> None:
        """Forget the writes to a table that was dropped."""
        with self._lock:
            self.kept = {where: found for where, found in self.kept.items() if where[0] != table}

    def after_fork(self) -> None:
        """In a forked child: no other thread is there to give the lock back."""
        self._lock = threading.Lock()


_all: weakref.WeakSet[Elsewhere] = weakref.WeakSet()


def _after_fork() -> None:
    for elsewhere in list(_all):
        elsewhere.after_fork()


os.register_at_fork(after_in_child=_after_fork)
