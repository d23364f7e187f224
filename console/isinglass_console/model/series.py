"""Short histories of single numbers, for trends: a ring of floats a series, and its picture.

A ring of 900 doubles (15 minutes at one a second) is 7.2 kB. Gaps stay gaps: a moment without a
value is NaN and drawn as a space, never joined up.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Sequence
from math import isfinite, nan

CAPACITY = 900
STEPS = "▁▂▃▄▅▆▇█"


class Series:
    """The newest values of one number, by frame number; appending must be in order."""

    __slots__ = ("_capacity", "_last", "_values")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._values = array("d", [nan]) * capacity
        self._capacity = capacity
        self._last = -1

    def put(self, number: int, value: float) -> None:
        """Store the value of frame `number`; frames that were skipped become gaps."""
        if number != self._last + 1:
            for missed in range(max(self._last + 1, number - self._capacity + 1), number):
                self._values[missed % self._capacity] = nan
        self._values[number % self._capacity] = value
        self._last = number

    def tail(self, length: int, number: int) -> list[float]:
        """Return the `length` values that end with frame `number`, oldest first."""
        oldest, first = max(self._last - self._capacity + 1, 0), number - length + 1
        start = first % self._capacity
        if oldest <= first and number <= self._last and start + length <= self._capacity:
            return self._values[start : start + length].tolist()  # nearly always
        return [
            self._values[at % self._capacity] if oldest <= at <= self._last else nan
            for at in range(first, number + 1)
        ]


class SeriesBook:
    """The series of everything that has a trend on some screen, by key.

    What others know of the time before the first frame stands before it, as if there had been some.
    """

    __slots__ = ("_past", "_series")

    def __init__(self) -> None:
        self._series: dict[Hashable, Series] = {}
        self._past: dict[Hashable, array[float]] = {}

    def remember(self, key: Hashable, values: Sequence[float]) -> None:
        """Take the values of the frames that would have been before the first, oldest first."""
        self._past[key] = array("d", values)

    def put(self, number: int, values: Iterable[tuple[Hashable, float]]) -> None:
        """Append the values of one frame; a key never seen begins a series."""
        for key, value in values:
            series = self._series.get(key)
            if series is None:
                series = self._series[key] = Series()
            series.put(number, value)

    def tail(self, key: Hashable, length: int, number: int) -> list[float]:
        """Return the values that end with frame `number`; all NaN for an unknown key."""
        series, past = self._series.get(key), self._past.get(key)
        found = series.tail(length, number) if series is not None else [nan] * length
        before = length - number - 1  # so many of the values are from before frame 0
        if past is not None and before > 0:
            known = past[-before:].tolist()
            found[before - len(known) : before] = known
        return found


def sparkline(values: Sequence[float], top: float | None = None) -> str:
    """Return one glyph a value, from zero to `top` (the largest of them when not given)."""
    largest = top if top is not None else max(filter(isfinite, values), default=0.0)
    if largest <= 0:
        return "".join([STEPS[0] if isfinite(value) else " " for value in values])
    return "".join(
        [
            " " if not isfinite(value)
            else STEPS[0] if value <= 0
            else STEPS[min(7, round(value / largest * 7))]
            for value in values
        ]
    )  # fmt: skip
