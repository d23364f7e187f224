"""A set of numbers as intervals: which events of a stream are there, and so which are not.

Almost always there is one interval that grows at its end, so that is a comparison and an addition.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

Interval = tuple[int, int]  # first and last, both inside


class Intervals:
    """Whole numbers, kept as intervals that are apart and in order."""

    __slots__ = ("_firsts", "_lasts", "count")

    def __init__(self, intervals: list[Interval] | None = None) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self.count = 0
        for first, last in intervals or ():
            self.add(first, last)

    @property
    def highest(self) -> int:
        """The greatest number inside; 0 when there is none."""
        return self._lasts[-1] if self._lasts else 0

    def __iter__(self) -> zip[Interval]:
        return zip(self._firsts, self._lasts, strict=True)

    def __len__(self) -> int:
        """Return how many intervals there are."""
        return len(self._firsts)

    def add(self, first: int, last: int) -> int:
        """Put `first` to `last` inside; return how many of them are new."""
        firsts, lasts = self._firsts, self._lasts
        if lasts and first == lasts[-1] + 1:
            lasts[-1] = last
            new = last - first + 1
        elif not lasts or first > lasts[-1]:
            firsts.append(first)
            lasts.append(last)
            new = last - first + 1
        else:
            new = self._merge(first, last)
        self.count += new
        return new

    def _merge(self, first: int, last: int) -> int:
        firsts, lasts = self._firsts, self._lasts
        low = bisect_left(lasts, first - 1)  # the first one that touches
        high = bisect_right(firsts, last + 1)  # behind the last one that does
        known = sum(lasts[at] - firsts[at] + 1 for at in range(low, high))
        if low < high:
            first, last = min(first, firsts[low]), max(last, lasts[high - 1])
        firsts[low:high], lasts[low:high] = [first], [last]
        return last - first + 1 - known

    def inside(self, first: int, last: int) -> list[Interval]:
        """Return the parts of `first` to `last` that are inside, ascending."""
        firsts, lasts = self._firsts, self._lasts
        low, high = bisect_left(lasts, first), bisect_right(firsts, last)
        return [(max(first, firsts[at]), min(last, lasts[at])) for at in range(low, high)]

    def outside(self, first: int, last: int) -> list[Interval]:
        """Return the parts of `first` to `last` that are not inside, ascending."""
        found, place = [], first
        for low, high in self.inside(first, last):
            if place < low:
                found.append((place, low - 1))
            place = high + 1
        if place <= last:
            found.append((place, last))
        return found

    def remove(self, first: int, last: int) -> int:
        """Take `first` to `last` out; return how many of them were inside."""
        firsts, lasts = self._firsts, self._lasts
        low, high = bisect_left(lasts, first), bisect_right(firsts, last)
        removed = sum(high_ - low_ + 1 for low_, high_ in self.inside(first, last))
        if low < high:
            kept = []
            if firsts[low] < first:
                kept.append((firsts[low], first - 1))
            if lasts[high - 1] > last:
                kept.append((last + 1, lasts[high - 1]))
            firsts[low:high] = [low_ for low_, _ in kept]
            lasts[low:high] = [high_ for _, high_ in kept]
        self.count -= removed
        return removed

    def drop_lowest(self) -> Interval:
        """Take the lowest interval out, and return it."""
        first, last = self._firsts.pop(0), self._lasts.pop(0)
        self.count -= last - first + 1
        return first, last
