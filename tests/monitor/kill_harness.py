"""Kill a writer of a spool with SIGKILL at a random moment, and see what the spool is afterwards.

A child commits batch after batch and reports each one in shared memory once the commit has
returned; segments are small, so that kills also come while one gives way to the next. The parent
then opens the spool. It holds the events of exactly the batches that were acknowledged, or
these and the one that was under way, whole; in order; and what it says of its streams agrees.

Batches are a function of (seed, number), so the parent never has to ask the child.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import traceback
from pathlib import Path

from isinglass import clock
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.retention import Limits
from isinglass_monitor.spool.streams import RECEIVED, REPAIRED
from monitor.spooled import MILLISECOND, NOW, NOW_NS, answer, event, opened, piece

ACKNOWLEDGED, STARTED, OPENED = 0, 1, 2  # words of the shared memory
WAIT_LIMIT_SECONDS = 20
STREAMS = 5
LIMITS = Limits(size_bytes=1 << 40, segment_bytes=1 << 20, free_bytes=0)


def batch_of(seed: int, number: int) -> list[Piece]:
    """Return batch `number`: some events of each stream, whose numbers run on."""
    choose = random.Random(seed << 32 | number)
    pieces = []
    for stream in range(1, STREAMS + 1):
        first = (number - 1) * 4 + 1
        stamp = NOW + number * MILLISECOND + choose.randrange(-20, 20) * MILLISECOND
        events = [event(stamp + at, 5 + at * 3, "x" * choose.randrange(200)) for at in range(4)]
        how = choose.choice((RECEIVED, REPAIRED))
        pieces.append(piece(stream, first, events, node=f"n{stream % 3}", how=how))
    choose.shuffle(pieces)
    return pieces


def write_for_ever(path: Path, seed: int, words: memoryview) -> None:
    """Be the child: commit batches from the one after the last acknowledged, until killed."""
    words[OPENED] = 0
    writer = opened(path, LIMITS)
    words[OPENED] = 1
    number = words[ACKNOWLEDGED] + 1
    while True:
        words[STARTED] = number
        writer.commit(batch_of(seed, number), NOW_NS + number)
        words[ACKNOWLEDGED] = number
        number += 1


class Harness:
    """One spool that is killed again and again."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.path, self.seed = directory / "spool", seed
        self.words = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")
        self.chance = random.Random(seed)
        self.half_open = 0

    def kill_once(self) -> None:
        """Start a writer, kill it, and check the spool that it leaves."""
        self.words[OPENED] = 0
        child = os.fork()
        if child == 0:
            try:
                write_for_ever(self.path, self.seed, self.words)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        if self.chance.random() < 0.8:
            steps = int(self.chance.random() ** 2 * 8)
            self._wait_for(child, OPENED, 1)
            self._wait_for(child, ACKNOWLEDGED, self.words[ACKNOWLEDGED] + steps)
        clock.sleep(self.chance.random() ** 2 * 0.012)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, f"the writer ended by itself: {status}"
        self.half_open += not self.words[OPENED]
        self.check_streams()

    def _wait_for(self, child: int, word: int, value: int) -> None:
        deadline = clock.monotonic_ns() + WAIT_LIMIT_SECONDS * clock.NANOSECONDS_PER_SECOND
        while self.words[word] < value:
            assert os.waitpid(child, os.WNOHANG) == (0, 0), "the writer ended by itself"
            assert clock.monotonic_ns() < deadline, "the writer did not get on in time"
            clock.sleep(0.0002)

    def check_streams(self) -> None:
        """Open the spool as a writer does, and compare what it has of its streams."""
        writer = opened(self.path, LIMITS)
        try:
            ends = {tuple(stream.settled) for stream in writer.streams.values()}
        finally:
            writer.close()
        batches = self.words[ACKNOWLEDGED]
        if batches and ends != {((1, batches * 4),)}:
            batches += 1
        if not batches and ends:
            batches = 1
        if batches != self.words[ACKNOWLEDGED]:
            assert self.words[STARTED] == batches, "acknowledged batches are lost"
            assert ends == {((1, batches * 4),)}, f"not around batch {batches}: {ends}"
            self.words[ACKNOWLEDGED] = batches

    def check_events(self) -> None:
        """Compare every event with those of the acknowledged batches."""
        found = answer(self.path)
        numbers = range(1, self.words[ACKNOWLEDGED] + 1)
        wanted = [
            record
            for number in numbers
            for one in batch_of(self.seed, number)
            for record in one.records
        ]
        assert [entry.place for entry in found] == sorted(entry.place for entry in found)
        assert len(found) == sum(record.events for record in wanted)
        assert len({entry.place for entry in found}) == len(found)
