"""One thread's connection to the daemon: the handshake, then requests and their answers.

    closed ──handshake──▶ open ──any error, any silence──▶ closed

An answer that did not come in time may still come, so a connection that timed out is closed rather
than used again with the wrong answer waiting in it.
"""

from __future__ import annotations

import os
from typing import Any

from isinglass import clock
from isinglass.errors import DaemonAway, RequestRefused, RequestTimeout
from isinglass.glass import layout
from isinglass.glass.permission import refusal
from isinglass.wire import messages
from isinglass.wire.messages import DONE, REFUSED
from isinglass.wire.transport import RECEIVE_BYTES, ClientSocket


class BrokenConnection(Exception):
    """The connection is gone; whether the daemon did what it was asked is unknown."""


class NothingSent(BrokenConnection):
    """It was gone before, so the daemon was asked nothing."""


def socket_path(node: str) -> str:
    """Return the path of the node's socket."""
    return f"{layout.node_directory(node)}/port.sock"


class Connection:
    """An open connection; one thread uses it.

    Raises:
        DaemonAway: nobody listens at the node's socket.
        RequestTimeout: somebody does, but does not answer.
        RequestRefused: the daemon speaks another version of the protocol.
    """

    __slots__ = (
        "__weakref__", "_buffer", "_next_id", "_receive", "_send", "_socket",
        "applied_place", "data_directory", "generation", "log", "node",
    )  # fmt: skip

    def __init__(self, node: str, timeout_seconds: float) -> None:
        path = socket_path(node)
        self.node, self._next_id, self._buffer = node, 1, messages.FrameBuffer()
        try:
            self._socket = ClientSocket(path, timeout_seconds)
        except PermissionError as error:
            raise DaemonAway(refusal(path)) from error
        except OSError as error:
            raise DaemonAway(
                f"no daemon answers at {path} ({error.strerror}): start node {node}"
                f" (`isinglass daemon start {node}`)"
            ) from error
        self._send, self._receive = self._socket.send, self._socket.receive
        try:
            self._shake_hands()
        except BaseException:
            self.close()
            raise

    def _shake_hands(self) -> None:
        hello = [messages.HELLO, messages.PROTOCOL_NAME, messages.PROTOCOL_VERSION, os.getpid()]
        try:
            answer = self.ask(hello)
        except BrokenConnection as error:
            raise DaemonAway(
                f"the daemon of node {self.node} closed the connection at once: see its errors"
                f" (`isinglass dump {self.node}`)"
            ) from error
        if answer[1] != DONE:
            raise messages.refused_error(answer)
        version, node, *said = answer[2]
        if version != messages.PROTOCOL_VERSION or node != self.node:
            raise RequestRefused(
                f"at the socket of node {self.node} answers node {node}, version {version}:"
                f" this client wants version {messages.PROTOCOL_VERSION}"
            )
        self.generation, self.applied_place, self.data_directory, self.log = said

    def limit(self, seconds: float) -> None:
        """Let each answer from now on take at most so long."""
        self._socket.limit(seconds)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def __del__(self) -> None:
        """Close when the thread that had it is gone."""
        if hasattr(self, "_socket"):
            self._socket.close()

    # ------------------------------------------------------------------ requests
    def ask(self, request: list[Any]) -> list[Any]:
        """Send `[operation, argument, ...]`, and return its answer, `[id, DONE | ..., ...]`.

        Raises:
            BrokenConnection: the daemon went away.
            RequestTimeout: it did not answer in time.
            IsinglassError: it refused a request, and closed the connection.
        """
        return self.ask_all([request])[0]

    def ask_all(self, requests: list[list[Any]]) -> list[list[Any]]:
        """Send several requests at once, and return their answers in the same order; as `ask`."""
        first = self._next_id
        self._next_id = first + len(requests)
        if len(requests) == 1:
            frames = messages.encode([first, *requests[0]])
        else:
            numbered = enumerate(requests, first)
            frames = b"".join([messages.encode([number, *request]) for number, request in numbered])
        try:
            self._send(frames)
        except BrokenPipeError as error:
            if len(requests) == 1:  # half a frame is no request, but one of several may be whole
                raise NothingSent(f"the connection to node {self.node} was gone") from error
        except OSError as error:
            raise self._lost(error) from error
        return self._collect(range(first, self._next_id))

    def _collect(self, numbers: range) -> list[list[Any]]:
        found: dict[int, list[Any]] = {}
        lost: Exception
        try:
            while data := self._receive(RECEIVE_BYTES):
                for body in self._buffer.feed(data):
                    answer = messages.decode_answer(body)
                    found[answer[0]] = answer
                if all(number in found for number in numbers):
                    return [found[number] for number in numbers]
            lost = BrokenConnection(f"the daemon of node {self.node} closed the connection")
        except OSError as error:
            lost = self._lost(error)
        except messages.BadFrame as error:
            lost = BrokenConnection(f"the answer of node {self.node} is no answer: {error}")
        if isinstance(lost, BrokenConnection):
            for answer in found.values():
                answered(answer)  # sent again, what it does not understand would be refused again
        raise lost

    def _lost(self, error: OSError) -> Exception:
        if isinstance(error, BlockingIOError):
            return RequestTimeout(
                f"the daemon of node {self.node} did not answer in time; whether it did what it was"
                f" asked is unknown: see where it stands (`isinglass ps {self.node}`)"
            )
        return BrokenConnection(f"the connection to node {self.node} broke: {error.strerror}")


def answered(answer: list[Any]) -> bool:
    """Tell whether the daemon did what it was asked; False when it says wait.

    Raises:
        IsinglassError: it refused.
    """
    if answer[1] == REFUSED:
        raise messages.refused_error(answer)
    return bool(answer[1] == DONE)


def seconds_left(deadline_ns: int) -> float:
    """Return the seconds until a monotonic time."""
    return (deadline_ns - clock.monotonic_ns()) / clock.NANOSECONDS_PER_SECOND
