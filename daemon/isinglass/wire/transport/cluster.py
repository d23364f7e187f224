"""Streams between the nodes of a cluster, for calls; their datagrams are `multicast`'s affair."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from isinglass.wire.transport.local import BlockingSocket
from isinglass.wire.transport.multicast import Address

if TYPE_CHECKING:
    import asyncio

STREAM_BACKLOG = 128
# A connection whose other end does not acknowledge is given up after this long (tcp(7)).
SILENCE_LIMIT_SECONDS = 10


def _set_up_stream(end: socket.socket) -> None:
    milliseconds = SILENCE_LIMIT_SECONDS * 1000
    for level, option, value in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENCE_LIMIT_SECONDS),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    ):
        end.setsockopt(level, option, value)


def listen_for_streams(address: str) -> socket.socket:
    """Return a listening socket at a free port of an address, for `Server`.

    What it accepts has its options (tcp(7)): sends at once, and ends when its other end is silent.

    Raises:
        OSError: this machine has no such address.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        _set_up_stream(listener)
        listener.bind((address, 0))
        listener.listen(STREAM_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


class GuestSocket(BlockingSocket):
    """A client's connection to another node."""

    def __init__(self, address: Address, limit_seconds: float) -> None:
        """Connect to where the node accepts streams.

        Raises:
            OSError: nobody listens there, or answers within the limit.
        """
        super().__init__(socket.AF_INET, limit_seconds)
        try:
            _set_up_stream(self._socket)
            self._socket.connect(address)
        except BaseException:
            self.close()
            raise


class Connecting:
    """A connection to another node in the making, on a loop; ends in one call of one of the two.

    Args:
        address: where the other node accepts streams.
        limit_seconds: how long it may take.
        connected: called with the socket, for `Peer`.
        failed: called with the reason when there will be no connection; not after `cancel`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        address: Address,
        limit_seconds: float,
        connected: Callable[[socket.socket], None],
        failed: Callable[[OSError], None],
    ) -> None:
        self._loop, self._connected, self._failed = loop, connected, failed
        connecting = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._socket: socket.socket | None = connecting
        _set_up_stream(connecting)
        self._timer = loop.call_later(limit_seconds, self._fail, TimeoutError("it took too long"))
        try:
            connecting.connect(address)
        except BlockingIOError:
            pass
        except OSError as error:
            loop.call_soon(self._fail, error)  # not before the owner has this object
            return
        loop.add_writer(connecting.fileno(), self._writable, connecting)

    def _writable(self, connecting: socket.socket) -> None:
        if code := connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._fail(OSError(code, os.strerror(code)))
            return
        self._end()
        self._connected(connecting)

    def _fail(self, error: OSError) -> None:
        if connecting := self._end():
            connecting.close()
            self._failed(error)

    def cancel(self) -> None:
        """Give it up, if it has not ended."""
        if connecting := self._end():
            connecting.close()

    def _end(self) -> socket.socket | None:
        """Take the socket off the loop, once."""
        connecting, self._socket = self._socket, None
        if connecting is not None:
            self._loop.remove_writer(connecting.fileno())
            self._timer.cancel()
        return connecting
