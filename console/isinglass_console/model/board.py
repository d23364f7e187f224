"""Who is in trouble: thresholds as data, with a level that raises and a lower one that clears.

Two levels, because a value that trembles around one level makes a light that blinks. What a panel
does not have raises nothing: a third party's daemon is judged by its life alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

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
    """One condition on one figure; `word` is what the state column says while it holds."""

    figure: str
    raise_at: float
    clear_at: float
    severity: Severity
    word: str
    unit: str
    note: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A threshold that holds now, with the value that it holds at."""

    threshold: Threshold
    value: float

    def sentence(self) -> str:
        """Return what to tell the operator."""
        shown = text.quantity(self.value, self.threshold.unit)
        return f"{self.threshold.note} {shown}"


@dataclass(slots=True)
class Board:
    """Which thresholds hold, node by node; remembers, because raising and clearing differ."""

    thresholds: tuple[Threshold, ...]
    _raised: dict[tuple[str, str, Severity], bool] = field(default_factory=dict)

    def judge(self, node: str, figures: Mapping[str, float]) -> tuple[Trouble, ...]:
        """Take a node's figures of one frame; return what is wrong, the worst first.

        A figure that is missing or not a number clears its thresholds.
        """
        found = []
        for threshold in self.thresholds:
            key = (node, threshold.figure, threshold.severity)
            value = figures.get(threshold.figure, float("nan"))
            level = threshold.clear_at if self._raised.get(key) else threshold.raise_at
            holds = value >= level
            self._raised[key] = holds
            if holds:
                found.append(Trouble(threshold, value))
        found.sort(key=lambda trouble: -trouble.threshold.severity)
        return _worst_of_each(found)


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


def severity_of(figure: str, value: float) -> Severity:
    """Return how bad one value of a figure is by itself, without memory of the ones before."""
    return max(
        (each.severity for each in THRESHOLDS if each.figure == figure and value >= each.raise_at),
        default=Severity.WELL,
    )
