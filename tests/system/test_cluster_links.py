"""What may happen to a cable: it is cut at either end, deaf on one way, too narrow, or bad."""

from __future__ import annotations

import pytest

from cluster_load import Writer, assert_nothing_lost, wait_for_writes, writing
from hosts import cluster
from waiting import wait_until

pytestmark = [pytest.mark.hosts, pytest.mark.slow]


@pytest.mark.parametrize("here", [True, False], ids=["at the host", "at the switch"])
def test_a_node_whose_link_is_down_goes_on_alone_and_comes_back(
    here: bool, data_dir: object
) -> None:
    with cluster() as nodes:
        alder, cedar = nodes["alder"], nodes["cedar"]
        writers = [Writer("alder"), Writer("cedar"), Writer("cedar", consistency="immediate")]
        with writing(nodes, *writers):
            with nodes.hosts["cedar"].link_down(here=here):
                wait_until(lambda: alder.sees("cedar") == "down", "alder does not hear cedar")
                wait_until(lambda: cedar.number("cluster", "up") == 1, "cedar hears nobody")
                wait_for_writes(writers, 100)
                assert alder.number("peer", "lag_network", "cedar") >= 100
                assert cedar.number("peer", "lag_updates", "alder") >= 100
                assert cedar.number("cluster", "members") == 5
                assert cedar.number("primary", "share") == 1
                failures = cedar.number("network", "send_failures")
                assert failures > 0 if here else failures == 0
            wait_for_writes(writers, 50)
        nodes.settle()
        assert_nothing_lost(nodes, writers)
        assert cedar.number("peer", "restarts", "alder") == 0
        assert cedar.number("cluster", "repaired") >= 100
        assert cedar.number("stream", "lost_network", "alder") > 0
        assert cedar.number("stream", "lost_socket", "alder") == 0


def test_a_node_that_hears_nothing_but_is_heard_is_not_receiving(data_dir: object) -> None:
    with cluster(lossy=True) as nodes:
        alder, cedar = nodes["alder"], nodes["cedar"]
        wire = nodes.hosts["cedar"].wire
        assert wire is not None
        writers = [Writer("alder", 0.01), Writer("cedar", 0.01)]
        with writing(nodes, *writers):
            wire.back.loss = 1.0
            wait_until(lambda: cedar.number("cluster", "up") == 1, "cedar hears nobody")
            wait_until(
                lambda: alder.number("peer", "receiving", "cedar") == 0, "cedar does not receive"
            )
            assert alder.sees("cedar") == "up"
            assert alder.number("peer", "heard", "cedar") == 1
            wait_for_writes(writers, 50)
            assert alder.number("peer", "lag_network", "cedar") >= 50
            wire.back.loss = 0.0
            wait_until(
                lambda: alder.number("peer", "receiving", "cedar") == 1, "cedar receives again"
            )
            wait_for_writes(writers, 20)
        nodes.settle()
        assert_nothing_lost(nodes, writers)


def test_lost_doubled_and_overtaken_datagrams_are_repaired_and_counted(data_dir: object) -> None:
    with cluster(lossy=True) as nodes:
        alder = nodes["alder"]
        writers = [Writer("alder"), Writer("birch", ack="majority"),
                   Writer("cedar", consistency="immediate")]  # fmt: skip
        for host in nodes.hosts.values():
            assert host.wire is not None
            for rule in (host.wire.out, host.wire.back):
                rule.loss, rule.doubled, rule.overtaken = 0.03, 0.02, 0.1
        with writing(nodes, *writers):
            wait_for_writes(writers, 500)
        nodes.settle()
        assert_nothing_lost(nodes, writers)
        for other in ("birch", "cedar"):
            assert alder.number("stream", "gaps", other) > 0
            assert alder.number("stream", "lost_network", other) > 0
            assert alder.number("stream", "lost_socket", other) == 0
        assert alder.number("network", "replayed") > 0
        assert alder.number("network", "socket_drops") == 0
        assert alder.number("network", "malformed") == 0
        assert sum(daemon.number("cluster", "repaired") for daemon in nodes) > 0


def test_a_narrow_link_holds_a_node_back_and_nobody_else(data_dir: object) -> None:
    with cluster() as nodes:
        alder, cedar, elm = nodes["alder"], nodes["cedar"], nodes["elm"]
        writers = [Writer("alder", 0.001), Writer("elm", 0.001)]
        with writing(nodes, *writers):
            # Heartbeats alone are 100 kbit; on a busy machine the writers hardly make 200 more.
            with nodes.hosts["cedar"].narrow("250kbit"):
                wait_until(
                    lambda: alder.number("peer", "lag_network", "cedar") > 300, "cedar falls behind"
                )
                wait_for_writes(writers, 300)
                assert elm.number("peer", "lag_updates", "alder") < 200
            wait_until(
                lambda: alder.number("peer", "lag_network", "cedar") < 100, "cedar catches up"
            )
        nodes.settle()
        assert_nothing_lost(nodes, writers)
        assert cedar.number("stream", "lost_network", "alder") > 0
        assert cedar.number("stream", "lost_socket", "alder") == 0


def test_what_an_own_full_buffer_drops_is_not_called_a_loss_of_the_network(
    data_dir: object,
) -> None:
    with cluster(own={"elm": {"receive_buffer_bytes": "16 KiB"}}) as nodes:
        alder, elm = nodes["alder"], nodes["elm"]
        writers = [Writer("alder", 0.001), Writer("birch", 0.001)]
        with writing(nodes, *writers):
            for _ in range(3):
                with elm.stopped():
                    wait_for_writes(writers, 100)
                wait_until(
                    lambda: alder.number("peer", "lag_updates", "elm") < 100, "elm catches up"
                )
        nodes.settle()
        assert_nothing_lost(nodes, writers)
        wait_until(lambda: elm.number("stream", "lost_socket", "alder") > 0, "elm counts it")
        assert elm.number("network", "socket_drops") > 0
        assert elm.number("network", "buffer") < 64 * 1024
        lost_here = sum(elm.number("stream", "lost_socket", name) for name in ("alder", "birch"))
        lost_there = sum(elm.number("stream", "lost_network", name) for name in ("alder", "birch"))
        assert lost_there <= lost_here / 10
        assert alder.number("network", "socket_drops") == 0
