"""Clients of a real cluster on loopback: immediate consistency, receipts, acks, verify, forget."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

import isinglass
from cli.commands import isinglass as command
from cluster_daemons import ClusterDaemons, cluster
from isinglass.errors import UsageError
from waiting import wait_until


@pytest.fixture(scope="module")
def home() -> Iterator[None]:
    """One pair of directories for all tests here, which share a cluster."""
    import tempfile

    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix="isg-", dir=shared) as runtime,
        tempfile.TemporaryDirectory(prefix="isg-") as data,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("ISINGLASS_RUNTIME_DIR", runtime)
        patch.setenv("ISINGLASS_DATA_DIR", data)
        yield


@pytest.fixture(scope="module")
def nodes(home: None) -> Iterator[ClusterDaemons]:
    """Three nodes with a table."""
    with cluster(3) as found:
        with isinglass.connect("alder") as database:
            database.create_table("t", indexes=["n"])
        wait_until(lambda: all(_has_table(name) for name in found.nodes), "the table everywhere")
        yield found


def _has_table(name: str) -> bool:
    with isinglass.connect(name) as database:
        return "t" in database.tables()


def test_an_immediate_write_is_read_at_once_at_every_node(nodes: ClusterDaemons) -> None:
    databases = {name: isinglass.connect(name) for name in nodes.nodes}
    primaries = set()
    for number in range(60):
        writer = databases[sorted(databases)[number % 3]]
        receipt = writer.put("t", f"at once {number}", {"n": number}, consistency="immediate")
        assert receipt.primary
        primaries.add(receipt.node)
        for database in databases.values():
            answer = database.read("t", f"at once {number}")
            assert answer.value == {"n": number}
            assert answer.receipt.primary
            assert answer.receipt.node == receipt.node
    assert primaries == set(nodes.nodes), "each node is the primary of some records"
    for database in databases.values():
        database.close()


def test_the_writer_reads_its_own_immediate_write_from_its_own_store(
    nodes: ClusterDaemons,
) -> None:
    with isinglass.connect("birch", consistency="immediate") as database:
        for number in range(30):
            database.put("t", "own", {"n": number})
            assert database.get("t", "own", consistency="eventual") == {"n": number}


@pytest.mark.parametrize(("ack", "least"), [("primary", 1), ("one", 2), ("majority", 2)])
@pytest.mark.parametrize("consistency", ["eventual", "immediate"])
def test_an_ack_says_how_many_nodes_hold_the_write(
    nodes: ClusterDaemons, ack: str, least: int, consistency: str
) -> None:
    with isinglass.connect("cedar") as database:
        for number in range(20):
            receipt = database.put(
                "t", f"{ack} {consistency} {number}", {"n": 1}, ack=ack, consistency=consistency
            )
            assert receipt.held >= least


def test_immediate_scans_leave_out_what_the_primary_no_longer_has(nodes: ClusterDaemons) -> None:
    with isinglass.connect("alder") as alder, isinglass.connect("birch") as birch:
        for number in range(100):
            alder.put("t", f"scan {number:03}", {"n": 1000 + number}, consistency="immediate")
        alder.delete("t", "scan 007", consistency="immediate")
        alder.put("t", "scan 008", {"n": 5}, consistency="immediate")
        nodes.wait_even()
        found = dict(birch.scan("t", prefix="scan ", consistency="immediate"))
        assert len(found) == 99
        assert found["scan 008"] == {"n": 5}
        matching = dict(birch.find("t", "n", start=1000, stop=1100, consistency="immediate"))
        assert len(matching) == 98


def test_an_unknown_word_is_refused_before_anything_is_written(nodes: ClusterDaemons) -> None:
    with isinglass.connect("alder") as database:
        with pytest.raises(UsageError, match="none of"):
            database.put("t", "k", {}, consistency="soon")
        with pytest.raises(UsageError, match="none of"):
            database.put("t", "k", {}, ack="all")


def test_verify_finds_nothing_between_equal_stores(nodes: ClusterDaemons) -> None:
    nodes.wait_equal()
    found = json.loads(command("verify", "birch", "--json").stdout)
    assert found["nodes"] == ["alder", "birch", "cedar"]
    assert found["records"] == 0


def test_a_node_that_is_alive_is_not_forgotten(nodes: ClusterDaemons) -> None:
    assert "is alive" in command("forget", "cedar", "--node", "alder", expect=2).stderr
    command("forget", "nobody", "--node", "alder", expect=2)
