"""Flow control: how fast the writers of a node may write, so that no backlog overflows; pure.

Every node computes the same from the newest report of each node, and takes its share of it:

    R = min over nodes j of  retired_j + (TARGET - backlog_j) * limit_j / settling

The first term alone would keep a backlog where it is; the second brings it to the target within
the settling time, from either side. What it does shows only after the loop's delay d: an update's
way, half the time between two reports, and a report's way. The distance e from the target obeys
e' = -e(t - d) / settling, which is stable iff settling > 2 d / pi, and does not overshoot iff
settling >= e d (Hayes, "Roots of the transcendental equation associated with a certain
difference-differential equation", 1950). So d is measured, and settling >= 3 d. A pace in
proportion to the room, the obvious law, has a gain that grows with the demand, and swings once that
is large. Stop and go swings always.

What a node counts for:

    counting ──no progress for 5 s──▶ lagging ──progress for 5 s──▶ catching up
        ▲                                                               │
        └───────────────────────────at the target───────────────────────┘      (MACHINE)

A lagging node holds nobody up: one hung disk must not stop a cluster. One that catches up holds
writers to half its speed at least, so that it gets there without stopping them. Joining and healing
nodes do not count. docs/flow-control.md has the curves; about 3 microseconds a report and 35 a turn
of five nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from isinglass.clock import NANOSECONDS_PER_SECOND
from isinglass.wire.limiters import Limiters, Swing
from isinglass.wire.machine import Machine

TARGET = 0.5
"""The backlog that is aimed at: work enough to merge, room enough for what is under way."""
LOOPS_TO_SETTLE = 3.0
LEAST_SETTLING_SECONDS = 0.5
"""Five of the largest batches: a backlog moves in lumps of a batch, and the pace must not."""
HUNG_SECONDS = 5.0
STEADY_SECONDS = 1.0
"""A node whose progress pauses longer than this does not make steady progress."""
CATCH_UP_SHARE = 0.5
START_SHARE, START_DOUBLING_SECONDS = 1 / 16, 0.5
"""Before it has heard the others a node takes little, and doubles that."""
GROWTH = 2.0
"""An equal share is anybody's at once; more than that grows by this factor each settling time."""
REPORT_WEIGHT, TREND_SECONDS = 0.1, 1.0
CLOCK_DRIFT_NS = 20_000
"""How far two clocks may drift apart from one report to the next: 200 ppm of 100 ms."""

COUNTING, LAGGING, CATCHING_UP = "counting", "lagging", "catching up"
LIVE = "live"
HUNG = f"no report, or no progress, for {HUNG_SECONDS:g} s"
STEADY = f"progress for {HUNG_SECONDS:g} s"
AT_TARGET = f"its backlog is {TARGET:g} of its limit, or less"
MACHINE: Machine[str] = Machine(
    (COUNTING,),
    {
        (COUNTING, HUNG): LAGGING,
        (CATCHING_UP, HUNG): LAGGING,
        (LAGGING, STEADY): CATCHING_UP,
        (CATCHING_UP, AT_TARGET): COUNTING,
    },
)


class Report(NamedTuple):
    """What a node says of itself; each node makes one of its own, too.

    sent_ns is on the sender's monotonic clock, received_ns on this node's. backlog, limited_by,
    limit: as `backlog.Backlog`. retired: updates in a second of work, 0.0 while unknown. demand:
    what its writers ask for, in updates a second. progress: any count that grows with what it
    applies. state: only "live" counts. round_trip: seconds there and back, 0.0 while unknown.
    """

    node: str
    sent_ns: int
    received_ns: int
    backlog: float
    limited_by: str
    limit: float
    retired: float
    demand: float
    progress: int
    state: str = LIVE
    round_trip: float = 0.0


