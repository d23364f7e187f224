"""The receiver: the thread that takes in what is sent, and asks for what is missing.

It must never wait for anything but datagrams: what it does not read in time, the kernel drops. What
it takes in goes to the backlog, and to the disk on another thread.

    waiting for datagrams ──▶ taking in ──▶ asking for what is due ──▶ waiting
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from isinglass import clock
from isinglass.glass.probe import mark
from isinglass.node import ending
from isinglass.node.load import LoadMeter
from isinglass.wire.event_bodies import ASK
from isinglass.wire.events import BadDatagram, EventOpener, EventSealer
from isinglass.wire.transport.multicast import Address, GroupSockets
from isinglass_monitor.ingest.account import Accounts
from isinglass_monitor.ingest.backlog import Backlog
from isinglass_monitor.ingest.intake import Intake
from isinglass_monitor.own_panels import IntakePanel
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.views import NodeView

TOGETHER = 256  # datagrams of each socket that are taken in one go
PAUSE_BELOW = 64
PAUSE_SECONDS = 0.01  # in which the socket's buffer holds far more than comes
TURN_NS = 20_000_000  # between two looks at what is due
SHOW_NS = clock.NANOSECONDS_PER_SECOND


class Receiver:
    """The thread; `stop` ends it.

    Args:
        show: called once a second, to show what else must not depend on a disk.
        report: shows an error in the table of distinct errors.

    Attributes:
        views: every node that was heard, as it was at the last full second.
    """

    def __init__(
        self,
        sockets: GroupSockets,
        opener: EventOpener,
        sealer: EventSealer,
        intake: Intake,
        backlog: Backlog,
        panel: IntakePanel,
        *,
        show: Callable[[], None],
        report: Callable[[Exception], None],
    ) -> None:
        self._sockets, self._opener, self._sealer = sockets, opener, sealer
        self._intake, self._backlog = intake, backlog
        self._show_more, self._report = show, report
        self._panel, self._accounts = panel, Accounts(panel)
        self._stamps = clock.HybridLogicalClock()
        self._stopping = False
        self._due_ns = self._shown_ns = 0
        self._load = LoadMeter(clock.monotonic_ns())
        self.views: Mapping[str, NodeView] = {}
        self._thread = threading.Thread(target=self._run, name="receiver")

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is being taken in.

        Raises:
            ThreadStuck: it does not end.
        """
        self._stopping = True
        self._sockets.wake()
        ending.join(self._thread)

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except Exception as error:
                # A fault in one datagram must not make the monitor deaf; it shows as an error.
                self._report(error)
                self._due_ns = clock.monotonic_ns() + TURN_NS
        self._show(clock.wall_ns(), clock.monotonic_ns())

    def _turn(self) -> None:
        mark.waiting("for datagrams")
        wait = (self._due_ns - clock.monotonic_ns()) / clock.NANOSECONDS_PER_SECOND
        self._load.wait(clock.monotonic_ns())
        arrived = self._sockets.receive(TOGETHER, max(wait, 0.0))
        if 0 < len(arrived) < PAUSE_BELOW and not self._stopping:
            # Woken up for each datagram by itself, a thread costs more than what it takes in.
            clock.sleep(PAUSE_SECONDS)
            arrived += self._sockets.receive(TOGETHER, 0.0)
        now_ns, wall_ns = clock.monotonic_ns(), clock.wall_ns()
        self._load.work(now_ns)
        mark("taking datagrams in")
        self._take_all(arrived, wall_ns, now_ns)
        if now_ns >= self._due_ns:
            mark("asking for what is missing")
            self._due_ns = now_ns + TURN_NS
            self._ask(wall_ns, now_ns)
        if now_ns >= self._shown_ns + SHOW_NS:
            mark("showing the accounts")
            self._shown_ns = now_ns
            self._each_second(wall_ns, now_ns)

    def _take_all(self, arrived: list[tuple[bytes, Address]], wall_ns: int, now_ns: int) -> None:
        open_, take = self._opener.open, self._intake.take
        pieces: list[Piece] = []
        taken = size = 0
        try:
            for data, address in arrived:
                try:
                    pieces += take(open_(data), data, address, wall_ns, now_ns)
                except BadDatagram as error:
                    self._refused(error.reason)
                    continue
                taken, size = taken + 1, size + len(data)
        finally:
            self._panel.datagrams += taken
            self._panel.size += size
            self._backlog.put(pieces)

    def _refused(self, reason: str) -> None:
        setattr(self._panel, reason, getattr(self._panel, reason) + 1)

    def _ask(self, wall_ns: int, now_ns: int) -> None:
        questions, pieces = self._intake.due(wall_ns, now_ns, ask=not self._backlog.is_half_full)
        self._backlog.put(pieces)
        for address, body in questions:
            data = self._sealer.seal(ASK, body, self._stamps.tick(wall_ns))
            self._sockets.unicast(address, data)
            self._panel.asks += 1

    def _each_second(self, wall_ns: int, now_ns: int) -> None:
        own, group = self._sockets.memory()
        self._intake.drops.look(own.drops + group.drops)
        panel = self._panel
        panel.socket_drops = self._intake.drops.total
        panel.buffer_granted, panel.buffer_waiting = group.granted_bytes, group.waiting_bytes
        pieces, gone = self._intake.forget(wall_ns, now_ns)
        self._backlog.put(pieces)
        self._accounts.forget(gone)
        self._show(wall_ns, now_ns)

    def _show(self, wall_ns: int, now_ns: int) -> None:
        self._show_more()
        self.views = self._intake.views()
        self._load.account(now_ns)
        self._panel.load_1s = self._load.averages[0]
        self._accounts.show(self._intake.senders.values(), wall_ns, now_ns)
