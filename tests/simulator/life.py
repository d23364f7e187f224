"""A simulated daemon: the product's own node, queue and datagrams, under a seeded scheduler.

What is real: `Replica` and all its parts, `UpdateQueue`, `NodeShelf`, the bytes of the datagrams
with their tags. What is simulated: time, the network, the threads (one at a time, any order), and
the disk (`MemoryStore`). What the daemon's threads do around the node is done here in the same
order: offer, number, send; take, apply with notes, flush, say so.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgpack

from isinglass.clock import HybridLogicalClock
from isinglass.errors import StoreError
from isinglass.node.figures import Figures
from isinglass.node.lives import DRAWN_BITS, later_life
from isinglass.node.outside import Self
from isinglass.node.primary import Receipt
from isinglass.node.replica import Replica
from isinglass.node.shelf import NodeShelf, table_record
from isinglass.store import adding, buckets, counters, records
from isinglass.store.in_hand import InHand
from isinglass.store.merge import UpdateQueue
from isinglass.store.panels import QueuePanel
from isinglass.store.records import older_bound, version_bytes
from isinglass.store.tables import TableShape
from isinglass.wire.bodies import BadDatagram
from isinglass.wire.datagrams import TO_ONE, Identity, Opener, Sealer
from simulator.memory_store import MemoryStore
from simulator.world import MILLISECOND, SECOND

if TYPE_CHECKING:
    from simulator.host import Host

CLUSTER, KEY = "simulated", b"k" * 32
CALL_LIMIT = 2 * SECOND
PATIENCE = 20 * MILLISECOND  # short, so that primaries are given up, and answer late
BATCH_LIMIT = 200
FLUSH_DELAY = MILLISECOND
HOUSEKEEPING = SECOND
RESTART_DELAY = 100 * MILLISECOND
FLUSH_EVERY = {"commit": 0, "second": SECOND, "none": 2 * SECOND}


class Stamped(NamedTuple):
    """An immediate write, as it was stamped, and when."""

    at: int
    table: str
    key: bytes
    payload: bytes | None
    record: bytes


class Life:
    """One life of the daemon of a host: an `Outside` for its replica."""

    def __init__(self, host: Host) -> None:
        self.host, self.world = host, host.world
        self.alive = True
        noted = int.from_bytes(host.store.notes().get(b"i", b""), "big")
        drawn = random.Random(f"{host.name} {host.lives}").randrange(1 << DRAWN_BITS)
        earlier = max(noted, host.outlived)
        incarnation = later_life(earlier, host.wall() // MILLISECOND, drawn)
        host.store.apply([], notes={b"i": incarnation.to_bytes(8, "big")}, sync=True)
        self.clock = HybridLogicalClock(host.store.newest_stamp())
        self.panel = QueuePanel(f"{host.name}{host.lives}")
        self.queue = UpdateQueue(self.panel, host.queue_limit, 64 << 20)
        self.queue.define(host.store.table_states())
        self.shelf = NodeShelf(self.queue, host.store.stored, lambda: self.world.now)
        self.figures = Figures(f"{host.name}{host.lives}.")
        self.sealer = Sealer(Identity(CLUSTER, KEY, host.origin, incarnation))
        self.opener = Opener(CLUSTER, KEY, host.origin, incarnation)
        self.replica = Replica(
            Self(host.name, host.origin, incarnation), self.shelf, self, self.figures,
            host.store.notes(), stamp=self._stamp_write, latest_stamp=lambda: self.clock.last,
            clock=lambda: self.world.now, flushes=host.durability == "commit",
            journal_limit=host.journal_limit, patience_ns=PATIENCE,
            random_source=self.world.random,
        )  # fmt: skip
        self._applying = self._flush_due = False
        self._flushed_at = self.world.now
        self._tick_at = 0
        self.applied_waiters: list[tuple[int, Callable[[], None]]] = []

    def start(self) -> None:
        """Begin to tick."""
        self._tick()
        self._housekeep()

    def end(self) -> None:
        """Be dead from now on."""
        self.alive = False
        self.panel.release()
        self.figures.release()

    # ------------------------------------------------------------------ time
    def later(self, delay: int, what: Callable[[], None]) -> None:
        """Do something later, in this life, and not while the process is stopped."""

        def run() -> None:
            if not self.alive:
                return
            if self.world.now < self.host.stopped_until:
                self.world.at(self.host.stopped_until, run)
            else:
                what()

        self.world.after(delay, run)

    def _tick(self) -> None:
        if self.world.now < self._tick_at:
            return
        due = self.replica.tick(self.world.now)
        self._after()
        if self.replica.forgotten or self.replica.outlived:
            self._start_again()
            return
        self._tick_at = max(due, self.world.now + MILLISECOND)
        self.later(self._tick_at - self.world.now, self._tick)

    def _after(self) -> None:
        """What the daemon's threads are woken for."""
        if self.replica.publishing.unsent and not self._flush_due:
            self._flush_due = True
            self.later(0 if self.replica.publishing.urgent else FLUSH_DELAY, self._flush)
        if not self._applying and self.queue.length:
            self._applying = True
            self.later(MILLISECOND, self._take)

    def _flush(self) -> None:
        self._flush_due = False
        self.replica.publishing.flush()

    def _housekeep(self) -> None:
        if not self._applying:
            notes = self.replica.notes_through(self.queue.applied_through)
            if notes:
                self.host.store.apply([], notes=notes)
                self.replica.applied(self.queue.applied_through, notes)
        if self.world.now - self._flushed_at >= FLUSH_EVERY[self.host.durability]:
            kept = self.replica.about_to_flush()
            self.host.store.flush()
            self.replica.flushed(kept)
            self._flushed_at = self.world.now
        self.host.reclaim(self.replica.horizon.everywhere())
        self.figures.show(self.replica, self.world.now)
        self.later(HOUSEKEEPING, self._housekeep)

    def _start_again(self) -> None:
        """Do what only a new life can mend: be greater than an earlier one, or join anew."""
        host, replica = self.host, self.replica
        host.outlived = max(replica.outlived, replica.me.incarnation)
        host.wipe() if replica.forgotten else host.crash()
        host.lost()
        self.world.after(RESTART_DELAY, lambda: None if host.removed else host.start())

    # ------------------------------------------------------------------ the applier
    def _take(self) -> None:
        batch = self.queue.take(BATCH_LIMIT)
        if batch is None:
            self._applying = False
            return
        self.shelf.in_hand = InHand(batch.steps)
        self.replica.taken(batch.through)
        delay = max(self.host.stalled_until - self.world.now, 0) + self.host.disk_delay

        def commit() -> None:
            notes = self.replica.notes_through(batch.through)
            self.host.store.apply(batch.steps, notes=notes)
            if self.host.durability == "commit":
                self.host.store.flush()
            self.shelf.in_hand = InHand()
            self.queue.applied(batch, 0, self.world.now)
            self.replica.applied(self.queue.applied_through, notes)
            through = self.queue.applied_through
            ready = [done for place, done in self.applied_waiters if place <= through]
            self.applied_waiters = [w for w in self.applied_waiters if w[0] > through]
            for done in ready:
                done()
            self._take()

        self.later(delay, commit)

    # ------------------------------------------------------------------ own writes
    def stamp(self) -> int:
        """Draw a stamp."""
        return self.clock.tick(self.host.wall())

    def put(self, table: str, key: bytes, payload: bytes | None) -> tuple[bytes, int, int]:
        """Stamp and queue one write of this node; return its record, place and number.

        Raises:
            StoreError: the queue is full.
        """
        record = records.encode(self.stamp(), self.host.origin, payload)
        place = self.queue.offer(table, key, record, self.world.now)
        if not place:
            raise StoreError("the queue is full")
        number = self.replica.publish(table, (key, record), place)
        self._after()
        return record, place, number

    def add(self, table: str, key: bytes, field: str, number: int) -> bytes:
        """Add to a field of a record through this node; return the add's record.

        Raises:
            StoreError: the queue is full.
        """
        stored = self.host.store.stored(table, key)
        present = [*self.shelf.waiting(table, key), *([stored] if stored else ())]
        writer = counters.writer_of(*self.replica.own)
        floor = self.queue.floor_of(table)
        record = adding.add(present, floor, writer, field, number, self.stamp())
        place = self.queue.offer_counting(table, key, record, self.world.now)
        if not place:
            raise StoreError("the queue is full")
        self.replica.publish(table, (key, record), place)
        self._after()
        return record

    def _stamp_write(self, table: str, key: bytes, payload: bytes | None) -> tuple[bytes, int, int]:
        made = self.put(table, key, payload)
        self.host.stamped.append(Stamped(self.world.now, table, key, payload, made[0]))
        return made

    def write(
        self,
        table: str,
        key: bytes,
        payload: bytes | None,
        ack: int,
        done: Callable[[int, Receipt], None],
    ) -> None:
        """Write at once, for a client of this node."""
        self.replica.primary.write(table, key, payload, ack, done)
        self._after()

    def read(self, table: str, key: bytes, done: Callable[[bytes | None, Receipt], None]) -> None:
        """Read at once, for a client of this node."""
        self.replica.primary.read(table, key, done)
        self._after()

    def create_table(self, table: str, shape: TableShape) -> None:
        """Create a table from this node."""
        version = version_bytes(self.stamp(), self.host.origin)
        place = self.queue.offer_create(table, shape, version, self.world.now)
        self._publish_table(table, place)

    def drop_table(self, table: str) -> None:
        """Drop a table from this node."""
        version = version_bytes(self.stamp(), self.host.origin)
        place = self.queue.offer_drop(table, version, self.world.now)
        self._publish_table(table, place)

    def _publish_table(self, table: str, place: int) -> None:
        state = self.queue.state_of(table)
        if place and state is not None:
            self.replica.publish(table, (b"", table_record(state)), place)
        self._after()

    # ------------------------------------------------------------------ Outside
    def multicast(self, kind: int, body: Any) -> None:
        """Send to all other hosts."""
        data = self.sealer.seal(kind, body, self.world.now)
        for origin in self.host.hosts:
            if origin != self.host.origin:
                self._send(origin, data)

    def unicast(self, origin: int, kind: int, body: Any) -> None:
        """Send to one host."""
        self._send(origin, self.sealer.seal(kind | TO_ONE, body, self.world.now))

    def _send(self, origin: int, data: bytes) -> None:
        target = self.host.hosts.get(origin)
        if target is not None:
            self.host.network.send(self.host.origin, origin, lambda: _arrive(target, data))

    def take_in(self, data: bytes) -> None:
        """Receive a datagram."""
        try:
            datagram = self.opener.open(data, self.world.now)
        except BadDatagram:
            return
        if datagram is not None:
            self.replica.receive(datagram)
            self._after()
            self._soon()

    def _soon(self) -> None:
        """Look at what is due now, as the daemon does after each datagram."""
        due = self.replica.repairs.look(self.world.now)
        if due < self._tick_at:
            self._tick_at = max(due, self.world.now + MILLISECOND)
            self.later(self._tick_at - self.world.now, self._tick)

    def call(self, origin: int, request: list[Any], done: Callable[[Any], None]) -> None:
        """Ask another host over a stream, which works or is silent; answers come in any order."""
        packed = msgpack.packb(request)
        answered = [False]

        def finish(answer: Any) -> None:
            if self.alive and not answered[0]:
                answered[0] = True
                done(answer)
                self._after()

        def answer(reply: Any) -> None:
            packed_reply = msgpack.packb(reply)
            if self.host.network.connected(self.host.origin, origin):
                self.later(self._delay(), lambda: finish(msgpack.unpackb(packed_reply)))

        def arrive() -> None:
            target = self.host.hosts[origin]
            if target.life is not None and self.host.network.connected(self.host.origin, origin):
                life = target.life
                life.later(0, lambda: life.serve(msgpack.unpackb(packed), answer))

        self.world.after(self._delay(), arrive)
        self.later(CALL_LIMIT, lambda: finish(None))

    def _delay(self) -> int:
        return self.world.random.randrange(MILLISECOND // 10, self.host.network.weather.delay)

    def serve(self, request: list[Any], reply: Callable[[Any], None]) -> None:
        """Answer another host's call."""
        self.replica.serve(request, reply)
        self._after()

    def observe(self, stamp: int) -> None:
        """Draw later stamps from now on."""
        self.clock.observe(stamp)

    def wall_ms(self) -> int:
        """Return the wall clock."""
        return self.host.wall() // MILLISECOND

    def digests(self, horizon: int, done: Callable[[list[int] | None], None]) -> None:
        """Read the store while it goes on changing, and answer later."""
        self.later(5 * MILLISECOND, lambda: done(digests_of(self.host.store, horizon)))

    def record_count(self) -> int:
        """Return how many records the store has."""
        return sum(1 for _ in self.host.store.every_record())

    def records(
        self, wanted: list[int], cursor: list[Any], done: Callable[[list[Any] | None], None]
    ) -> None:
        """Read records of some buckets, and answer later."""

        def read() -> None:
            place = tuple(cursor) if cursor else ("", b"")
            items, following = self.host.store.bucket_records(set(wanted), place, 20_000)
            done([[list(item) for item in items], list(following) if following else []])

        self.later(2 * MILLISECOND, read)


def digests_of(store: MemoryStore, horizon: int) -> list[int]:
    """Return the digests of a store; deletions up to the horizon do not count."""
    digests = [0] * buckets.COUNT
    bound = older_bound(version_bytes(horizon, records.ORIGIN_LIMIT - 1))
    for name, key, record in store.every_record():
        if record[10] != records.TOMBSTONE or record >= bound:
            buckets.count_in(digests, name.encode(), key, record)
    return digests


def _arrive(target: Host, data: bytes) -> None:
    if target.life is not None:
        life = target.life
        life.later(0, lambda: life.take_in(data))