class Peer:
    """A node as its reports show it."""

    __slots__ = ("_interval", "_nearest_ns", "_square", "_steady_ns", "delay", "moved_ns",
                 "phase", "report", "trend")  # fmt: skip

    def __init__(self, report: Report) -> None:
        self.report, self.phase, self.trend = report, COUNTING, 0.0
        self._nearest_ns = report.received_ns - report.sent_ns
        self.delay = report.round_trip / 2
        self._interval = self._square = 0.0
        self.moved_ns = self._steady_ns = report.received_ns

    def take(self, report: Report) -> None:
        """Follow a newer report; one that was overtaken by another is dropped."""
        last = self.report
        if report.sent_ns <= last.sent_ns:
            return
        self.report, seconds = report, (report.sent_ns - last.sent_ns) / NANOSECONDS_PER_SECOND
        # The fastest way that was seen is half a round trip; what a report took longer is its own.
        way_ns = report.received_ns - report.sent_ns
        self._nearest_ns = min(self._nearest_ns + CLOCK_DRIFT_NS, way_ns)
        late = (way_ns - self._nearest_ns) / NANOSECONDS_PER_SECOND + report.round_trip / 2
        weight = REPORT_WEIGHT if self._interval else 1.0
        self.delay += (late - self.delay) * weight
        self._interval += (seconds - self._interval) * weight
        self._square += (seconds * seconds - self._square) * weight
        weight = -math.expm1(-seconds / TREND_SECONDS)
        self.trend += ((report.backlog - last.backlog) / seconds - self.trend) * weight
        self._follow_progress(last)

    def _follow_progress(self, last: Report) -> None:
        report = self.report
        if report.progress == last.progress and report.backlog > 0:
            return
        if report.received_ns - self.moved_ns > STEADY_SECONDS * NANOSECONDS_PER_SECOND:
            self._steady_ns = report.received_ns
        self.moved_ns = report.received_ns

    def age(self, now_ns: int) -> float:
        """Return the mean age of this node's reports: their way, and half the time between two.

        The mean over time, not over reports: of unequal intervals the long ones weigh more.
        """
        since = (now_ns - self.report.received_ns) / NANOSECONDS_PER_SECOND
        half = self._square / self._interval / 2 if self._interval else 0.0
        return self.delay + max(half, since / 2)

    def loop(self, now_ns: int) -> float:
        """Return the mean time from an update's start to the use of the report that counts it."""
        return self.age(now_ns) + self.report.round_trip / 2

    def turn(self, now_ns: int) -> None:
        """Bring the phase up to date."""
        report, hung_ns = self.report, HUNG_SECONDS * NANOSECONDS_PER_SECOND
        if now_ns - min(self.moved_ns, report.received_ns) >= hung_ns:
            self.phase = MACHINE.after(self.phase, HUNG)
            return
        if now_ns - self._steady_ns >= hung_ns:
            self.phase = MACHINE.after(self.phase, STEADY)
        if report.backlog <= TARGET:
            self.phase = MACHINE.after(self.phase, AT_TARGET)

    def rate(self, settling: float) -> float:
        """Return what this node can take from all writers, in updates a second."""
        report = self.report
        rate = report.retired + (TARGET - report.backlog) * report.limit / settling
        least = CATCH_UP_SHARE * report.retired if self.phase == CATCHING_UP else 0.0
        return max(rate, least)


def fair_share(total: float, others: Iterable[float]) -> float:
    """Return what one who wants all gets of `total` by max-min fairness beside others' demands.

    Nobody gets more than asked for, and what is left is shared equally (Bertsekas and Gallager,
    "Data Networks", section 6.5.2).
    """
    waiting = sorted(others)
    left = total
    for number, demand in enumerate(waiting):
        equal = left / (len(waiting) - number + 1)
        if demand >= equal:
            return equal
        left -= demand
    return left


