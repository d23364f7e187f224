"""Statistics that are thinned with age: points, how they are thinned, and blocks of them; pure.

    step      kept for    a block
    1 s       an hour     a minute, 60 points
    10 s      a day       10 minutes, 60 points
    1 min     30 days     an hour, 60 points

A point has the mean, the least and the greatest of the seconds it stands for, and how many of them
there were: so a spike of one second is still there after a month, and thinning twice is the same as
thinning once. A block is one node's points of one step, a column a field. Most columns hold one
value all through and are stored as that one value; the others are compressed.
"""

from __future__ import annotations

import math
import zlib
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgpack

POINTS = 60
COLUMN_KINDS = ("mean", "minimum", "maximum", "seconds")
NAN = math.nan


class Tier(NamedTuple):
    """Points of one step, and for how long they are kept."""

    step_seconds: int
    kept_seconds: int

    @property
    def block_seconds(self) -> int:
        """How long a block of this tier is."""
        return self.step_seconds * POINTS

    def block_start(self, second: int) -> int:
        """Return the first second of the block that a second is in."""
        return second - second % self.block_seconds


TIERS = (Tier(1, 3_600), Tier(10, 86_400), Tier(60, 30 * 86_400))


class Point(NamedTuple):
    """What a figure was from `second` on, for the step of its tier."""

    second: int
    mean: float
    minimum: float
    maximum: float
    seconds: int


def thin(points: Iterable[Point], step_seconds: int) -> list[Point]:
    """Return points of a longer step, in order; steps without a point are left out."""
    groups: dict[int, list[Point]] = {}
    for point in points:
        groups.setdefault(point.second - point.second % step_seconds, []).append(point)
    return [joined(second, group) for second, group in sorted(groups.items())]


def joined(second: int, points: Sequence[Point]) -> Point:
    """Return one point that stands for all of these."""
    seconds = sum(point.seconds for point in points)
    least, most = min(p.minimum for p in points), max(p.maximum for p in points)
    mean = math.fsum(point.mean * (point.seconds / seconds) for point in points)
    # Rounding must not put the mean outside of what it is the mean of.
    return Point(second, min(max(mean, least), most), least, most, seconds)


class Block:
    """Points of one node, in one tier, from `start` on; columns by the field's number."""

    __slots__ = ("columns", "start", "tier")

    def __init__(self, tier: Tier, start: int) -> None:
        self.tier, self.start = tier, start
        self.columns: dict[int, tuple[array[float], ...]] = {}

    def put(self, field: int, point: Point) -> None:
        """Store a point of this block's time; what was there is replaced."""
        place = (point.second - self.start) // self.tier.step_seconds
        if not 0 <= place < POINTS:
            raise ValueError(f"second {point.second} is not in the block of {self.start}")
        columns = self.columns.get(field)
        if columns is None:
            columns = tuple(array("d", [NAN]) * POINTS for _ in COLUMN_KINDS)
            self.columns[field] = columns
        for column, value in zip(columns, point[1:], strict=True):
            column[place] = value

    def points(self, field: int) -> list[Point]:
        """Return the points of a field, in order."""
        columns = self.columns.get(field)
        if columns is None:
            return []
        step = self.tier.step_seconds
        return [
            Point(self.start + place * step, mean, least, most, int(seconds))
            for place, (mean, least, most, seconds) in enumerate(zip(*columns, strict=True))
            if not math.isnan(seconds)
        ]

    def pack(self) -> bytes:
        """Return the block's bytes."""
        columns = {field: [_packed(c) for c in kinds] for field, kinds in self.columns.items()}
        return zlib.compress(msgpack.packb(columns), 1)

    @classmethod
    def unpack(
        cls, tier: Tier, start: int, data: bytes, fields: Collection[int] | None = None
    ) -> Block:
        """Return the block of these bytes.

        Args:
            fields: the columns that are wanted, of some hundred; None: all.

        Raises:
            ValueError: they are none.
        """
        block = cls(tier, start)
        try:
            columns = msgpack.unpackb(zlib.decompress(data), strict_map_key=False)
            block.columns = {
                int(field): tuple(_unpacked(column) for column in kinds)
                for field, kinds in columns.items()
                if fields is None or field in fields
            }
        except (zlib.error, msgpack.UnpackException, TypeError, AttributeError) as error:
            raise ValueError(f"no block of statistics: {error}") from error
        return block


def _packed(column: array[float]) -> float | bytes:
    whole = column.tobytes()
    return column[0] if whole == whole[: column.itemsize] * POINTS else whole


def _unpacked(column: float | bytes) -> array[float]:
    if isinstance(column, bytes):
        found = array("d")
        found.frombytes(column)
    else:
        found = array("d", [column]) * POINTS
    if len(found) != POINTS:
        raise ValueError(f"a column of {len(found)} points")
    return found


def thin_column(start: int, values: Sequence[float], step_seconds: int) -> list[Point]:
    """Return what `thin` returns, of one value a second from `start` on; NaN where there is none.

    Most figures of most minutes do not change, so that is made short.
    """
    found = []
    for place in range(0, len(values), step_seconds):
        part = values[place : place + step_seconds]
        first = part[0]
        # Lists count what is the same object, NaN included, which differs from itself.
        if first == first and part.count(first) == len(part):
            found.append(Point(start + place, first, first, first, len(part)))
            continue
        known = [value for value in part if value == value]
        if known:
            least, most = min(known), max(known)
            mean = min(max(math.fsum(known) / len(known), least), most)
            found.append(Point(start + place, mean, least, most, len(known)))
    return found


class Minute:
    """The seconds of one node that are not in a block yet; at most a minute of them."""

    __slots__ = ("_last", "_seconds", "start")

    def __init__(self, second: int) -> None:
        self.start = TIERS[0].block_start(second)
        self._seconds: dict[int, Mapping[int, float]] = {}
        self._last: Mapping[int, float] = {}

    def holds(self, second: int) -> bool:
        """Tell whether a second is in this minute."""
        return TIERS[0].block_start(second) == self.start

    def fields(self) -> set[int]:
        """Return the fields of which there is a value."""
        return {field for figures in self._seconds.values() for field in figures}

    def column(self, field: int) -> list[float]:
        """Return the values of a field, one a second; NaN where there is none."""
        none: Mapping[int, float] = {}
        seconds = self._seconds
        return [
            seconds.get(second, none).get(field, NAN)
            for second in range(self.start, self.start + POINTS)
        ]

    def add(self, second: int, figures: Mapping[int, float]) -> dict[int, float]:
        """Take in a second; return what has changed since the last one, NaN for what is gone."""
        changed = {f: value for f, value in figures.items() if self._last.get(f) != value}
        changed.update(dict.fromkeys(self._last.keys() - figures.keys(), NAN))
        self._last = self._seconds[second] = figures
        return changed

    def replay(self, second: int, changed: Mapping[int, float]) -> None:
        """Take in a second by what had changed, as `add` returned it."""
        figures = {**self._last, **changed}
        self.add(second, {f: value for f, value in figures.items() if not math.isnan(value)})


def spark(values: Sequence[float | None]) -> str:
    """Return a line of bars, one a value; a space where there is none."""
    bars = "▁▂▃▄▅▆▇█"
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    scale = (len(bars) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if v is None else bars[round((v - low) * scale)] for v in values)


def document(points: Iterable[Point]) -> list[dict[str, Any]]:
    """Return points as JSON has them."""
    return [point._asdict() for point in points]
