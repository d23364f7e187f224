"""What nodes log of each other: what is ordinary as INFO, what somebody should see as WARNING."""

from __future__ import annotations

import pytest

from cluster_daemons import cluster
from daemon_process import DaemonProcess
from isinglass.glass.severity import INFO, WARNING
from isinglass.node.healing import STOOD_STILL
from waiting import wait_until

pytestmark = pytest.mark.slow


def news(daemon: DaemonProcess) -> list[tuple[int, str]]:
    """Return the severity and the message of what a node has said of the cluster."""
    owner = daemon.snapshot().owner
    assert owner is not None
    return [(e.severity, e.message) for e in owner.events if e.flag == "cluster"]


def test_a_start_and_a_clean_restart_are_no_warning_and_a_kill_is_one() -> None:
    with cluster(2) as daemons:
        alder, birch = daemons["alder"], daemons["birch"]
        assert birch.stop() == 0
        wait_until(
            lambda: (INFO, "node birch has left: its daemon was stopped") in news(alder), "left"
        )
        birch.start()
        daemons.wait_live()
        # With a store from an earlier life a node need not join, but catches up.
        for daemon, first in ((alder, "joining"), (birch, "healing")):
            assert (INFO, f"this node is {first}") in news(daemon)
            assert (INFO, "this node is live") in news(daemon)
        wait_until(lambda: (INFO, "node birch was restarted") in news(alder), "restarted")
        birch.kill()
        down = (WARNING, "node birch is not heard: it is down, stopped or cut off")
        wait_until(lambda: down in news(alder), "down")
        birch.start()
        wait_until(lambda: (WARNING, "node birch was restarted") in news(alder), "restarted again")


def test_a_node_that_stood_still_says_so_and_why_it_is_live_no_more() -> None:
    with cluster(2) as daemons:
        alder, birch = daemons["alder"], daemons["birch"]
        stopped = (WARNING, "node birch has not been heard for a moment")
        with birch.stopped():
            wait_until(lambda: stopped in news(alder), "birch is not heard")
        healing = (WARNING, "this node is healing")
        wait_until(lambda: healing in news(birch), "birch heals")
        owner = birch.snapshot().owner
        assert owner is not None
        events = [e for e in owner.events if (e.severity, e.message) == healing]
        assert STOOD_STILL in [event.fields["why"] for event in events]
        daemons.wait_live()
