"""What the daemon does for a client that asks for more than its own node's word: WRITE and READ.

The answer comes with a receipt: who gave it, whether that is the record's primary, how many nodes
hold the write, and how old the answer may be when it is not the primary's. On a node without a
cluster the node is every record's primary.

The limit of an answer that is not the primary's: the node has seen everything that came before the
primary was last heard, less what it knows to be missing; so it may be behind by the time since
then, and by its own queue.
"""

from __future__ import annotations

from isinglass import clock
from isinglass.errors import BadRecord, StoreError
from isinglass.node.intake import Intake
from isinglass.node.primary import Receipt
from isinglass.node.replica import Replica
from isinglass.store import records
from isinglass.store.buckets import bucket_of
from isinglass.store.merge import REFUSED
from isinglass.wire import messages
from isinglass.wire.messages import ACKNOWLEDGE_ON_DISK, DONE, IMMEDIATE, TAKEN_HERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from isinglass.errors import IsinglassError

    Send = Callable[[list[Any]], None]

NOT_HERE = (
    "the record's primary has taken the write, but it does not stand in line at this node yet, so"
    " it is not on its disk: read the record before you write it again"
)


class Immediate:
    """The two operations; `node` is this node's name."""

    def __init__(self, intake: Intake, node: str) -> None:
        self._intake, self.node = intake, node

    def write(
        self,
        request_id: int,
        table: str,
        key: bytes,
        payload: bytes | None,
        durability: int,
        consistency: int,
        ack: int,
        send: Send,
    ) -> bool:
        """Write one record; the answer goes through `send`. False: the queue has no room.

        Raises:
            TableMissing, StoreError, LockTimeout: it is refused.
        """
        intake, replica = self._intake, self._intake.replica

        def done(place: int, receipt: Receipt) -> None:
            if receipt.error is not None:
                send(messages.refusal(request_id, receipt.error))
                return
            known = place or intake.shelf.last_place  # the client sees its own write until then
            answer = [request_id, DONE, [known, self._shown(replica, receipt)]]

            def on_disk(error: IsinglassError | None) -> None:
                send(answer if error is None else messages.refusal(request_id, error))

            if durability == ACKNOWLEDGE_ON_DISK and not place:
                send(messages.refusal(request_id, StoreError(NOT_HERE)))
            elif durability == ACKNOWLEDGE_ON_DISK:
                intake.await_place_locked(place, True, on_disk)
            else:
                send(answer)

        if replica is None:
            place, _ = intake.offer(table, ((key, payload),))
            if place != REFUSED:
                with intake:
                    done(place, Receipt(0, True))
            return place != REFUSED
        with intake:
            if consistency == IMMEDIATE:
                replica.primary.write(table, key, payload, ack, done)
            elif consistency == TAKEN_HERE:
                replica.primary.take_here(table, key, payload, ack, done)
            else:
                _, place, number = intake.stamp_write(table, key, payload)
                own = replica.me.origin
                primary = replica.primary.placement.primary(bucket_of(table.encode(), key)) == own
                replica.primary.await_held(
                    number, ack, lambda held: done(place, Receipt(own, primary, held))
                )
            intake.wake_and_send()
        return True

    def read(self, request_id: int, table: str, key: bytes, send: Send) -> None:
        """Read one record as its primary has it; the answer goes through `send`."""
        intake, replica = self._intake, self._intake.replica

        def done(record: bytes | None, receipt: Receipt) -> None:
            payload = None
            if record is not None and not records.is_tombstone(record):
                try:
                    payload = records.packed_value(record)
                except BadRecord as error:
                    send(messages.refusal(request_id, error))
                    return
            behind = 0.0 if receipt.primary else self._behind(replica, table, key)
            send([request_id, DONE, [payload, self._shown(replica, receipt, behind)]])

        with intake:
            if replica is None:
                done(intake.shelf.current(table, key), Receipt(0, True))
            else:
                replica.primary.read(table, key, done)

    def _shown(
        self, replica: Replica | None, receipt: Receipt, behind_seconds: float = 0.0
    ) -> list[Any]:
        name = self.node
        if replica is not None and receipt.by != replica.me.origin:
            member = replica.members.members.get(receipt.by)
            name = member.name if member is not None else "?"
        return [name, receipt.primary, receipt.held, behind_seconds]

    def _behind(self, replica: Replica | None, table: str, key: bytes) -> float:
        """Return how many seconds an answer of this node may be behind the record's primary."""
        if replica is None:
            return 0.0
        now_ns = clock.monotonic_ns()
        slot = bucket_of(table.encode(), key)
        member = replica.members.members.get(replica.primary.placement.primary(slot))
        silent = [m for m in replica.members.members.values() if not m.heard]
        asked = [member] if member is not None else silent
        ages = [(now_ns - m.heard_ns) / clock.NANOSECONDS_PER_SECOND for m in asked if m.heard_ns]
        return max(ages, default=0.0)
