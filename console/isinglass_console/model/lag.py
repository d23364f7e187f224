"""How far each replica is behind each origin, and where its updates wait.

An origin measures its replicas on its own clock, so the column of an origin comes from the panels
of that origin. Where the origin is not read here, the replica's own account of its stream says how
many updates are missing, but not for how long.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, nan
from typing import NamedTuple

from isinglass.glass.panel_views import PanelView
from isinglass.glass.snapshot import Snapshot
from isinglass_console.model.board import BUILT_IN, Levels, Severity
from isinglass_console.model.frame import Frame, NodeFrame, node_freshness
from isinglass_console.model.members import (
    cluster_of,
    companions,
    member_names,
    peers_of,
    streams_of,
)
from isinglass_console.model.rates import number

PLACES = (("network", "lag_network"), ("queue", "lag_queue"), ("disk", "lag_disk"))


class LagCell(NamedTuple):
    """One replica behind one origin; NaN is what nobody says.

    `stale`: who measured it does not move any more; `levels`: what judges the replica's lag.
    """

    updates: float
    seconds: float = nan
    stale: bool = False
    replica: str = ""
    levels: Levels = BUILT_IN

    @property
    def severity(self) -> Severity:
        """How bad it is; an old figure is judged by nobody."""
        if self.stale:
            return Severity.STALE
        return self.levels.severity_of(self.replica, "lag_seconds", self.seconds)


@dataclass(frozen=True, slots=True)
class LagRow:
    """One replica: its cells by origin, none for itself, and where its missing updates are."""

    replica: str
    cells: dict[str, LagCell]
    waits_on: tuple[tuple[str, float], ...]

    @property
    def worst(self) -> LagCell | None:
        """The cell that is furthest behind, of those that are measured now."""
        fresh = [cell for cell in self.cells.values() if not cell.stale]
        return max(fresh, key=_badness, default=None)

    @property
    def worst_origin(self) -> str:
        """The origin of that cell; "" without one."""
        worst = self.worst
        return next((name for name, cell in self.cells.items() if cell is worst), "")


@dataclass(frozen=True, slots=True)
class StaleOrigin:
    """An origin whose figures are old."""

    name: str
    condition: str
    age_seconds: float


@dataclass(frozen=True, slots=True)
class LagMatrix:
    """All replicas (rows) behind all origins (columns)."""

    origins: tuple[str, ...]
    rows: tuple[LagRow, ...]
    stale: tuple[StaleOrigin, ...]

    @property
    def furthest(self) -> LagRow | None:
        """The replica that is furthest behind, None when none is."""
        rows = [row for row in self.rows if row.waits_on and row.worst is not None]
        return max(rows, key=lambda row: row.worst.seconds if row.worst else 0.0, default=None)

    @property
    def known(self) -> bool:
        """Whether somebody says now how far another is behind; who is alone is behind nobody."""
        told = (cell for row in self.rows for cell in row.cells.values() if not cell.stale)
        return len(self.origins) < 2 or any(isfinite(cell.updates) for cell in told)


def lag_matrix(frame: Frame, node: NodeFrame) -> LagMatrix:
    """Return the lags within a node's cluster, as far as they are known on this machine."""
    nodes = {each.name: each for each in companions(frame, node)}
    names = member_names(nodes.values())
    old = {
        name: each
        for name, each in nodes.items()
        if node_freshness(each, frame.interval_seconds).dim
    }
    peers = {name: peers_of(each.snapshot) for name, each in nodes.items()}
    rows = tuple(_row(name, names, nodes, peers, old, frame.levels) for name in names)
    stale = tuple(StaleOrigin(name, each.condition, each.age_seconds) for name, each in old.items())
    return LagMatrix(tuple(names), rows, stale)


def _row(
    replica: str,
    names: list[str],
    nodes: dict[str, NodeFrame],
    peers: dict[str, dict[str, PanelView]],
    old: dict[str, NodeFrame],
    levels: Levels,
) -> LagRow:
    cells: dict[str, LagCell] = {}
    fresh: list[PanelView] = []
    for origin in names:
        if origin == replica:
            continue
        measured = peers[origin].get(replica) if origin in peers else None
        if measured is not None:
            stale = origin in old
            seconds = number(measured, "lag_seconds")
            updates = number(measured, "lag_updates")
            cells[origin] = LagCell(updates, seconds, stale, replica, levels)
            if not stale:
                fresh.append(measured)
        elif origin not in nodes and replica in nodes:
            stream = streams_of(nodes[replica].snapshot).get(origin)
            missing = number(stream, "last") - number(stream, "applied")
            cells[origin] = LagCell(missing, nan, replica in old)
        else:
            cells[origin] = LagCell(nan)
    return LagRow(replica, cells, _waits_on(fresh))


def _waits_on(measured: Iterable[PanelView]) -> tuple[tuple[str, float], ...]:
    """Return where the updates that a replica has not applied are, as shares, the most first."""
    panels = list(measured)
    sums = {place: sum(number(panel, field) for panel in panels) for place, field in PLACES}
    whole = sum(sums.values())
    if not whole > 0:
        return ()
    found = [(place, count / whole) for place, count in sums.items() if count > 0]
    return tuple(sorted(found, key=lambda part: -part[1]))


def _badness(cell: LagCell) -> tuple[float, float]:
    seconds = cell.seconds if isfinite(cell.seconds) else -1.0
    return (seconds, cell.updates if isfinite(cell.updates) else -1.0)


Measured = dict[tuple[str, str], dict[str, float]]


def measured_lags(origins: Iterable[Snapshot]) -> Measured:
    """Return the worst lag of every replica, by cluster and name, from origins that live.

    These are figures of a node that others measure: they go on while the node itself is stopped.
    """
    found: Measured = {}
    for snapshot in origins:
        cluster = cluster_of(snapshot)
        for replica, peer in peers_of(snapshot).items():
            worst = found.setdefault((cluster, replica), {})
            for figure in ("lag_seconds", "lag_updates"):
                value = number(peer, figure)
                if isfinite(value):
                    worst[figure] = max(worst.get(figure, 0.0), value)
    return found
