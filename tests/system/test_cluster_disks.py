"""One node of a cluster whose disk is full, or does not answer, while all write on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

import isinglass
from cluster_load import Writer, assert_nothing_lost, wait_for_writes, writing
from held import frozen, loop_disk, small_disk
from hosts import HostDaemon, cluster
from isinglass import errors
from waiting import wait_until

pytestmark = [pytest.mark.hosts, pytest.mark.slow]
FILLER = {"filler": "x" * 2000, "n": 0}


def test_a_node_whose_disk_is_full_refuses_writes_and_the_others_go_on(data_dir: Path) -> None:
    with (
        small_disk(data_dir / "small", "48m") as disk,
        cluster(own={"elm": {"data_dir": disk}}) as nodes,
    ):
        alder, elm, ballast = nodes["alder"], nodes["elm"], disk / "ballast"
        writers = [Writer("alder"), Writer("birch", consistency="immediate")]
        at_elm = Writer("elm", ack="one")
        with writing(nodes, *writers, at_elm):
            ballast.write_bytes(bytes(42 << 20))
            with isinglass.connect("alder") as client:
                for number in range(4000):
                    client.put("t", f"large/{number}", FILLER)
            wait_until(lambda: "no room" in elm.word("daemon", "trouble"), "elm's disk is full")
            wait_until(
                lambda: isinstance(at_elm.last_error, errors.DiskFull), "elm's clients are told"
            )
            wait_until(lambda: alder.number("peer", "applying", "elm") == 0, "elm applies nothing")
            wait_until(lambda: alder.sees("elm") == "up", "elm is heard all the same")
            assert alder.number("peer", "receiving", "elm") == 1
            wait_for_writes(writers, 100)
            ballast.unlink()
            wait_for_writes([*writers, at_elm], 50)
        nodes.settle()
        assert_nothing_lost(nodes, [*writers, at_elm])
        assert elm.word("daemon", "trouble") == ""
        assert alder.number("peer", "applying", "elm") == 1


def _is_limited_by_elm(node: HostDaemon) -> bool:
    return node.word("flow", "limiter") == "elm"


def _lets_writers_wait(node: HostDaemon) -> bool:
    return node.number("flow", "throttled") > 0


def test_a_slow_node_holds_all_writers_to_its_pace_and_is_named(data_dir: Path) -> None:
    slow = {"queue_limit_entries": 400, "gather_seconds": 0.5}
    with cluster(own={"elm": slow}) as nodes:
        alder, elm = nodes["alder"], nodes["elm"]
        writers = [Writer("alder", 0.0001), Writer("birch", 0.0001)]
        with writing(nodes, *writers):
            for node in (alder, nodes["birch"]):
                wait_until(partial(_is_limited_by_elm, node), "elm is the limit")
                wait_until(partial(_lets_writers_wait, node), "writers wait")
            wait_until(
                lambda: alder.number("peer", "backlog", "elm") > 0.1, "elm's backlog is shown"
            )
            wait_for_writes(writers, 300)
        nodes.settle()
        assert_nothing_lost(nodes, writers)
        assert elm.number("queue", "length_max") <= 400


def test_a_node_whose_disk_does_not_answer_holds_nobody_up_for_long(data_dir: Path) -> None:
    """A frozen disk stops the whole daemon: LMDB's table of readers is a mapped file on that disk.

    So the others see a node that is down, and its segment, which is on no disk, says where it
    stands.
    """
    with loop_disk(data_dir / "loop") as disk, cluster(own={"elm": {"data_dir": disk}}) as nodes:
        alder, elm = nodes["alder"], nodes["elm"]
        writers = [Writer("alder"), Writer("birch", consistency="immediate")]
        at_elm = Writer("elm", ack="one")
        with writing(nodes, *writers, at_elm):
            with frozen(disk):
                wait_until(lambda: alder.sees("elm") == "down", "elm is down")
                assert alder.number("cluster", "up") == 4
                wait_until(lambda: elm.owner.verdict == "stalled", "elm stands still")
                (site,) = [t.site for t in elm.owner.threads if t.name == "applier"]
                assert site and site.label == "committing"
                wait_for_writes(writers, 100)
                assert alder.word("flow", "limiter") != "elm"
                assert alder.number("peer", "lag_updates", "elm") >= 100
            wait_for_writes([*writers, at_elm], 50)
        nodes.settle()
        assert_nothing_lost(nodes, [*writers, at_elm])
        assert alder.number("peer", "restarts", "elm") == 0
        assert alder.number("peer", "applying", "elm") == 1
