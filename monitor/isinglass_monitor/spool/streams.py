"""What the spool itself knows of each stream: which events it has, and what came of the others.

It is written in the same transaction as the events that it speaks of, so a monitor that was killed
knows to the event what it has, and asks for the rest. `received + repaired + lost` is then the
number of events settled; what lies between them is still open.
"""

from __future__ import annotations

from typing import Any

import msgpack

from isinglass_monitor.spool.interval_set import Intervals

RECEIVED, REPAIRED, LOST, LATE = "received", "repaired", "lost", "late"
INTERVALS_LIMIT = 1024


class StreamRecord:
    """One stream, as the spool has it."""

    __slots__ = (
        "causes", "counts", "heard_ns", "lost", "node", "process", "settled", "stamp", "stream",
    )  # fmt: skip

    def __init__(self, stream: int, node: str = "", process: str = "") -> None:
        self.stream, self.node, self.process = stream, node, process
        self.settled = Intervals()  # stored, or lost for good
        self.lost: dict[str, Intervals] = {}  # the newest of those that are lost, by cause
        self.counts: dict[str, int] = dict.fromkeys((RECEIVED, REPAIRED, LOST, LATE), 0)
        self.causes: dict[str, int] = {}  # how many are lost, by cause
        self.heard_ns = 0  # wall time of what came last
        self.stamp = 0  # the newest stamp stored

    def store(
        self, how: str, first: int, last: int, *, late: bool = False, cause: str = ""
    ) -> None:
        """Note that events were stored, or are given up (`how` is LOST).

        Args:
            late: they had been given up, and came after all.
            cause: why they are, or were, given up.
        """
        number = last - first + 1
        self.counts[how] += number
        if late:
            self.counts[LATE] += number
            self.counts[LOST] -= number
            self.causes[cause] = self.causes.get(cause, 0) - number
            self.lost.get(cause, Intervals()).remove(first, last)
        if how == LOST:
            self.causes[cause] = self.causes.get(cause, 0) + number
            lost = self.lost.setdefault(cause, Intervals())
            lost.add(first, last)
            while len(lost) > INTERVALS_LIMIT:
                lost.drop_lowest()
        self.settled.add(first, last)

    def copied(self) -> StreamRecord:
        """Return a copy that can change by itself."""
        copy = StreamRecord(self.stream, self.node, self.process)
        copy.settled = Intervals(list(self.settled))
        copy.lost = {cause: Intervals(list(lost)) for cause, lost in self.lost.items()}
        copy.counts, copy.causes = dict(self.counts), dict(self.causes)
        copy.heard_ns, copy.stamp = self.heard_ns, self.stamp
        return copy

    def packed(self) -> bytes:
        """Return it as bytes."""
        packed: bytes = msgpack.packb(
            [
                self.node,
                self.process,
                self.heard_ns,
                self.stamp,
                self.counts,
                self.causes,
                _flat(self.settled),
                {cause: _flat(lost) for cause, lost in self.lost.items()},
            ]
        )
        return packed


def unpacked(stream: int, packed: bytes) -> StreamRecord:
    """Return the stream that `packed` made the bytes of."""
    node, process, heard_ns, stamp, counts, causes, settled, lost = msgpack.unpackb(packed)
    record = StreamRecord(stream, node, process)
    record.heard_ns, record.stamp = heard_ns, stamp
    record.counts.update(counts)
    record.causes.update(causes)
    record.settled = Intervals(_pairs(settled))
    record.lost = {cause: Intervals(_pairs(flat)) for cause, flat in lost.items()}
    return record


def _flat(intervals: Intervals) -> list[int]:
    return [number for interval in intervals for number in interval]


def _pairs(flat: list[Any]) -> list[tuple[int, int]]:
    return list(zip(flat[::2], flat[1::2], strict=True))
