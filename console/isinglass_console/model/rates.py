"""How fast a field grew between two snapshots: the one place that divides by time.

A counter that went back, a process that was not there before, a node that restarted: no rate, NaN,
which every formatter shows as `--`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from isinglass.glass.histogram import HistogramValue
from isinglass.glass.panel_views import PanelView
from isinglass.glass.snapshot import Process, Snapshot


def number(panel: PanelView | None, field: str) -> float:
    """Return a numeric field as a float; NaN when the panel or the field is not there."""
    return panel.number(field) if panel is not None else nan


def word(panel: PanelView | None, field: str) -> str:
    """Return a text field; "" when the panel or the field is not there."""
    value = panel.get(field, "") if panel is not None else ""
    return value if isinstance(value, str) else ""


def histogram(panel: PanelView | None, field: str) -> HistogramValue | None:
    """Return a histogram field, None when it is not there."""
    value = panel.get(field) if panel is not None else None
    return value if isinstance(value, HistogramValue) else None


def growth(before: PanelView | None, now: PanelView | None, field: str) -> float:
    """Return by how much a field of a panel grew; NaN when it went back or is not there."""
    first, last = number(before, field), number(now, field)
    return last - first if last >= first else nan


@dataclass(frozen=True, slots=True)
class Pair:
    """Two snapshots of one node; `before` is None when there is nothing to compare with."""

    before: Snapshot | None
    now: Snapshot

    @classmethod
    def of(cls, before: Snapshot | None, now: Snapshot) -> Pair:
        """Return the pair, without the earlier one when it is not of the same life of the node."""
        same = before is not None and before.generation == now.generation
        return cls(before if same else None, now)

    @property
    def seconds(self) -> float:
        """The time between the two; NaN when there is no earlier one."""
        if self.before is None:
            return nan
        elapsed = (self.now.taken_monotonic_ns - self.before.taken_monotonic_ns) / 1e9
        return elapsed if elapsed > 0 else nan

    def earlier(self, process: Process) -> Process | None:
        """Return the same process in the earlier snapshot."""
        for other in self.before.processes if self.before is not None else ():
            if other.slot == process.slot and other.claim == process.claim:
                return other
        return None

    def panels(
        self, process: Process | None, panel: str, instance: str = ""
    ) -> tuple[PanelView | None, PanelView | None]:
        """Return a panel of a process as it was and as it is, for `growth` of its counters."""
        if process is None:
            return None, None
        other = self.earlier(process)
        before = other.panel(panel, instance) if other is not None else None
        return before, process.panel(panel, instance)

    def growth(self, process: Process | None, panel: str, field: str, instance: str = "") -> float:
        """Return by how much a counter of a process grew, NaN when that cannot be known."""
        return growth(*self.panels(process, panel, instance), field)

    def rate(self, panel: str, field: str, instance: str = "") -> float:
        """Return how fast a counter of the daemon grows, per second."""
        return self.growth(self.now.owner, panel, field, instance) / self.seconds

    def window(
        self, process: Process | None, panel: str, field: str, instance: str = ""
    ) -> HistogramValue | None:
        """Return the values recorded between the two snapshots; all of them without an earlier."""
        if process is None:
            return None
        now = histogram(process.panel(panel, instance), field)
        other = self.earlier(process)
        before = histogram(other.panel(panel, instance), field) if other is not None else None
        return now.since(before) if now is not None and before is not None else now
