"""Several real daemons of one cluster on this machine's loopback, for a test.

Each test has a cluster of its own by its name, and a group and port drawn from the process and a
counter, so that tests run side by side. What a test waits for is read off the glass.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

from daemon_process import DaemonProcess
from isinglass.store.reading import StoreReader
from waiting import wait_until

NAMES = ("alder", "birch", "cedar", "damson", "elder", "fir", "gorse")
_numbers = itertools.count()


class ClusterDaemons:
    """The daemons by name."""

    def __init__(self, names: tuple[str, ...], **settings: object) -> None:
        number = next(_numbers)
        place = os.getpid() * 7 + number
        self.settings: dict[str, object] = {
            "cluster": f"test-{os.getpid()}-{number}",
            "interface": "lo",
            "multicast_group": f"239.255.{place % 200 + 1}.{place // 200 % 250 + 1}",
            "multicast_port": 20_000 + place % 20_000,
            # Other tests share the processors: who asks a primary waits for it, unless a test is
            # about a silent one.
            "patience_seconds": 10,
            **settings,
        }
        self.nodes = {name: self.made(name) for name in names}

    def made(self, name: str, **settings: object) -> DaemonProcess:
        """Return one more daemon of the cluster, not started."""
        process = DaemonProcess(name, {**self.settings, **settings})
        if "cluster_key_file" not in {**self.settings, **settings}:
            process.flags.append("--insecure")
        return process

    def __getitem__(self, name: str) -> DaemonProcess:
        return self.nodes[name]

    def start(self) -> None:
        """Start all, and wait until each sees all of them live."""
        for process in self.nodes.values():
            process.start()
        self.wait_live()

    def wait_live(self) -> None:
        """Wait until every running daemon is live and has the same view of all of them."""
        wait_until(self._live, "all nodes live, with one view")

    def _live(self) -> bool:
        panels = [
            node.panel("cluster") for node in self.nodes.values() if node.process.poll() is None
        ]
        alike = len({panel["view"] for panel in panels}) == 1
        return alike and all(
            panel["state"] == "live" and panel["up"] == len(panels) for panel in panels
        )

    def wait_even(self) -> None:
        """Wait until every node has applied everything of every other one."""
        wait_until(self._even, "no node behind another")

    def _even(self) -> bool:
        for node in self.nodes.values():
            if node.process.poll() is not None:
                continue
            snapshot = node.snapshot()
            owner = snapshot.owner
            assert owner is not None
            for panel in owner.panels:
                if panel.name == "peer" and panel["state"] == "up" and panel["lag_updates"]:
                    return False
                if panel.name == "queue" and panel["length"]:
                    return False
        return True

    def digests(self) -> dict[str, list[int]]:
        """Return the digests of every node's store."""
        return {name: digests_of(name) for name in self.nodes}

    def wait_equal(self) -> None:
        """Wait until all stores hold the same."""
        self.wait_even()
        wait_until(
            lambda: len({tuple(found) for found in self.digests().values()}) == 1, "equal stores"
        )


def digests_of(name: str) -> list[int]:
    """Return the digests of one node's store."""
    with StoreReader.open(f"{os.environ['ISINGLASS_DATA_DIR']}/{name}") as store:
        *_, digests = store.bucket_digests()
        return digests


@contextmanager
def cluster(nodes: int = 3, **settings: object) -> Iterator[ClusterDaemons]:
    """Run a cluster of so many nodes for a block."""
    daemons = ClusterDaemons(NAMES[:nodes], **settings)
    try:
        daemons.start()
        yield daemons
    finally:
        for process in daemons.nodes.values():
            running = getattr(process, "process", None)
            if running is not None and running.poll() is None:
                process.kill()
