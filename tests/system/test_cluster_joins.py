"""Who may be a member of a cluster, how one becomes it under load, and who is told no."""

from __future__ import annotations

import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from cluster_load import Writer, assert_nothing_lost, wait_for_writes, writing
from hosts import HostDaemon, cluster
from isinglass.wire import cluster_key
from waiting import LIMIT_SECONDS, wait_until

pytestmark = [pytest.mark.hosts, pytest.mark.slow]


def test_a_new_node_and_one_that_lost_its_disk_join_while_writers_go_on(data_dir: Path) -> None:
    with cluster(4) as nodes:
        alder, cedar = nodes["alder"], nodes["cedar"]
        writers = [Writer("alder"), Writer("birch", consistency="immediate", ack="one")]
        with writing(nodes, *writers):
            wait_for_writes(writers, 300)
            nodes.add("elm")
            elm = nodes["elm"]
            assert alder.number("cluster", "members") == 5
            assert elm.number("cluster", "copied") >= 300
            assert elm.word("cluster", "heal_source") in nodes.daemons

            life = alder.number("peer", "incarnation", "cedar")
            cedar.kill()
            shutil.rmtree(cedar.store)
            wait_for_writes(writers, 100)
            nodes.start("cedar")
            assert cedar.number("cluster", "heals") == 1
            assert cedar.number("cluster", "copied") >= 400
            assert alder.number("peer", "incarnation", "cedar") > life
            wait_for_writes(writers, 50)
        nodes.settle()
        assert_nothing_lost(nodes, writers)
        assert alder.number("cluster", "members") == 5
        assert [writer.refused for writer in writers] == [0, 0]


def refused(daemon: HostDaemon) -> str:
    """Start a daemon that must end by itself; return its last words, with its exit code."""
    daemon.launch()
    try:
        _, words = daemon.process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired as error:
        shown = daemon.snapshot().owner
        daemon.kill()
        assert shown is not None
        figures = {f.name: f.value for p in shown.panels if p.name == "network" for f in p.fields}
        events = [event.message for event in shown.events]
        raise AssertionError(f"it goes on: {figures} {events}") from error
    assert "Traceback" not in words
    return f"{daemon.process.returncode}: {words}"


def test_a_second_node_of_one_name_is_told_so_and_the_first_one_stays(
    data_dir: Path, tmp_path: Path
) -> None:
    with cluster(2) as nodes:
        folders = {"data_dir": tmp_path / "other", "runtime_dir": tmp_path / "run"}
        words = refused(nodes.daemon("birch", "cedar", **folders))
        assert words.startswith("1: ")
        assert "another node has this node's name, birch" in words
        number = int(nodes["birch"].number("cluster", "origin"))
        assert nodes["birch"].number("network", "duplicate_node") > 0
        words = refused(nodes.daemon("damson", origin_number=number))
        assert words.startswith("1: ")
        assert f"or its number, {number}" in words
        nodes.settle()
        assert nodes["alder"].tells(f"two nodes of the cluster demo have the number {number}")


def test_a_node_with_another_key_or_cluster_is_told_why_it_is_alone(
    data_dir: Path, tmp_path: Path
) -> None:
    other_key = tmp_path / "other.key"
    cluster_key.create(other_key)
    with cluster(2) as nodes:
        alder = nodes["alder"]
        words = refused(nodes.daemon("cedar", cluster_key_file=other_key))
        assert words.startswith("1: ")
        assert "was not given this cluster's key" in words
        wait_until(lambda: alder.tells("was not given this cluster's key"), "alder tells it, too")
        assert alder.number("network", "bad_tag") > 0

        another = nodes.daemon("damson", cluster="another")
        another.start()
        for node in (alder, another):
            wait_until(partial(node.tells, "does not belong to the cluster"), "both tell it")
            assert node.number("network", "wrong_cluster") > 0
        wait_until(lambda: another.live, "it is a cluster of its own")
        assert another.stop() == 0
        words = refused(nodes.daemon("damson"))
        assert words.startswith("1: ")
        assert "belongs to the cluster another, not to demo" in words
        assert alder.number("cluster", "members") == 2
        nodes.settle()
