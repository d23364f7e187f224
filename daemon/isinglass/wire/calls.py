"""Calls between two nodes of a cluster over a stream, as a state machine; no socket, no clock.

The node that connects asks, the other one answers; two nodes that both ask have two connections.
Frames are those of clients (`wire/messages`) with a tag behind each body. A stranger costs little:
until it has proved that it has the cluster's key (`wire/handshake`) a frame has at most 512 bytes.
A request of an operation that this release does not know is answered with a refusal; anything else
that cannot be understood ends the connection.

    frame      u32 little-endian length of what follows, at most 16 MiB; body, msgpack; 16 bytes tag
    handshake  HELLO, CHALLENGE, PROOF, or a refusal         (wire/handshake)
    request    [id, operation, argument, ...]
    answer     [id, DONE, result], [id, REFUSED, error name, sentence], [id, WAIT or PACED, seconds]
"""

from __future__ import annotations

from collections.abc import Iterator
from hmac import compare_digest
from typing import Any, NamedTuple

from isinglass import errors
from isinglass.wire import messages
from isinglass.wire.datagrams import Identity
from isinglass.wire.handshake import (
    ANYTHING_ELSE,
    CLOSED,
    OPEN,
    TAG_BYTES,
    Direction,
    Handshake,
    HandshakeFailed,
    Member,
)
from isinglass.wire.messages import DONE, PACED, REFUSED, WAIT, BadFrame

HANDSHAKE_LIMIT_BYTES = 512
BODY_LIMIT_BYTES = messages.FRAME_LIMIT_BYTES - TAG_BYTES
REASONS = ("refused", "bad tag", "wrong cluster", "duplicate node", *messages.REASONS)


class Opened(NamedTuple):
    """The other side has proved itself: requests may go."""

    peer: Member


class Request(NamedTuple):
    """The caller asks; send the answer with `CallChannel.answer`."""

    request_id: int
    operation: int
    arguments: list[Any]


class Answer(NamedTuple):
    """The other side answers; `message` is whole: `[id, status, ...]`."""

    request_id: int
    status: int
    message: list[Any]


class Failed(NamedTuple):
    """The connection is of no more use: send what `take` returns, and close it."""

    reason: str  # one of REASONS
    error: errors.ClusterError


Event = Opened | Request | Answer | Failed


