"""Who is in trouble: thresholds as data, with a level that raises and another that clears.

Two levels, because a value that trembles around one level makes a light that blinks; and a time for
which the value must be that bad, because a peak is no trouble. Where the clearing level is above
the raising one, low is bad. What a panel does not have raises nothing: a third party's daemon is
judged by its life alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from fnmatch import fnmatchcase

from isinglass_console.model import format as text


class Severity(IntEnum):
    """How bad; the order is by what the eye must see first."""

    WELL = 0
    UNKNOWN = 1
    STALE = 2
    WARNING = 3
    CRITICAL = 4


GLYPHS = {
    Severity.WELL: "·",
    Severity.UNKNOWN: "?",
    Severity.STALE: "~",
    Severity.WARNING: "▲",
    Severity.CRITICAL: "✖",
}
ROLES = {
    Severity.WELL: "dim",
    Severity.UNKNOWN: "dim",
    Severity.STALE: "warning",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "critical",
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """One condition on one figure; `word` is what the state column says while it holds.

    `for_seconds`: how long the figure must be that bad; `nodes`: globs of the nodes that it is for,
    none for all.
    """

    figure: str
    raise_at: float
    clear_at: float
    severity: Severity
    word: str
    unit: str
    note: str
    for_seconds: float = 0.0
    nodes: tuple[str, ...] = ()

    def passed(self, value: float, raised: bool = False) -> bool:
        """Return whether a value is past the level that raises, or, once raised, that clears."""
        level = self.clear_at if raised else self.raise_at
        return value <= level if self.clear_at > self.raise_at else value >= level

    def is_for(self, node: str) -> bool:
        """Return whether the threshold is for a node."""
        return not self.nodes or any(fnmatchcase(node, glob) for glob in self.nodes)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A threshold that holds now, with the value that it holds at."""

    threshold: Threshold
    value: float

    def sentence(self) -> str:
        """Return what to tell the operator."""
        shown = text.quantity(self.value, self.threshold.unit)
        return f"{self.threshold.note} {shown}"


@dataclass(frozen=True)
class Levels:
    """All thresholds; of those for a figure, a severity and a node the last one counts."""

    thresholds: tuple[Threshold, ...]
    _of: dict[str, tuple[Threshold, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _of_figure: dict[tuple[str, str], tuple[Threshold, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def of(self, node: str) -> tuple[Threshold, ...]:
        """Return the thresholds of a node."""
        found = self._of.get(node)
        if found is None:
            own = [each for each in self.thresholds if each.is_for(node)]
            found = tuple({(each.figure, each.severity): each for each in own}.values())
            self._of[node] = found
        return found

    def severity_of(self, node: str, figure: str, value: float) -> Severity:
        """Return how bad one value of a figure is by itself, without memory of those before."""
        levels = self._of_figure.get((node, figure))
        if levels is None:
            levels = tuple(each for each in self.of(node) if each.figure == figure)
            self._of_figure[node, figure] = levels
        passed = [each.severity for each in levels if each.passed(value)]
        return max(passed, default=Severity.WELL)


@dataclass(slots=True)
class Board:
    """Which thresholds hold, node by node; remembers, because raising and clearing differ."""

    levels: Levels
    _raised: dict[tuple[str, str, Severity], bool] = field(default_factory=dict)
    _passed_ns: dict[tuple[str, str, Severity], int] = field(default_factory=dict)

    def judge(
        self, node: str, figures: Mapping[str, float], now_ns: int = 0
    ) -> tuple[Trouble, ...]:
        """Take a node's figures of one frame; return what is wrong, the worst first.

        A figure that is missing or not a number clears its thresholds.
        """
        found = []
        for threshold in self.levels.of(node):
            value = figures.get(threshold.figure, float("nan"))
            if self._holds(node, threshold, value, now_ns):
                found.append(Trouble(threshold, value))
        found.sort(key=lambda trouble: -trouble.threshold.severity)
        return _worst_of_each(found)

    def _holds(self, node: str, threshold: Threshold, value: float, now_ns: int) -> bool:
        key = (node, threshold.figure, threshold.severity)
        raised = self._raised.get(key, False)
        if not threshold.passed(value, raised):
            self._raised.pop(key, None)
            self._passed_ns.pop(key, None)
            return False
        # A clock that was set back must not put off what holds.
        since_ns = self._passed_ns[key] = min(self._passed_ns.get(key, now_ns), now_ns)
        self._raised[key] = raised or now_ns - since_ns >= threshold.for_seconds * text.NANOSECONDS
        return self._raised[key]


def _worst_of_each(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    kept: dict[str, Trouble] = {}
    for trouble in troubles:
        kept.setdefault(trouble.threshold.figure, trouble)
    return tuple(kept.values())


THRESHOLDS: tuple[Threshold, ...] = (
    Threshold("backlog", 0.75, 0.60, Severity.WARNING, "backlog", "share", "backlog of its limit"),
    Threshold("backlog", 0.95, 0.85, Severity.CRITICAL, "full", "share", "backlog of its limit"),
    Threshold("lag_seconds", 1.0, 0.5, Severity.WARNING, "lag", "seconds", "behind by"),
    Threshold("lag_seconds", 30, 15, Severity.CRITICAL, "far behind", "seconds", "behind by"),
    Threshold("oldest_seconds", 5, 2, Severity.WARNING, "slow", "seconds", "oldest update waits"),
    Threshold("commit_seconds", 1.0, 0.5, Severity.WARNING, "disk", "seconds", "commits take"),
    Threshold("overdue_seconds", 3, 1, Severity.WARNING, "timer", "seconds", "a timer is late by"),
    Threshold("load", 0.90, 0.80, Severity.WARNING, "loaded", "share", "applier load"),
    Threshold("map_share", 0.85, 0.80, Severity.WARNING, "map", "share", "the LMDB map is used by"),
    Threshold("map_share", 0.97, 0.95, Severity.CRITICAL, "map full", "share", "the LMDB map is"),
)

BUILT_IN = Levels(THRESHOLDS)
