"""One stream on its way to the monitors: its datagrams, numbered, sealed, sent without waiting.

The numbers of the newest event and datagram are stored beside the ring before the datagram is sent:
whoever goes on for a process that was killed neither repeats a number nor leaves one out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from isinglass import clock
from isinglass.emit.panel import LogPanel
from isinglass.emit.target import Target
from isinglass.wire.event_bodies import (
    EVENTS,
    FIGURES,
    NAME_LIMIT,
    STATUS,
    Figures,
    WireEvent,
    pack_events,
    pack_figures,
)
from isinglass.wire.events import EventSealer
from isinglass.wire.transport.multicast import Address, GroupSockets

Note = Callable[[int, int], None]


class Who(NamedTuple):
    """The process that a stream belongs to."""

    node: str
    process: str
    pid: int
    role: str


class Stream:
    """Sends what belongs to one stream; one thread uses it.

    Args:
        told: number of the newest event sent before.
        datagrams: how many were sent to all before.
        note: stores the numbers of the newest event and of the newest datagram to all.
    """

    def __init__(
        self,
        sockets: GroupSockets,
        target: Target,
        number: int,
        who: Who,
        told: int,
        datagrams: int,
        note: Note,
        panel: LogPanel,
    ) -> None:
        self.who, self._sockets, self._note, self._panel = who, sockets, note, panel
        self.number, self._told, self._sent, self._refused = number, told, datagrams, 0
        self._sealer = EventSealer(target.cluster, target.key, number, datagrams)
        self._stamps = clock.HybridLogicalClock()

    def stamp(self) -> int:
        """Return a stamp for a datagram sent now."""
        return self._stamps.tick(clock.wall_ns())

    def tell(self, first: int, events: list[WireEvent]) -> None:
        """Send events; `first` is the number of the first one."""
        bodies = pack_events(self.who.node, self.who.process, first, events)
        self._told = first + len(events) - 1
        for body in bodies:
            self._multicast(EVENTS, body)

    def status(self, last: int, oldest: int, *, ended: bool = False) -> None:
        """Say how far the stream is."""
        address, port = self._sockets.address
        numbers = [last, min(oldest, last + 1), self._refused, self._sent, int(ended)]
        who = [self.who.node, self.who.process[:NAME_LIMIT], self.who.pid, self.who.role]
        self._multicast(STATUS, [*who, address, port, *numbers])

    def figures(self, second: int, rows: list[Figures]) -> None:
        """Send a second's figures."""
        for body in pack_figures(self.who.node, second, rows):
            self._multicast(FIGURES, body)

    def answer(self, address: Address, kind: int, body: bytes | list[object]) -> None:
        """Send a datagram to one monitor."""
        self._sockets.unicast(address, self._sealer.seal(kind, body, self.stamp()))

    def _multicast(self, kind: int, body: bytes | list[object]) -> None:
        data = self._sealer.seal(kind, body, self.stamp())
        self._sent += 1
        self._note(self._told, self._sent)
        if self._sockets.multicast(data):
            self._panel.sent += 1
            self._panel.sent_bytes += len(data)
        else:
            self._refused += 1
            self._panel.refused += 1
