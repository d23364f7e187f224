"""Faults of the protocol, mended since, that take a kill, a lost disk or a power failure."""

from __future__ import annotations

import pytest

from isinglass.node import repairs
from isinglass.node.primary import Receipt
from isinglass.store.records import FLAGS
from isinglass.wire.bodies import REPAIR, UPDATES
from isinglass.wire.primary_calls import ACK_PRIMARY
from isinglass.wire.reports import JOINING
from isinglass.wire.streams import StreamId
from simulator import checks, life
from simulator.cluster import Cluster
from simulator.conftest import MakeCluster
from simulator.faults import forget_everywhere
from simulator.host import Host
from simulator.test_mended import VALUE, life_of, pass_time, sends_nothing
from simulator.world import MILLISECOND, SECOND


def wait_for_vector(cluster: Cluster, host: Host) -> str:
    """Let time pass until a host's copy has its vector, and no record; return the source's name."""
    while (copy := life_of(host).replica.healing._copy) is None or not copy.vector:
        pass_time(cluster, 0.001)
    return copy.source.name


@pytest.mark.parametrize("before", [0, 1])
def test_what_a_primary_answered_and_never_sent_reaches_all(
    before: int, make_cluster: MakeCluster
) -> None:
    """Birch has it by the answer alone: the primary is killed before the datagram is full."""
    cluster = make_cluster(skew=0)
    pass_time(cluster, 2)
    alder, birch, _ = cluster.hosts.values()
    primary_of = life_of(birch).replica.primary.primary_of
    key = next(key for n in range(99) if primary_of("plain", key := b"%d" % n) == alder.origin)
    life_of(alder).replica.publishing.flush = sends_nothing  # type: ignore[method-assign]
    for _ in range(before):
        life_of(alder).put("plain", b"answered to nobody", VALUE)
    receipts: list[Receipt] = []
    life_of(birch).write(
        "plain", key, VALUE, ACK_PRIMARY, lambda _, receipt: receipts.append(receipt)
    )
    pass_time(cluster, 0.02)
    assert receipts == [Receipt(alder.origin, True)]
    alder.wipe()
    alder.start()
    pass_time(cluster, 8)
    assert birch.current("plain", key) is not None
    assert not checks.differences(cluster)


def test_a_node_does_not_wait_for_what_only_joining_nodes_have(make_cluster: MakeCluster) -> None:
    """They wait for it to be live: cedar was killed while it joined, birch lost its disk."""
    cluster = make_cluster()
    alder, birch, cedar = cluster.hosts.values()
    cluster.network.partition({1}, {2, 3})
    life_of(birch).put("plain", b"k", VALUE)
    pass_time(cluster, 0.5)
    cedar.wipe()
    cedar.start()
    while life_of(cedar).replica.phase == JOINING:
        pass_time(cluster, 0.001)
    pass_time(cluster, 0.05)
    cedar.crash()
    alder.crash()
    birch.wipe()
    cluster.network.heal()
    for host in (alder, birch, cedar):
        host.start()
    assert life_of(cedar).replica.phase == life_of(birch).replica.phase == JOINING
    pass_time(cluster, 8)
    assert alder.current("plain", b"k") is not None
    assert not checks.differences(cluster)


def test_a_life_that_nobody_living_heard_of_can_be_forgotten(make_cluster: MakeCluster) -> None:
    """Alder heard of a last life of cedar by birch alone, which then lost its disk."""
    cluster = make_cluster()
    alder, birch, cedar = cluster.hosts.values()
    cedar.crash()
    cluster.network.partition({1}, {2, 3})
    cedar.start()
    pass_time(cluster, 4)
    life_of(cedar).put("plain", b"k", VALUE)
    pass_time(cluster, 0.05)
    cedar.crash()
    cedar.removed = True
    life_of(alder).replica.forget(cedar.origin)
    cluster.network.cut.discard((2, 1))
    pass_time(cluster, 0.3)
    birch.wipe()
    cluster.network.heal()
    birch.start()
    pass_time(cluster, 4)
    assert life_of(alder).replica.vectors.strangers() == {cedar.origin}
    forget_everywhere(cluster)
    life_of(alder).put("plain", b"k", None)
    pass_time(cluster, 4)
    assert not checks.differences(cluster)
    assert not checks.deletions_left(cluster)


