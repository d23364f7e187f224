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
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from isinglass.errors import IsinglassError, LockTimeout, RequestRefused
from isinglass.glass import segment
from isinglass.glass.probe import mark
from isinglass.node.panels import PortPanel
from isinglass.node.requests import Requests
from isinglass.wire import messages, transport
from isinglass.wire.messages import BadFrame

IN_FLIGHT_LIMIT = 512
_RECEIVED = PortPanel.received.index
_REQUESTS = PortPanel.requests.index
_SENT = PortPanel.sent.index
Answer = list[Any]


class Conversation:
    """One client's connection; everything here runs on the port's thread (an asyncio protocol)."""

    __slots__ = ("_buffer", "_greeted", "_in_flight", "_paused", "_port", "_transport", "_unsent")

    def __init__(self, port: Port) -> None:
        self._port, self._buffer = port, messages.FrameBuffer()
        self._transport: asyncio.Transport
        self._greeted = self._paused = self._unsent = False
        self._in_flight = 0

    # ------------------------------------------------------------------ called by asyncio
    def connection_made(self, connection: asyncio.Transport) -> None:
        """A client has connected."""
        self._transport = connection
        self._port.panel.accepted += 1
        self._port.conversations.add(self)
        self._port.panel.connections = len(self._port.conversations)

    def connection_lost(self, _: Exception | None) -> None:
        """The client has gone."""
        self._port.conversations.discard(self)
        self._port.panel.connections = len(self._port.conversations)

    def eof_received(self) -> None:
        """The client closed its end; asyncio closes ours."""

    def pause_writing(self) -> None:
        """The client does not take its answers: read no more of its requests."""
        self._unsent = True
        self._balance()

    def resume_writing(self) -> None:
        """The client has taken its answers."""
        self._unsent = False
        self._balance()

    def data_received(self, data: bytes) -> None:
        """Answer what came; a bad frame ends the conversation."""
        mark("answering clients")
        self._port.idle = False
        words, answers = self._port.panel.words, []
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
            self._port.count_bad_frame(error)
            refusal = messages.refusal(error.request_id, RequestRefused(str(error)))
            answers.append(messages.encode(refusal))
            self._send(answers)
            self._transport.close()
            answers = []
        if answers:
            self._send(answers)
        if self._in_flight > IN_FLIGHT_LIMIT:
            self._balance()
        self._port.idle = True
        mark.waiting("for clients")

    # ------------------------------------------------------------------ requests and answers
    def _handle(self, request: list[Any]) -> Answer | None:
        operation = request[1]
        if not self._greeted:
            return self._greet(request)
        try:
            return self._port.handle(operation, request, self.later)
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

    def later(self, answer: Answer) -> None:
        """Send an answer that comes from another thread."""
        self._port.send_later(self, answer)

    def deliver(self, answers: list[Answer]) -> None:
        """Send answers that were waited for."""
        self._in_flight -= len(answers)
        self._send([messages.encode(answer) for answer in answers])
        if self._paused:
            self._balance()

    def _send(self, frames: list[bytes]) -> None:
        data = b"".join(frames)
        self._port.panel.words[_SENT] += len(data)
        self._transport.write(data)

    def _balance(self) -> None:
        """Stop or start reading by what is in flight."""
        too_much = self._unsent or self._in_flight > IN_FLIGHT_LIMIT
        if too_much == self._paused or self._transport.is_closing():
            return
        self._paused = too_much
        if too_much:
            self._port.panel.paused += 1
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def close(self) -> None:
        """Send what there is to send, and close."""
        self._transport.close()


class Port:
    """The listening socket, its thread and its conversations.

    Args:
        path: the socket's.
        requests: does what clients ask for.
        panel: counts it.
        greeting: the answer to a handshake, `[version, node, generation, place, data]`.
    """

    def __init__(
        self, path: str, requests: Requests, panel: PortPanel, greeting: list[Any]
    ) -> None:
        self.panel, self.greeting = panel, greeting
        self.conversations: set[Conversation] = set()
        self._handlers = requests.handlers
        self._path, self.idle = path, True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="port")
        self._outbox: deque[tuple[Conversation, Answer]] = deque()
        self._delivery_due = False
        self._listener = transport.listen(path)
        self._server: asyncio.Server

    def start(self) -> None:
        """Accept clients from now on."""
        self._thread.start()

    def _run(self) -> None:
        mark("opening the port")
        asyncio.set_event_loop(self._loop)
        factory = cast("Callable[[], asyncio.BaseProtocol]", lambda: Conversation(self))
        self._server = self._loop.run_until_complete(
            transport.serve(self._loop, self._listener, factory)
        )
        mark.waiting("for clients")
        self._loop.run_forever()
        mark("closing the port")
        self._server.close()
        for conversation in list(self.conversations):
            conversation.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def stop_taking(self) -> None:
        """Refuse new connections and read no more requests; answers still go out."""
        self._loop.call_soon_threadsafe(self._stop_reading)

    def _stop_reading(self) -> None:
        self._server.close()
        for conversation in self.conversations:
            conversation.pause_writing()

    def close(self) -> None:
        """Send what was answered, close every connection, and end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        transport.unlink(self._path)

    # ------------------------------------------------------------------ for conversations
    def handle(
        self, operation: int, request: list[Any], later: Callable[[Answer], None]
    ) -> Answer | None:
        """Do what a request asks for; None when its answer comes through `later`.

        Raises:
            IsinglassError: what is to be answered instead.
        """
        handler = self._handlers.get(operation)
        if handler is None:
            raise RequestRefused("the handshake comes once, first")
        return cast("Answer | None", handler(request, later))

    def refuse(self, request_id: int, error: IsinglassError) -> Answer:
        """Return the answer that carries an error."""
        self.panel.refused += 1
        self.panel.lock_timeouts += isinstance(error, LockTimeout)
        return messages.refusal(request_id, error)

    def report(self, error: Exception) -> None:
        """Show a fault of our own in the table of distinct errors."""
        if (glass := segment.current()) is not None:
            glass.error(error)

    def count_bad_frame(self, error: BadFrame) -> None:
        """Count a bad frame by its reason; the fields are named after the reasons."""
        field = error.reason.replace(" ", "_")
        setattr(self.panel, field, getattr(self.panel, field) + 1)

    def send_later(self, conversation: Conversation, answer: Answer) -> None:
        """Queue an answer from another thread; all that come together cost one wake-up."""
        self._outbox.append((conversation, answer))
        if not self._delivery_due:
            self._delivery_due = True
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # Before the first look: what is put in from now on brings a wake-up of its own.
        self._delivery_due = False
        grouped: dict[Conversation, list[Answer]] = {}
        while self._outbox:
            conversation, answer = self._outbox.popleft()
            grouped.setdefault(conversation, []).append(answer)
        for conversation, answers in grouped.items():
            conversation.deliver(answers)
