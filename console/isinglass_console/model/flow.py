"""Flow control as each node tells it: who limits the cluster, by what, and who is held up for it.

The daemons decide; this only lays their figures side by side. Two figures are the console's own and
follow from the others: what a writer would write if it were not held up, and how much it would be
given at most, its max-min fair part of what its node may write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan

from isinglass.glass.panel_views import PanelView
from isinglass.glass.snapshot import Process
from isinglass_console.model.frame import Frame, NodeFrame
from isinglass_console.model.members import companions, member_names, peers_of
from isinglass_console.model.rates import Pair, growth, number, word

TARGET = 0.5
FAR_SECONDS = 3600.0
SOON_SECONDS = 60.0  # what is nearly empty, but full that soon, is worth a word
EMPTY = 0.01
HELD_MOST = 0.99
WRITES = ("puts", "deletes", "adds")
# time, count: a client that does not count the pace apart counts all waits for its daemon
HELD = (("throttled_time", "throttled"), ("waited", "waits"))


@dataclass(frozen=True, slots=True)
class Limit:
    """Who holds the cluster up, as one node sees it; no limiter: nobody does.

    `lagging` nodes hold nobody up, because they make no progress.
    """

    limiter: str
    by: str
    seconds: float
    rate: float
    demand: float
    lagging: float


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One member: its backlog as a share of its limit, and what its writers may do.

    `own`: it is read here; of the others only backlog, limit, demand and what they retire is known.
    """

    name: str
    own: bool
    backlog: float
    by: str
    retired: float
    demand: float
    trend: float = nan
    full_in: float = nan
    drained_in: float = nan
    allowed: float = nan
    admitted: float = nan
    held_share: float = nan
    held_seconds: float = nan
    report_age: float = nan
    settling: float = nan
    swing: float = nan

    @property
    def loop_ratio(self) -> float:
        """The control's time constant in mean report ages; below 2.7 it overshoots."""
        return self.settling / self.report_age if self.report_age > 0 else nan


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where a backlog goes: `word` is rising, falling, steady or full; `end` what that comes to."""

    word: str
    end: str = ""
    seconds: float = nan


@dataclass(frozen=True, slots=True)
class WriterRow:
    """One client process that writes: rates per second, the time it was held up, waits so far."""

    node: str
    process: Process
    actual: float
    demand: float
    allowed: float
    held_share: float
    held_seconds: float
    waits: float


def limit_of(node: NodeFrame) -> Limit | None:
    """Return what a node says of the cluster; None when it has no flow control."""
    panel = node.snapshot.panel("flow") if node.snapshot is not None else None
    if panel is None or node.snapshot is None:
        return None
    since = number(panel, "limited_since")
    return Limit(
        word(panel, "limiter"),
        word(panel, "limited_by"),
        (node.snapshot.taken_wall_ns - since) / 1e9 if since > 0 else nan,
        number(panel, "cluster_rate"),
        number(panel, "cluster_demand"),
        number(panel, "lagging"),
    )


def flow_rows(frame: Frame, node: NodeFrame, pairs: dict[str, Pair]) -> list[FlowRow]:
    """Return every member of a node's cluster.

    Args:
        pairs: two snapshots of each node that is read here, by its name.
    """
    nodes = {each.name: each for each in companions(frame, node)}
    seen = peers_of(node.snapshot)
    rows = []
    for name in member_names(nodes.values()):
        pair = pairs.get(name)
        panel = pair.now.panel("flow") if pair is not None else None
        if pair is not None and panel is not None:
            rows.append(own_row(name, pair, panel))
        elif name in seen:
            rows.append(_seen_row(name, seen[name]))
    return rows


def own_row(name: str, pair: Pair, panel: PanelView) -> FlowRow:
    """Return the row of a node from its own panel."""
    held = pair.growth(pair.now.owner, "flow", "throttled_time")
    return FlowRow(
        name,
        own=True,
        backlog=number(panel, "backlog"),
        by=word(panel, "backlog_by"),
        retired=number(panel, "retired"),
        demand=number(panel, "demand"),
        trend=number(panel, "backlog_trend"),
        full_in=number(panel, "full_in"),
        drained_in=number(panel, "drained_in"),
        allowed=number(panel, "allowed"),
        admitted=number(panel, "admitted"),
        held_share=held / pair.seconds,
        held_seconds=number(panel, "throttled_time"),
        report_age=number(panel, "report_age"),
        settling=number(panel, "settling"),
        swing=number(panel, "swing"),
    )


def _seen_row(name: str, peer: PanelView) -> FlowRow:
    return FlowRow(
        name,
        own=False,
        backlog=number(peer, "backlog"),
        by=word(peer, "limited_by"),
        retired=number(peer, "retired"),
        demand=number(peer, "demand"),
    )


def outlook(row: FlowRow) -> Outlook:
    """Return where a backlog goes, as its node says; nearly empty, or far from its end: steady."""
    if not row.own:
        return Outlook("")
    if row.backlog >= 1:
        return Outlook("full")
    if 0 < row.full_in < (FAR_SECONDS if row.backlog >= EMPTY else SOON_SECONDS):
        return Outlook("rising", "full", row.full_in)
    if 0 < row.drained_in < FAR_SECONDS and row.backlog >= EMPTY:
        return Outlook("falling", "drained", row.drained_in)
    return Outlook("steady")


# ---------------------------------------------------------------------- writers
def writer_rows(name: str, pair: Pair) -> list[WriterRow]:
    """Return the client processes of a node that ever wrote, in the order of their regions."""
    found = list(_writers(pair))
    allowed = number(pair.now.panel("flow"), "allowed")
    limits = fair_limits(allowed, [demand for _, _, _, demand, _ in found])
    rows = []
    for (process, panel, actual, demand, held), limit in zip(found, limits, strict=True):
        time, count = held_fields(panel)
        total, waits = number(panel, time), number(panel, count)
        rows.append(WriterRow(name, process, actual, demand, limit, held, total, waits))
    return rows


def _writers(pair: Pair) -> Iterator[tuple[Process, PanelView, float, float, float]]:
    for process in pair.now.processes:
        for panel in process.panels_of("client"):
            if not _written(panel):
                continue
            earlier, _ = pair.panels(process, panel.name, panel.instance)
            actual = _grown(earlier, panel) / pair.seconds
            # A wait that ends is counted whole, also what of it was before the earlier snapshot.
            held = growth(earlier, panel, held_fields(panel)[0]) / pair.seconds
            held = min(held, 1.0) if isfinite(held) else held
            share = min(held, HELD_MOST) if isfinite(held) else 0.0
            yield process, panel, actual, actual / (1 - share), held


def _written(panel: PanelView) -> float:
    """Return how many writes a client counted, of all kinds that it counts."""
    counts = [number(panel, field) for field in WRITES]
    return sum([count for count in counts if isfinite(count)])


def _grown(before: PanelView | None, now: PanelView) -> float:
    if before is None:
        return nan
    grown = _written(now) - _written(before)
    return grown if grown >= 0 else nan


def held_fields(panel: PanelView) -> tuple[str, str]:
    """Return the fields that count the time held up and how often, as finely as the client does."""
    return next((fields for fields in HELD if isfinite(number(panel, fields[0]))), HELD[-1])


def fair_limits(allowed: float, demands: Sequence[float]) -> list[float]:
    """Return the most that each could have if it asked for more and the others did not.

    This is the max-min fair part (Bertsekas and Gallager, Data Networks, 6.5.2) of one who asks
    without end.
    """
    if not isfinite(allowed):
        return [allowed] * len(demands)
    known = [demand if isfinite(demand) else 0.0 for demand in demands]
    return [_level(allowed, [*known[:at], *known[at + 1 :], inf]) for at in range(len(known))]


def _level(allowed: float, demands: list[float]) -> float:
    left, waiting = allowed, sorted(demands)
    while waiting:
        part = left / len(waiting)
        if waiting[0] > part:
            return part
        left -= waiting.pop(0)
    return left
