"""Sockets for datagrams to all members of a multicast group, and to one of them.

Two datagram sockets receive. One is bound to the multicast group itself, so that nothing but the
group's datagrams comes in, and several processes of one machine share the port; it is kept to what
it joined on its own interface (IP_MULTICAST_ALL, ip(7)). The other one has a port of its own at the
interface's address: what is sent, to all or to one, comes from that port, so each datagram says
where its sender can be answered. Who only sends has that one alone. Sending never waits: what the
kernel does not take is lost, like any datagram, and counted. IPv4 alone: a group is one network
segment, where every machine has such an address; what spans more is for another transport.

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
from typing import NamedTuple

from isinglass.errors import ClusterError
from isinglass.wire.seals import DATAGRAM_LIMIT

# What the module `socket` does not name; from linux/in.h, asm-generic/socket.h, linux/sockios.h.
IP_MULTICAST_ALL = 49
SO_RCVBUFFORCE = 33
SO_MEMINFO = 55
SIOCGIFADDR = 0x8915
_MEMINFO = struct.Struct("@9I")
_WAITING, _GRANTED, _DROPS = 0, 1, 8  # SK_MEMINFO_RMEM_ALLOC, _RCVBUF, _DROPS

SEND_BUFFER_BYTES = 1024 * 1024
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


class GroupSockets:
    """The datagram sockets of one process; one thread receives, any thread sends.

    Args:
        group: IPv4 multicast address.
        port: of the group, the same everywhere.
        interface: its name or address; empty for the one that the routes choose.
        ttl: how many networks a datagram to all may cross; 1 stays in its own.
        receive_buffer_bytes: to ask the kernel for, for each of the two sockets.
        joins: False for who only sends to the group.
        settings: which ones to change when the group cannot be had.

    Raises:
        ClusterError: the kernel does not let it; says what to change.
    """

    def __init__(
        self,
        group: str,
        port: int,
        interface: str,
        ttl: int,
        receive_buffer_bytes: int,
        *,
        joins: bool = True,
        settings: str = "multicast_group, multicast_port or interface",
    ) -> None:
        address = interface_address(interface, group)
        self._all = (group, port)
        self._closing = contextlib.ExitStack()
        try:
            self._own_socket = self._made(receive_buffer_bytes)
            self._sockets = [self._own_socket]
            if joins:
                self._sockets.append(self._made(receive_buffer_bytes))
                self._join(group, port, address)
            self._own_socket.bind((address, 0))
            self._may_send_to_all(address, ttl)
            self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._closing.callback(os.close, self._wake)
            self._poll = self._closing.enter_context(select.epoll())
            for descriptor in (*(end.fileno() for end in self._sockets), self._wake):
                self._poll.register(descriptor, select.EPOLLIN)
        except OSError as error:
            self._closing.close()
            raise ClusterError(
                f"The multicast group {group} port {port} cannot be had at {address}"
                f" ({error.strerror}): set {settings}."
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
        joining = self._sockets[-1]
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
        for end in self._sockets:
            if end.fileno() in descriptors:
                _drain(end, limit, found)
        return found

    def wake(self) -> None:
        """End the wait of `receive`, now or the next one; any thread may."""
        with contextlib.suppress(OSError):
            os.eventfd_write(self._wake, 1)

    def multicast(self, data: bytes) -> bool:
        """Send to all members of the group, this machine's too; False when it was not taken."""
        return self.unicast(self._all, data)

    def unicast(self, address: Address, data: bytes) -> bool:
        """Send to one of them; False when the kernel did not take it, which is counted."""
        try:
            self._own_socket.sendto(data, address)
        except OSError:
            self.send_failures += 1
            return False
        return True

    def memory(self) -> tuple[SocketMemory, SocketMemory]:
        """Return the state of the buffers for datagrams to this one alone, and to all."""
        return _memory(self._sockets[0]), _memory(self._sockets[-1])

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
