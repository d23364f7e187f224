"""A daemon's side of its cluster: what `Replica` asks of the world, answered with real sockets.

    thread      waits for                 does
    listener    datagrams, time           takes in updates, repairs, heartbeats     (listener)
    port        clients, other nodes      sends own updates, makes and answers calls (peer_calls)
    copier      questions of other nodes  reads the store in the background          (store_work)

Everything of the replica happens under the intake's lock. Own updates are sent when a datagram is
full, at once when somebody waits for them, and otherwise FLUSH_SECONDS after the first one, or
STEADY_FLUSH_SECONDS while writers go on writing, so that updates share datagrams.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from isinglass import clock
from isinglass.errors import ClusterError, DiskFull, LockTimeout, MapFull
from isinglass.glass import segment
from isinglass.glass.severity import INFO
from isinglass.node import ending
from isinglass.node.cluster_news import ClusterNews
from isinglass.node.cluster_settings import ClusterSettings
from isinglass.node.figures import Figures
from isinglass.node.guests import Guests
from isinglass.node.intake import Intake
from isinglass.node.listener import WIRE, Listener
from isinglass.node.lives import DRAWN_BITS, later_life
from isinglass.node.losses import Losses
from isinglass.node.outbox import Outbox
from isinglass.node.outside import Answered, Self
from isinglass.node.peer_calls import PeerCalls
from isinglass.node.replica import Replica
from isinglass.node.schedule import Task
from isinglass.node.store_work import StoreWork
from isinglass.node.strangers import Strangers
from isinglass.settings import Settings
from isinglass.store.database import Store
from isinglass.wire import datagrams
from isinglass.wire.bodies import KINDS
from isinglass.wire.datagrams import Identity, Opener, Sealer
from isinglass.wire.journal import Name
from isinglass.wire.transport.cluster import listen_for_streams
from isinglass.wire.transport.multicast import Address, GroupSockets

FLUSH_SECONDS, STEADY_FLUSH_SECONDS = 0.001, 0.005
SHOW_SECONDS = 0.25
NOTE_SECONDS = 1.0
SHARED_TOGETHER = 500  # records, under the lock of the queue: some ten milliseconds
# What is on the disk bounds what others may forget, so a cluster's node flushes now and then, also
# where nothing was promised.
FLUSH_EVERY_SECONDS = {"commit": 10.0, "second": 1.0, "none": 30.0}
LIFE_NOTE = b"i"
CLUSTER_NOTE = b"c"


def next_life(store: Store, cluster: str) -> int:
    """Return this life's number, greater than any before, and note it in the store.

    Raises:
        ClusterError: the store belongs to another cluster.
        StoreError: it cannot be noted.
    """
    notes = store.notes()
    known = notes.get(CLUSTER_NOTE, b"").decode()
    if known and known != cluster:
        raise ClusterError(
            f"this store belongs to the cluster {known}, not to {cluster}: set `cluster` to"
            f" {known}, or give the node another name or an empty data folder"
        )
    last = int.from_bytes(notes.get(LIFE_NOTE, b""), "big")
    drawn = int.from_bytes(os.urandom(DRAWN_BITS // 8), "big")
    life = later_life(last, clock.wall_ns() // clock.NANOSECONDS_PER_MILLISECOND, drawn)
    fresh = {LIFE_NOTE: life.to_bytes(8, "big"), CLUSTER_NOTE: cluster.encode()}
    with contextlib.suppress(DiskFull, MapFull):  # a later life is later by the clock, too
        store.apply([], notes=fresh, sync=True)
    return life


class Cluster:
    """The cluster as one daemon takes part in it; an `Outside` for its replica.

    Args:
        loop: the port's.
        outbox: of the port's clients.
        served: returns how many requests of clients were answered so far.
        pace: see `Guests`.
        kept_aside: the last life kept something aside, of which `share` will be told.
        fail: called, from any thread, with what must end the daemon.

    Raises:
        ClusterError: the sockets or the key cannot be had, or the store is another cluster's.
    """

    def __init__(
        self,
        settings: Settings,
        member: ClusterSettings,
        intake: Intake,
        store: Store,
        glass: segment.Segment,
        loop: asyncio.AbstractEventLoop,
        outbox: Outbox,
        *,
        served: Callable[[], int],
        kept_aside: bool,
        pace: Callable[[int], float],
        report: Callable[[Exception], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._name, self._intake, self._store = settings.node, intake, store
        self._glass, self._loop, self._report, self._fail = glass, loop, report, fail
        self._durability = settings.durability
        life = next_life(store, member.name)
        self.identity = Identity(member.name, member.key, member.origin, life)
        self._sockets = GroupSockets(*member[3:])
        address, port = self._sockets.address
        streams = listen_for_streams(address)
        self._sealer = Sealer(self.identity)
        self._opener = Opener(member.name, member.key, member.origin, life)
        self.figures, self._news = Figures(), ClusterNews(glass.event)
        me = Self(settings.node, member.origin, life, address, port, streams.getsockname()[1])
        self._seen_stamp = 0
        self._flush_due, self._flushed = False, 0.0
        self._losses = Losses()
        self.replica = Replica(
            me, intake.shelf, self, self.figures, store.notes(),
            stamp=intake.stamp_write, latest_stamp=self.latest_stamp, clock=clock.monotonic_ns,
            flushes=settings.durability == "commit", journal_limit=settings.journal_limit,
            patience_ns=int(settings.patience_seconds * clock.NANOSECONDS_PER_SECOND),
        )  # fmt: skip
        self.replica.adopting.kept_aside = kept_aside
        intake.join(self.replica, self.draw, self._send)
        self._work = StoreWork(store, self._locked, served, report)
        self.guests = Guests(self.identity, self.replica, self._stream_address, pace)
        self._calls = PeerCalls(
            loop, streams, self.identity, settings.node, self.figures.network,
            address_of=self._stream_address, serve=self._serve, admit=self.guests.admit,
            locked=self._locked, collect=outbox.collect, report=report,
        )  # fmt: skip
        self._strangers = Strangers(
            self.identity, settings.node, self.figures.network, report=report, fail=fail
        )
        self._listener = Listener(
            self._sockets, self._opener, intake, self.replica,
            refused=self._strangers.take, report=report,
        )  # fmt: skip
        self.figures.cluster.cluster = member.name
        self.figures.network.group = f"{member.group} {member.port} {address}"

    # ------------------------------------------------------------------ life
    def start(self) -> None:
        """Take part from now on; the port's loop runs already."""
        self._work.start()
        self._loop.call_soon_threadsafe(self._calls.start)
        self._strangers.started_ns = clock.monotonic_ns()
        self._listener.start()
        me = self.replica.me
        self._glass.event(
            INFO, "cluster", f"the node joins cluster {self.identity.cluster}", origin=me.origin,
            incarnation=me.incarnation, address=me.address,
        )  # fmt: skip

    def stop(self) -> None:
        """Say goodbye, and take nothing in any more; the port's loop still runs."""
        try:
            with self._intake:
                self.replica.leave()
        except LockTimeout as error:  # the others will see it; what is queued must be kept aside
            self._report(error)
        self._listener.stop()
        self._work.stop()
        self._loop.call_soon_threadsafe(self._calls.stop)

    def close(self) -> None:
        """Wait for the threads to end, and close the sockets.

        Raises:
            ThreadStuck: one of them does not end.
        """
        ending.join(self._listener.thread)
        ending.join(self._work.thread)
        self._sockets.close()

    def tasks(self, between: Callable[[Callable[[], None]], None]) -> list[Task]:
        """Return what the timer does for the cluster.

        Args:
            between: has the applier do something between two batches.
        """
        return [
            Task("cluster figures", SHOW_SECONDS, self.show),
            Task("cluster notes", NOTE_SECONDS, lambda: self._look_for_notes(between)),
            Task("cluster flush", FLUSH_EVERY_SECONDS[self._durability], self.flush),
        ]

    def share(self, kept_aside: Collection[Name]) -> None:
        """Send what the last life kept aside, and note so; where only one thread writes the store.

        Args:
            kept_aside: its names; the store has it all.

        Raises:
            StoreError: it cannot be noted.
        """
        ordered = sorted(kept_aside)
        for start in range(0, len(ordered), SHARED_TOGETHER):
            with self._intake:
                self.replica.adopting.send(ordered[start : start + SHARED_TOGETHER])
        self.replica.adopting.kept_aside = False
        self._note()

    # ------------------------------------------------------------------ stamps
    def draw(self, count: int) -> int:
        """Return the first of `count` stamps above all that were drawn or seen here."""
        return self._glass.stamp(count, self._seen_stamp)

    def latest_stamp(self) -> int:
        """Return the newest stamp that was drawn or seen here."""
        return max(self._seen_stamp, self._glass.draws.latest_stamp)

    def observe(self, stamp: int) -> None:
        """Draw later stamps from now on; the shared clock hears of it with the next draw."""
        self._seen_stamp = max(self._seen_stamp, stamp)

    def wall_ms(self) -> int:
        """Return the wall clock."""
        return clock.wall_ns() // clock.NANOSECONDS_PER_MILLISECOND

    # ------------------------------------------------------------------ sending
    def multicast(self, kind: int, body: Any) -> None:
        """Send a datagram to all."""
        data = self._sealer.seal(kind, body, clock.monotonic_ns())
        self._sent(self._sockets.multicast(data), data)
        if WIRE:
            WIRE("a datagram to all", kind=KINDS[kind][0], bytes=len(data))

    def unicast(self, origin: int, kind: int, body: Any) -> None:
        """Send a datagram to one member, if it said where it is."""
        member = self.replica.members.members.get(origin)
        if member is not None and member.report is not None:
            where = (member.report.address, member.report.datagram_port)
            data = self._sealer.seal(kind | datagrams.TO_ONE, body, clock.monotonic_ns())
            self._sent(self._sockets.unicast(where, data), data)
            if WIRE:
                WIRE("a datagram to one", kind=KINDS[kind][0], to=origin, bytes=len(data))

    def _sent(self, taken: bool, data: bytes) -> None:
        network = self.figures.network
        if taken:
            network.sent += 1
            network.sent_bytes += len(data)
        else:
            network.send_failures += 1

    def _send(self) -> None:
        """Send own updates now, or soon; the lock is held."""
        publishing = self.replica.publishing
        if publishing.urgent:
            publishing.flush()
            return
        if publishing.full:
            publishing.flush(full=True)
        if not self._flush_due and publishing.unsent:
            self._flush_due = True
            self._calls.on_loop(self._flush_soon)

    def _flush_soon(self) -> None:
        steady = self._loop.time() - self._flushed < 2 * STEADY_FLUSH_SECONDS
        self._loop.call_later(STEADY_FLUSH_SECONDS if steady else FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        # First: should the lock not be had, a later update comes here again.
        self._flush_due, self._flushed = False, self._loop.time()
        with self._intake:
            self.replica.publishing.flush()

    # ------------------------------------------------------------------ calls
    def call(self, origin: int, request: list[Any], done: Answered) -> None:
        """Ask one member."""
        self._calls.call(origin, request, done)

    def _stream_address(self, origin: int) -> Address | None:
        member = self.replica.members.members.get(origin)
        report = member.report if member is not None and member.heard else None
        return (report.address, report.stream_port) if report is not None else None

    def _serve(self, request: list[Any], reply: Answered) -> None:
        with self._intake:
            self.replica.serve(request, reply)
            self._intake.wake_and_send()

    def _locked(self, done: Callable[[Any], None], result: Any) -> None:
        with self._intake:
            done(result)
            self._intake.wake_and_send()

    def digests(self, horizon: int, done: Callable[[Any], None]) -> None:
        """Read the own store in the background."""
        self._work.digests(horizon, done)

    def record_count(self) -> int:
        """Return what the catalogue of the own store says."""
        return self._store.record_count()

    def records(self, buckets: list[int], cursor: list[Any], done: Callable[[Any], None]) -> None:
        """Read the own store in the background."""
        self._work.records(buckets, cursor, done)

    # ------------------------------------------------------------------ the timer's tasks
    def show(self) -> None:
        """Bring the panels up to date."""
        own, group = self._sockets.memory()
        network = self.figures.network
        network.buffer = group.granted_bytes
        network.buffer_used = own.waiting_bytes + group.waiting_bytes
        network.socket_drops = own.drops + group.drops
        with self._intake:
            self._share_losses(group.drops)
            self.figures.show(self.replica, clock.monotonic_ns())
            self._news.look(self.replica)
            forgotten = self.replica.forgotten
            outlived = self.replica.outlived
        if outlived:
            self._begin_later_life(outlived)
        if forgotten:
            self._fail(
                ClusterError(
                    f"the cluster has forgotten this node: move {self._store.path} away and start"
                    " it again, it then joins anew"
                )
            )

    def _begin_later_life(self, than: int) -> None:
        """End, so that the next life of this node is later than one that others have seen."""
        self._store.apply([], notes={LIFE_NOTE: than.to_bytes(8, "big")}, sync=True)
        self._fail(
            ClusterError(
                "the cluster has seen a later life of this node, whose disk is lost or whose clock"
                " was set back: start it again, the next life is later"
            )
        )

    def _share_losses(self, drops: int) -> None:
        """Tell what the network lost from what this node's own socket dropped."""
        members = self.replica.members.members.values()
        missing = {(m.origin, m.incarnation): self._opener.lost(m.origin) for m in members}
        for (origin, _), (network, here) in self._losses.look(drops, missing).items():
            self.figures.lost(origin, network, here)

    def _look_for_notes(self, between: Callable[[Callable[[], None]], None]) -> None:
        """Have the applier note what no batch has noted, when there is something."""
        with self._intake:
            _, notes = self._due_notes()
        if notes:
            between(self._note)

    def _due_notes(self) -> tuple[int, Mapping[bytes, bytes]]:
        place = self._intake.shelf.applied_through
        return place, self.replica.notes_through(place)

    def _note(self) -> None:
        """Note new members, and how far streams are; on the applier's thread, between batches."""
        with self._intake:
            place, notes = self._due_notes()
        if notes:
            self._store.apply([], notes=notes)
            with self._intake:
                self.replica.applied(place, notes)

    def flush(self) -> None:
        """Flush the store, and tell the replica what is on the disk now."""
        with self._intake:
            kept = self.replica.about_to_flush()
        self._store.flush()
        with self._intake:
            self.replica.flushed(kept)

    def horizon(self) -> int:
        """Return the stamp below which deletions have reached every member."""
        with self._intake:
            return self.replica.horizon.everywhere()
