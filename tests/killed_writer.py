"""Kill a child that writes with SIGKILL at random moments, again and again.

The child counts in shared memory what it has begun and what was acknowledged. A subclass says what
it writes, and what must be there afterwards.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import traceback
from abc import ABC, abstractmethod
from pathlib import Path

from isinglass import clock

ACKNOWLEDGED, STARTED, OPENED = 0, 1, 2  # words of the shared memory
WAIT_LIMIT_SECONDS = 20
STEPS_AT_MOST = 8


class KilledWriter(ABC):
    """One place that is written to by children that are killed.

    Args:
        path: what is written to.
        seed: decides what is written, and the moments of the kills.
        waits: share of the kills that wait for steps, too: on a busy machine a writer may not run
            at all for a while.
    """

    def __init__(self, path: Path, seed: int, waits: float) -> None:
        self.path, self.seed, self._waits = path, seed, waits
        self.words = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")
        self.chance = random.Random(seed)
        self.half_open = 0

    @abstractmethod
    def write_for_ever(self) -> None:
        """Be the child: write from the step after the last acknowledged, until killed."""

    @abstractmethod
    def check(self) -> None:
        """Compare what is there with every acknowledged step."""

    def kill_once(self) -> None:
        """Start a writer, kill it, and check what it leaves."""
        self.words[OPENED] = 0
        child = os.fork()
        if child == 0:
            try:
                self.write_for_ever()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        if self.chance.random() < self._waits:
            self._wait_for(child, OPENED, 1)
            steps = int(self.chance.random() ** 2 * STEPS_AT_MOST)
            self._wait_for(child, ACKNOWLEDGED, self.words[ACKNOWLEDGED] + steps)
        clock.sleep(self.chance.random() ** 2 * 0.012)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, f"the writer ended by itself: {status}"
        self.half_open += not self.words[OPENED]
        self.check()

    def _wait_for(self, child: int, word: int, value: int) -> None:
        """Wait until the writer has counted a word up to a value."""
        deadline = clock.monotonic_ns() + WAIT_LIMIT_SECONDS * clock.NANOSECONDS_PER_SECOND
        while self.words[word] < value:
            assert os.waitpid(child, os.WNOHANG) == (0, 0), "the writer ended by itself"
            assert clock.monotonic_ns() < deadline, "the writer did not get on in time"
            clock.sleep(0.0002)
