"""What nodes log of each other: what is ordinary as INFO, what somebody should see as WARNING."""

from __future__ import annotations

import pytest

from cluster_daemons import cluster
from daemon_process import DaemonProcess
from isinglass.glass.severity import INFO, WARNING
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
