"""What must hold of a simulated cluster, whatever happened to it; each in a function of its own.

All of them look from outside, with the knowledge of every host at once, which no node has.
"""

from __future__ import annotations

from isinglass.store import records
from isinglass.wire.packing import UNFINISHED_BYTES_LIMIT, UNFINISHED_LIMIT
from isinglass.wire.reports import LIVE
from isinglass.wire.streams import RANGE_LIMIT
from simulator.cluster import Cluster
from simulator.host import Host
from simulator.life import Life, digests_of
from simulator.linear import is_linearizable

COPY_LIMIT = 2_000  # records of a copy that wait for room


def _stored(host: Host, horizon: int) -> dict[tuple[str, bytes], bytes]:
    """Return the records of a store, without deletions that all have passed."""
    bound = records.older_bound(records.version_bytes(horizon, records.ORIGIN_LIMIT - 1))
    return {
        (table, key): record
        for table, key, record in host.store.every_record()
        if not records.is_tombstone(record) or record >= bound
    }


def _horizon(cluster: Cluster) -> int:
    lives = [host.life for host in cluster.members() if host.life is not None]
    return max((life.replica.horizon.everywhere() for life in lives), default=0)


def differences(cluster: Cluster) -> list[str]:
    """Say what keeps the members from being one cluster with one content: nothing, at last."""
    members = cluster.members()
    found: list[str] = []
    for host in members:
        if host.life is None:
            found.append(f"{host.name} is down")
            continue
        replica = host.life.replica
        if replica.phase != LIVE:
            found.append(f"{host.name} is {replica.phase_name}")
        if replica.primary.waiting:
            found.append(f"{host.name} waits for others")
        up = {(member.origin, member.incarnation) for member in replica.members.up()}
        living = {other.life.replica.own for other in members if other is not host and other.life}
        if missing := living - up:  # a later life is not believed at once
            found.append(f"{host.name} does not hear {sorted(missing)}")
        for stream, inbox in replica.vectors.inboxes.items():
            if inbox.applied.reached != inbox.known_last:
                found.append(
                    f"{host.name} has {inbox.applied.reached} of {inbox.known_last} of {stream}"
                )
    horizon = _horizon(cluster)
    first = members[0]
    expected, tables = _stored(first, horizon), first.store.table_states()
    for host in members[1:]:
        if host.store.table_states() != tables:
            found.append(f"the tables of {first.name} and {host.name} differ")
        held = _stored(host, horizon)
        for name in sorted({*held, *expected}):
            if held.get(name) != expected.get(name):
                one, other = (found_in.get(name, b"")[:11].hex() for found_in in (expected, held))
                found.append(f"{name} is {one} at {first.name}, {other} at {host.name}")
    return found


def stores_are_equal(cluster: Cluster) -> None:
    """All members hold the same, also by the digests that nodes compare."""
    assert not (found := differences(cluster)), "; ".join(found)
    horizon = _horizon(cluster)
    digests = [digests_of(host.store, horizon) for host in cluster.members()]
    assert all(one == digests[0] for one in digests)


def deletions_left(cluster: Cluster) -> list[str]:
    """Say which marks of deletions are still kept, once everybody has passed them all."""
    return [
        f"{host.name} keeps the deletion of {key!r} in {table}"
        for host in cluster.members()
        for table, key, record in host.store.every_record()
        if records.is_tombstone(record)
    ]


def nothing_owed_is_lost(cluster: Cluster) -> None:
    """Every acknowledged write that some host still had is in every store, or a newer one is."""
    for operation in cluster.operations:
        if operation.owed and operation.record:
            for host in cluster.members():
                assert cluster.has(host, operation), (
                    f"{host.name} has lost {operation.kind} {operation.number} of {operation.key!r}"
                )


def nothing_deleted_is_back(cluster: Cluster) -> None:
    """No record is older than an acknowledged deletion of it."""
    for operation in cluster.operations:
        if operation.owed and operation.kind == "delete":
            for host in cluster.members():
                stored = host.store.stored(operation.table, operation.key)
                assert stored is None or stored >= operation.record, (
                    f"{operation.key!r} is back at {host.name}"
                )


