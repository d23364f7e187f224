"""The pace of this node's writers: measures, computes, sets it, and shows why it is what it is.

Ten times a second the node makes a report of itself, gives it to its governor, as the reports of
the other nodes are given, and tells the admission at the port what may be written. A node on its
own is a cluster of one: its writers keep to what its store can take, with a backlog of half the
queue's limits, instead of running into those.
"""

from __future__ import annotations

import math

from isinglass import clock
from isinglass.node.applier import Applier
from isinglass.node.cluster_panels import FlowPanel
from isinglass.node.panels import ApplierPanel
from isinglass.node.schedule import Task
from isinglass.settings import Settings
from isinglass.store.panels import QueuePanel
from isinglass.wire.admission import Admission
from isinglass.wire.backlog import INTERVAL_NS, Limits, Retirement, backlog
from isinglass.wire.flow import Governor, Report

_NANOSECONDS = clock.NANOSECONDS_PER_SECOND


class Pacing:
    """Flow control of one node.

    Args:
        queue, applier_panel: what the node shows of its queue and of what it applied.
        alone: no other node will be heard.
    """

    def __init__(
        self,
        settings: Settings,
        queue: QueuePanel,
        applier: Applier,
        applier_panel: ApplierPanel,
        *,
        alone: bool,
    ) -> None:
        now = clock.monotonic_ns()
        self._node, self._queue = settings.node, queue
        self._applier, self._applied = applier, applier_panel
        self._limits = Limits(
            settings.queue_limit_entries, settings.queue_limit_bytes, settings.queue_limit_seconds
        )
        self._retirement = Retirement()
        self.governor = Governor(settings.node, now, alone=alone)
        self.admission = Admission(now)
        self._enforced = settings.flow_control
        self._panel = FlowPanel()
        self._shown_ns, self._shown_admitted = now, 0
        self.turn()

    def tasks(self) -> list[Task]:
        """Return what the timer runs."""
        return [Task("flow", INTERVAL_NS / _NANOSECONDS, self.turn)]

    def report(self, now_ns: int, state: str = "live") -> Report:
        """Return what this node says of itself now."""
        queue, applied = self._queue, self._applied.updates
        merged = queue.superseded + queue.stale + queue.dropped
        self._retirement.observe(self._applier.worked_ns(now_ns), applied, queue.offered, merged)
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
        report = self.report(now)
        self.governor.take(report)
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
