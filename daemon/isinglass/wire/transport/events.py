"""The sockets for events: a sender's, which receives only what asks it, and a monitor's."""

from __future__ import annotations

from typing import NamedTuple

from isinglass.wire.transport.multicast import GroupSockets

SENDER_BUFFER_BYTES = 64 * 1024
MONITOR_BUFFER_BYTES = 4 * 1024 * 1024
_SETTINGS = "log_group, log_port or interface"


class EventGroup(NamedTuple):
    """Where events go: the group, the interface by its name or address, how many networks far."""

    group: str
    port: int
    interface: str
    ttl: int


def sender_sockets(where: EventGroup) -> GroupSockets:
    """Return the socket of one that sends events and answers monitors.

    Raises:
        ClusterError: the kernel does not let it; says what to change.
    """
    return GroupSockets(*where, SENDER_BUFFER_BYTES, joins=False, settings=_SETTINGS)


def monitor_sockets(
    where: EventGroup, receive_buffer_bytes: int = MONITOR_BUFFER_BYTES
) -> GroupSockets:
    """Return the sockets of one that receives all events, and asks senders for what it misses.

    Raises:
        ClusterError: the kernel does not let it; says what to change.
    """
    return GroupSockets(*where, receive_buffer_bytes, settings=_SETTINGS)
