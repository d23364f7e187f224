"""What a node of a cluster puts on the glass: its panels, one for each peer and each stream.

What happens often is counted where it happens; what follows from the node's state is brought up to
date by `show`, some times a second. Lags are shown by the origin of the updates, from what each
member last said, so they are too high by at most one heartbeat, and never too low.
"""

from __future__ import annotations

from typing import Protocol

from isinglass import clock
from isinglass.node.cluster_panels import (
    ClusterPanel,
    NetworkPanel,
    PeerPanel,
    PrimaryPanel,
    StreamPanel,
)
from isinglass.node.horizon import Horizon
from isinglass.node.outside import Self
from isinglass.node.primary import Primary
from isinglass.node.publishing import Publishing
from isinglass.node.vectors import Vectors
from isinglass.wire.journal import Journal
from isinglass.wire.membership import Member, Membership
from isinglass.wire.reports import LIMITS, LIVE, PHASES
from isinglass.wire.streams import StreamId

_SECOND = 1e9


class Shown(Protocol):
    """What a node is seen by: the parts of a `Replica` that its figures follow from."""

    me: Self
    own: StreamId
    members: Membership
    vectors: Vectors
    primary: Primary
    journal: Journal
    horizon: Horizon
    publishing: Publishing
    update_rate: float

    @property
    def phase(self) -> int:
        """Joining, healing, live or leaving."""


class Figures:
    """The panels of one node of a cluster."""

    def __init__(self, instance: str = "") -> None:
        self._instance = instance  # tells the nodes of one simulation apart
        self.cluster, self.network = ClusterPanel(instance), NetworkPanel(instance)
        self.primary = PrimaryPanel(instance)
        self._peers: dict[int, PeerPanel] = {}
        self._streams: dict[int, StreamPanel] = {}
        self._unnamed: dict[int, tuple[int, int]] = {}

    def release(self) -> None:
        """Give the room of the panels back."""
        for panel in (
            self.cluster, self.network, self.primary, *self._peers.values(),
            *self._streams.values(),
        ):  # fmt: skip
            panel.release()

    def forget(self, origin: int) -> None:
        """Take a member that is out of the cluster off the glass."""
        for panels in (self._peers, self._streams):
            panel = panels.pop(origin, None)
            if panel is not None:
                panel.release()

    def gap(self, origin: int) -> None:
        """Count that updates of a member were found missing."""
        gaps, duplicates = self._unnamed.get(origin, (0, 0))
        self._unnamed[origin] = (gaps + 1, duplicates)

    def duplicates(self, origin: int, count: int) -> None:
        """Count updates of a member that came again."""
        gaps, duplicates = self._unnamed.get(origin, (0, 0))
        self._unnamed[origin] = (gaps, duplicates + count)

    def lost(self, origin: int, network: int, socket: int) -> None:
        """Count datagrams of a member that did not come, by who lost them."""
        panel = self._streams.get(origin)
        if panel is not None:
            panel.lost_network += network
            panel.lost_socket += socket

    # ------------------------------------------------------------------ what follows from the state
    def show(self, replica: Shown, now_ns: int) -> None:
        """Bring everything up to date."""
        self._show_cluster(replica)
        members = replica.members.members
        for member in members.values():
            self._show_peer(replica, member, now_ns)
            self._show_stream(replica, member)
        primary = self.primary
        primary.share = replica.primary.placement.share(replica.me.origin)
        primary.time_limit = replica.primary.limits.limit_ns / _SECOND
        primary.breaker_open = replica.primary.limits.open(now_ns)

    def _show_cluster(self, replica: Shown) -> None:
        panel, members = self.cluster, replica.members.members
        panel.state = PHASES[replica.phase]
        panel.origin, panel.incarnation = replica.me.origin, replica.me.incarnation
        panel.members, panel.up = len(members) + 1, len(replica.members.up()) + 1
        panel.strangers = len(replica.vectors.strangers())
        panel.view = replica.primary.placement.view
        panel.sequence = replica.vectors.sequence
        panel.journal, panel.journal_limit = len(replica.journal), replica.journal.limit
        panel.horizon = clock.stamp_wall_ns(replica.horizon.everywhere())
        rate = replica.update_rate
        panel.away_seconds = replica.journal.limit / rate if rate > 1 else 0.0
        if replica.phase == LIVE:
            panel.heal_progress = 1.0

    def _show_peer(self, replica: Shown, member: Member, now_ns: int) -> None:
        panel = self._peers.get(member.origin)
        if panel is None:
            panel = self._peers[member.origin] = PeerPanel(self._instance + member.name)
        panel.state, panel.heard = member.state, int(member.heard)
        panel.receiving, panel.applying = int(member.receiving.ok), int(member.applying.ok)
        panel.origin, panel.incarnation = member.origin, member.incarnation
        panel.restarts = member.restarts
        self._show_lag(panel, replica, member, now_ns)
        panel.clock_offset = member.clock_offset_seconds
        panel.round_trip = member.round_trip_ns / _SECOND
        if member.report is None:
            return
        report, load = member.report, member.load
        panel.heard_age = (now_ns - member.heard_ns) / _SECOND
        panel.last_heard = clock.wall_ns() - (now_ns - member.heard_ns)
        panel.phase = PHASES[report.phase]
        panel.address = f"{report.address} {report.datagram_port} {report.stream_port}"
        panel.backlog, panel.limited_by = load.backlog, LIMITS[load.limited_by]
        panel.retired, panel.demand = load.retired, load.demand

    def _show_lag(self, panel: PeerPanel, replica: Shown, member: Member, now_ns: int) -> None:
        sequence, progress = replica.vectors.sequence, member.progress(replica.own)
        panel.lag_updates = lag = sequence - progress.applied
        panel.lag_network = sequence - progress.received
        panel.lag_queue = progress.received - progress.taken
        panel.lag_disk = progress.taken - progress.applied
        age = replica.publishing.times.age_ns(progress.applied + 1, now_ns) if lag else 0
        panel.lag_seconds = age / _SECOND

    def _show_stream(self, replica: Shown, member: Member) -> None:
        origin = member.origin
        inbox = replica.vectors.inboxes.get((origin, member.incarnation))
        panel = self._streams.get(origin)
        if panel is None:
            panel = self._streams[origin] = StreamPanel(self._instance + member.name)
        gaps, duplicates = self._unnamed.pop(origin, (0, 0))
        panel.gaps += gaps
        panel.duplicates += duplicates
        if inbox is not None:
            panel.last, panel.received = inbox.known_last, inbox.received
            panel.taken, panel.applied = inbox.taken.reached, inbox.applied.reached
            panel.missing = inbox.missing
