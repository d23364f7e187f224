"""Two moments side by side: what changed most, figure by figure; of one recording or of two.

Counters of two recordings cannot be subtracted, they are of different lives. What can be compared
is what seconds were like: figures, or their mean over some time, and where time went. Changes are
put in order by their ratio, up or down alike: a figure that doubled comes before one that grew by a
half, whatever their units. What is less than anybody would look at (`LEAST`) counts as that much:
an idle queue that holds two updates for once is no change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, log, nan

from isinglass_console.model.figures import FIGURES
from isinglass_console.model.frame import Frame
from isinglass_console.model.heat import WINDOW_SECONDS
from isinglass_console.model.timeline import Replayed, Timeline, Trends

# Of each unit of `FIGURES`: what is as good as nothing.
LEAST = {
    "share": 0.01, "seconds": 0.01, "updates": 100.0, "updates/s": 1.0, "records": 1.0,
    "bytes": 65_536.0,
}  # fmt: skip
GAP_NS = 5_000_000_000  # as far behind its end a recording has still something to compare with

Figures = Mapping[str, Mapping[str, float]]  # by node, by figure


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of a node at two moments; NaN where it was not known."""

    node: str
    figure: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """How many times as large it is afterwards; NaN when it was nothing, or is not known."""
        return self.after / self.before if self.before else nan

    @property
    def weight(self) -> float:
        """How much it changed: 0 not at all; the same for twice and for half."""
        if isnan(self.before) or isnan(self.after):
            return -1.0
        if self.before == self.after:
            return 0.0
        least = LEAST[FIGURES[self.figure][0]]
        return abs(log(max(self.after, least)) - log(max(self.before, least)))


def changes(before: Figures, after: Figures) -> list[Change]:
    """Return all figures of all nodes, what changed most first, and last what one side has not."""
    nodes = dict.fromkeys((*after, *before))
    found = [
        Change(node, figure, before.get(node, {}).get(figure, nan), value)
        for node in nodes
        for figure in FIGURES
        if not isnan(value := after.get(node, {}).get(figure, nan))
        or figure in before.get(node, {})
    ]
    return sorted(found, key=lambda change: -change.weight)


def means(seconds: Iterable[Figures]) -> dict[str, dict[str, float]]:
    """Return the mean of each figure over some frames."""
    sums: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for figures in seconds:
        for node, values in figures.items():
            for figure, value in values.items():
                sums[node][figure].append(value)
    return {
        node: {figure: _mean(found) for figure, found in values.items()}
        for node, values in sums.items()
    }


def _mean(values: Sequence[float]) -> float:
    """Return the mean; a pace that was free for a while is told by the seconds that it was not."""
    finite = [value for value in values if isfinite(value)]
    return sum(finite) / len(finite) if finite else values[-1]


@dataclass(frozen=True, slots=True)
class Beside:
    """A moment to compare with: a frame, and all that a view may ask about the time before it.

    `said`: what the status row calls it.
    """

    timeline: Timeline
    series: Trends
    frame: Frame
    said: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Another recording beside the one that is shown; both go on alike.

    `ahead_ns`: how much later its time is.
    """

    other: Replayed
    name: str
    ahead_ns: int

    @classmethod
    def lined_up(
        cls, shown: Timeline, other: Replayed, name: str, at_ns: int = 0, other_at_ns: int = 0
    ) -> Comparison:
        """Return two recordings side by side from their first frames on.

        Args:
            at_ns: or from this moment of the one that is shown on; 0: its first frame.
            other_at_ns: the moment of the other one that stands beside that.
        """
        at_ns = at_ns or shown.wall_ns(shown.oldest)
        if not other_at_ns:
            since_start = at_ns - shown.wall_ns(shown.oldest)
            other_at_ns = other.wall_ns(other.oldest) + since_start
        return cls(other, name, other_at_ns - at_ns)

    def number(self, wall_ns: int) -> int | None:
        """Return the number of the other one's frame beside a moment, None when it has none."""
        other, wanted_ns = self.other, wall_ns + self.ahead_ns
        first_ns, last_ns = other.wall_ns(other.oldest), other.wall_ns(other.newest)
        return other.number_at(wanted_ns) if first_ns <= wanted_ns <= last_ns + GAP_NS else None


def recent(series: Trends, frame: Frame) -> dict[str, dict[str, float]]:
    """Return the means of the ten seconds before a frame, which stands for them where they lack."""
    length = max(1, round(WINDOW_SECONDS / frame.interval_seconds))
    found: dict[str, dict[str, float]] = {}
    for node in frame.nodes:
        tails = {
            figure: [v for v in series.tail((node.name, figure), length, frame.number) if v == v]
            for figure in node.figures
            if figure in FIGURES
        }
        found[node.name] = {
            figure: _mean(values or [node.figures[figure]]) for figure, values in tails.items()
        }
    return found
