"""What went missing between members, why, and how it came back: repairs, heals, peers, drops."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import isfinite, nan

from isinglass.glass.panel_views import PanelView
from isinglass.glass.snapshot import Process, Snapshot
from isinglass_console.model.figures import panels_of
from isinglass_console.model.members import peers_of
from isinglass_console.model.rates import Pair, growth, number, word

# field of the network panel: what the screen calls it
DROPS: tuple[tuple[str, str], ...] = (
    ("socket_drops", "socket full"),
    ("send_failures", "not sent"),
    ("malformed", "malformed"),
    ("wrong_version", "wrong version"),
    ("wrong_cluster", "wrong cluster"),
    ("bad_tag", "bad tag"),
    ("replayed", "replayed"),
    ("old_life", "old life"),
    ("duplicate_node", "duplicate node"),
)


@dataclass(frozen=True, slots=True)
class RepairRow:
    """One node: what it missed of all streams, and what was sent again; counts."""

    missing: float
    gaps: float
    lost_network: float
    lost_socket: float
    repairs_asked: float
    repairs_suppressed: float
    repaired: float
    repairs_served: float
    duplicates: float


_STREAM = ("gaps", "lost_network", "lost_socket", "duplicates")
_CLUSTER = ("repairs_asked", "repairs_suppressed", "repaired", "repairs_served")
REPAIRS = tuple(field.name for field in fields(RepairRow))


def repair_row(pair: Pair, since_mark: bool) -> RepairRow | None:
    """Return what a node missed since its start, or since the mark; None without a cluster."""
    cluster = pair.now.panel("cluster")
    if cluster is None:
        return None
    owner = pair.now.owner
    before = pair.earlier(owner) if owner is not None else None
    streams = panels_of(pair.now, "stream")
    values = {"missing": _sum(number(stream, "missing") for stream in streams)}
    for name in _STREAM:
        if since_mark and before is None:
            values[name] = nan
        else:
            earlier = before if since_mark else None
            values[name] = _sum(_counted(earlier, stream, name) for stream in streams)
    for name in _CLUSTER:
        grown = pair.growth(owner, "cluster", name)
        values[name] = grown if since_mark else number(cluster, name)
    return RepairRow(**values)


def _counted(earlier: Process | None, stream: PanelView, name: str) -> float:
    """Return what a stream has counted, since an earlier moment if it was there then."""
    before = earlier.panel("stream", stream.instance) if earlier is not None else None
    return growth(before, stream, name) if before is not None else number(stream, name)


def _sum(values: Iterable[float]) -> float:
    return sum(value for value in values if isfinite(value))


@dataclass(frozen=True, slots=True)
class HealRow:
    """One node: how it heals, and how long another may be away before it must be healed.

    `progress` is the share done of the present heal or join, 1 when there is none.
    """

    state: str
    progress: float
    source: str
    divergent: float
    copied: float
    heals: float
    last_seconds: float
    journal: float
    journal_limit: float
    away_seconds: float

    @property
    def busy(self) -> bool:
        """Whether a heal or a join goes on."""
        return self.progress < 1


def heal_row(snapshot: Snapshot) -> HealRow | None:
    """Return how a node heals; None without a cluster."""
    cluster = snapshot.panel("cluster")
    if cluster is None:
        return None
    last = number(cluster, "last_heal")
    return HealRow(
        word(cluster, "state"),
        number(cluster, "heal_progress"),
        word(cluster, "heal_source"),
        number(cluster, "divergent"),
        number(cluster, "copied"),
        number(cluster, "heals"),
        (snapshot.taken_wall_ns - last) / 1e9 if last > 0 else nan,
        number(cluster, "journal"),
        number(cluster, "journal_limit"),
        number(cluster, "away_seconds"),
    )


@dataclass(frozen=True, slots=True)
class PeerRow:
    """Another member as the node sees it; seconds."""

    name: str
    state: str
    phase: str
    heard: bool
    receiving: bool
    applying: bool
    clock_offset: float
    round_trip: float
    heard_age: float
    restarts: float
    address: str

    @property
    def well(self) -> bool:
        """Whether it is heard, receives and applies."""
        return self.heard and self.receiving and self.applying


def peer_rows(snapshot: Snapshot) -> list[PeerRow]:
    """Return the other members as a node sees them, by name."""
    return [_peer(name, panel) for name, panel in sorted(peers_of(snapshot).items())]


def _peer(name: str, panel: PanelView) -> PeerRow:
    return PeerRow(
        name,
        word(panel, "state"),
        word(panel, "phase"),
        number(panel, "heard") > 0,
        number(panel, "receiving") > 0,
        number(panel, "applying") > 0,
        number(panel, "clock_offset"),
        number(panel, "round_trip"),
        number(panel, "heard_age"),
        number(panel, "restarts"),
        word(panel, "address"),
    )


@dataclass(frozen=True, slots=True)
class DropRow:
    """Datagrams that were dropped for one reason: since the start, and since the frame before."""

    field: str
    label: str
    total: float
    grown: float


def drop_rows(pair: Pair) -> list[DropRow]:
    """Return the datagrams that a node dropped, by reason, without reasons that never came up."""
    panel = pair.now.panel("network")
    rows = []
    for field, label in DROPS:
        total = number(panel, field)
        if total > 0:
            rows.append(DropRow(field, label, total, pair.growth(pair.now.owner, "network", field)))
    return rows
