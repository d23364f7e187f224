"""What the past of a figure says: of a counter its rate, of the rest its values; pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from isinglass.cli.units import number
from isinglass.clock import NANOSECONDS_PER_SECOND
from isinglass_monitor.figure_names import facts, split
from isinglass_monitor.statistics import Point, spark, thin

STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400)


class Trend(NamedTuple):
    """The past of one figure, in points of one step."""

    node: str
    field: str
    unit: str
    is_rate: bool
    step_seconds: int
    points: list[Point]

    def sparkline(self) -> str:
        """Return a bar a step, with spaces where nothing is known."""
        if not self.points:
            return ""
        by_second = {point.second: point.mean for point in self.points}
        first, last = self.points[0].second, self.points[-1].second
        return spark([by_second.get(at) for at in range(first, last + 1, self.step_seconds)])

    def bounds(self) -> tuple[float, float, float]:
        """Return the least, the mean and the greatest of the whole; it has points."""
        count = sum(point.seconds for point in self.points)
        mean = sum(point.mean * point.seconds for point in self.points) / count
        least = min(point.minimum for point in self.points)
        return least, mean, max(point.maximum for point in self.points)

    def document(self) -> dict[str, Any]:
        """Return the trend as JSON has it."""
        return {
            "node": self.node,
            "field": self.field,
            "unit": self.unit,
            "is_rate": self.is_rate,
            "step_seconds": self.step_seconds,
            "points": [
                {
                    "wall_ns": point.second * NANOSECONDS_PER_SECOND,
                    "mean": point.mean,
                    "minimum": point.minimum,
                    "maximum": point.maximum,
                    "seconds": point.seconds,
                }
                for point in self.points
            ],
        }


def figure_text(value: float) -> str:
    """Return a figure for people; one that is whole without a fraction."""
    return number(int(value)) if value == int(value) else number(value)


def step_for(seconds: int, most: int) -> int:
    """Return the step, of those that divide a day well, by which a time has at most `most`."""
    wanted = seconds / max(most, 1)
    return next((step for step in STEPS if step >= wanted), STEPS[-1])


def trend(
    node: str, field: str, points: Sequence[Point], step_seconds: int, *, totals: bool = False
) -> Trend:
    """Return the trend of a figure.

    Args:
        points: what the statistics have of it, in order; of any steps.
        totals: show a counter as it stands, and not how fast it grows.
    """
    name = split(field)
    known = facts(name.panel, name.field)
    unit = known.unit if known is not None else "1"
    if known is not None and known.kind == "counter" and not totals:
        return Trend(
            node, field, f"{unit}/s", True, step_seconds, thin(rates(points), step_seconds)
        )
    return Trend(node, field, unit, False, step_seconds, thin(points, step_seconds))


def rates(points: Sequence[Point]) -> list[Point]:
    """Return how much a counter grew a second, from each point to the next.

    A counter that is smaller than before has started again, from zero.
    """
    found = []
    for before, after in pairwise(points):
        grown = after.maximum - before.maximum if after.maximum >= before.maximum else after.maximum
        rate = grown / (after.second - before.second)
        found.append(Point(after.second, rate, rate, rate, after.seconds))
    return found
