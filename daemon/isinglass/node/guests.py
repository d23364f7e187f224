"""Guests: clients that ask the primaries of records themselves, past their own node.

An immediate write that goes through the client's own node is on its way twice: from process to
process and back, and from node to node and back. A client that asks the primary itself saves the
first. Its node introduces it, again each second: who the primaries are, where they answer, and by
which key they know the node's guests (`wire/handshake`). What a guest asks is checked as what a
client of the own node asks, and its writes are held to the pace of the primary's node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isinglass.errors import UsageError
from isinglass.node.replica import Replica
from isinglass.store import records
from isinglass.wire.calls import Request
from isinglass.wire.datagrams import Identity
from isinglass.wire.handshake import guest_key
from isinglass.wire.messages import ACKS
from isinglass.wire.primary_calls import WRITE
from isinglass.wire.transport.multicast import Address


class Guests:
    """This node's clients at other nodes, and other nodes' clients here.

    Args:
        identity: of this node in this life.
        address_of: returns where a member takes calls, or None when that is not known.
        pace: returns the seconds for which a connection, told by any number, must wait before it
            may write one record more; 0.0 when it may.
    """

    def __init__(
        self,
        identity: Identity,
        replica: Replica,
        address_of: Callable[[int], Address | None],
        pace: Callable[[int], float],
    ) -> None:
        self._replica, self._address_of, self._pace = replica, address_of, pace
        self._said = [
            identity.cluster, replica.me.name, identity.origin, identity.incarnation,
            guest_key(identity.key, identity.origin, identity.incarnation),
        ]  # fmt: skip

    def introduction(self) -> list[Any] | None:
        """Return what a client needs to ask primaries itself; None: it is to ask its node.

        Returns:
            `[cluster, own name, number and life, key of the guests, patience in nanoseconds,
            [[number, name, address, port], ...]]`: the members that are primaries; without address,
            the own node. The caller holds the node's lock.
        """
        replica = self._replica
        if replica.hushed:
            return None
        members = [
            [origin, name, *(self._address_of(origin) or ("", 0))]
            for origin, name in replica.primary.placement.members
        ]
        return [*self._said, replica.primary.limits.patience_ns, members]

    def admit(self, connection: int, request: Request) -> float:
        """Return the seconds for which a guest's request must wait; 0.0 when it may go on.

        Raises:
            UsageError, BadRecord, RecordTooLarge: it can never be done.
        """
        records.check_key(request.arguments[1])
        if request.operation != WRITE:
            return 0.0
        _, _, payload, ack, *_ = request.arguments
        if payload is not None:
            records.check_payload(payload)
        if not 0 <= ack < len(ACKS):
            raise UsageError("a write has one of three acks")
        return self._pace(connection)
