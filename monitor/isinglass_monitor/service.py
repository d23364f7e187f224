"""The monitor, assembled: its threads, in which order they start, and how they end.

    thread      waits for            does
    main        a signal             starts, stops
    receiver    datagrams            takes them in, asks for what is missing
    spooler     events               stores them, each transaction flushed
    timer       the next task        retention, and how large the spool is
    watch       a second             scoreboard, alarms, statistics
    log         this process's own   sends them to all monitors, itself among them
    heartbeat   a second             says that the process lives (glass)

    starting ──▶ listening ──TERM, INT, HUP──▶ draining ──▶ clean exit

A stop takes no more datagrams and stores what waits. After a kill the spool has everything whose
commit had ended; the next start asks the senders for what came since.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import isinglass
from isinglass import clock, collecting, emit
from isinglass.emit.figures import figures_of
from isinglass.emit.target import Target, target_of
from isinglass.errors import SettingsError
from isinglass.glass import segment
from isinglass.glass.probe import mark
from isinglass.glass.reader import SegmentReader
from isinglass.glass.severity import ERROR, INFO, WARNING
from isinglass.node import lifetime
from isinglass.node.cluster_settings import cluster_of
from isinglass.node.lifetime import Troubles
from isinglass.node.schedule import Task
from isinglass.node.stop_signals import StopSignals
from isinglass.node.timer import Timer
from isinglass.settings import Settings
from isinglass.wire.events import EventOpener, EventSealer
from isinglass.wire.transport.events import monitor_sockets
from isinglass_monitor.ingest.backlog import Backlog
from isinglass_monitor.ingest.figures import named
from isinglass_monitor.ingest.intake import Intake
from isinglass_monitor.ingest.receiver import Receiver
from isinglass_monitor.ingest.spooler import Spooler
from isinglass_monitor.own_panels import IntakePanel, MonitorPanel, SpoolPanel
from isinglass_monitor.spool.folder import FOLDER
from isinglass_monitor.spool.retention import Limits
from isinglass_monitor.spool.writer import SpoolWriter
from isinglass_monitor.views import MONITOR_PREFIX, NodeView
from isinglass_monitor.watch import Watch, WatchSettings

BACKLOG_BYTES = 64 << 20
ROLE = "monitor"


class Options(NamedTuple):
    """What the monitor is told beside the settings that it shares with daemons."""

    watch: WatchSettings
    limits: Limits = Limits()
    backlog_bytes: int = BACKLOG_BYTES


def target(settings: Settings) -> Target:
    """Return what the monitor listens to.

    Raises:
        SettingsError: the settings name no cluster, or contradict each other.
    """
    member = cluster_of(settings)
    if member is None:
        raise SettingsError(
            "A monitor listens to a cluster: set `cluster`, and `cluster_key_file` to a copy of its"
            " key, as its nodes have them."
        )
    return target_of(settings, member.key)


class Service:
    """A running monitor: everything that `run` starts, in the order in which it starts.

    Raises:
        ClusterError: the group cannot be had.
        StoreError: the spool cannot be opened.
    """

    def __init__(
        self,
        settings: Settings,
        options: Options,
        where: Target,
        glass: segment.Segment,
        end: Callable[[], None],
    ) -> None:
        self._settings, self._glass, self._where = settings, glass, where
        self.troubles = Troubles(glass, "monitor", end)
        self._panel, self._spool_panel = MonitorPanel(), SpoolPanel()
        self._panel.state, self._panel.started = "starting", clock.wall_ns()
        self._panel.version, self._panel.cluster = isinglass.__version__, where.cluster
        folder = settings.node_data_dir / FOLDER
        self._panel.spool_directory = str(folder)
        self._spool_panel.waiting_limit = options.backlog_bytes
        self._writer = SpoolWriter(folder, options.limits, clock.wall_ns(), self._note)
        try:
            self._sockets = monitor_sockets(where.group, settings.receive_buffer_bytes)
        except BaseException:
            self._writer.close()
            raise
        self._check_buffer(settings.receive_buffer_bytes)
        self._backlog = Backlog(options.backlog_bytes)
        self._spooler = Spooler(
            self._backlog, self._writer, self._spool_panel, self._panel,
            report=self.troubles.report, fail=self.troubles.fail,
        )  # fmt: skip
        self._intake = Intake(
            self._writer.streams, self._backlog.has_room, self._spooler.is_stalled
        )
        self._receiver = Receiver(
            self._sockets,
            EventOpener(where.cluster, where.key),
            EventSealer(where.cluster, where.key, _random_stream()),
            self._intake,
            self._backlog,
            IntakePanel(),
            show=self._show_waiting,
            report=self.troubles.report,
        )
        self._reader = SegmentReader(settings.node)
        self._watch = Watch(
            settings.node,
            settings.node_runtime_dir,
            settings.node_data_dir,
            options.watch,
            glass.event,
        )
        # A disk that hangs may hold up either of them; the receiver shows that it does.
        spool = [Task("spool", 1.0, self._show_spool), Task("retention", 5.0, self._retain)]
        self._timer = Timer(spool, self.troubles.report)
        self._watching = Timer([Task("watch", 1.0, self._observe)], self.troubles.report, "watch")

    def _check_buffer(self, asked: int) -> None:
        group = self._where.group
        address = self._sockets.address[0]
        self._panel.group = f"{group.group} {group.port} {address}"
        # The kernel counts its own overhead, too, and so doubles what it is asked for (socket(7)).
        granted = self._sockets.memory()[1].granted_bytes // 2
        if granted < asked:
            self._glass.event(
                WARNING, "monitor", "the kernel grants a smaller receive buffer: bursts may be"
                " lost; raise net.core.rmem_max", asked=asked, granted=granted,
            )  # fmt: skip

    # ------------------------------------------------------------------ life
    def start(self) -> None:
        """Start the threads; events are taken in when this returns."""
        self._intake.resume(clock.monotonic_ns())
        self._spooler.start()
        self._receiver.start()
        self._show_spool()
        self._timer.start()
        self._watching.start()
        emit.begin(self._where, ROLE)
        self._panel.state = "listening"
        self._glass.ready()
        self._glass.event(
            INFO, "monitor", "the monitor listens", version=isinglass.__version__,
            cluster=self._where.cluster, events=self._writer.totals().events,
        )  # fmt: skip

    def stop(self) -> None:
        """Take no more datagrams, store what waits, end the threads.

        Raises:
            ThreadStuck: one does not end.
        """
        mark("stopping")
        self._panel.state = "draining"
        self._glass.event(INFO, "monitor", "the monitor stops")
        emit.end()
        mark.waiting("for the threads to end")
        self._receiver.stop()
        left = self._spooler.stop()
        self._timer.stop()
        self._watching.stop()
        if left:
            self._glass.event(
                ERROR, "monitor", "the disk did not take the last events; the next start asks for"
                " them", events=left,
            )  # fmt: skip
        self._show_spool()
        self._watch.close()
        self._reader.close()
        self._sockets.close()
        self._writer.close()

    # ------------------------------------------------------------------ tasks of the threads
    def _show_waiting(self) -> None:
        """Show what no disk has to be asked for; called by the receiver."""
        panel = self._spool_panel
        panel.waiting = self._backlog.size_bytes
        panel.stalled = self._spooler.stalled_ns() / clock.NANOSECONDS_PER_SECOND

    def _observe(self) -> None:
        """Let the watch see every node, and this monitor itself as its own panels show it."""
        now_ns = clock.monotonic_ns()
        name = self._settings.node
        nodes = {node: view for node, view in self._receiver.views.items() if node != name}
        own = named(figures_of(self._reader))
        nodes[MONITOR_PREFIX + name] = NodeView(MONITOR_PREFIX + name, now_ns, ROLE, False, own)
        self._watch.observe(now_ns, nodes)

    def _show_spool(self) -> None:
        panel, totals = self._spool_panel, self._writer.totals()
        panel.segments = len(self._writer.closed) + 1
        panel.size, panel.total_events = self._writer.size_bytes(), totals.events
        panel.oldest = clock.stamp_wall_ns(totals.earliest)
        disk = os.statvfs(self._writer.folder)
        panel.disk_free = disk.f_bavail * disk.f_frsize

    def _retain(self) -> None:
        for held, reason in self._writer.retain(clock.wall_ns()):
            self._spool_panel.removed += 1
            self._glass.event(
                INFO, "spool", "removed the oldest segment", limit=reason, size=held.size_bytes,
            )  # fmt: skip

    # ------------------------------------------------------------------ what the threads call
    def _note(self, sentence: str, **facts: object) -> None:
        self._glass.event(WARNING, "spool", sentence, **facts)


def _random_stream() -> int:
    return int.from_bytes(os.urandom(8), "big") | 1


def run(settings: Settings, options: Options, ready: Callable[[], None]) -> int:
    """Be a monitor until a signal ends it; return the exit code.

    The caller holds the monitor's lock (`node/ownership`).

    Args:
        ready: called once events are taken in.

    Raises:
        SettingsError: the settings name no cluster.
        StoreError, ClusterError, SegmentError: the spool, the group, the segment cannot be had.
    """
    where = target(settings)
    with StopSignals() as signals, segment.create(settings.node, ROLE) as glass:
        service = Service(settings, options, where, glass, signals.end)
        lifetime.start(service)
        collecting.settle()
        lifetime.serve(service, signals, ready)
    return 0
