"""What a monitor that misses events is answered: those the ring still has, and which are gone.

Answers are bounded, so that neither many monitors nor a recorded request, sent again and again,
make a node send without end: ASKS_A_SECOND requests, each answered with EVENTS_AN_ANSWER events.
What is left out is asked for again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from isinglass import clock
from isinglass.emit.rings import Numbered

ASKS_A_SECOND = 50
EVENTS_AN_ANSWER = 1000


class Answer(NamedTuple):
    """Events to send again, ascending, and ranges of numbers (first, last) that are gone."""

    again: list[Numbered]
    gone: list[tuple[int, int]]


def answer(events: Iterable[Numbered], newest: int, ranges: Sequence[int]) -> Answer:
    """Return what is answered.

    Args:
        events: all that the ring has, ascending.
        newest: number of the newest event of the stream; later ones are not gone, but to come.
        ranges: first, last, first, last, ... ascending, as in an ASK.
    """
    by_number = dict(events)
    oldest = min(by_number, default=newest + 1)
    again: list[Numbered] = []
    gone: list[tuple[int, int]] = []
    for first, last in zip(ranges[::2], ranges[1::2], strict=True):
        end = min(last, newest)
        if first < oldest and first <= end:
            gone.append((first, min(end, oldest - 1)))
        for sequence in range(max(first, oldest), end + 1):
            if len(again) == EVENTS_AN_ANSWER:
                return Answer(again, gone)
            if (event := by_number.get(sequence)) is not None:
                again.append((sequence, event))
            elif gone and gone[-1][1] == sequence - 1:
                gone[-1] = (gone[-1][0], sequence)
            else:
                gone.append((sequence, sequence))
    return Answer(again, gone)


class Allowance:
    """How many requests may still be answered in this second."""

    def __init__(self) -> None:
        self._second, self._left = 0, ASKS_A_SECOND

    def take(self, now_ns: int) -> bool:
        """Return whether one more may be answered, at that time of the monotonic clock."""
        second = now_ns // clock.NANOSECONDS_PER_SECOND
        if second != self._second:
            self._second, self._left = second, ASKS_A_SECOND
        if not self._left:
            return False
        self._left -= 1
        return True
