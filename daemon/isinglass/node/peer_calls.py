"""Calls between daemons: what a node asks of one other node, over TCP, on the port's loop.

A node has one connection to each member that it asks, made at the first call, and answers on those
that others make, and on those of their clients, who may ask the primary of a record (`guests`).
Requests go without waiting for earlier answers, and answers may overtake each other, since one may
wait for the disk of a third node.

    none ──call──▶ connecting ──▶ proving the key ──▶ open ──closed, silent, refused──▶ none
                                                            (every call in it: no answer)

Each call has a limit, by what it asks for, and a connection keeps at most WAITING_LIMIT calls.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from isinglass.errors import IsinglassError, LockTimeout
from isinglass.glass.probe import mark
from isinglass.node.cluster_panels import NetworkPanel
from isinglass.node.healing import BUCKETS, DIGESTS
from isinglass.node.outside import Answered
from isinglass.wire import messages, primary_calls, transport
from isinglass.wire.calls import Answer, CallChannel, Failed, Opened, Request
from isinglass.wire.datagrams import Identity
from isinglass.wire.handshake import ANSWERER, CALLER
from isinglass.wire.messages import DONE, PACED
from isinglass.wire.transport.cluster import Connecting
from isinglass.wire.transport.multicast import Address

CALL_LIMIT_SECONDS = 5.0
# To read a whole store takes as long as it is large; who waits for it also looks at heartbeats.
STORE_LIMIT_SECONDS = 4 * 3600.0
PROOF_LIMIT_SECONDS = 5.0
WAITING_LIMIT = 4096
UNSENT_LIMIT_BYTES = 64 << 20
LOOK_SECONDS = 0.5

OPERATIONS: messages.Operations = {
    **primary_calls.OPERATIONS,
    DIGESTS: ("digests", ((int,), (bool,))),  # horizon, whether digests are wanted
    BUCKETS: ("buckets", ((list,), (list,), (int,))),  # buckets, cursor, life
}


class _Connection:
    """One end of one connection, on the loop's thread."""

    def __init__(self, calls: PeerCalls, role: str) -> None:
        self._calls = calls
        self._channel = CallChannel(
            role, calls.identity, calls.node, os.urandom(16), OPERATIONS,
            guests_may=primary_calls.OPERATIONS,
        )  # fmt: skip
        self._peer: transport.Peer | None = None
        self._connecting: Connecting | None = None
        self.address: Address | None = None
        self._waiting: dict[int, tuple[Answered, float]] = {}
        self._early: list[tuple[list[Any], Answered, float]] = []
        self.since = calls.loop.time()

    def connect(self, address: Address) -> None:
        """Make the connection."""
        self.address = address
        self._connecting = Connecting(
            self._calls.loop, address, PROOF_LIMIT_SECONDS, self.connected, lambda _: self._lost()
        )

    def connected(self, connection: Any) -> None:
        """Start to talk over a socket."""
        self._peer = transport.Peer(
            self._calls.loop, connection, partial(self._calls.collect, self._received),
            self._lost, lambda: None,
        )  # fmt: skip
        self._flush()

    def _flush(self) -> None:
        if self._peer is None:
            return
        if data := self._channel.take():
            self._peer.write(data)
        if len(self._peer.unsent) > UNSENT_LIMIT_BYTES:
            self.close()

    def _received(self, data: bytes) -> None:
        mark("answering nodes")
        for event in self._channel.feed(data):
            if isinstance(event, Answer):
                self._answered(event)
            elif isinstance(event, Request):
                self._asked(event)
            elif isinstance(event, Opened):
                self._send_early()
            elif isinstance(event, Failed):
                self._calls.report(event.error)
                self._flush()
                self.close()
                return
        self._flush()
        mark.waiting("for clients")

    def _send_early(self) -> None:
        early, self._early = self._early, []
        for request, done, limit in early:
            self._send(request, done, limit)

    # ------------------------------------------------------------------ asking
    def ask(self, request: list[Any], done: Answered) -> None:
        """Send a request, now or once the key is proved."""
        seconds = STORE_LIMIT_SECONDS if request[0] in (DIGESTS, BUCKETS) else CALL_LIMIT_SECONDS
        limit = self._calls.loop.time() + seconds
        if len(self._waiting) + len(self._early) >= WAITING_LIMIT:
            self._calls.deliver(done, None)
        elif self._channel.opened:
            self._send(request, done, limit)
            self._flush()
        else:
            self._early.append((request, done, limit))

    def _send(self, request: list[Any], done: Answered, limit: float) -> None:
        self._waiting[self._channel.request(*request)] = (done, limit)

    def _answered(self, event: Answer) -> None:
        done, _ = self._waiting.pop(event.request_id, (None, 0.0))
        if done is not None:
            self._calls.hand_over(done, event.message[2] if event.status == DONE else None)

    # ------------------------------------------------------------------ answering
    def _asked(self, event: Request) -> None:
        self._calls.panel.served += 1
        if self._channel.guest and (word := self._word_to_guest(event)):
            self._answer(word)
            return

        def reply(result: list[Any] | None) -> None:
            self._calls.on_loop(lambda: self._reply(event.request_id, result))

        try:
            self._calls.serve([event.operation, *event.arguments], reply)
        except Exception as error:  # a lock that was not free above all; the others go on
            self._calls.report(error)
            reply(None)

    def _word_to_guest(self, event: Request) -> list[Any] | None:
        """Return why a guest's request is not done now, or None."""
        try:
            seconds = self._calls.admit(id(self), event)
        except IsinglassError as error:
            return messages.refusal(event.request_id, error)
        return [event.request_id, PACED, seconds] if seconds else None

    def _reply(self, request_id: int, result: list[Any] | None) -> None:
        self._answer([request_id, DONE, result])

    def _answer(self, message: list[Any]) -> None:
        if not self._channel.failed and self._peer is not None and not self._peer.closed:
            self._channel.answer(message)
            self._flush()

    # ------------------------------------------------------------------ the end
    def expire(self, now: float) -> None:
        """Give up what took too long."""
        late = [number for number, (_, limit) in self._waiting.items() if limit <= now]
        for number in late:
            self._calls.deliver(self._waiting.pop(number)[0], None)
        early, self._early = self._early, []
        self._early = [entry for entry in early if entry[2] > now]
        for _, done, limit in early:
            if limit <= now:
                self._calls.deliver(done, None)
        if not self._channel.opened and now - self.since > PROOF_LIMIT_SECONDS:
            self.close()

    def close(self) -> None:
        """Close; what was asked has no answer."""
        if self._peer is not None and not self._peer.closed:
            self._peer.close()
            return
        if self._connecting is not None:
            self._connecting.cancel()
        self._lost()

    def _lost(self) -> None:
        waiting = [done for done, _ in self._waiting.values()]
        waiting += [done for _, done, _ in self._early]
        self._waiting, self._early = {}, []
        self._calls.forget(self)
        for done in waiting:
            self._calls.deliver(done, None)


