"""A wall clock that is set back and ahead while all write: stamps only grow, and nothing waits."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

import isinglass
from cluster_load import Writer, assert_nothing_lost, wait_for_writes, writing
from hosts import Cluster, HostDaemon, cluster
from waiting import wait_until

pytestmark = [pytest.mark.hosts, pytest.mark.slow]
HOUR = 3600


SHIFTED = Path(__file__).parents[1] / "shifted_clock"


def _has(node: HostDaemon, number: int) -> bool:
    return node.keys().get("in turn") == number


def _sees_elm_off_by(node: HostDaemon, seconds: int) -> bool:
    return abs(node.number("peer", "clock_offset", "elm") - seconds) < 60


def put_in_turn(nodes: Cluster, *names: str) -> None:
    """Write one record through one node after the other; each must win over the one before."""
    for number, name in enumerate(names, start=1):
        with isinglass.connect(name) as client:
            client.put("t", "in turn", {"n": number}, ack="majority")
        for node in nodes:
            wait_until(
                partial(_has, node, number),
                f"{node.node} has what {name} wrote as number {number}",
            )


def test_a_clock_that_is_set_loses_no_write_and_silences_nobody(data_dir: Path) -> None:
    file = data_dir / "clock"
    file.write_text("0")
    shifted = {"PYTHONPATH": str(SHIFTED), "SHIFTED_CLOCK": str(file)}
    with cluster(environment={"elm": shifted}) as nodes:
        alder = nodes["alder"]
        writers = [
            Writer("alder"),
            Writer("elm"),
            Writer("elm", consistency="immediate"),
            Writer("birch", consistency="immediate"),
        ]
        with writing(nodes, *writers):
            for seconds in (-HOUR, HOUR, 0):
                file.write_text(str(seconds))
                wait_until(
                    partial(_sees_elm_off_by, alder, seconds),
                    f"alder sees that elm's clock is off by {seconds} s",
                )
                wait_for_writes(writers, 50)
                put_in_turn(nodes, "elm", "alder", "elm", "birch")
        nodes.settle()
        assert_nothing_lost(nodes, writers)
        assert [writer.refused for writer in writers] == [0] * 4
        assert not alder.tells("node elm is not heard")
        assert alder.number("peer", "restarts", "elm") == 0
