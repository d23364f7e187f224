"""A client's way to the primaries of records, past its own node; any number of threads use it.

Its node introduces it (`node/guests`), again each INTRODUCED_SECONDS, and soon after a primary was
silent or said that it is none. Nothing is lost by asking the wrong one: the primary decides, by its
own view.

    no introduction, or the own node is the primary   ─▶ the own node is asked, as for any write
    not asked: no connection, NOT_PRIMARY, FAILED     ─▶ the same: it may know better
    asked, no answer in time, or the breaker is open  ─▶ the own node is to take it, asking nobody

The second costs the time that a connection may take, where nobody refuses it: a client may live in
another network than its node. So an address is then left alone for one second, two, four, up to 64.
The third is not asked for again: the primary may have stamped the write, and a second stamp would
win over what others wrote since. What the own node then takes its receipt does not call the
primary's. How long a primary may take, and until when it may stamp, is as for a node that asks
(`wire/time_limits`, `node/primary`): this process and its node have one monotonic clock.

The node's clock learns of each stamp, so that what this client writes next, wherever, is newer.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, NamedTuple

from isinglass import clock
from isinglass.client.guest import GuestConnection, NoAnswer, NotAsked
from isinglass.client.session import Session
from isinglass.errors import BadRecord, NodeDrained, RecordTooLarge
from isinglass.glass import segment
from isinglass.glass.probe import mark
from isinglass.store.buckets import bucket_of
from isinglass.store.records import version_stamp
from isinglass.wire import messages
from isinglass.wire.datagrams import Identity
from isinglass.wire.messages import PACED, REFUSED
from isinglass.wire.placement import Placement, placement_of
from isinglass.wire.primary_calls import ACK_LIMIT_NS, DONE, READ, WRITE
from isinglass.wire.time_limits import TimeLimits
from isinglass.wire.transport.multicast import Address

INTRODUCED_SECONDS, LOOK_AGAIN_SECONDS = 1.0, 0.05
LONGEST_PAUSE_BITS = 6
ADDRESSES_LIMIT = 256
_NEVER = (0, 0)


class Written(NamedTuple):
    """A write that a primary took: its stamp, the primary's name, and how many nodes hold it.

    Where the primary was silent nobody is known to hold it: `held` is 0.
    """

    stamp: int
    node: str
    held: int


class Found(NamedTuple):
    """What a primary has of a record, or None, and the primary's name."""

    record: bytes | None
    node: str


class _PrimarySilent(Exception):
    """The primary did not answer in time, or is not asked for a while."""


class _Introduction(NamedTuple):
    """Whom the own node has introduced this client to, and as whom."""

    identity: Identity
    node: str
    placement: Placement
    addresses: dict[int, Address]
    names: dict[int, str]


class _Primary(NamedTuple):
    """Whom to ask: its number, name and connection; and the number of the own node."""

    origin: int
    name: str
    connection: GuestConnection
    asker: int


class _Thread(threading.local):
    def __init__(self) -> None:
        self.connections: dict[int, GuestConnection] = {}