def test_what_a_copy_brought_beyond_its_vector_survives_a_kill(make_cluster: MakeCluster) -> None:
    """Alder alone has it then, and no number tells of it: its next life must send it again."""
    cluster = make_cluster(skew=0)
    alder, birch, cedar = cluster.hosts.values()
    birch.durability = cedar.durability = "none"
    for host in (birch, cedar):
        host.crash()
        host.start()
    pass_time(cluster, 4)
    alder.wipe()
    cluster.network.cut.add((3, 1))
    alder.start()
    wait_for_vector(cluster, alder)
    alder.stopped_until = cluster.world.now + 50 * MILLISECOND
    for host in (birch, cedar):
        host.store.flush = lambda: None  # type: ignore[method-assign]
    life_of(cedar).put("plain", b"k", VALUE)
    while life_of(alder).replica.phase == JOINING:
        pass_time(cluster, 0.001)
    while alder.store.stored("plain", b"k") is None:
        pass_time(cluster, 0.001)
    alder.crash()
    for host in (birch, cedar):
        host.power_failure()
    cluster.network.heal()
    for host in (birch, cedar):
        host.start()
    pass_time(cluster, 4)
    assert birch.current("plain", b"k") is cedar.current("plain", b"k") is None
    alder.start()
    pass_time(cluster, 8)
    assert birch.current("plain", b"k") is not None
    assert not checks.differences(cluster)


def test_a_node_that_joins_hides_no_deletion_from_one_that_is_away(
    make_cluster: MakeCluster,
) -> None:
    """It keeps less of the others' updates than anybody has for a while."""
    cluster = make_cluster(2)
    alder, birch = cluster.hosts.values()
    for number in range(200):
        if number == 100:
            pass_time(cluster, 1)
            birch.crash()
            life_of(alder).put("plain", b"1", None)
        life_of(alder).put("plain", b"%d" % number, VALUE)
        pass_time(cluster, 0.01)
    birch.start()
    for kind in (UPDATES, REPAIR):
        life_of(birch).replica._receivers[kind] = lambda _: None
    cluster.add("cedar").start()
    for _ in range(60):
        for host in (alder, birch):
            life_of(host).put("plain", host.name.encode(), VALUE)
        pass_time(cluster, 0.1)
    assert alder.current("plain", b"1") is not None
    for kind in (UPDATES, REPAIR):
        life_of(birch).replica._receivers[kind] = life_of(birch).replica._table()[kind]
    pass_time(cluster, 6)
    assert not checks.differences(cluster)
    assert not checks.deletions_left(cluster)
    assert birch.current("plain", b"1") is None


def test_what_a_node_that_is_out_deleted_is_not_forgotten_before_all_have_it(
    make_cluster: MakeCluster,
) -> None:
    """What the others say of their horizons is about their own updates, and was said before."""
    cluster = make_cluster()
    alder, birch, cedar = cluster.hosts.values()
    life_of(alder).put("plain", b"k", VALUE)
    pass_time(cluster, 1)
    for kind in (UPDATES, REPAIR):
        life_of(birch).replica._receivers[kind] = lambda _: None
    life_of(alder).put("plain", b"k", None)
    for number in range(10):
        life_of(birch).put("plain", b"%d" % number, VALUE)
        pass_time(cluster, 0.1)
    alder.crash()
    alder.removed = True
    for _ in range(40):
        forget_everywhere(cluster)
        pass_time(cluster, 0.1)
        lacks = birch.current("plain", b"k")
        assert cedar.current("plain", b"k") is not None or lacks is None or lacks[FLAGS]
    for kind in (UPDATES, REPAIR):
        life_of(birch).replica._receivers[kind] = life_of(birch).replica._table()[kind]
    pass_time(cluster, 6)
    assert not checks.differences(cluster)
    assert not checks.deletions_left(cluster)


