"""A real monitor beside a real cluster."""

from __future__ import annotations

import pytest

from cluster_daemons import cluster
from monitor_process import monitor
from panel_figures import whole
from waiting import wait_until

pytestmark = pytest.mark.slow


def test_a_monitor_hears_every_daemon_and_itself() -> None:
    with cluster(2) as daemons, monitor(daemons) as watching:
        # They were logged before the monitor was there: it has them from the rings.
        for node in ("alder", "birch"):
            watching.wait_for("the daemon serves", node)
        watching.wait_for("the monitor listens", "monitor")
        watching.wait_complete()
        senders = {panel["node"]: panel for panel in watching.panels("sender")}
        assert set(senders) == {"alder", "birch", "monitor"}
        for sender in senders.values():
            arrived = whole(sender, "received") + whole(sender, "repaired")
            assert arrived == whole(sender, "through")
        assert daemons["alder"].stop() == 0
        watching.wait_for("the store is closed", "alder")
        assert watching.stop() == 0
        found = watching.entries()
        assert [entry.place for entry in found] == sorted(entry.place for entry in found)
        numbers = [entry.sequence for entry in found if entry.node == "alder"]
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_monitor_that_was_killed_asks_for_what_it_missed() -> None:
    with cluster(2) as daemons, monitor(daemons) as watching:
        watching.wait_for("the daemon serves", "birch")
        watching.wait_complete()
        watching.kill()
        daemons["alder"].kill()
        daemons["alder"].start()
        daemons.wait_live()
        watching.start()
        wait_until(
            lambda: sum(e.message == "the daemon serves" for e in watching.entries()) == 3,
            "the events of the time in which there was no monitor",
        )
        watching.wait_complete()
        by_stream: dict[int, list[int]] = {}
        for entry in watching.entries():
            assert not entry.missing, entry
            by_stream.setdefault(entry.stream, []).append(entry.sequence)
        for numbers in by_stream.values():
            assert sorted(numbers) == list(range(1, len(numbers) + 1))
