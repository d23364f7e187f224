"""How figures went before the console began: from a monitor's statistics, a node at a time.

Only figures that have a trend on some screen are read, each of its last fifteen minutes, which is
what the console itself remembers. A lag is what the others measured of the node, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isinglass_console.model.figures import MERGED
from isinglass_console.model.series import CAPACITY
from isinglass_console.model.told import Past
from isinglass_monitor.statistics_store import DIRECTORY, StatisticsFile
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


def pasts(data: Path, now_second: int) -> Iterator[Past]:
    """Yield what is known of one node after the other, by node and figure: second, value.

    Args:
        data: the monitor's data directory.

    Raises:
        StoreError: there are no statistics.
    """
    file = StatisticsFile(data / DIRECTORY, writes=False)
    try:
        nodes = [name for name in file.nodes() if not name.startswith(MONITOR_PREFIX)][:MOST_NODES]
        since = now_second - CAPACITY
        for node in nodes:
            past: dict[tuple[str, str], dict[int, float]] = {}

            def read(field: str, is_rate: bool, of: str = node) -> dict[int, float]:
                points = file.read(of, field, since, now_second + 1)
                found = rates(points) if is_rate else points
                return {point.second: point.mean for point in found}

            for figure, (field, is_rate) in FIELDS.items():
                past[node, figure] = read(field, is_rate)
            rules = [read(f"queue.{rule}", True) for rule in MERGED]
            past[node, "merged_share"] = {
                second: sum(rule.get(second, 0.0) for rule in rules) / offered
                for second, offered in past[node, "offered_rate"].items()
                if offered > 0
            }
            worst: dict[int, float] = {}
            past[node, LAG] = worst
            for other in nodes:
                if other != node:
                    for second, value in read(f"peer.{node}.{LAG}", False, other).items():
                        worst[second] = max(worst.get(second, value), value)
            yield past
    finally:
        file.close()