class PeerCalls:
    """All connections of a node to other nodes.

    Args:
        listener: a listening TCP socket.
        address_of: returns where a member takes calls, or None when that is not known.
        serve: answers a request, under the node's lock.
        admit: returns the seconds for which a guest's connection, told by any number, must wait
            with a request; 0.0 when it need not. Raises what refuses it.
        locked: calls `done(result)` under the node's lock.
        collect: does the work of a callback with what came, and then sends what clients get for it.
        report: shows an error in the table of distinct errors.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: Any,
        identity: Identity,
        node: str,
        panel: NetworkPanel,
        *,
        address_of: Callable[[int], Address | None],
        serve: Callable[[list[Any], Answered], None],
        admit: Callable[[int, Request], float],
        locked: Callable[[Answered, Any], None],
        collect: Callable[[Callable[[bytes], None], bytes], None],
        report: Callable[[Exception], None],
    ) -> None:
        self.loop, self.identity, self.node, self.panel = loop, identity, node, panel
        self._address_of, self.serve, self.admit, self.locked = address_of, serve, admit, locked
        self.collect, self.report = collect, report
        self._listener = listener
        self._server: transport.Server | None = None
        self._callers: dict[int, _Connection] = {}
        self._answerers: set[_Connection] = set()
        self._thread_id = 0

    def start(self) -> None:
        """Take calls; on the loop's thread."""
        self._thread_id = threading.get_ident()
        self._server = transport.Server(self.loop, self._listener, self._accepted)
        self._look()

    def _look(self) -> None:
        """Give up what took too long, now and then."""
        now = self.loop.time()
        for connection in [*self._callers.values(), *self._answerers]:
            connection.expire(now)
        self.loop.call_later(LOOK_SECONDS, self._look)

    def _accepted(self, connection: Any) -> None:
        answerer = _Connection(self, ANSWERER)
        self._answerers.add(answerer)
        answerer.connected(connection)

    def on_loop(self, what: Callable[[], None]) -> None:
        """Do something on the loop's thread, at once when this is it."""
        if threading.get_ident() == self._thread_id:
            what()
        else:
            self.loop.call_soon_threadsafe(what)

    def call(self, origin: int, request: list[Any], done: Answered) -> None:
        """Ask a member; from any thread. `done` is called under the node's lock."""
        self.panel.calls += 1
        self.on_loop(lambda: self._call(origin, request, done))

    def _call(self, origin: int, request: list[Any], done: Answered) -> None:
        caller, address = self._callers.get(origin), self._address_of(origin)
        if caller is not None and address not in (None, caller.address):
            caller.close()  # it was restarted, and its last life has not said so
            caller = None
        if caller is None:
            if address is None:
                self.deliver(done, None)
                return
            caller = self._callers[origin] = _Connection(self, CALLER)
            caller.connect(address)
        caller.ask(request, done)

    def deliver(self, done: Answered, result: list[Any] | None) -> None:
        """Hand over an answer, later: whoever asked may hold the lock now."""
        if result is None:
            self.panel.calls_failed += 1
        self.loop.call_soon(self.hand_over, done, result)

    def hand_over(self, done: Answered, result: list[Any] | None) -> None:
        """Hand over an answer now, or once the node's lock is free: who asked waits for it."""
        try:
            self.locked(done, result)
        except LockTimeout as error:
            self.report(error)
            self.loop.call_soon(self.hand_over, done, result)

    def forget(self, connection: _Connection) -> None:
        """Drop a connection that is closed."""
        self._answerers.discard(connection)
        self._callers = {o: c for o, c in self._callers.items() if c is not connection}

    def stop(self) -> None:
        """Close everything; on the loop's thread."""
        if self._server is not None:
            self._server.close()
        for connection in [*self._callers.values(), *self._answerers]:
            connection.close()
