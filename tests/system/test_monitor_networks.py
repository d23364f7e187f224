"""Two monitors on hosts of their own, which miss different things for half a minute."""

from __future__ import annotations

import pytest

from event_worker import SMALL_BUFFER, WORKER, account, log, wait_through
from hosts import cluster
from isinglass_monitor.spool.records import Entry
from monitor_process import MonitorProcess, monitor_on
from network import within
from programs import hear, program, tell

pytestmark = [pytest.mark.hosts, pytest.mark.slow]


def told_by(watching: MonitorProcess, node: str) -> dict[int, tuple[object, ...]]:
    """Return what the spool has of the worker of a node, but when it came, by its number."""
    return {
        entry.sequence: entry[: Entry._fields.index("arrived_ns")]
        for entry in watching.entries()
        if (entry.node, entry.process) == (node, f"worker at {node}") and not entry.missing
    }


def test_a_cut_of_30_s_and_a_stop_of_30_s_under_load(data_dir: object) -> None:
    """One monitor's cable is cut while the other one is stopped; both have other losses.

    The worker at alder logs in that time what its ring can hold, the one at birch three times as
    much.
    """
    with (
        cluster(2) as nodes,
        monitor_on(nodes.hosts["cedar"], "left") as left,
        monitor_on(nodes.hosts["damson"], "right", receive_buffer_bytes=SMALL_BUFFER) as right,
        program(
            WORKER, "alder", "worker at alder", within=within(nodes.hosts["alder"].process)
        ) as few,
        program(
            WORKER, "birch", "worker at birch", within=within(nodes.hosts["birch"].process)
        ) as many,
    ):
        for worker in (few, many):
            log(worker, 100, 0.01)
        with nodes.hosts["cedar"].link_down(here=False), right.stopped():
            tell(few, "900 0.33")
            tell(many, "6000 0.05")
            assert (hear(few), hear(many)) == ("done", "done")
        for worker in (few, many):
            log(worker, 100, 0.01)
        for watching in (left, right):
            wait_through(watching, "worker at alder", 1100)
            wait_through(watching, "worker at birch", 6200)
            found = account(watching, "worker at alder")
            assert (found["lost"], found["received"] + found["repaired"]) == (0, 1100)
            assert found["repaired"] > 500, "nothing was missed, so nothing was tried"
            found = account(watching, "worker at birch")
            assert 0 < found["lost"] < 6000
            assert found["lost"] == found["network"] + found["socket"], found
        assert account(right, "worker at birch")["socket"] > 0
        assert account(left, "worker at birch")["network"] > 0
        assert told_by(left, "alder") == told_by(right, "alder")
        one, other = told_by(left, "birch"), told_by(right, "birch")
        both = one.keys() & other.keys()
        assert {n: one[n] for n in both} == {n: other[n] for n in both}
        # From the oldest event on that the ring still had, both have all.
        assert set(range(6200 - 1000, 6201)) <= both
