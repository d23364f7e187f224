"""A gate for the readers of one process: many at once, and now and then one thread alone.

A reader counts itself in `live` for as long as its transaction is open; appending and popping are
one step each for the interpreter, 50 ns together, where a lock is 200. Whoever must be alone (a
fork, a change of the map, a close) shuts the gate and waits until `live` is empty, with a limit.

The order of a reader: append, then look which way to begin; of one who shuts: change the way, then
look at `live`. A reader that was too late finds the shut way, steps back and waits.
"""

from __future__ import annotations

import threading

from isinglass import clock
from isinglass.errors import StoreError

SHUT_LIMIT_SECONDS = 1.0
WAIT_LIMIT_SECONDS = 30.0
_POLL_SECONDS = 0.00005


class ReadGate:
    """Counts the readers of a process and keeps them out."""

    __slots__ = ("_lock", "live")

    def __init__(self) -> None:
        self.live: list[None] = []
        self._lock = threading.Lock()

    def shut(self) -> None:
        """Keep others from shutting it; the caller then changes the readers' way.

        Raises:
            StoreError: another thread has it shut for too long.
        """
        if not self._lock.acquire(timeout=WAIT_LIMIT_SECONDS):
            raise StoreError("another thread has kept the store shut: end this process")

    def wait_until_empty(self) -> bool:
        """Wait for the readers that are still inside; tell whether all have left in time."""
        deadline = clock.monotonic_ns() + int(SHUT_LIMIT_SECONDS * clock.NANOSECONDS_PER_SECOND)
        while self.live and clock.monotonic_ns() < deadline:
            clock.sleep(_POLL_SECONDS)
        return not self.live

    def open(self) -> None:
        """Let readers in again; the caller has given them their way back."""
        self._lock.release()

    def step_back(self) -> None:
        """Wait outside until it is open, as a reader that found it shut does.

        Raises:
            StoreError: it stays shut.
        """
        self.live.pop()
        try:
            self.shut()
            self.open()
        finally:
            self.live.append(None)
