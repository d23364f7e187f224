"""The shelf: a node's records as they are now, in its store and in line before it, tables included.

A repair sends what a record is *now*, and a primary answers with it, so both look where the newest
version may be: waiting in the queue, in the batch that is being applied, or in the store. A change
of a table travels as a record, too, with an empty key: it says all that is known of the table, so
it may come in any order and any number of times.

    0    10 bytes  version: the newer one of the create and the drop
    10   u8        flags: 0x80
    11   ...       msgpack [group_by, [indexed field, ...], version of the create, of the drop]

The caller holds the queue's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgpack

from isinglass.errors import BadRecord
from isinglass.node.outside import Item
from isinglass.store.counters import check_record, merged
from isinglass.store.in_hand import InHand
from isinglass.store.merge import UpdateQueue
from isinglass.store.records import FLAGS, NEVER, PAYLOAD, TOMBSTONE, VERSION_BYTES
from isinglass.store.tables import TableShape, TableState
from isinglass.wire.bodies import TABLE_CHANGE
from isinglass.wire.journal import Name


def table_record(state: TableState) -> bytes:
    """Return the record that says what a table is."""
    shape = state.shape
    payload: bytes = msgpack.packb(
        [shape.group_by, list(shape.indexes), state.created, state.floor]
    )
    return max(state.created, state.floor) + bytes([TABLE_CHANGE]) + payload


def table_state(table: str, record: bytes) -> TableState:
    """Return what a table's record says.

    Raises:
        BadRecord: it is none.
    """
    try:
        group_by, indexes, created, floor = msgpack.unpackb(record[PAYLOAD:])
        shape = TableShape(group_by, tuple(indexes)).check()
        if len(created) == len(floor) == VERSION_BYTES:
            return TableState(table, shape, bytes(created), bytes(floor))
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
        raise BadRecord(f"what came about table {table!r} is no table") from error
    raise BadRecord(f"what came about table {table!r} is no table")


class NodeShelf:
    """The records of a node, of one queue and one store.

    Args:
        look_up: returns the stored record of a table and key, tombstones included, also of a table
            that is dropped; or None.
        clock: monotonic nanoseconds.
    """

    def __init__(
        self,
        queue: UpdateQueue,
        look_up: Callable[[str, bytes], bytes | None],
        clock: Callable[[], int],
    ) -> None:
        self._queue, self._look_up, self._clock = queue, look_up, clock
        self.in_hand = InHand()  # what is being applied

    @property
    def last_place(self) -> int:
        """The place of the newest update in line."""
        return self._queue.last_place

    @property
    def applied_through(self) -> int:
        """Every update up to this place is in the store."""
        return self._queue.applied_through

    def offer(self, table: str, key: bytes, record: bytes) -> int:
        """Put what another node stamped in line; return its place, or 0 when there is no room.

        Raises:
            TableMissing: nobody ever spoke of the table.
            BadRecord: it says of a table what no table can be, or is a damaged counting record.
        """
        if key:
            if record[FLAGS] > TOMBSTONE:
                check_record(record)  # damaged, it would stop the applier where it joins
            return self._queue.offer(table, key, record, self._clock(), True)
        state = table_state(table, record)
        place = self._queue.last_place or 1
        if state.created != NEVER:
            place = self._queue.offer_create(
                table, state.shape, state.created, self._clock(), foreign=True
            )
        if place and state.floor != NEVER:
            place = self._queue.offer_drop(table, state.floor, self._clock(), foreign=True)
        return place

    def offer_run(self, table: str, pairs: Sequence[bytes]) -> tuple[int, int]:
        """Put what another node stamped in line; return the last one's place, and how many entered.

        Args:
            pairs: keys and records in turn, each as for `offer`.

        Raises:
            TableMissing, BadRecord: as `offer`.
        """
        if b"" not in pairs[::2] and max(record[FLAGS] for record in pairs[1::2]) <= TOMBSTONE:
            return self._queue.offer_run(table, pairs, self._clock(), True)
        place = entered = 0
        for key, record in zip(pairs[::2], pairs[1::2], strict=True):
            taken = self.offer(table, key, record)
            if not taken:
                break
            place, entered = taken, entered + 1
        return place, entered

    def waiting(self, table: str, key: bytes) -> Iterator[bytes]:
        """Yield the records of a key that are not in the store yet."""
        yield from self._queue.waiting(table, key)
        yield from self.in_hand.find(table, key)

    def current(self, table: str, key: bytes) -> bytes | None:
        """Return what a record, or with an empty key a table, is now; None when there is none."""
        if not key:
            state = self._queue.state_of(table)
            return table_record(state) if state else None
        floor = self._queue.floor_of(table)  # what is not above it went with its table
        newest: bytes | None = None
        for record in (self._look_up(table, key), *self.waiting(table, key)):
            if record is not None:
                newest = merged(newest, record, floor)
        return newest

    def told_by(self, table: str, key: bytes) -> Name:
        """Return whose present state tells of a name: of a record, its table when that is dropped.

        The drop took the record away, so whoever hears that it is no more must hear of the drop.
        """
        state = self._queue.state_of(table)
        if state is not None and state.floor != NEVER and self.current(table, key) is None:
            return table, b""
        return table, key

    def tables(self) -> list[Item]:
        """Return what says which tables there are, and were."""
        return [(state.name, b"", table_record(state)) for state in self._queue.states()]
