"""Kill a writer of a spool with SIGKILL at a random moment, and see what the spool is afterwards.

A child commits batch after batch and reports each one in shared memory once the commit has
returned; segments are small, so that kills also come while one gives way to the next. The parent
then opens the spool. It holds the events of exactly the batches that were acknowledged, or
these and the one that was under way, whole; in order; and what it says of its streams agrees.

Batches are a function of (seed, number), so the parent never has to ask the child.
"""

from __future__ import annotations

import random
from pathlib import Path

from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.retention import Limits
from isinglass_monitor.spool.streams import RECEIVED, REPAIRED
from killed_writer import ACKNOWLEDGED, OPENED, STARTED, KilledWriter
from monitor.spooled import MILLISECOND, NOW, NOW_NS, answer, event, opened, piece

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


class Harness(KilledWriter):
    """One spool that is killed again and again."""

    def __init__(self, directory: Path, seed: int) -> None:
        super().__init__(directory / "spool", seed, waits=0.8)

    def write_for_ever(self) -> None:
        """Be the child: commit batches from the one after the last acknowledged, until killed."""
        words = self.words
        words[OPENED] = 0
        writer = opened(self.path, LIMITS)
        words[OPENED] = 1
        number = words[ACKNOWLEDGED] + 1
        while True:
            words[STARTED] = number
            writer.commit(batch_of(self.seed, number), NOW_NS + number)
            words[ACKNOWLEDGED] = number
            number += 1

    def check(self) -> None:
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
