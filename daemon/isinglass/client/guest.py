"""A client's connection to the primary of a record, as a guest of its node; one thread uses it.

    closed ──handshake──▶ open ──any error, any silence──▶ closed

An answer that did not come in time may still come, so a connection that timed out is closed.
Whether anything was sent before tells whether the primary may have done what it was asked.
"""

from __future__ import annotations

import os
from typing import Any

from isinglass import clock
from isinglass.wire.calls import Answer, CallChannel, Failed
from isinglass.wire.datagrams import Identity
from isinglass.wire.handshake import CALLER, FRESH_BYTES
from isinglass.wire.transport import RECEIVE_BYTES
from isinglass.wire.transport.cluster import GuestSocket
from isinglass.wire.transport.multicast import Address


class NotAsked(Exception):
    """The primary was asked nothing."""


class NoAnswer(Exception):
    """The primary did not answer in time; it may have done what it was asked, or may yet."""


class GuestConnection:
    """An open connection.

    Args:
        identity: of the own node, with the key of its guests.
        node: its name.

    Raises:
        NotAsked: nobody answers there in time, or refuses the handshake.
    """

    __slots__ = ("__weakref__", "_channel", "_limit_seconds", "_socket", "address")

    def __init__(
        self, address: Address, identity: Identity, node: str, limit_seconds: float
    ) -> None:
        self.address, self._limit_seconds = address, limit_seconds
        self._channel = CallChannel(CALLER, identity, node, os.urandom(FRESH_BYTES), {}, guest=True)
        try:
            self._socket = GuestSocket(address, limit_seconds)
        except OSError as error:
            raise NotAsked from error
        try:
            self._shake_hands()
        except BaseException:
            self.close()
            raise

    def _shake_hands(self) -> None:
        channel = self._channel
        try:
            while not channel.opened:
                self._socket.send(channel.take())
                data = self._socket.receive(RECEIVE_BYTES)
                if not data or any(isinstance(event, Failed) for event in channel.feed(data)):
                    raise NotAsked
        except OSError as error:
            raise NotAsked from error

    def ask(self, operation: int, *arguments: Any, limit_ns: int) -> list[Any]:
        """Return the answer to a request, `[id, status, ...]`.

        Args:
            limit_ns: nanoseconds that it may take; it may be twice as long.

        Raises:
            NoAnswer: there was none in time, or the connection broke.
            BadRecord, RecordTooLarge: the request cannot be sent.
        """
        channel = self._channel
        number = channel.request(operation, *arguments)
        try:
            self._allow(limit_ns / clock.NANOSECONDS_PER_SECOND)
            self._socket.send(channel.take())
            while data := self._socket.receive(RECEIVE_BYTES):
                for event in channel.feed(data):
                    if isinstance(event, Answer) and event.request_id == number:
                        return event.message
                    raise NoAnswer
        except OSError as error:
            raise NoAnswer from error
        raise NoAnswer

    def _allow(self, seconds: float) -> None:
        """Set how long an answer may take, unless it is about that: it is two system calls."""
        if not self._limit_seconds / 2 <= seconds <= self._limit_seconds:
            self._limit_seconds = seconds * 1.5
            self._socket.limit(self._limit_seconds)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def __del__(self) -> None:
        """Close when the thread that had it is gone."""
        if hasattr(self, "_socket"):
            self._socket.close()