def test_the_horizon_waits_for_what_a_killed_node_has_above_a_gap(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of two updates is lost; birch, restarted, knows only that it may have more."""
    monkeypatch.setattr(repairs, "ORPHANED_NS", 4 * SECOND)
    cluster = make_cluster()
    alder, birch, cedar = cluster.hosts.values()
    cedar.store.flush = lambda: None  # type: ignore[method-assign]
    cedar.durability = "none"
    cluster.network.cut |= {(3, 1), (3, 2), (2, 3)}
    life_of(cedar).put("plain", b"first", VALUE)
    pass_time(cluster, 0.02)
    cluster.network.cut.discard((3, 2))
    life_of(cedar).put("plain", b"second", VALUE)
    pass_time(cluster, 0.05)
    assert birch.store.stored("plain", b"second") is not None
    birch.crash()
    cedar.power_failure()
    del cedar.store.flush
    cluster.network.heal()
    birch.start()
    cedar.start()
    for _ in range(6):
        for host in cluster.hosts.values():
            life_of(host).put("plain", host.name.encode(), VALUE)
            pass_time(cluster, 0.5)
    assert not checks.differences(cluster)
    assert alder.current("plain", b"second") is not None


def test_a_copy_is_of_one_life_of_its_source(make_cluster: MakeCluster) -> None:
    """What the vector counts the next life may have lost, as when the power was cut."""
    cluster = make_cluster()
    alder, birch, cedar = cluster.hosts.values()
    birch.durability = "none"
    birch.crash()
    birch.start()
    pass_time(cluster, 4)
    birch.store.flush = lambda: None  # type: ignore[method-assign]
    life_of(alder).put("plain", b"k", VALUE)
    pass_time(cluster, 0.5)
    cedar.wipe()
    cedar.start()
    assert wait_for_vector(cluster, cedar) == "birch"
    cedar.stopped_until = cluster.world.now + 50 * MILLISECOND
    birch.power_failure()
    del birch.store.flush
    birch.start()
    assert birch.current("plain", b"k") is None
    pass_time(cluster, 8)
    assert not checks.differences(cluster)
    assert cedar.current("plain", b"k") is not None


def test_what_a_repair_brought_beyond_its_number_reaches_all(make_cluster: MakeCluster) -> None:
    """Cedar repairs alder's update with the record as it is now, which only cedar has changed."""
    cluster = make_cluster(skew=0)
    pass_time(cluster, 2)
    alder, birch, cedar = cluster.hosts.values()
    own = life_of(cedar).replica.own
    serve = life_of(cedar).replica.repairs.serve
    life_of(cedar).replica.publishing.flush = sends_nothing  # type: ignore[method-assign]

    def serve_others(asker: int, stream: StreamId, edges: list[int], now_ns: int) -> None:
        if stream != own:
            serve(asker, stream, edges, now_ns)

    life_of(cedar).replica.repairs.serve = serve_others  # type: ignore[method-assign]
    cluster.network.partition({1}, {2}, both=False)
    life_of(alder).put("plain", b"k", VALUE)
    pass_time(cluster, 0.02)
    newer, *_ = life_of(cedar).put("plain", b"k", VALUE)
    pass_time(cluster, 1)
    assert birch.current("plain", b"k") == newer
    assert (alder.current("plain", b"k") or b"") < newer
    cluster.network.heal()
    cedar.wipe()
    cedar.start()
    pass_time(cluster, 8)
    assert alder.current("plain", b"k") == newer
    assert not checks.differences(cluster)


def stall_others(cluster: Cluster, host: Host) -> None:
    """Let the disks of all other hosts take nothing for a second."""
    for other in cluster.hosts.values():
        if other is not host:
            other.stalled_until = cluster.world.now + SECOND


def kill_all_once_stored(cluster: Cluster, host: Host, record: bytes) -> None:
    """Kill all daemons once a host's store has a record that no other has; start them again."""
    while host.store.stored("plain", b"k") != record:
        pass_time(cluster, 0.001)
    for other in cluster.hosts.values():
        other.crash()
    assert [h.current("plain", b"k") == record for h in cluster.hosts.values()].count(True) == 1
    for other in cluster.hosts.values():
        other.stalled_until = 0
        other.start()


def test_what_a_killed_node_alone_applied_is_noted_though_more_came_meanwhile(
    make_cluster: MakeCluster,
) -> None:
    """The place where cedar's batch ends was not remembered; all are killed (seed 427689)."""
    cluster = make_cluster()
    alder, _, cedar = cluster.hosts.values()
    cedar.stalled_until = cluster.world.now + 50 * MILLISECOND
    life_of(alder).put("plain", b"in hand", VALUE)
    pass_time(cluster, 0.01)
    life_of(cedar).put("plain", b"applied by all", VALUE)
    pass_time(cluster, 0.02)
    stall_others(cluster, cedar)
    record, *_ = life_of(cedar).put("plain", b"k", VALUE)
    while life_of(cedar).queue.length != 2:
        pass_time(cluster, 0.001)
    pass_time(cluster, 0.001)
    life_of(cedar).put("plain", b"meanwhile", VALUE)
    kill_all_once_stored(cluster, cedar, record)
    pass_time(cluster, 8)
    assert not checks.differences(cluster)


def test_what_was_applied_with_an_older_update_of_its_record_survives_kills(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It merged with one that was in line; what cedar notes is only how far the line is."""
    monkeypatch.setattr(life, "BATCH_LIMIT", 1)
    cluster = make_cluster()
    cedar = cluster.hosts[3]
    cedar.stalled_until = cluster.world.now + 50 * MILLISECOND
    life_of(cedar).put("plain", b"in hand", VALUE)
    pass_time(cluster, 0.01)
    life_of(cedar).put("plain", b"k", VALUE)
    pass_time(cluster, 0.02)
    stall_others(cluster, cedar)
    life_of(cedar).put("plain", b"between", VALUE)
    record, *_ = life_of(cedar).put("plain", b"k", VALUE)
    kill_all_once_stored(cluster, cedar, record)
    pass_time(cluster, 8)
    assert not checks.differences(cluster)


def test_what_a_killed_node_was_about_to_send_again_its_next_life_sends(
    make_cluster: MakeCluster,
) -> None:
    """It had noted that nothing is above the gap any more, and read its store for what to send."""
    cluster = make_cluster()
    alder, birch, cedar = cluster.hosts.values()
    for number in range(20):
        life_of(alder).put("grouped", b"%d" % number, VALUE + b"x" * 20_000)
        pass_time(cluster, 0.1)
    pass_time(cluster, 2)
    cedar.durability = "none"
    cedar.store.flush = lambda: None  # type: ignore[method-assign]
    cluster.network.cut |= {(3, 1), (3, 2), (2, 3)}
    life_of(cedar).put("plain", b"first", VALUE)
    pass_time(cluster, 0.02)
    cluster.network.cut.discard((3, 2))
    life_of(cedar).put("plain", b"second", VALUE)
    pass_time(cluster, 0.05)
    birch.crash()
    cedar.power_failure()
    del cedar.store.flush
    cluster.network.heal()
    birch.start()
    cedar.start()
    adopting = life_of(birch).replica.adopting
    while adopting._reading is None:
        pass_time(cluster, 0.001)
    life_of(birch).put("plain", b"noted with it", VALUE)
    pass_time(cluster, 0.01)
    assert adopting._reading is not None
    assert birch.store.stored("plain", b"noted with it") is not None
    birch.crash()
    birch.start()
    pass_time(cluster, 8)
    assert not checks.differences(cluster)
    assert alder.current("plain", b"second") is not None


def test_a_life_that_begins_too_early_hears_so_from_nodes_that_only_noted_the_later_one(
    make_cluster: MakeCluster,
) -> None:
    """The later one sent nothing but heartbeats: after their restart no stream tells of it."""
    cluster = make_cluster()
    *others, cedar = cluster.hosts.values()
    pass_time(cluster, 2)
    cedar.wipe()
    cedar.skew -= 60 * SECOND
    for host in others:
        host.crash()
    pass_time(cluster, 1)  # until the last of their heartbeats have come, to nobody
    for host in cluster.hosts.values():
        host.start()
    pass_time(cluster, 8)
    assert checks.differences(cluster) == []
