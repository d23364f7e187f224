"""The listener: the thread that takes in what other nodes send, and lets time pass for the replica.

It must never block: what it does not read in time, the kernel drops. So it takes what is there, in
one go, opens it (which costs most of the time) without the node's lock, and hands it to the replica
under the lock, which is held for some microseconds a datagram.

    waiting for datagrams ──▶ opening ──▶ taking in ──▶ what is due ──▶ waiting
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from isinglass import clock
from isinglass.errors import IsinglassError
from isinglass.glass.flags import flag
from isinglass.glass.probe import mark
from isinglass.node.intake import Intake
from isinglass.node.load import LoadMeter
from isinglass.node.replica import Replica
from isinglass.wire.bodies import KINDS, BadDatagram
from isinglass.wire.datagrams import Datagram, Opener
from isinglass.wire.transport.multicast import Address, GroupSockets

WIRE = flag("wire")
TOGETHER = 128  # datagrams of each socket that are taken in one go
LONGEST_WAIT_SECONDS = 0.1
_NANOSECONDS = clock.NANOSECONDS_PER_SECOND
_FAULT_PAUSE_NS = 10_000_000


class Listener:
    """The thread; `stop` ends it.

    Args:
        refused: called with each datagram that is not taken: its reason, and the time.
        report: shows an error in the table of distinct errors.
    """

    def __init__(
        self,
        sockets: GroupSockets,
        opener: Opener,
        intake: Intake,
        replica: Replica,
        *,
        refused: Callable[[BadDatagram, int], None],
        report: Callable[[Exception], None],
    ) -> None:
        self._sockets, self._opener = sockets, opener
        self._intake, self._replica = intake, replica
        self._refused, self._report = refused, report
        self._network = replica.figures.network
        self._stopping = False
        self._due_ns = 0
        self.load = LoadMeter(clock.monotonic_ns())
        self.thread = threading.Thread(target=self._run, name="listener")

    def start(self) -> None:
        """Begin to listen."""
        self.thread.start()

    def stop(self) -> None:
        """End after what is being taken in."""
        self._stopping = True
        self._sockets.wake()

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except Exception as error:
                # A fault in one datagram must not make the node deaf; it shows as an error.
                self._report(error)

    def _turn(self) -> None:
        mark.waiting("for datagrams")
        wait = (self._due_ns - clock.monotonic_ns()) / _NANOSECONDS
        self.load.wait(clock.monotonic_ns())
        arrived = self._sockets.receive(TOGETHER, min(max(wait, 0.0), LONGEST_WAIT_SECONDS))
        self.load.work(clock.monotonic_ns())
        mark("opening datagrams")
        now_ns = clock.monotonic_ns()
        opened = [found for raw in arrived if (found := self._open(raw, now_ns)) is not None]
        mark("taking datagrams in")
        with self._intake:
            for datagram in opened:
                self._take(datagram)
            now_ns = clock.monotonic_ns()
            if now_ns >= self._due_ns:
                mark("doing what is due")
                self._due_ns = now_ns + _FAULT_PAUSE_NS  # should the next line fail
                self._due_ns = self._replica.tick(now_ns)
            elif opened:
                self._due_ns = min(self._due_ns, self._replica.repairs.look(now_ns))
            self._intake.wake_and_send()

    def _open(self, raw: tuple[bytes, Address], now_ns: int) -> Datagram | None:
        data = raw[0]
        try:
            datagram = self._opener.open(data, now_ns)
        except BadDatagram as error:
            self._refused(error, now_ns)
            return None
        if datagram is not None:
            self._network.received += 1
            self._network.received_bytes += len(data)
            if WIRE:
                WIRE("a datagram came", kind=KINDS[datagram.kind][0], origin=datagram.origin,
                     counter=datagram.counter, bytes=len(data))  # fmt: skip
        return datagram

    def _take(self, datagram: Datagram) -> None:
        try:
            self._replica.receive(datagram)
        except IsinglassError as error:
            self._report(error)
