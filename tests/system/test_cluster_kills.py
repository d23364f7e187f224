"""Daemons of a cluster that are killed, stopped, restarted and told to end, under load."""

from __future__ import annotations

import os
import signal

import pytest

from cluster_load import Writer, assert_nothing_lost, wait_for_writes, writing
from hosts import cluster
from waiting import wait_until

pytestmark = [pytest.mark.hosts, pytest.mark.slow]


def test_a_killed_node_comes_back_and_repairs_what_it_missed(data_dir: object) -> None:
    with cluster() as nodes:
        alder, cedar = nodes["alder"], nodes["cedar"]
        others = [Writer("alder"), Writer("elm", consistency="immediate", ack="one")]
        at_cedar = [Writer("cedar", durability="commit"), Writer("cedar", ack="majority")]
        with writing(nodes, *others, *at_cedar) as writers:
            first_life = alder.number("peer", "incarnation", "cedar")
            cedar.kill()
            wait_until(lambda: alder.sees("cedar") == "down", "alder sees cedar down")
            assert alder.number("peer", "heard", "cedar") == 0
            assert alder.number("cluster", "up") == 4
            assert alder.number("cluster", "members") == 5
            wait_for_writes(others, 200)
            assert alder.number("peer", "lag_updates", "cedar") >= 200
            assert alder.number("peer", "lag_seconds", "cedar") > 0.5
            nodes.start("cedar")
            wait_for_writes(writers, 50)
        nodes.settle()
        assert_nothing_lost(nodes, writers)
        assert alder.number("peer", "restarts", "cedar") == 1
        assert alder.number("peer", "incarnation", "cedar") != first_life
        assert cedar.number("cluster", "repaired") >= 200
        assert cedar.number("cluster", "heals") == 0
        assert cedar.number("stream", "lost_network", "alder") == 0


def test_a_node_that_was_away_for_longer_than_the_journals_is_healed(data_dir: object) -> None:
    with cluster(journal_limit=1000) as nodes:
        alder, cedar = nodes["alder"], nodes["cedar"]
        others = [Writer("alder", 0.0005), Writer("elm", 0.0005)]
        with writing(nodes, *others, Writer("cedar", ack="one")) as writers:
            joins = alder.number("cluster", "heals")
            cedar.kill()
            wait_for_writes(others, 1500)
            nodes.start("cedar")
            wait_for_writes(writers, 50)
        nodes.settle()
        assert_nothing_lost(nodes, writers)
        assert cedar.number("cluster", "heals") >= 1
        assert cedar.number("cluster", "divergent") > 0
        assert cedar.number("cluster", "copied") > 1000
        assert cedar.number("cluster", "heal_progress") == 1
        assert alder.number("cluster", "heals") == joins


def test_a_stopped_node_is_down_for_the_others_and_catches_up(data_dir: object) -> None:
    with cluster() as nodes:
        alder, birch = nodes["alder"], nodes["birch"]
        going_on = [Writer("alder"), Writer("elm", consistency="immediate", ack="one")]
        with writing(nodes, *going_on, Writer("birch")) as writers:
            with birch.stopped():
                wait_until(lambda: alder.sees("birch") == "suspected", "birch is suspected")
                wait_until(lambda: alder.sees("birch") == "down", "birch is down")
                wait_for_writes(going_on, 100)
                assert alder.number("peer", "lag_network", "birch") >= 100
                assert alder.number("peer", "lag_seconds", "birch") > 0.5
                wait_until(
                    lambda: birch.owner.verdict == "stalled",
                    "birch is seen to stand still",
                )
            wait_for_writes(writers, 50)
        nodes.settle()
        assert_nothing_lost(nodes, writers)
        assert alder.number("peer", "restarts", "birch") == 0
        assert alder.number("peer", "lag_seconds", "birch") == 0


def test_a_node_that_is_told_to_end_has_left_and_lost_nothing(data_dir: object) -> None:
    with cluster() as nodes:
        alder, damson = nodes["alder"], nodes["damson"]
        with writing(nodes, Writer("alder"), Writer("damson")) as writers:
            os.kill(damson.pid, signal.SIGTERM)
            wait_until(lambda: alder.sees("damson") == "left", "damson has left")
            assert damson.gone() == 0
            assert alder.number("cluster", "up") == 4
            wait_for_writes(writers[:1], 50)
            nodes.start("damson")
            wait_for_writes(writers, 50)
        nodes.settle()
        assert_nothing_lost(nodes, writers)
        assert alder.number("peer", "restarts", "damson") == 1
        assert alder.tells("damson has left")
        assert not alder.tells("damson is not heard")
