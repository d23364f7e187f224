"""Faults of the protocol that simulated runs, or thinking, brought to light; each mended since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isinglass.node.shelf import table_state
from isinglass.store.records import NEVER, stored_value
from isinglass.wire.bodies import REPAIR, parse, repairs_of
from simulator import checks
from simulator.cluster import Cluster
from simulator.conftest import MakeCluster
from simulator.host import Host
from simulator.life import Life
from simulator.world import MILLISECOND, SECOND

VALUE = b"\x81\xa1n\x01"


def life_of(host: Host) -> Life:
    """Return the running daemon of a host."""
    assert host.life is not None
    return host.life


def pass_time(cluster: Cluster, seconds: float) -> None:
    """Let virtual time pass."""
    cluster.world.run_until(cluster.world.now + int(seconds * SECOND))


def sends_nothing(*, full: bool = False) -> None:
    """In place of what sends the own updates."""


def test_a_repair_from_a_dropped_table_brings_the_drop(make_cluster: MakeCluster) -> None:
    """Who hears only that a record is no more has not the drop, which may get lost."""
    cluster = make_cluster()
    alder, _, cedar = cluster.hosts.values()
    _, _, number = life_of(alder).put("spare", b"k", VALUE)
    pass_time(cluster, 0.5)
    sent = []
    cluster.network.partition({3}, {1, 2})
    life_of(cedar).drop_table("spare")
    life_of(cedar).unicast = lambda *body: sent.append(body)  # type: ignore[method-assign]
    stream = life_of(alder).replica.own
    life_of(cedar).replica.repairs.serve(2, stream, [number, number], cluster.world.now)
    ((_, _, body),) = sent
    (repair,) = repairs_of(parse(REPAIR, body))
    assert (repair.table, repair.key) == ("spare", b"")
    assert table_state("spare", repair.record).floor > NEVER


def test_a_node_stamps_above_what_a_copy_brought(make_cluster: MakeCluster) -> None:
    """Else a write through a node whose clock is behind is older than what it replaces."""
    cluster = make_cluster(skew=0)
    alder, birch, cedar = cluster.hosts.values()
    alder.skew = 60 * SECOND
    life_of(alder).put("plain", b"k", VALUE)
    pass_time(cluster, 0.03)
    alder.crash()
    birch.wipe()
    birch.start()
    pass_time(cluster, 4)
    record, _, _ = life_of(birch).put("plain", b"k", VALUE)
    pass_time(cluster, 0.5)
    assert cedar.current("plain", b"k") == record


def test_what_lies_above_a_gap_that_nobody_can_close_reaches_all(make_cluster: MakeCluster) -> None:
    """The first of two updates is lost with its node; only birch has the second."""
    cluster = make_cluster()
    alder, birch, cedar = cluster.hosts.values()
    alder.stalled_until = cluster.world.now + 10 * SECOND
    cluster.network.partition({1}, {2, 3})
    life_of(alder).put("plain", b"first", VALUE)
    pass_time(cluster, 0.02)
    cluster.network.cut.discard((1, 2))
    life_of(alder).put("plain", b"second", VALUE)
    pass_time(cluster, 0.02)
    alder.crash()
    cluster.network.heal()
    alder.stalled_until = 0
    alder.start()
    pass_time(cluster, 6)
    assert alder.current("plain", b"first") is None
    assert alder.current("plain", b"second") == birch.current("plain", b"second") is not None
    assert cedar.current("plain", b"second") == birch.current("plain", b"second")


def test_an_add_above_a_gap_reaches_all_also_when_others_have_added_since(
    make_cluster: MakeCluster,
) -> None:
    """Birch alone has it; by the time the gap is given up the record's version is cedar's."""
    cluster = make_cluster()
    alder, birch, cedar = cluster.hosts.values()
    alder.stalled_until = cluster.world.now + 10 * SECOND
    cluster.network.partition({1}, {2, 3})
    life_of(alder).put("plain", b"first", VALUE)
    pass_time(cluster, 0.02)
    cluster.network.cut.discard((1, 2))
    life_of(alder).add("counts", b"k", "n", 5)
    while birch.store.stored("counts", b"k") is None:
        pass_time(cluster, 0.001)
    for host in cluster.hosts.values():
        host.crash()
        host.stalled_until = 0
    cluster.network.heal()
    for host in cluster.hosts.values():
        host.start()
    pass_time(cluster, 0.2)
    life_of(cedar).add("counts", b"k", "n", 1)
    pass_time(cluster, 8)
    assert not checks.differences(cluster)
    record = cedar.current("counts", b"k")
    assert record is not None and stored_value(record) == {"n": 6}


def test_what_a_copy_brought_beyond_its_vector_reaches_all(make_cluster: MakeCluster) -> None:
    """Its source loses it with its power; the new node alone has it, and no number tells of it."""
    cluster = make_cluster(durability="none")
    alder, birch, cedar = cluster.hosts.values()
    pass_time(cluster, 3)
    cedar.wipe()
    cluster.network.partition({2}, {1, 3})
    cedar.start()
    while not life_of(cedar).replica.healing.copying:
        pass_time(cluster, 0.001)
    life_of(alder).put("plain", b"beyond", VALUE)
    while cedar.store.stored("plain", b"beyond") is None:
        pass_time(cluster, 0.001)
    alder.power_failure()
    assert alder.store.stored("plain", b"beyond") is None
    cluster.network.heal()
    alder.start()
    pass_time(cluster, 10)
    assert not checks.differences(cluster)
    assert birch.current("plain", b"beyond") is not None


def test_who_cannot_repair_says_so_in_a_body_that_passes(make_cluster: MakeCluster) -> None:
    """A node without a journal of a stream refuses, and is not asked for it again."""
    cluster = make_cluster()
    _, birch, cedar = cluster.hosts.values()
    stream = life_of(birch).replica.own
    life_of(cedar).replica.journal.drop(stream)
    life_of(cedar).replica.repairs.serve(1, stream, [9, 12], cluster.world.now)
    pass_time(cluster, 0.05)
    member = life_of(cluster.hosts[1]).replica.members.members[3]
    assert member.progress(stream).floor > 12


def test_a_late_answer_brings_back_nothing(make_cluster: MakeCluster) -> None:
    """The answer to a forwarded write comes when its record is deleted and forgotten already."""
    cluster = make_cluster(durability="commit")
    alder, birch, _ = cluster.hosts.values()
    key = next(
        b"%d" % n
        for n in range(100)
        if life_of(alder).replica.primary.primary_of("immediate", b"%d" % n) == 2
    )
    life, done = life_of(alder), []
    answers: list[tuple[Callable[[Any], None], Any]] = []
    call = life.call

    def late(origin: int, request: list[Any], done: Callable[[Any], None]) -> None:
        call(origin, request, lambda answer: answers.append((done, answer)))

    life.call = late  # type: ignore[method-assign]
    life.replica.primary.limits.limit_ns = 20 * SECOND
    life.write("immediate", key, VALUE, 0, lambda *told: done.append(told))
    pass_time(cluster, 0.2)
    life_of(birch).put("immediate", key, None)
    pass_time(cluster, 6)
    assert alder.current("immediate", key) is None
    for finish, answer in answers:
        finish(answer)
    pass_time(cluster, 0.5)
    assert done and alder.current("immediate", key) is None


def test_a_stopped_node_is_no_primary_when_it_goes_on(make_cluster: MakeCluster) -> None:
    """Others have chosen new primaries meanwhile: it says nothing before it has heard them."""
    cluster = make_cluster()
    alder, birch, _ = cluster.hosts.values()
    replica = life_of(birch).replica
    key = next(
        b"%d" % n for n in range(100) if replica.primary.primary_of("immediate", b"%d" % n) == 2
    )
    life_of(birch).write("immediate", key, b"\x81\xa1n\x01", 2, lambda *told: None)
    pass_time(cluster, 0.3)
    birch.stopped_until = cluster.world.now + 900 * MILLISECOND
    pass_time(cluster, 0.7)
    cluster.network.partition({1, 3}, {2}, both=False)
    life_of(alder).write("immediate", key, b"\x81\xa1n\x02", 2, lambda *told: None)
    cluster.world.run_until(birch.stopped_until)
    told = []
    life_of(birch).read("immediate", key, lambda *answer: told.append(answer))
    cluster.network.heal()
    pass_time(cluster, 2)
    record, receipt = told[0]
    assert record[-1] == 2 or not receipt.primary


def test_a_new_node_needs_nothing_of_what_all_others_have_let_go(make_cluster: MakeCluster) -> None:
    """It heard of an ended stream just before the others let it go; the copy has all of it."""
    cluster = make_cluster()
    alder, _, cedar = cluster.hosts.values()
    stream = life_of(alder).replica.own
    cedar.wipe()
    cedar.start()
    alder.crash()
    alder.start()
    pass_time(cluster, 4)
    assert life_of(alder).replica.vectors.let_go_through[1] == stream[1]
    cedar.wipe()
    cedar.start()
    inbox = life_of(cedar).replica.vectors.inbox(stream)
    assert inbox is not None
    inbox.known_last = 4
    pass_time(cluster, 6)
    assert not checks.differences(cluster)


def test_the_horizon_moves_on_after_a_restart(make_cluster: MakeCluster) -> None:
    """Nobody waits for reports of a stream that its readers report no longer."""
    cluster = make_cluster()
    alder, birch, _ = cluster.hosts.values()
    life_of(alder).put("plain", b"k", VALUE)
    pass_time(cluster, 0.5)
    alder.crash()
    alder.start()
    pass_time(cluster, 1)
    life_of(birch).put("plain", b"k", None)
    pass_time(cluster, 5)
    assert not checks.deletions_left(cluster)


def test_a_power_failure_brings_nothing_deleted_back(make_cluster: MakeCluster) -> None:
    """What a node has not flushed it does not count as passed, so the others keep the deletion."""
    cluster = make_cluster(durability="none")
    alder, birch, cedar = cluster.hosts.values()
    life_of(alder).put("plain", b"k", VALUE)
    pass_time(cluster, 6)
    for host in (alder, birch):
        host.durability = "commit"
    cedar.store.flush = lambda: None  # type: ignore[method-assign]
    life_of(cedar).replica.flushed = lambda kept: None  # type: ignore[method-assign]
    life_of(alder).put("plain", b"k", None)
    pass_time(cluster, 4)
    assert len(checks.deletions_left(cluster)) == 3
    del cedar.store.flush
    cedar.power_failure()
    assert cedar.current("plain", b"k") is not None
    cedar.start()
    pass_time(cluster, 10)
    assert not checks.differences(cluster) and not checks.deletions_left(cluster)
    assert cedar.current("plain", b"k") is None


def test_a_node_that_was_taken_out_joins_anew(make_cluster: MakeCluster) -> None:
    """What it still has is older than deletions that nobody keeps for it any more."""
    cluster = make_cluster(4)
    alder, birch, _, doum = cluster.hosts.values()
    life_of(alder).put("plain", b"k", VALUE)
    pass_time(cluster, 0.5)
    doum.crash()
    pass_time(cluster, 0.5)
    life_of(alder).put("plain", b"k", None)
    life_of(birch).replica.forget(doum.origin)
    pass_time(cluster, 4)
    assert not [left for left in checks.deletions_left(cluster) if "doum" not in left]
    doum.start()
    pass_time(cluster, 8)
    assert not checks.differences(cluster)
    assert alder.current("plain", b"k") is None
    assert life_of(doum).replica.roster.joined == life_of(doum).replica.me.incarnation
    assert all(len(life_of(h).replica.members.members) == 3 for h in cluster.hosts.values())


def test_a_wiped_node_whose_clock_was_set_back_is_heard_again(make_cluster: MakeCluster) -> None:
    """Others listen to no life before one that they know: it takes a greater number."""
    cluster = make_cluster()
    cedar = cluster.hosts[3]
    cedar.wipe()
    cedar.skew = -100 * SECOND
    cedar.start()
    pass_time(cluster, 8)
    assert not checks.differences(cluster)


def test_gaps_that_only_a_lost_node_could_close_are_not_waited_for(
    make_cluster: MakeCluster,
) -> None:
    """Alder sends what it then loses; cedar alone knows that it existed."""
    cluster = make_cluster()
    alder, _, cedar = cluster.hosts.values()
    alder.stalled_until = cluster.world.now + 10 * SECOND
    life_of(alder).replica.publishing.flush = sends_nothing  # type: ignore[method-assign]
    life_of(alder).replica.repairs.serve = lambda *_: None  # type: ignore[method-assign]
    life_of(alder).put("plain", b"k", VALUE)
    pass_time(cluster, 0.25)
    stream = life_of(alder).replica.own
    assert life_of(cedar).replica.vectors.inboxes[stream].missing == 1
    alder.crash()
    alder.stalled_until = 0
    alder.start()
    pass_time(cluster, 6)
    assert not checks.differences(cluster)
