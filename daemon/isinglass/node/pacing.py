"""The pace of this node's writers: measures, computes, sets it, and shows why it is what it is.

Ten times a second the node makes a report of itself, gives it to its governor, as the reports of
the other nodes are given, and tells the admission at the port what may be written. A node on its
own is a cluster of one: its writers keep to what its store can take, with a backlog of half the
queue's limits, instead of running into those.
"""

from __future__ import annotations

import math
from collections import deque

from isinglass import clock
from isinglass.node.applier import Applier
from isinglass.node.cluster_panels import FlowPanel
from isinglass.node.intake import Intake
from isinglass.node.panels import ApplierPanel
from isinglass.node.schedule import Task
from isinglass.settings import Settings
from isinglass.store.panels import QueuePanel
from isinglass.wire.admission import Admission
from isinglass.wire.backlog import INTERVAL_NS, Limits, ReportTimer, Retirement, backlog
from isinglass.wire.flow import LIVE, Governor, Report
from isinglass.wire.membership import DOWN, LEFT, Member
from isinglass.wire.reports import LIMITS, PHASES, Load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.node.replica import Replica

HEARD_LIMIT = 1024
LARGEST_LIMIT = 1e15  # updates; a heartbeat holds no infinity
_NANOSECONDS = clock.NANOSECONDS_PER_SECOND


class Pacing:
    """Flow control of one node.

    Args:
        queue, applier_panel: what the node shows of its queue and of what it applied.
        intake: the way to the node's replica, when it has one.
    """

    def __init__(
        self,
        settings: Settings,
        queue: QueuePanel,
        applier: Applier,
        applier_panel: ApplierPanel,
        intake: Intake,
    ) -> None:
        now = clock.monotonic_ns()
        self._node, self._queue, self._intake = settings.node, queue, intake
        self._applier, self._applied = applier, applier_panel
        self._limits = Limits(
            settings.queue_limit_entries, settings.queue_limit_bytes, settings.queue_limit_seconds
        )
        self._retirement, self._seen = Retirement(), (0, 0)
        self.governor = Governor(settings.node, now, alone=intake.replica is None)
        self._heard: deque[Report] = deque(maxlen=HEARD_LIMIT)
        self._due = ReportTimer()
        if intake.replica is not None:
            intake.replica.on_heard = self._hear
        self.admission = Admission(now)
        self._enforced = settings.flow_control
        self._panel = FlowPanel()
        self._shown_ns, self._shown_admitted = now, 0
        self.turn()

    def tasks(self) -> list[Task]:
        """Return what the timer runs; in a cluster twice as often as reports are due."""
        interval = INTERVAL_NS if self._intake.replica is None else INTERVAL_NS // 2
        return [Task("flow", interval / _NANOSECONDS, self.turn)]

    def _hear(self, member: Member) -> None:
        """Keep what another node said, for the next turn; on the listener's thread."""
        report, load = member.report, member.load
        if report is not None:
            self._heard.append(
                Report(
                    member.name, member.sent_ns, member.heard_ns, load.backlog,
                    LIMITS[load.limited_by], load.limit, load.retired, load.demand, load.applied,
                    PHASES[report.phase], member.round_trip_ns / _NANOSECONDS,
                )
            )  # fmt: skip

    def _exchange(self, replica: Replica, own: Report) -> None:
        """Take in what other nodes said, and let this one say how it is."""
        while self._heard:
            self.governor.take(self._heard.popleft())
        with self._intake:
            away = [m.name for m in replica.members.members.values() if m.state in (DOWN, LEFT)]
            replica.load = Load(
                float(own.backlog), LIMITS.index(own.limited_by), min(own.limit, LARGEST_LIMIT),
                float(own.retired), float(own.demand), own.progress,
            )  # fmt: skip
            if self._due.due(own.sent_ns, own.backlog):
                replica.beat(clock.monotonic_ns())  # others may have been heard since the report
        for name in away:
            self.governor.forget(name)

    def report(self, now_ns: int, state: str) -> Report:
        """Return what this node says of itself now."""
        queue, applied = self._queue, self._applied.updates
        merged, batches = queue.superseded + queue.stale + queue.dropped, self._applied.batches
        new, entries = batches - self._seen[0], applied - self._seen[1]
        self._seen = batches, applied
        full = entries * 2 >= self._applied.batch_limit * new > 0
        worked = self._applier.worked_ns(now_ns)
        self._retirement.observe(worked, applied, queue.offered, merged, full)
        share, limited_by, limit = backlog(
            self._limits, queue.length, queue.size, queue.oldest, self._retirement.drain
        )
        return Report(
            self._node, now_ns, now_ns, share, limited_by, limit, self._retirement.rate,
            self.admission.demand(now_ns), applied, state,
        )  # fmt: skip

    def turn(self) -> None:
        """Follow this node's own state, and set the pace."""
        now = clock.monotonic_ns()
        replica = self._intake.replica
        report = self.report(now, replica.phase_name if replica is not None else LIVE)
        self.governor.take(report)
        if replica is not None:
            self._exchange(replica, report)
        allowed = self.governor.turn(now, self.admission.admitted)
        self.admission.allow(allowed if self._enforced else math.inf)
        self._show(now, report)

    def _show(self, now_ns: int, report: Report) -> None:
        governor, admission, panel = self.governor, self.admission, self._panel
        limiters = governor.limiters
        panel.limiter, panel.limited_by = limiters.node, limiters.limited_by
        panel.limited_since = clock.wall_ns() - (now_ns - limiters.since_ns) if limiters.node else 0
        panel.cluster_rate, panel.cluster_demand = governor.cluster_rate, governor.cluster_demand
        panel.allowed, panel.demand = governor.allowed, report.demand
        seconds = (now_ns - self._shown_ns) / _NANOSECONDS
        if seconds > 0:
            panel.admitted = (admission.admitted - self._shown_admitted) / seconds
            self._shown_ns, self._shown_admitted = now_ns, admission.admitted
        panel.throttled = admission.throttled
        panel.throttled_time = admission.throttled_ns / _NANOSECONDS
        panel.backlog, panel.backlog_by = report.backlog, report.limited_by
        panel.backlog_trend = governor.trend(self._node)
        panel.full_in, panel.drained_in = (
            seconds if seconds < math.inf else 0.0
            for seconds in (governor.full_in(self._node), governor.drained_in(self._node))
        )
        panel.retired = report.retired
        panel.report_age, panel.settling = governor.report_age, governor.settling
        panel.swing, panel.lagging = governor.swing, len(governor.lagging)
