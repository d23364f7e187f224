"""A receiver of events for tests: what a monitor does at the least, with real sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cluster_daemons import ClusterDaemons
from isinglass import clock
from isinglass.wire.bodies import BadDatagram
from isinglass.wire.events import (
    AGAIN,
    ASK,
    EVENTS,
    FIGURES,
    GONE,
    STATUS,
    EventOpener,
    EventSealer,
    WireEvent,
)
from isinglass.wire.transport.events import EventGroup, monitor_sockets

LIMIT_SECONDS = 30.0
OWN_STREAM = 99


class Heard:
    """What was heard of one stream."""

    def __init__(self) -> None:
        self.events: dict[int, WireEvent] = {}
        self.process = self.node = ""
        self.status: list[Any] = []
        self.address = ("", 0)
        self.again: dict[int, WireEvent] = {}
        self.gone: list[tuple[int, int]] = []

    def messages(self) -> list[str]:
        """Return the messages of the events in the order of their numbers."""
        return [self.events[number].message for number in sorted(self.events)]

    def fields(self, message: str) -> list[dict[str, str]]:
        """Return the fields of each event with that message."""
        return [
            dict(pair.split("=", 1) for pair in event.fields.split("\t") if pair)
            for event in self.events.values()
            if event.message == message
        ]


class EventListener:
    """Listens to a group; use as a context."""

    def __init__(self, cluster: str, group: EventGroup, key: bytes = b"") -> None:
        self._sockets = monitor_sockets(group)
        self._opener = EventOpener(cluster, key)
        self._sealer = EventSealer(cluster, key, OWN_STREAM)
        self.streams: dict[int, Heard] = {}
        self.figures: dict[str, dict[str, Any]] = {}
        self.refused: list[str] = []

    def __enter__(self) -> EventListener:
        return self

    def __exit__(self, *_: object) -> None:
        self._sockets.close()

    def listen(self, seconds: float = 0.05) -> None:
        """Take in what comes within a time, or is there."""
        for data, address in self._sockets.receive(1000, seconds):
            try:
                datagram = self._opener.open(data)
            except BadDatagram as error:
                self.refused.append(error.reason)
                continue
            self._take(datagram.kind, datagram.stream, datagram.body, address)

    def _take(self, kind: int, stream: int, body: Any, address: tuple[str, int]) -> None:
        if kind in (AGAIN, GONE):
            heard = self.streams.setdefault(body[0], Heard())
            if kind == GONE:
                heard.gone.append((body[1], body[2]))
            else:
                heard.again |= {event[0]: WireEvent(*event[1:]) for event in body[3]}
            return
        heard = self.streams.setdefault(stream, Heard())
        heard.address = address
        if kind == EVENTS:
            heard.node, heard.process, first, events = body
            heard.events |= {first + n: WireEvent(*event) for n, event in enumerate(events)}
        elif kind == STATUS:
            heard.node, heard.process = body[:2]
            heard.status = body
        elif kind == FIGURES:
            figures = self.figures.setdefault(body[0], {})
            for panel, instance, part in body[4]:
                name = f"{panel}.{instance}" if instance else panel
                figures |= {f"{name}.{field}": value for field, value in part.items()}

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Listen until a condition holds; fail, saying what was waited for, after the limit."""
        deadline = clock.monotonic_ns() + int(LIMIT_SECONDS * 1e9)
        while not condition():
            assert clock.monotonic_ns() < deadline, f"not in {LIMIT_SECONDS:g} s: {what}"
            self.listen()

    def stream(self, process: str, node: str = "alder") -> Heard:
        """Return what was heard of a process, the newest stream of that name."""
        found = [s for s in self.streams.values() if (s.node, s.process) == (node, process)]
        return found[-1] if found else Heard()

    def number(self, heard: Heard) -> int:
        """Return the number of a stream."""
        return next(number for number, known in self.streams.items() if known is heard)

    def ask(self, heard: Heard, *ranges: int) -> None:
        """Ask for events of a stream again, where its status said."""
        where = (heard.status[4], heard.status[5])
        ask = self._sealer.seal(ASK, [self.number(heard), list(ranges)], 1)
        self._sockets.unicast(where, ask)


def listener_of(daemons: ClusterDaemons, key: bytes = b"") -> EventListener:
    """Return a listener for the events of a cluster of daemons."""
    settings = daemons.settings
    group = EventGroup(
        str(settings["multicast_group"]), int(str(settings["multicast_port"])) + 1, "lo", 1
    )
    return EventListener(str(settings["cluster"]), group, key)
