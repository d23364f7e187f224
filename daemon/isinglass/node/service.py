"""The daemon of a node, assembled: its threads, in which order they start, and how they end.

    thread      waits for                       does
    main        a signal                        starts, stops
    port        clients                         stamps and queues what they write
    applier     the queue                       puts batches into the store
    timer       the next task                   statistics, flush, housekeeping
    heartbeat   a second                        says that the process lives (glass)
    log         the events of this node         sends them to the monitors; in a cluster
    listener    datagrams of other nodes        takes them in; in a cluster (cluster)
    copier      questions of other nodes        reads the store for them; in a cluster

    starting ──port open──▶ serving ──TERM, INT, HUP──▶ draining ──▶ clean exit

A stop takes no more requests, puts the queue into the store within `stop_limit_seconds`, flushes,
and keeps aside what the store would not take, so nothing acknowledged is lost. After a kill the
store has every batch whose commit had ended; what was only queued is lost, as `client` says.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from typing import Any

import isinglass
from isinglass import clock, collecting, emit
from isinglass.emit import target
from isinglass.errors import LockTimeout, SegmentError, StoreCorrupt, StoreError, ThreadStuck
from isinglass.glass import layout, segment
from isinglass.glass.probe import mark
from isinglass.glass.reader import SegmentReader
from isinglass.glass.severity import ERROR, INFO, WARNING
from isinglass.glass.stacks import stacks_on_request
from isinglass.node import kept_aside, lifetime
from isinglass.node.adopting import written_alone
from isinglass.node.applier import Applier
from isinglass.node.cluster import LIFE_NOTE, Cluster
from isinglass.node.cluster_settings import cluster_of
from isinglass.node.draining import Drain
from isinglass.node.housekeeping import Housekeeping
from isinglass.node.intake import ORIGIN, Intake
from isinglass.node.lifetime import Troubles
from isinglass.node.outbox import Outbox
from isinglass.node.pacing import Pacing
from isinglass.node.panels import ApplierPanel, DaemonPanel, PortPanel
from isinglass.node.port import Port
from isinglass.node.recovery import Recovery
from isinglass.node.requests import Requests
from isinglass.node.schedule import Task
from isinglass.node.stop_signals import StopSignals
from isinglass.node.timer import Timer
from isinglass.node.watchdog import Progress, Watchdog, pat_interval_seconds
from isinglass.settings import Settings
from isinglass.store import counters
from isinglass.store.database import Store
from isinglass.store.merge import UpdateQueue
from isinglass.store.panels import QueuePanel, StorePanel
from isinglass.wire import messages, transport
from isinglass.wire.journal import Name

SOCKET_NAME = "port.sock"
SERVING, DRAINED = "serving", "drained"


class Service:
    """A running daemon: everything that `run` starts, in the order in which it starts."""

    def __init__(
        self,
        settings: Settings,
        glass: segment.Segment,
        end: Callable[[], None],
        past: SegmentReader | None = None,
    ) -> None:
        self._settings, self._glass, self._past = settings, glass, past
        self.troubles = Troubles(glass, "daemon", end, (StoreError,))
        self._panel, self._drain = DaemonPanel(), Drain()
        self._panel.state, self._panel.started = "starting", clock.wall_ns()
        self._panel.version, self._panel.durability = isinglass.__version__, settings.durability
        self._panel.data_directory = str(settings.node_data_dir)
        self._folders = (settings.node_data_dir, settings.node_runtime_dir)
        self._store = Store.open(
            settings.node_data_dir,
            map_size_bytes=settings.map_size_bytes,
            durability=settings.durability,
            panel=StorePanel(),
        )
        try:
            self._assemble()
        except BaseException:
            self._store.close()
            raise

    def _assemble(self) -> None:
        settings, glass, store = self._settings, self._glass, self._store
        self._recovery = Recovery(self._folders, store, self._share, self._recovered)
        glass.observe(max(store.newest_stamp(), self._recovery.newest_stamp()))
        self._queue_panel = QueuePanel()
        self._queue = UpdateQueue(
            self._queue_panel,
            settings.queue_limit_entries,
            settings.queue_limit_bytes,
            merging=settings.merge,
        )
        self._queue.define(self._recovery.foreseen(store.table_states()))
        member = cluster_of(settings)
        self._log = target.target_of(settings, member.key) if member else None
        origin = member.origin if member else ORIGIN
        writer = counters.writer_of(origin, glass.generation)
        self._intake = Intake(self._queue, glass.stamp, store, origin, writer)
        self._applier_panel, self._port_panel = ApplierPanel(), PortPanel()
        self._applier = Applier(
            self._intake,
            store,
            self._recovery,
            self._applier_panel,
            batch_limit=settings.batch_limit,
            gather_seconds=settings.gather_seconds,
            report=self.troubles.report,
            event=glass.event,
        )
        self._housekeeping = Housekeeping(settings, glass, store, self._intake)
        tasks = [*self._housekeeping.tasks(), Task("trouble", 0.5, self._show_trouble)]
        self._watchdog = Watchdog(settings.watchdog_limit_seconds)
        if interval := pat_interval_seconds(os.environ, os.getpid()):
            tasks.append(Task("watchdog", interval, self._pat))
        loop = asyncio.new_event_loop()  # the port's thread runs it, for clients and nodes
        outbox = Outbox(loop)
        self._cluster: Cluster | None = None
        if member is not None:
            self._cluster = Cluster(
                settings, member, self._intake, store, glass, loop, outbox,
                served=lambda: self._port_panel.requests, kept_aside=self._recovery.waits,
                pace=self._pace, report=self.troubles.report, fail=self.troubles.fail,
            )  # fmt: skip
            tasks += self._cluster.tasks(self._applier.between)
            self._housekeeping.passed_everywhere = self._cluster.horizon
        else:
            self._intake.noted_alone = _noted_alone(store)
        self._recover()
        self._pacing = Pacing(
            settings, self._queue_panel, self._applier, self._applier_panel, self._intake
        )
        requests = Requests(
            self._intake, self._port_panel, self._pacing.admission, settings.node,
            _introduction(self._cluster),
        )  # fmt: skip
        self._port = Port(
            str(settings.node_runtime_dir / SOCKET_NAME), requests, self._port_panel,
            self._greeting(), outbox, loop,
        )  # fmt: skip
        self._timer = Timer([*self._pacing.tasks(), *tasks], self.troubles.report)

    def _greeting(self) -> list[object]:
        place = layout.region_offset(self._glass.region) + self._queue_panel.place_of(
            QueuePanel.applied_through
        )
        data = str(self._settings.node_data_dir)
        node, generation = self._settings.node, self._glass.generation
        log = target.told(self._settings)
        return [messages.PROTOCOL_VERSION, node, generation, place, data, log]

    def _recover(self) -> None:
        """Apply what the last daemon had to keep aside; a full store leaves it to the applier."""
        self._panel.kept_aside = self._recovery.updates
        if not self._recovery.waits:
            return
        for file in self._recovery.damaged:
            self._glass.event(ERROR, "store", "a part of what was kept aside cannot be read",
                              kept=str(file.with_name(kept_aside.DAMAGED_NAME)))  # fmt: skip
        try:
            self._recovery.apply()
        except StoreCorrupt:
            raise
        except StoreError as error:
            self._intake.failed(error)
            self.troubles.report(error)
            self._show_trouble()
            self._glass.event(WARNING, "store", "what the last daemon kept aside has to wait",
                              updates=self._recovery.updates)  # fmt: skip

    def _pace(self, guest: int) -> float:
        if self._intake.trouble is not None:
            return 0.0  # the offer says what is the matter
        return self._pacing.admission.admit(clock.monotonic_ns(), guest, 1)

    def _share(self, names: Collection[Name]) -> None:
        if self._cluster is not None:
            self._cluster.share(names)

    def _recovered(self, updates: int) -> None:
        self._panel.recovered, self._panel.kept_aside = updates, 0
        self._glass.event(INFO, "store", "applied what the last daemon kept aside", updates=updates)

    # ------------------------------------------------------------------ life
    def start(self) -> None:
        """Start the threads; clients are served when this returns."""
        emit.begin(self._log, "daemon", self._past)
        self._housekeeping.show_tables()
        self._applier.start()
        self._timer.start()
        self._port.start()
        if self._cluster is not None:
            self._cluster.start()
        self._panel.state = SERVING
        self._glass.ready()
        self._glass.event(
            INFO, "daemon", "the daemon serves", version=isinglass.__version__,
            tables=len(self._store.tables()), durability=self._settings.durability,
        )  # fmt: skip

    def stop(self) -> None:
        """Take no more requests, put the queue into the store, flush, end the threads.

        Raises:
            ThreadStuck: one does not end; what was queued is kept aside, and the store left open.
        """
        mark("stopping")
        self._panel.state = "draining"
        self._glass.event(INFO, "daemon", "the daemon stops: it takes no more requests")
        self._port.stop_taking()
        if self._cluster is not None:
            self._cluster.stop()
        mark.waiting("for the applier to empty the queue")
        stuck = [_ended(lambda: self._applier.stop(self._settings.stop_limit_seconds))]
        mark("keeping aside what is left")
        self._recovery.leave()
        self._keep_aside()
        mark.waiting("for the other threads to end")
        stuck += [_ended(self._port.close), _ended(self._timer.stop)]
        if self._cluster is not None:
            stuck.append(_ended(self._cluster.close))
        for error in filter(None, stuck):
            self.troubles.report(error)
            raise error
        mark("closing the store")
        self._housekeeping.statistics()
        self._housekeeping.show_tables()
        self._store.close()
        self._glass.event(INFO, "daemon", "the store is closed")
        emit.end()

    def _keep_aside(self) -> None:
        # Readers must go on seeing what the store has, not what the file has.
        through = self._queue_panel.applied_through
        try:
            steps = self._intake.take_everything()
        except LockTimeout as error:
            self._glass.event(ERROR, "store", "acknowledged updates are lost: a thread holds them")
            self.troubles.fail(error)
            return
        self._queue_panel.applied_through = through
        if not steps:
            return
        updates = kept_aside.updates_of(steps)
        try:
            file = kept_aside.save(self._folders, steps)
        except OSError as error:
            self._glass.event(ERROR, "store", "acknowledged updates are lost", updates=updates)
            self.troubles.fail(
                StoreError(
                    f"{updates} acknowledged updates are lost: the store would not take them, and"
                    f" neither of {', '.join(map(str, self._folders))} ({error.strerror})"
                )
            )
            return
        self._glass.event(
            WARNING, "store", "the store would not take all: the next daemon applies the rest",
            updates=updates, file=str(file),
        )  # fmt: skip

    # ------------------------------------------------------------------ what the threads call
    def _show_trouble(self) -> None:
        held_up = self._store.held_up()
        if held_up is not None and self._intake.trouble is None:
            for waiter in self._intake.failed(held_up):
                waiter.done(held_up)
            self.troubles.report(held_up)
        trouble = self._intake.trouble
        self._panel.trouble = str(trouble) if trouble else ""
        if self._panel.state in (SERVING, DRAINED):
            self._panel.state = DRAINED if self._drain.sentence(self._settings.node) else SERVING

    def _pat(self) -> None:
        """Tell the service manager that the daemon is well, if every thread gets on."""
        threads = (
            Progress("port", self._port_panel.requests, self._port.idle),
            Progress("applier", self._applier_panel.batches, not self._applier.working),
        )
        stuck = self._watchdog.stuck(clock.monotonic_ns(), threads)
        if not stuck:
            transport.notify_supervisor("WATCHDOG=1")
        else:
            self._glass.event(
                WARNING, "daemon", "a thread does not get on", threads=", ".join(stuck)
            )


def _ended(end: Callable[[], None]) -> ThreadStuck | None:
    """End a thread; return the error when it does not."""
    try:
        end()
    except ThreadStuck as error:
        return error
    return None


def _introduction(cluster: Cluster | None) -> Callable[[], list[Any] | None]:
    """Return what clients are told of other nodes."""
    return cluster.guests.introduction if cluster is not None else lambda: None


def _segment_before(node: str) -> SegmentReader | None:
    """Return the segment of the last daemon, whose events may not all have been sent."""
    try:
        return SegmentReader(node)
    except SegmentError:
        return None


def _offer_stacks(glass: segment.Segment) -> None:
    """Write stacks on request; a daemon that cannot is a daemon all the same."""
    try:
        stacks_on_request()
    except SegmentError as error:
        glass.event(WARNING, "stacks", "no stacks can be asked for", error=str(error))


def run(settings: Settings, ready: Callable[[], None]) -> int:
    """Be the daemon of a node until a signal ends it; return the exit code.

    The caller holds the node's lock (`node/ownership`).

    A daemon with a thread that cannot be ended leaves at once, with exit code 1 and one sentence.

    Args:
        ready: called once clients are served.

    Raises:
        StoreLocked, StoreCorrupt, DiskFull, StoreError: the store cannot be used.
        SegmentError: the segment cannot be made.
        LockTimeout: a stopped process holds a lock of the segment.
        ClusterError: the node cannot be, or remain, a member of its cluster.
    """
    past = _segment_before(settings.node)
    with StopSignals() as signals, segment.create(settings.node) as glass:
        _offer_stacks(glass)
        service = Service(settings, glass, signals.end, past)
        lifetime.start(service)
        collecting.settle()
        lifetime.serve(service, signals, ready)
    return 0


def _noted_alone(store: Store) -> dict[bytes, bytes]:
    """Return what a node without a cluster notes; one that was never in one sent nothing yet."""
    notes = store.notes()
    return written_alone(notes, store.newest_stamp() if LIFE_NOTE in notes else 0)
