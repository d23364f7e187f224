"""The sockets between the nodes of a cluster: datagrams to all or to one, and streams for calls.

Two datagram sockets receive. One is bound to the multicast group itself, so that nothing but the
group's datagrams comes in, and several daemons of one machine share the port; it is kept to what it
joined on its own interface (IP_MULTICAST_ALL, ip(7)). The other one has a port of its own at the
interface's address: what this node sends, to all or to one, comes from that port, so each datagram
says where its sender can be answered. Sending never waits: what the kernel does not take is lost,
like any datagram, and counted. IPv4 alone: a cluster is one network segment, where every machine
has such an address; what spans more is for another transport.

The receiving buffers are what may be lost from: the size granted, the bytes that wait and the
datagrams dropped are read from the kernel (SO_MEMINFO, in linux/sock_diag.h: 9 words of 32 bits).
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import select
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from isinglass.errors import ClusterError
from isinglass.wire.datagrams import DATAGRAM_LIMIT

if TYPE_CHECKING:
    import asyncio

# What the module `socket` does not name; from linux/in.h, asm-generic/socket.h, linux/sockios.h.
IP_MULTICAST_ALL = 49
SO_RCVBUFFORCE = 33
SO_MEMINFO = 55
SIOCGIFADDR = 0x8915
_MEMINFO = struct.Struct("@9I")
_WAITING, _GRANTED, _DROPS = 0, 1, 8  # SK_MEMINFO_RMEM_ALLOC, _RCVBUF, _DROPS

SEND_BUFFER_BYTES = 1024 * 1024
STREAM_BACKLOG = 128
# A connection whose other end does not acknowledge is given up after this long (tcp(7)).
SILENCE_LIMIT_SECONDS = 10
READ_BYTES = DATAGRAM_LIMIT + 1  # so that one that is too long shows

Address = tuple[str, int]


class SocketMemory(NamedTuple):
    """A socket's receiving buffer, in bytes as the kernel counts them, with its own overhead."""

    waiting_bytes: int
    granted_bytes: int
    drops: int  # datagrams since the socket was made, modulo 2**32


def interface_address(interface: str, group: str) -> str:
    """Return the IPv4 address of an interface, given by its name or by that address.

    Args:
        interface: empty for the one through which this machine's routes lead to the group.

    Raises:
        ClusterError: there is no such interface, or it has no such address, or no route.
    """
    with contextlib.suppress(ValueError):
        return str(ipaddress.IPv4Address(interface))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            if not interface:
                asking.connect((group, 9))  # sends nothing: it only looks up the route
                return str(asking.getsockname()[0])
            request = struct.pack("16s240x", interface.encode()[:15])
            answer = fcntl.ioctl(asking.fileno(), SIOCGIFADDR, request)
            return socket.inet_ntoa(answer[20:24])
        except OSError as error:
            named = f"The interface {interface}" if interface else f"A route to {group}"
            raise ClusterError(
                f"{named} is not to be had ({error.strerror}): set `interface` to the name or the"
                " IPv4 address of the one that the cluster uses."
            ) from error


class ClusterSockets:
    """The datagram sockets of one node; one thread receives, any thread sends.

    Args:
        group: IPv4 multicast address.
        port: of the group, the same at every node.
        interface: its name or address; empty for the one that the routes choose.
        ttl: how many networks a datagram to all may cross; 1 stays in its own.
        receive_buffer_bytes: to ask the kernel for, for each of the two sockets.

    Raises:
        ClusterError: the kernel does not let it; says what to change.
    """

    def __init__(
        self, group: str, port: int, interface: str, ttl: int, receive_buffer_bytes: int
    ) -> None:
        address = interface_address(interface, group)
        self._all = (group, port)
        self._closing = contextlib.ExitStack()
        try:
            self._group_socket = self._made(receive_buffer_bytes)
            self._join(group, port, address)
            self._own_socket = self._made(receive_buffer_bytes)
            self._own_socket.bind((address, 0))
            self._may_send_to_all(address, ttl)
            self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._closing.callback(os.close, self._wake)
            self._poll = self._closing.enter_context(select.epoll())
            for descriptor in (*self._sockets(), self._wake):
                self._poll.register(descriptor, select.EPOLLIN)
        except OSError as error:
            self._closing.close()
            raise ClusterError(
                f"The multicast group {group} port {port} cannot be had at {address}"
                f" ({error.strerror}): set multicast_group, multicast_port or interface."
            ) from error
        self.address: Address = self._own_socket.getsockname()
        self.send_failures = 0

    def _made(self, receive_buffer_bytes: int) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._closing.enter_context(made)
        try:
            made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer_bytes)
        except PermissionError:  # only root passes net.core.rmem_max
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        return made

    def _join(self, group: str, port: int, address: str) -> None:
        joining = self._group_socket
        joining.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        joining.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
        joining.bind((group, port))
        membership = socket.inet_aton(group) + socket.inet_aton(address)
        joining.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)

    def _may_send_to_all(self, address: str, ttl: int) -> None:
        for option, value in (
            (socket.IP_MULTICAST_IF, socket.inet_aton(address)),
            (socket.IP_MULTICAST_TTL, ttl),
            (socket.IP_MULTICAST_LOOP, 1),  # to the other daemons of this machine
        ):
            self._own_socket.setsockopt(socket.IPPROTO_IP, option, value)
        self._own_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def _sockets(self) -> tuple[socket.socket, socket.socket]:
        return self._own_socket, self._group_socket

    def receive(self, limit: int, timeout_seconds: float) -> list[tuple[bytes, Address]]:
        """Wait until datagrams are there, `wake` is called or the time is over; return them.

        Args:
            limit: how many to take from each of the two sockets at most.
        """
        if not (ready := self._poll.poll(timeout_seconds)):
            return []
        descriptors = {descriptor for descriptor, _ in ready}
        if self._wake in descriptors:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake)
        found: list[tuple[bytes, Address]] = []
        for end in self._sockets():
            if end.fileno() in descriptors:
                _drain(end, limit, found)
        return found

    def wake(self) -> None:
        """End the wait of `receive`, now or the next one; any thread may."""
        with contextlib.suppress(OSError):
            os.eventfd_write(self._wake, 1)

    def multicast(self, data: bytes) -> bool:
        """Send to all nodes of the group, this machine's too; False when it was not taken."""
        return self.unicast(self._all, data)

    def unicast(self, address: Address, data: bytes) -> bool:
        """Send to one node; False when the kernel did not take it, which is counted."""
        try:
            self._own_socket.sendto(data, address)
        except OSError:
            self.send_failures += 1
            return False
        return True

    def memory(self) -> tuple[SocketMemory, SocketMemory]:
        """Return the state of the buffers for datagrams to this node alone, and to all."""
        own, group = map(_memory, self._sockets())
        return own, group

    def close(self) -> None:
        """Leave the group; no other call may follow or be under way."""
        self._closing.close()


def _drain(end: socket.socket, limit: int, found: list[tuple[bytes, Address]]) -> None:
    receive, add = end.recvfrom, found.append
    try:
        for _ in range(limit):
            add(receive(READ_BYTES))
    except OSError:
        return  # empty; or an error that the network reported, which this took off the socket


def _memory(end: socket.socket) -> SocketMemory:
    words = _MEMINFO.unpack(end.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size))
    return SocketMemory(words[_WAITING], words[_GRANTED], words[_DROPS])


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