def nothing_is_stamped_late(cluster: Cluster) -> None:
    """No write is stamped after its client was told what became of it.

    A client that was answered goes on and writes something newer; a stamp that comes later would
    make the older write win.
    """
    ended = {
        operation.payload: operation
        for operation in cluster.operations
        if operation.end and operation.payload is not None
    }
    for host in cluster.hosts.values():
        for stamped in host.stamped:
            operation = ended.get(stamped.payload) if stamped.payload is not None else None
            assert operation is None or stamped.at <= operation.end, (
                f"write {operation.number} of {stamped.key!r} is stamped by {host.name}"
                f" {(stamped.at - operation.end) / 1e9:.3f} s after its answer"
            )


def histories_are_linearizable(cluster: Cluster) -> None:
    """Reads and writes of each record, all answered by primaries, could have happened in line."""
    for key in {operation.key for operation in cluster.operations}:
        history = [o for o in cluster.operations if (o.table, o.key) == ("immediate", key)]
        if all(o.receipt is not None and o.receipt.primary for o in history if o.end):
            assert is_linearizable(history), f"the history of {key!r} is not linearizable"


class Watch:
    """Looks at a run while it goes on: lags, and limits."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._changes: dict[str, float] = {}
        self.view_held = False

    def begin(self) -> None:
        """Remember the views before there is trouble."""
        self._changes = self._view_changes()

    def end(self) -> None:
        """See whether all views have held."""
        self.view_held = self._changes == self._view_changes()

    def _view_changes(self) -> dict[str, float]:
        return {
            f"{host.name}{host.lives}": host.life.figures.cluster.view_changes
            for host in self._cluster.hosts.values()
            if host.life is not None
        }

    def look(self) -> None:
        """Check what must hold at any moment."""
        for host in self._cluster.hosts.values():
            if host.life is not None:
                limits_hold(host, host.life)
                streams_are_sound(host, host.life)
                lags_are_not_too_low(self._cluster, host, host.life)


def limits_hold(host: Host, life: Life) -> None:
    """Every queue, journal, buffer and waiting list is within its limit."""
    replica = life.replica
    assert life.queue.length <= host.queue_limit, f"{host.name}: {life.queue.length} in line"
    if not replica.publishing.unsent:  # else they are counted when they are sent
        kept = len(replica.journal)
        assert kept <= replica.journal.limit, f"{host.name}: {kept} in the journal"
    parts = replica.receiving.parts
    assert len(parts) <= UNFINISHED_LIMIT and parts.size_bytes <= UNFINISHED_BYTES_LIMIT
    assert replica.healing.waiting <= COPY_LIMIT, f"{host.name}: {replica.healing.waiting} copied"
    assert replica.primary.waiting <= 100, f"{host.name}: {replica.primary.waiting} wait"


def streams_are_sound(host: Host, life: Life) -> None:
    """What is applied was taken, what was taken was received, and ranges lie apart above it."""
    for stream, inbox in life.replica.vectors.inboxes.items():
        assert inbox.applied.reached <= inbox.taken.reached <= inbox.received <= inbox.known_last, (
            f"{host.name}: {stream} {inbox.applied.reached} {inbox.taken.reached}"
            f" {inbox.received} {inbox.known_last}"
        )
        above = inbox.received + 1
        ranges = inbox.ranges()
        assert len(ranges) <= RANGE_LIMIT
        for first, last in ranges:
            assert above < first <= last <= inbox.known_last
            above = last + 1


def lags_are_not_too_low(cluster: Cluster, host: Host, life: Life) -> None:
    """What a node shows of how far others are behind is never less than the truth."""
    own, sequence = life.replica.own, life.replica.vectors.sequence
    for member in life.replica.members.members.values():
        other = cluster.hosts[member.origin].life
        if other is None or other.replica.me.incarnation != member.incarnation:
            continue
        inbox = other.replica.vectors.inboxes.get(own)
        applied = inbox.applied.reached if inbox is not None else 0
        shown = sequence - member.progress(own).applied
        assert shown >= sequence - applied, (
            f"{host.name} shows {shown} for {member.name}, which has applied {applied}"
        )