class Governor:
    """Computes a node's pace from the reports of all nodes, its own included.

    After each `turn` its attributes tell why the pace is what it is; rates are updates a second.

    Args:
        node: this node's name.
        now_ns: monotonic time, as everywhere.
        alone: no other node will be heard, so nobody has to be waited for at the start.
    """

    def __init__(self, node: str, now_ns: int, *, alone: bool = False) -> None:
        self.node, self._alone = node, alone
        self.peers: dict[str, Peer] = {}
        self._started_ns = self._turned_ns = now_ns
        self._admitted, self._recent = 0, 0.0
        self.allowed = self.cluster_rate = 0.0
        self.cluster_demand = self.report_age = 0.0
        self.settling = LEAST_SETTLING_SECONDS
        self.limiters, self._swing = Limiters(), Swing()
        self.lagging: list[str] = []

    def take(self, report: Report) -> None:
        """Take the newest report of a node."""
        peer = self.peers.get(report.node)
        if peer is None:
            self.peers[report.node] = Peer(report)
        else:
            peer.take(report)

    def forget(self, node: str) -> None:
        """Forget a node that left, is down, or came back with another life."""
        self.peers.pop(node, None)

    def turn(self, now_ns: int, admitted: int) -> float:
        """Compute the pace of this node's writers and return it.

        Args:
            admitted: how many updates they were let write since the start.
        """
        for peer in self.peers.values():
            peer.turn(now_ns)
        live = [peer for peer in self.peers.values() if peer.report.state == LIVE]
        self.lagging = [peer.report.node for peer in live if peer.phase == LAGGING]
        counting = [peer for peer in live if peer.phase != LAGGING]
        self.report_age = max((peer.age(now_ns) for peer in counting), default=0.0)
        loop = max((peer.loop(now_ns) for peer in counting), default=0.0)
        self.settling = max(LOOPS_TO_SETTLE * loop, LEAST_SETTLING_SECONDS)
        demands = {name: peer.report.demand for name, peer in self.peers.items()}
        self.cluster_demand = sum(demands.values())
        demands.pop(self.node, None)
        # Nobody heard yet: nothing is known to be possible. Nobody counts: only the queues' limits.
        slowest = math.inf if self.peers else 0.0, "", ""
        for peer in counting:
            report = peer.report
            slowest = min(slowest, (peer.rate(self.settling), report.node, report.limited_by))
        self.cluster_rate, limiter, limited_by = slowest
        self.limiters.turn(now_ns, limiter, limited_by, self.cluster_rate, self.cluster_demand)
        self._note_admitted(now_ns, admitted)
        share = fair_share(self.cluster_rate, demands.values())
        self.allowed = min(share, self._growth_limit(now_ns, len(demands) + 1))
        if self.limiters.node:
            self._swing.note(now_ns, self.allowed)
        return self.allowed

    def _note_admitted(self, now_ns: int, admitted: int) -> None:
        seconds = (now_ns - self._turned_ns) / NANOSECONDS_PER_SECOND
        if seconds <= 0:
            return
        rate = (admitted - self._admitted) / seconds
        self._recent += (rate - self._recent) * -math.expm1(-seconds / self.settling)
        self._turned_ns, self._admitted = now_ns, admitted

    def _growth_limit(self, now_ns: int, nodes: int) -> float:
        """Return what this node may take before the others know that it wants it.

        Writers that start together would otherwise each take all that is left, until they hear of
        each other.
        """
        limit = max(self.cluster_rate / nodes, GROWTH * self._recent)
        if self._alone or self.cluster_rate == math.inf:
            return limit
        doublings = (now_ns - self._started_ns) / NANOSECONDS_PER_SECOND / START_DOUBLING_SECONDS
        if doublings >= -math.log2(START_SHARE):
            return limit
        return min(limit, self.cluster_rate * START_SHARE * math.exp2(doublings))

    # ------------------------------------------------------------------ what operators see
    @property
    def swing(self) -> float:
        """Standard deviation of the allowed rate over its mean, over 10 s of being limited."""
        return self._swing.share

    def trend(self, node: str) -> float:
        """Return how fast a node's backlog grows, in shares of its limit a second."""
        peer = self.peers.get(node)
        return peer.trend if peer else 0.0

    def full_in(self, node: str) -> float:
        """Return the seconds until a node is full if it goes on like this; inf if never."""
        peer = self.peers.get(node)
        if peer is None or peer.trend <= 0:
            return math.inf
        return max(1.0 - peer.report.backlog, 0.0) / peer.trend

    def drained_in(self, node: str) -> float:
        """Return the seconds until a node has no backlog if it goes on like this; inf if never."""
        peer = self.peers.get(node)
        if peer is None or (peer.trend >= 0 and peer.report.backlog > 0):
            return math.inf
        return peer.report.backlog / -peer.trend if peer.report.backlog > 0 else 0.0
