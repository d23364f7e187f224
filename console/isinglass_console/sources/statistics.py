"""How figures went before the console began: from a monitor's statistics, a node at a time.

Only figures that have a trend on some screen are read, each of its last fifteen minutes, which is
what the console itself remembers. A lag is what the others measured of the node, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from isinglass_console.model.figures import MERGED
from isinglass_console.model.series import CAPACITY
from isinglass_console.model.told import Past
from isinglass_monitor.statistics import Point
from isinglass_monitor.trends import rates
from isinglass_monitor.views import MONITOR_PREFIX

# figure of the console: field of the statistics, and whether its rate is meant
FIELDS = {
    "offered_rate": ("queue.offered", True),
    "applied_rate": ("applier.writes", True),
    "length": ("queue.backlog.entries", False),
    "bytes": ("queue.backlog.size", False),
    "oldest_seconds": ("queue.backlog.oldest", False),
    "flow_backlog": ("flow.backlog", False),
    "pace": ("flow.allowed", False),
    "demand": ("flow.demand", False),
}
LAG = "lag_seconds"
MOST_NODES = 16


class Statistics(Protocol):
    """The statistics of a monitor, here or on another host."""

    def nodes(self) -> list[str]:
        """Return every node of which there are statistics."""

    def read_all(
        self, wanted: Sequence[tuple[str, str]], since: int, until: int
    ) -> list[list[Point]]:
        """Return the points of figures, each by node and field."""

    def close(self) -> None:
        """Let go of them."""


def pasts(file: Statistics, now_second: int) -> Iterator[Past]:
    """Yield what is known of one node after the other, by node and figure: second, value.

    Args:
        file: the monitor's statistics; they are closed at the end.

    Raises:
        StoreError, RemoteError: they cannot be read.
    """
    try:
        nodes = [name for name in file.nodes() if not name.startswith(MONITOR_PREFIX)][:MOST_NODES]
        since = now_second - CAPACITY
        for node in nodes:
            rules = [f"queue.{rule}" for rule in MERGED]
            others = [other for other in nodes if other != node]
            wanted = [(node, field) for field in (*(field for field, _ in FIELDS.values()), *rules)]
            wanted += [(other, f"peer.{node}.{LAG}") for other in others]
            columns = iter(file.read_all(wanted, since, now_second + 1))
            past = {
                (node, figure): _by_second(rates(points) if is_rate else points)
                for (figure, (_, is_rate)), points in zip(FIELDS.items(), columns, strict=False)
            }
            merged = [_by_second(rates(next(columns))) for _ in rules]
            past[node, "merged_share"] = {
                second: sum(rule.get(second, 0.0) for rule in merged) / offered
                for second, offered in past[node, "offered_rate"].items()
                if offered > 0
            }
            past[node, LAG] = _worst(map(_by_second, columns))
            yield past
    finally:
        file.close()


def _by_second(points: Iterable[Point]) -> dict[int, float]:
    return {point.second: point.mean for point in points}


def _worst(columns: Iterable[dict[int, float]]) -> dict[int, float]:
    worst: dict[int, float] = {}
    for column in columns:
        for second, value in column.items():
            worst[second] = max(worst.get(second, value), value)
    return worst
