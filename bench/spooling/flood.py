"""A process that sends events at a rate, the same ones to every kind of receiver.

Run as `python -m spooling.flood KIND ...`; prints one JSON document when it has sent all. The
datagrams are made before the clock starts, so that the receivers are the limit and not the sender;
all but those of `SysLogHandler`, which makes and sends in one.
"""

from __future__ import annotations

import argparse
import json
import logging
import logging.handlers
import os
import socket
import sys
from collections.abc import Callable
from typing import Protocol

from isinglass import clock
from isinglass.wire.event_bodies import EVENTS, STATUS, WireEvent, pack_events
from isinglass.wire.events import EventSealer

MESSAGE = "the request of client 10.1.2.3 for page 17 took longer than the limit of 250 ms; retry"
NODE, PROCESS = "alder", "daemon"
TURN_SECONDS = 0.002
STATUS_REPEATS = 40  # at the end, each 50 ms: how many there were, and that no ring has them


def severity_of(sequence: int) -> int:
    """One in a hundred is a warning."""
    return 13 if sequence % 100 == 0 else 9


class Packed:
    """Sends as the product's own senders do, `together` events a datagram."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        local = socket.inet_aton("127.0.0.1")
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, local)
        self._to = (options.address, options.port)
        key = bytes.fromhex(options.key)
        self._sealer = EventSealer(options.cluster, key, int.from_bytes(os.urandom(8), "big") | 1)
        self._together = options.together
        self.sent = self.refused = self._datagrams = 0
        self._ready: list[bytes] = []

    def prepare(self, count: int) -> None:
        """Make the datagrams of so many events."""
        together, now = self._together, clock.stamp_floor(clock.wall_ns())
        for first in range(1, count + 1, together):
            events = [
                WireEvent(now, severity_of(at), "request", MESSAGE, f"number={at}", "page.py:17")
                for at in range(first, first + together)
            ]
            (body,) = pack_events(NODE, PROCESS, first, events)
            self._ready.append(self._sealer.seal(EVENTS, body, now))

    def send(self, count: int) -> None:
        """Send `count` events, rounded to whole datagrams, as far as they were prepared."""
        first = self._datagrams
        for data in self._ready[first : first + max(count // self._together, 1)]:
            self._give(data)
            self.sent += self._together

    def _give(self, data: bytes) -> None:
        self._datagrams += 1
        try:
            self._socket.sendto(data, self._to)
        except OSError:
            self.refused += 1

    def finish(self) -> None:
        """Say how many there were, until it must have been heard."""
        for _ in range(STATUS_REPEATS):
            clock.sleep(0.05)
            who = [NODE, PROCESS, os.getpid(), "client", "127.0.0.1", 9]
            numbers = [self.sent, self.sent + 1, self.refused, self._datagrams, 0]
            now = clock.stamp_floor(clock.wall_ns())
            self._give(self._sealer.seal(STATUS, [*who, *numbers], now))


class Syslog:
    """Sends what `logging.handlers.SysLogHandler` makes of the same events, one a datagram."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._handler = logging.handlers.SysLogHandler((options.address, options.port))
        form = "alder daemon request: %(message)s number=%(number)d page.py:17"
        self._handler.setFormatter(logging.Formatter(form))
        self._levels = {9: logging.INFO, 13: logging.WARNING}
        self.sent = self.refused = 0

    def prepare(self, count: int) -> None:
        """The handler makes and sends in one."""

    def send(self, count: int) -> None:
        """Send `count` events."""
        for number in range(self.sent + 1, self.sent + count + 1):
            level = self._levels[severity_of(number)]
            record = logging.LogRecord("request", level, "page.py", 17, MESSAGE, None, None)
            record.number = number
            self._handler.emit(record)
        self.sent += count

    def finish(self) -> None:
        """A datagram of syslog says nothing of the others."""


class RawSyslog(Syslog):
    """The same bytes without the handler, which is slower than the receivers."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((options.address, options.port))

    def prepare(self, count: int) -> None:
        """Make the datagrams of so many events."""
        self._ready = [
            f"<{12 if severity_of(number) == 13 else 14}>alder daemon request: {MESSAGE}"
            f" number={number} page.py:17\0".encode()
            for number in range(1, count + 1)
        ]

    def send(self, count: int) -> None:
        """Send `count` events, as far as they were prepared."""
        send = self._socket.send
        for data in self._ready[self.sent : self.sent + count]:
            try:
                send(data)
            except OSError:
                self.refused += 1
            self.sent += 1


class Sender(Protocol):
    """Sends events; `sent` counts them, `refused` those that the socket did not take."""

    sent: int
    refused: int

    def prepare(self, count: int) -> None:
        """Make so many events, as far as that is not done in sending."""

    def send(self, count: int) -> None:
        """Send `count` events."""

    def finish(self) -> None:
        """Say that there are no more."""


KINDS: dict[str, Callable[[argparse.Namespace], Sender]] = {
    "packed": Packed,
    "syslog": Syslog,
    "raw": RawSyslog,
}


def run(options: argparse.Namespace) -> dict[str, float]:
    """Send for some seconds at a rate, as evenly as the machine lets."""
    sender = KINDS[options.kind](options)
    sender.prepare(int(options.rate * options.seconds) + options.together)
    started, cpu = clock.perf_ns(), clock.thread_cpu_ns()
    end = started + int(options.seconds * 1e9)
    while (now := clock.perf_ns()) < end:
        due = int((now - started) / 1e9 * options.rate) - sender.sent
        if due > 0:
            sender.send(min(due, max(int(options.rate * 0.02), 1)))
        else:
            clock.sleep(TURN_SECONDS)
    spent, busy = (clock.perf_ns() - started) / 1e9, (clock.thread_cpu_ns() - cpu) / 1e3
    sent = sender.sent
    sender.finish()
    return {"sent": sent, "refused": sender.refused, "rate": sent / spent, "cpu_us": busy / sent}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--together", type=int, default=1)
    parser.add_argument("--cluster", default="bench")
    parser.add_argument("--key", default="")
    print(json.dumps(run(parser.parse_args())))
    sys.exit(0)