class CallChannel:
    """One end of one connection.

    Give what came to `feed`, send what `take` returns after each call, and close after `Failed`.
    The owner limits how long the handshake and each answer may take, and how much may wait here.

    Args:
        role: CALLER for the end that connected, else ANSWERER (`wire/handshake`).
        own: this node's cluster, key, number and life.
        node: this node's name.
        fresh: 16 random bytes, never used before.
        operations: what may be asked of this end.
        guests_may: what guests may ask of this end, of these.
        guest: this end is a guest (`wire/handshake`).
    """

    def __init__(
        self,
        role: str,
        own: Identity,
        node: str,
        fresh: bytes,
        operations: messages.Operations,
        *,
        guests_may: messages.Operations | None = None,
        guest: bool = False,
    ) -> None:
        self._handshake = Handshake(role, own, node, fresh, guest=guest)
        self._guests_may = guests_may or {}
        self._node, self._is_caller = node, False
        self._requests = messages.Requests(operations)
        self._frames = messages.FrameBuffer(HANDSHAKE_LIMIT_BYTES)
        self._send: Direction | None = None
        self._receive: Direction | None = None
        self._output: list[bytes] = []
        self._next_id = 1
        if first := self._handshake.first():
            self._is_caller = True
            self._put(*first)

    @property
    def opened(self) -> bool:
        """Whether requests and answers may go."""
        return self._handshake.state == OPEN

    @property
    def guest(self) -> bool:
        """Whether the caller is a guest, once `opened`."""
        return self._handshake.guest

    @property
    def failed(self) -> bool:
        """Whether the connection is of no more use."""
        return self._handshake.state == CLOSED

    def take(self) -> bytes:
        """Return the bytes to send now."""
        output, self._output = b"".join(self._output), []
        return output

    def request(self, operation: int, *arguments: Any) -> int:
        """Ask the other side, once `opened`; return the number that the answer will have.

        Raises:
            BadRecord: something in the arguments has no place in msgpack.
            RecordTooLarge: the request is longer than BODY_LIMIT_BYTES.
        """
        request_id = self._next_id
        self._put_tagged([request_id, operation, *arguments])
        self._next_id += 1
        return request_id

    def answer(self, message: list[Any]) -> None:
        """Send an answer, `[id, status, ...]`; one that cannot be packed goes as a refusal."""
        try:
            self._put_tagged(message)
        except errors.StoreError as error:
            self._put_tagged(messages.refusal(message[0], error))

    def feed(self, data: bytes) -> list[Event]:
        """Return what the bytes that came mean; after `Failed` nothing means anything."""
        found: list[Event] = []
        try:
            for body, tag in self._split(data):
                if event := self._understood(body, tag):
                    found.append(event)
        except HandshakeFailed as failed:
            found.append(Failed(failed.reason, failed.error))
            if failed.reason != "refused":
                self._put(*self._handshake.refusal(failed))
            self._handshake.step(ANYTHING_ELSE)
        except BadFrame as error:
            sentence = f"the other node sent what is no message ({error}): look at its events"
            found.append(Failed(error.reason, errors.ClusterError(sentence)))
            self._handshake.step(ANYTHING_ELSE)
        return found

    def _split(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        for frame in () if self.failed else self._frames.feed(data):
            if len(frame) < TAG_BYTES:
                raise BadFrame("malformed", "a frame is shorter than its tag")
            yield frame[:-TAG_BYTES], frame[-TAG_BYTES:]

    def _understood(self, body: bytes, tag: bytes) -> Event | None:
        if self._receive is None:
            return self._in_handshake(body, tag)
        if not compare_digest(tag, self._receive.tag(body)):
            raise BadFrame("bad tag", "it was changed on its way")
        return self._on_answer(body) if self._is_caller else self._on_request(body)

    def _in_handshake(self, body: bytes, tag: bytes) -> Opened | None:
        if reply := self._handshake.take(body, tag):
            self._put(*reply)
        if not self.opened or self._handshake.peer is None:
            return None
        self._send, self._receive = self._handshake.directions()
        if self.guest:
            self._requests = messages.Requests(self._guests_may)
        self._frames.limit_bytes = messages.FRAME_LIMIT_BYTES
        return Opened(self._handshake.peer)

    def _on_request(self, body: bytes) -> Request | None:
        try:
            request_id, operation, *arguments = self._requests.decode(body)
        except BadFrame as error:
            if error.reason not in ("unknown operation", "bad argument"):
                raise
            refused = errors.RequestRefused(
                f"{self._node} cannot do that ({error}): install the same release on all nodes"
            )
            self.answer(messages.refusal(error.request_id, refused))
            return None
        return Request(request_id, operation, arguments)

    def _on_answer(self, body: bytes) -> Answer:
        message = messages.decode_answer(body)
        if tuple(map(type, message[:2])) == (int, int):
            kinds = tuple(map(type, message[2:]))
            if message[1] == DONE or kinds in _REST[message[1]]:
                return Answer(message[0], message[1], message)
        raise BadFrame("malformed", "an answer is [id, DONE | REFUSED | WAIT | PACED, ...]")

    def _put(self, body: bytes, tag: bytes) -> None:
        self._output += (messages.LENGTH.pack(len(body) + TAG_BYTES), body, tag)

    def _put_tagged(self, message: list[Any]) -> None:
        if self._send is None:
            raise ValueError("the other node has not proved itself yet")
        body = messages.encode_body(message, BODY_LIMIT_BYTES)
        self._put(body, self._send.tag(body))


# status: the types that follow it, where they are not free
_REST: dict[int, list[tuple[type, ...]]] = {
    REFUSED: [(str, str)],
    WAIT: [(int,), (float,)],
    PACED: [(int,), (float,)],
}
