"""The way into the queue: stamps, offers, and who waits for which place; one lock around all of it.

The port's thread offers, the applier's thread takes and says how far it is. Both hold the lock for
microseconds, and wait for it with a limit: a stopped thread costs its own requests, not the port.

    offered ──▶ queued ──taken, applied──▶ in the store ──flushed──▶ on the disk
       └─ answer for "none", "second"                        └─ answer for "commit"

In a cluster each update of this node that was queued is published to the other nodes at once, and
theirs come in through `replica`, under the same lock.

While the store refuses batches the batch in hand stays, nothing more is taken in, and every offer
gets the store's own error; what was acknowledged waits here until the store works again.
"""

from __future__ import annotations

import threading
from collections import deque
from itertools import groupby

from isinglass import clock
from isinglass.errors import BadRecord, LockTimeout, RecordTooLarge, StoreError
from isinglass.node.shelf import NodeShelf, table_record
from isinglass.node.waiter import Done, Waiter
from isinglass.store import adding, counters, records
from isinglass.store.changes import DropTable, Step
from isinglass.store.in_hand import InHand
from isinglass.store.line import Batch
from isinglass.store.merge import REFUSED, UpdateQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from isinglass.node.outside import Stored
    from isinglass.node.replica import Replica
    from isinglass.store.tables import TableShape

    Wanted = tuple[bytes, bytes | None]  # key and packed value; None deletes
    Rescue = tuple[DropTable, Done]

LOCK_LIMIT_SECONDS = 1.0
EVERYTHING = 1 << 62
# The number of a node that has no cluster, in every record's version.
ORIGIN = 0
_encode = records.encode


def _nothing() -> None:
    """What is to be sent on a node that has no cluster."""