class Primaries:
    """The primaries of a node's cluster."""

    def __init__(self, session: Session) -> None:
        self._session, self._thread = session, _Thread()
        self._introduction: _Introduction | None = None
        self._until_ns = 0
        self._limits, self._lock = TimeLimits(), threading.Lock()
        self._left_alone: dict[Address, tuple[int, int]] = {}  # failures, and until when
        self._open: weakref.WeakSet[GuestConnection] = weakref.WeakSet()
        _all.add(self)

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._open):
            connection.close()

    def after_fork(self) -> None:
        """In a forked child: let go of the parent's connections, which two must not use."""
        self.close()
        self._open, self._thread = weakref.WeakSet(), _Thread()
        self._lock = threading.Lock()

    # ------------------------------------------------------------------ the two operations
    def write(
        self, table: str, key: bytes, payload: bytes | None, ack: int, *, wait: bool
    ) -> Written | None:
        """Write one record at its primary; None: ask the own node.

        Where the primary was silent the own node is to take it, without asking again.

        Args:
            payload: the packed value; None deletes.
            ack: how many nodes must hold it, a place in `messages.ACKS`.
            wait: wait while writers are too fast.

        Raises:
            BadRecord, RecordTooLarge: it cannot be written.
            RequestRefused, DaemonAway, RequestTimeout: as every request.
        """
        started = clock.monotonic_ns()
        try:
            while (primary := self._primary(table, key)) is not None:
                asked, limit = clock.monotonic_ns(), self._limits.limit_ns
                until = asked + limit * 3 // 4
                request = (WRITE, table, key, payload, ack, primary.asker, until)
                answer = self._ask(primary, limit + (ACK_LIMIT_NS if ack else 0), request)
                if answer[1] != PACED:
                    return self._written(primary, self._done(primary, answer, asked))
                self._session.pause(answer[2], started, wait=wait, paced=True)
        except _PrimarySilent:
            return Written(0, "", 0)
        return None

    def _written(self, primary: _Primary, done: list[Any] | None) -> Written | None:
        if done is None:
            return None
        record, held, *_ = done
        stamp = version_stamp(record)
        if (own := segment.current()) is not None:
            own.observe(stamp)
        return Written(stamp, primary.name, held)

    def read(self, table: str, key: bytes) -> Found | None:
        """Return what a record's primary has of it; None: ask the own node."""
        try:
            if (primary := self._primary(table, key)) is None:
                return None
            asked = clock.monotonic_ns()
            answer = self._ask(primary, self._limits.limit_ns, (READ, table, key, True))
            done = self._done(primary, answer, asked)
        except _PrimarySilent:
            return None
        return None if done is None else Found(done[0], primary.name)

    # ------------------------------------------------------------------ asking
    def _primary(self, table: str, key: bytes) -> _Primary | None:
        """Return a record's primary; None: the own node is to be asked.

        Raises:
            _PrimarySilent: it is not asked now, or does not answer.
        """
        introduction = self._introduced()
        if introduction is None or self._session.closed:
            return None
        origin = introduction.placement.primary(bucket_of(table.encode(), key))
        address = introduction.addresses.get(origin)
        now = clock.monotonic_ns()
        if address is None or now < self._left_alone.get(address, _NEVER)[1]:
            return None
        if not self._limits.asks(origin, now):
            raise _PrimarySilent
        mark.waiting("for the record's primary")
        connection = self._thread.connections.get(origin)
        if connection is None or connection.address != address:
            connection = self._connect(origin, address, introduction)
        if connection is None:
            return None
        asker = introduction.identity.origin
        return _Primary(origin, introduction.names[origin], connection, asker)

    def _connect(
        self, origin: int, address: Address, introduction: _Introduction
    ) -> GuestConnection | None:
        seconds = self._limits.limit_ns / clock.NANOSECONDS_PER_SECOND
        self._drop(origin)
        try:
            made = GuestConnection(address, introduction.identity, introduction.node, seconds)
        except NotAsked:
            self._look_again_soon()
            self._leave_alone(address)
            return None
        self._left_alone.pop(address, None)
        self._thread.connections[origin] = made
        self._open.add(made)
        return made

    def _leave_alone(self, address: Address) -> None:
        failures, _ = self._left_alone.pop(address, (0, 0))
        if len(self._left_alone) >= ADDRESSES_LIMIT:
            self._left_alone.clear()  # of lives that are over
        pause_ns = clock.NANOSECONDS_PER_SECOND << min(failures, LONGEST_PAUSE_BITS)
        self._left_alone[address] = (failures + 1, clock.monotonic_ns() + pause_ns)

    def _drop(self, origin: int) -> None:
        connection = self._thread.connections.pop(origin, None)
        if connection is not None:
            connection.close()

    def _ask(self, primary: _Primary, limit_ns: int, request: tuple[Any, ...]) -> list[Any]:
        self._session.panel.direct += 1
        try:
            answer = primary.connection.ask(*request, limit_ns=limit_ns)
        except NoAnswer as error:
            self._drop(primary.origin)
            self._look_again_soon()
            with self._lock:
                self._limits.silent(primary.origin, clock.monotonic_ns())
            raise _PrimarySilent from error
        mark("the record's primary has answered")
        return answer

    def _done(self, primary: _Primary, answer: list[Any], asked_ns: int) -> list[Any] | None:
        """Return what follows DONE; None when nothing was done.

        Raises:
            _PrimarySilent: nobody knows.
            BadRecord, RecordTooLarge: it can never be done.
        """
        if answer[1] == REFUSED:
            error = messages.refused_error(answer)
            if isinstance(error, BadRecord | RecordTooLarge):
                raise error
        if answer[1] != messages.DONE:
            return None
        result = answer[2]
        if result is None:
            raise _PrimarySilent
        if result[0] != DONE:
            self._look_again_soon()
            return None
        took_ns = clock.monotonic_ns() - asked_ns
        with self._lock:
            self._limits.replied(primary.origin, took_ns)
        self._session.panel.request_time.record(took_ns // 1000)
        return list(result[1:])

    # ------------------------------------------------------------------ the own node
    def _introduced(self) -> _Introduction | None:
        now = clock.monotonic_ns()
        if now >= self._until_ns:
            self._until_ns = now + int(INTRODUCED_SECONDS * clock.NANOSECONDS_PER_SECOND)
            self._introduction = self._introduce()
        return self._introduction

    def _look_again_soon(self) -> None:
        """Have the own node introduce this client anew before it would be time."""
        soon = clock.monotonic_ns() + int(LOOK_AGAIN_SECONDS * clock.NANOSECONDS_PER_SECOND)
        self._until_ns = min(self._until_ns, soon)

    def _introduce(self) -> _Introduction | None:
        current = segment.current()
        if current is None or current.node != self._session.node:
            return None  # the node's clock could not learn of a stamp
        try:
            said = self._session.ask([messages.INTRODUCE])
        except NodeDrained:
            return None  # it says so itself
        if said is None:
            return None
        cluster, node, origin, incarnation, key, patience_ns, members = said
        if self._limits.patience_ns != patience_ns:
            self._limits = TimeLimits(patience_ns)
        identity = Identity(cluster, key, origin, incarnation)
        if self._introduction is not None and self._introduction.identity != identity:
            self.close()  # the node lives another life
            self._thread = _Thread()
        return _Introduction(
            identity,
            node,
            placement_of(tuple((number, name) for number, name, *_ in members)),
            {
                number: (host, port)
                for number, _, host, port in members
                if host and number != origin
            },
            {number: name for number, name, *_ in members},
        )


_all: weakref.WeakSet[Primaries] = weakref.WeakSet()


def _after_fork() -> None:
    for primaries in list(_all):
        primaries.after_fork()


os.register_at_fork(after_in_child=_after_fork)
