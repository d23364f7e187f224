"""The port: the node's Unix socket, an asyncio loop on a thread of its own.

Each connection is one `Conversation`. What came in one piece is answered in one piece: requests
that a client sends together cost one read and one write. A conversation that has too much in flight
(answers that wait for the disk, or that the client does not take) is not read until it has less, so
neither side keeps more than a limit in memory.

    greeting ──hello──▶ open ──too much in flight──▶ paused ──less──▶ open
        └────────────────┴── bad frame: counted, refused, closed
"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Any

from isinglass.errors import IsinglassError, LockTimeout, RequestRefused
from isinglass.glass import segment
from isinglass.glass.probe import mark
from isinglass.node import ending
from isinglass.node.outbox import Answer, Outbox
from isinglass.node.panels import PortPanel
from isinglass.node.requests import Requests
from isinglass.wire import messages, transport
from isinglass.wire.messages import BadFrame

IN_FLIGHT_LIMIT = 512
STOP_LIMIT_SECONDS = 10.0
_RECEIVED = PortPanel.received.index
_REQUESTS = PortPanel.requests.index
_SENT = PortPanel.sent.index


class Conversation:
    """One client's connection; everything here runs on the port's thread."""

    __slots__ = (
        "_buffer", "_greeted", "_handlers", "_in_flight", "_paused", "_peer", "_port", "later",
    )  # fmt: skip

    def __init__(self, port: Port, connection: Any) -> None:
        self._port, self._buffer = port, messages.FrameBuffer()
        self._greeted = self._paused = False
        self._in_flight = 0
        self._handlers = port.handlers
        # What sends an answer that comes from another thread; made once, it is needed often.
        self.later = partial(port.outbox.put, self)
        self._peer = transport.Peer(
            port.loop, connection, partial(port.outbox.collect, self._received),
            self._lost, self._balance,
        )  # fmt: skip

    def _lost(self) -> None:
        self._port.forget(self)

    def _received(self, data: bytes) -> None:
        """Answer what came; a bad frame ends the conversation."""
        mark("answering clients")
        port = self._port
        port.idle = False
        words, answers = port.panel.words, []
        words[_RECEIVED] += len(data)
        try:
            for body in self._buffer.feed(data):
                request = messages.decode_request(body)
                words[_REQUESTS] += 1
                answer = self._handle(request)
                if answer is None:
                    self._in_flight += 1
                else:
                    answers.append(messages.encode(answer))
        except BadFrame as error:
            self._refuse_all(error, answers)
        else:
            if answers:
                self._send(answers[0] if len(answers) == 1 else b"".join(answers))
            if self._in_flight > IN_FLIGHT_LIMIT:
                self._balance()
        port.idle = True
        mark.waiting("for clients")

    def _refuse_all(self, error: BadFrame, answers: list[bytes]) -> None:
        """Say what is wrong with a frame, and close: what follows it cannot be trusted."""
        self._port.count_bad_frame(error)
        refusal = messages.refusal(error.request_id, RequestRefused(str(error)))
        self._send(b"".join([*answers, messages.encode(refusal)]))
        self._peer.close()

    # ------------------------------------------------------------------ requests and answers
    def _handle(self, request: list[Any]) -> Answer | None:
        if not self._greeted:
            return self._greet(request)
        try:
            return self._handlers[request[1]](request, self.later)
        except IsinglassError as error:
            return self._port.refuse(request[0], error)
        except Exception as error:
            # A fault of ours in one request must not end the others; it shows as a distinct error.
            self._port.report(error)
            return self._port.refuse(request[0], RequestRefused(f"the daemon failed: {error!r}"))

    def _greet(self, request: list[Any]) -> Answer:
        if request[1] != messages.HELLO or request[2] != messages.PROTOCOL_NAME:
            raise BadFrame("no handshake", "the first request is the handshake", request[0])
        if request[3] != messages.PROTOCOL_VERSION:
            raise BadFrame(
                "wrong version",
                f"this daemon speaks version {messages.PROTOCOL_VERSION}, the client"
                f" {request[3]}: use the same isinglass on both sides",
                request[0],
            )
        self._greeted = True
        return [request[0], messages.DONE, self._port.greeting]

    def deliver(self, answers: list[Answer]) -> None:
        """Send answers that were waited for."""
        self._in_flight -= len(answers)
        self._send(b"".join(map(messages.encode, answers)))
        if self._paused:
            self._balance()

    def _send(self, data: bytes) -> None:
        self._port.panel.words[_SENT] += len(data)
        self._peer.write(data)
        if self._peer.unsent:
            self._balance()

    def _balance(self) -> None:
        """Stop or start reading by what is in flight."""
        too_much = (
            self._port.stopping or self._in_flight > IN_FLIGHT_LIMIT or bool(self._peer.unsent)
        )
        if too_much == self._paused or self._peer.closed:
            return
        self._paused = too_much
        if too_much:
            self._port.panel.paused += 1
            self._peer.pause_reading()
        else:
            self._peer.resume_reading()

    def stop_reading(self) -> None:
        """Read no more requests; answers still go out."""
        self._balance()

    def close(self) -> None:
        """Close the connection."""
        self._peer.close()


class Port:
    """The listening socket, its thread and its conversations.

    Args:
        path: the socket's.
        requests: does what clients ask for.
        panel: counts it.
        greeting: the answer to a handshake, `[version, node, generation, place, data, log]`.
        outbox: takes the answers that come later.
        loop: of this thread alone once it has started.
    """

    def __init__(
        self,
        path: str,
        requests: Requests,
        panel: PortPanel,
        greeting: list[Any],
        outbox: Outbox,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.panel, self.greeting = panel, greeting
        self.conversations: set[Conversation] = set()
        self.handlers = requests.handlers
        self._path, self.idle, self.stopping = path, True, False
        self.loop, self.outbox = loop, outbox
        self.loop.set_exception_handler(self._report_fault)
        self._thread = threading.Thread(target=self._run, name="port")
        self._server = transport.Server(self.loop, transport.listen(path), self._accepted)

    def start(self) -> None:
        """Answer clients from now on."""
        self._thread.start()

    def _run(self) -> None:
        mark.waiting("for clients")
        self.loop.run_forever()
        mark("closing the port")
        self._server.close()
        for conversation in list(self.conversations):
            conversation.close()
        self.loop.close()

    def _accepted(self, connection: Any) -> None:
        self.conversations.add(Conversation(self, connection))
        self.panel.accepted += 1
        self.panel.connections = len(self.conversations)

    def forget(self, conversation: Conversation) -> None:
        """Drop a conversation whose client has gone."""
        self.conversations.discard(conversation)
        self.panel.connections = len(self.conversations)

    def stop_taking(self) -> None:
        """Refuse new connections and read no more requests; answers still go out.

        Nothing is queued any more when this returns: what the port was just answering is.
        """
        stopped = threading.Event()
        self.loop.call_soon_threadsafe(self._stop_reading, stopped)
        if self._thread.ident is not None:
            stopped.wait(STOP_LIMIT_SECONDS)

    def _stop_reading(self, stopped: threading.Event) -> None:
        self.stopping = True
        self._server.close()
        transport.unlink(self._path)
        for conversation in self.conversations:
            conversation.stop_reading()
        stopped.set()

    def close(self) -> None:
        """Close every connection, and end the thread.

        Raises:
            ThreadStuck: a request does not end.
        """
        self.loop.call_soon_threadsafe(self.loop.stop)
        ending.join(self._thread)
        if self._thread.ident is None:  # never started: nobody else closes them
            self._server.close()
            self.loop.close()

    # ------------------------------------------------------------------ for conversations
    def refuse(self, request_id: int, error: IsinglassError) -> Answer:
        """Return the answer that carries an error."""
        self.panel.refused += 1
        self.panel.lock_timeouts += isinstance(error, LockTimeout)
        return messages.refusal(request_id, error)

    def report(self, error: Exception) -> None:
        """Show a fault of our own in the table of distinct errors."""
        if (glass := segment.current()) is not None:
            glass.error(error)

    def _report_fault(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Show what a callback of the loop raised, instead of printing it where nobody looks."""
        self.report(context.get("exception") or RuntimeError(context["message"]))

    def count_bad_frame(self, error: BadFrame) -> None:
        """Count a bad frame by its reason; the fields are named after the reasons."""
        field = error.reason.replace(" ", "_")
        setattr(self.panel, field, getattr(self.panel, field) + 1)