class Intake:
    """The queue and its waiters.

    Args:
        draw_stamps: draws that many stamps above all others of the node; returns the first.
        stored: what the node's store has.
        origin: this node's number in the versions of records.
        writer: this life of the node, by which its adds are told from all others'.

    Attributes:
        replica: this node as a member of its cluster; None without one.
        send: called, with the lock held, when the replica has updates to send.
        noted_alone: what is to be noted with the first update, where there is no cluster.
        full: so many updates in line are a whole batch; nobody waits for more of them.
    """

    def __init__(
        self,
        queue: UpdateQueue,
        draw_stamps: Callable[[int], int],
        stored: Stored,
        origin: int = ORIGIN,
        writer: bytes = counters.writer_of(ORIGIN, 0),
    ) -> None:
        self._writer, self.newest_stamp = writer, 0  # none drawn for an add is greater
        self._queue, self._draw_stamps, self._origin = queue, draw_stamps, origin
        self._stored = stored
        self.shelf = NodeShelf(queue, stored.stored, clock.monotonic_ns)
        self.replica: Replica | None = None
        self.send: Callable[[], None] = _nothing
        self.noted_alone: Mapping[bytes, bytes] = {}
        self._lock = threading.Lock()
        self._waiters: deque[Waiter] = deque()
        self._idle = True
        self.trouble: StoreError | None = None
        self._rescues: list[Rescue] = []
        self.work = threading.Event()  # something waits
        self.hurry = threading.Event()  # somebody waits for it, or it is a whole batch
        self.full = EVERYTHING

    def join(
        self, replica: Replica, draw_stamps: Callable[[int], int], send: Callable[[], None]
    ) -> None:
        """Publish what is queued to a cluster from now on; before the first offer."""
        self.replica, self._draw_stamps, self.send = replica, draw_stamps, send

    def __enter__(self) -> None:
        # A try, then a limit: with a limit an uncontended lock costs three times as much.
        if not self._lock.acquire(False) and not self._lock.acquire(timeout=LOCK_LIMIT_SECONDS):
            raise LockTimeout(
                "the daemon's queue was not free within 1 s: a thread of it is stopped, see where"
                " (`isinglass ps`)"
            )

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    # ------------------------------------------------------------------ offers, on the port's
    def offer(self, table: str, items: Sequence[Wanted]) -> tuple[int, int]:
        """Stamp and queue the first updates of `items` that there is room for.

        Args:
            items: what is wanted of which keys, already checked.

        Returns:
            The place of the last one queued, and how many were; (0, 0) when there is no room.

        Raises:
            TableMissing: there is no such table.
            StoreError: the store takes no writes now, and why.
            LockTimeout: a thread of the daemon is stopped.
        """
        with self:
            place, entered = self._offer(table, items)
            if entered:
                self.wake_and_send()
        return place, entered

    def _refuse_in_trouble(self) -> None:
        if self.trouble is not None:
            raise self.trouble.with_traceback(None)

    def _offer(self, table: str, items: Sequence[Wanted]) -> tuple[int, int]:
        self._refuse_in_trouble()
        stamp, place, entered = self._draw_stamps(len(items)), 0, 0
        for deletes, some in groupby(items, lambda item: item[1] is None):
            run = list(some)
            newest, count = (self._delete if deletes else self._put)(table, run, stamp + entered)
            place, entered = newest or place, entered + count
            if count < len(run):
                break
        return place, entered

    def _put(self, table: str, items: Sequence[Wanted], stamp: int) -> tuple[int, int]:
        pairs: list[bytes] = []
        for number, (key, payload) in enumerate(items, stamp):
            pairs += (key, _encode(number, self._origin, payload))
        place, entered = self._queue.offer_run(table, pairs, clock.monotonic_ns())
        if entered and self.replica is not None:
            self.replica.publish(table, pairs[: 2 * entered], place)
        return place, entered

    def _delete(self, table: str, items: Sequence[Wanted], stamp: int) -> tuple[int, int]:
        place = 0
        for number, (key, _) in enumerate(items):
            record = adding.delete(self._present(table, key), stamp + number, self._origin)
            entered = self._queue.offer_counting(table, key, record, clock.monotonic_ns())
            if entered == REFUSED:
                return place, number
            place = entered
            if self.replica is not None:
                self.replica.publish(table, (key, record), place)
        return place, len(items)

    def add(self, table: str, field: str, items: Sequence[tuple[bytes, int]]) -> tuple[int, int]:
        """Add to a field of records: queue the first of `items` that there is room for.

        Args:
            items: keys and what is added, already checked.

        Returns:
            The place of the last one queued, and how many were; (0, 0) when there is no room. It
            stops before one that cannot be counted, which is an error when it is asked for first.

        Raises:
            TableMissing, StoreError, LockTimeout: as `offer`.
            BadRecord, RecordTooLarge: the first one cannot be counted: see `adding.add`.
        """
        with self:
            place, entered = self._add(table, field, items)
            if entered:
                self.wake_and_send()
        return place, entered

    def _add(self, table: str, field: str, items: Sequence[tuple[bytes, int]]) -> tuple[int, int]:
        self._refuse_in_trouble()
        now, place, floor = clock.monotonic_ns(), 0, self._queue.floor_of(table)
        stamp, replica = self._draw_stamps(len(items)), self.replica
        self.newest_stamp = stamp + len(items)
        # Of one snapshot: nothing that is in line leaves it while the lock is held.
        stored = self._stored.stored_all(table, {key for key, _ in items})
        for number, (key, more) in enumerate(items):
            present = self._together(table, key, stored.get(key))
            try:
                record = adding.add(present, floor, self._writer, field, more, stamp + number)
            except (BadRecord, RecordTooLarge):
                if number == 0:
                    raise
                return place, number
            if (entered := self._queue.offer_counting(table, key, record, now)) == REFUSED:
                return place, number
            place = entered
            if replica is not None:
                replica.publish(table, (key, record), place)
        return place, len(items)

    def _present(self, table: str, key: bytes) -> list[bytes]:
        return self._together(table, key, self._stored.stored(table, key))

    def _together(self, table: str, key: bytes, stored: bytes | None) -> list[bytes]:
        """Return the records of a key wherever they are: in line, in the batch in hand, stored."""
        return [*self.shelf.waiting(table, key), *([] if stored is None else [stored])]

    def stamp_write(self, table: str, key: bytes, payload: bytes | None) -> tuple[bytes, int, int]:
        """Stamp, queue and publish one write of a client that waits; the lock is held.

        To be followed by `wake_and_send`, once it is known whether others must hold it soon.

        Returns:
            The record, its place, and its number in the own stream.

        Raises:
            StoreError: the store or the queue takes no writes now.
            TableMissing: there is no such table.
        """
        replica = self.replica
        assert replica is not None
        self._refuse_in_trouble()
        stamp = self._draw_stamps(1)
        if payload is None:
            record = adding.delete(self._present(table, key), stamp, self._origin)
        else:
            record = _encode(stamp, self._origin, payload)
        place = self._queue.offer_counting(table, key, record, clock.monotonic_ns())
        if place == REFUSED:
            raise StoreError("the queue of the node is full: write again in a moment")
        return record, place, replica.publish(table, (key, record), place)

    def wake_and_send(self) -> None:
        """Wake the applier, and send, after something came into the queue; the lock is held."""
        if self._idle:
            self._wake()
        if self._queue.length >= self.full and not self.hurry.is_set():
            self.hurry.set()
        if self.replica is not None and self.replica.publishing.unsent:
            self.send()

    def _wake(self) -> None:
        self._idle = False
        self.work.set()

    def create_table(self, table: str, shape: TableShape) -> int:
        """Queue the creation of a table; return its place, or REFUSED when there is no room.

        Raises:
            TableExists: it exists with another shape.
            StoreError, LockTimeout: as `offer`.
        """
        with self:
            self._refuse_in_trouble()
            version = records.version_bytes(self._draw_stamps(1), self._origin)
            place = self._queue.offer_create(table, shape, version, clock.monotonic_ns())
            self._publish_table(table, place)
            self._wake()
        return place

    def _publish_table(self, table: str, place: int) -> None:
        """Tell the other nodes what a table is now."""
        state = self._queue.state_of(table)
        if self.replica is not None and place != REFUSED and state is not None:
            self.replica.publish(table, (b"", table_record(state)), place)
            self.send()

    def drop_table(self, table: str, done: Done) -> bool:
        """Queue the drop of a table, and call `done` when it is in the store; False: no room.

        A drop is taken also while the store refuses writes, and then goes before the batch in hand,
        since it is what makes room again; the store ends the same in either order.

        Raises:
            TableMissing: there is no such table.
            LockTimeout: as `offer`.
        """
        with self:
            version = records.version_bytes(self._draw_stamps(1), self._origin)
            place = self._queue.offer_drop(table, version, clock.monotonic_ns())
            if place == REFUSED:
                return False
            self._publish_table(table, place)
            if self.trouble is not None:
                self._rescues.append((DropTable(table, version), done))
            else:
                self._waiters.append(Waiter(place, False, done))
            self._wake()
        self.hurry.set()
        return True

    def newer_than(self, table: str, key: bytes, since: int) -> int:
        """Return a place at which a record is surely newer than a stamp; 0 when it is not so now.

        It says whether a write that is sent again was done, or came to nothing by a later one.
        """
        with self:
            place = self._queue.last_place
            newest = max(map(records.written_stamp, self._present(table, key)), default=0)
        return place if newest > since else 0

    def await_place(self, place: int, durable: bool, done: Done) -> None:
        """Call `done` from the applier's thread when a place is reached (0: the newest one)."""
        with self:
            self.await_place_locked(place, durable, done)

    def await_place_locked(self, place: int, durable: bool, done: Done) -> None:
        """Do as `await_place`; the lock is held."""
        # A place of the last daemon is behind all of this one's: what it had is recovered.
        last = self._queue.last_place
        self._waiters.append(Waiter(min(place or last, last), durable, done))
        self._wake()
        self.hurry.set()

    # ------------------------------------------------------------------ batches, on the applier's
    def take(self, limit: int) -> Batch | None:
        """Return the batch in hand, else a new one; None, with `work` cleared, when none waits."""
        with self:
            batch = self._queue.take(limit)
            self.shelf.in_hand = InHand(batch.steps if batch else ())
            if batch is None and not self._waiters:
                self._idle = True
                self.work.clear()
            if batch is not None and self.replica is not None:
                self.replica.taken(batch.through)
            return batch

    def notes(self, through: int) -> Mapping[bytes, bytes]:
        """Return what the transaction that reaches a place is to note: how far each stream is."""
        with self:
            return self.noted_alone if self.replica is None else self.replica.notes_through(through)

    def applied(
        self, batch: Batch, written_bytes: int, noted: Mapping[bytes, bytes] | None = None
    ) -> None:
        """Say that the batch in hand is in the store, and what was noted with it."""
        with self:
            self.shelf.in_hand, self.trouble, self.noted_alone = InHand(), None, {}
            through = self._queue.applied(batch, written_bytes, clock.monotonic_ns())
            if self.replica is not None:
                self.replica.applied(through, noted or {})

    def reached(self) -> list[Waiter]:
        """Return, and forget, the waiters whose place is in the store."""
        with self:
            through = self._queue.applied_through
            found = [waiter for waiter in self._waiters if waiter.place <= through]
            self._waiters = deque(w for w in self._waiters if w.place > through)
            if not self._waiters and self._queue.length < self.full:
                self.hurry.clear()
            return found

    def failed(self, error: StoreError) -> list[Waiter]:
        """Keep the batch in hand, refuse offers with `error`; return those who wait in vain."""
        with self:
            self.trouble = error
            self._wake()  # also where nothing is in hand: the applier then says that it is over
            found, self._waiters = list(self._waiters), deque()
            return found

    def takes_again(self) -> None:
        """Say that the store works again, though no batch was in hand."""
        with self:
            self.trouble = None

    def take_rescues(self) -> list[Rescue]:
        """Return, and forget, the drops that go before the batch in hand, and whom to tell."""
        with self:
            found, self._rescues = self._rescues, []
            if found and self.replica is not None:  # the store may have them beyond its numbers
                self.replica.taken(0)
            return found

    def take_everything(self) -> list[Step]:
        """Take all that waits out of the queue, the batch in hand first, when the daemon ends."""
        steps: list[Step] = []
        with self:
            # A port that is stuck, and gets on later, must not acknowledge what nobody will take.
            self.trouble = self.trouble or StoreError("the daemon is ending: write to the next one")
            while (batch := self._queue.take(EVERYTHING)) is not None:
                steps.extend(batch.steps)
                self._queue.applied(batch, 0, clock.monotonic_ns())
        return steps

    def publish(self) -> None:
        """Bring the queue's panel up to date."""
        with self:
            self._queue.publish(clock.monotonic_ns())
