"""Members of a real cluster on loopback that fall silent, are given up, or take another's name."""

from __future__ import annotations

import json
import os

import pytest

import isinglass
from cli.commands import isinglass as command
from cluster_daemons import cluster
from isinglass.errors import ClusterError, IsinglassError
from waiting import wait_until


def test_the_silent_primary_is_told_and_the_write_is_kept() -> None:
    with cluster(3, patience_seconds=0.2) as nodes:
        with isinglass.connect("alder", timeout_seconds=30) as database:
            database.create_table("t")
            with nodes["cedar"].stopped():
                receipts = [
                    database.put("t", f"k{number}", {"n": number}, consistency="immediate")
                    for number in range(30)
                ]
                taken_here = [r for r in receipts if not r.primary]
                assert taken_here, "some records have the stopped node as their primary"
                assert {r.node for r in taken_here} == {"alder"}
                panel = nodes["alder"].panel("primary")
                assert panel["accepted_locally"] == len(taken_here)
            nodes.wait_live()
        nodes.wait_equal()
        with isinglass.connect("cedar") as database:
            assert sum(1 for _ in database.scan("t")) == 30


@pytest.mark.slow
def test_a_killed_node_is_forgotten_and_must_join_anew() -> None:
    with cluster(3) as nodes:
        with isinglass.connect("alder") as database:
            database.create_table("t")
            database.put("t", "k", {"n": 1})
        nodes.wait_equal()
        nodes["cedar"].kill()
        wait_until(
            lambda: nodes["alder"].panel("peer", "cedar")["state"] == "down", "cedar is down"
        )
        said = command("forget", "cedar", "--node", "alder", "--json").stdout
        assert json.loads(said) == {"node": "alder", "forgotten": "cedar"}
        wait_until(lambda: nodes["birch"].panel("cluster")["members"] == 2, "birch forgets, too")
        cedar = nodes["cedar"]
        cedar.start()
        # what it took before it hears of it would be lost with its store
        with (
            pytest.raises(IsinglassError),
            isinglass.connect("cedar", timeout_seconds=5) as database,
        ):
            database.put("t", "late", {"n": 2})
        assert cedar.process.wait(30) == ClusterError.exit_code
        assert cedar.process.stderr is not None
        assert "has forgotten this node" in cedar.process.stderr.read()
        os.rename(
            f"{os.environ['ISINGLASS_DATA_DIR']}/cedar",
            f"{os.environ['ISINGLASS_DATA_DIR']}/cedar.forgotten",
        )
        cedar.start()
        nodes.wait_live()
        nodes.wait_equal()
