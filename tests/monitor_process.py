"""A real monitor for a test, beside a real cluster: started, stopped, killed, asked."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.commands import isinglass
from cluster_daemons import ClusterDaemons
from hosts import CLUSTER, KEY_FILE, MULTICAST_PORT
from isinglass import clock
from isinglass.clock import NANOSECONDS_PER_SECOND as SECOND_NS
from isinglass.glass import layout
from isinglass.glass.panel_views import PanelView
from isinglass.glass.reader import SegmentReader
from isinglass.settings import data_directory
from isinglass_monitor.spool.folder import FOLDER
from isinglass_monitor.spool.reading import Question, SpoolReader
from isinglass_monitor.spool.records import Entry
from network import Host, within
from panel_figures import whole
from service_process import ServiceProcess
from waiting import wait_until

SHARED = (
    "cluster",
    "cluster_key_file",
    "interface",
    "multicast_group",
    "multicast_port",
    "log_port",
)

SILENT_RULE = """
[[rule]]
name = "node-silent"
help = "Nothing was heard of the node."
when = "node.silent_seconds > 3 and node.ended == 0"
severity = "error"
look = "At the node."
"""


class MonitorProcess(ServiceProcess):
    """`isinglass monitor run`; it starts again with the same settings."""

    def __init__(
        self, name: str, settings: Mapping[str, object], within: Sequence[str] = ()
    ) -> None:
        super().__init__(("monitor", "run", "--name", name), "listens", settings, within)
        self.name = name

    @property
    def folder(self) -> Path:
        """The folder of its spool."""
        return Path(os.environ["ISINGLASS_DATA_DIR"]) / self.name / FOLDER

    def panels(self, name: str) -> list[PanelView]:
        """Return its panels of a name."""
        with SegmentReader(layout.segment_path(self.name)) as reader:
            owner = reader.snapshot().owner
        return [panel for panel in owner.panels if panel.name == name] if owner else []

    def figure(self, name: str, field: str) -> Any:
        """Return one figure."""
        (panel,) = self.panels(name)
        return panel[field]

    def entries(self, question: Question | None = None) -> list[Entry]:
        """Return what its spool answers."""
        with SpoolReader(self.folder) as reader:
            return list(reader.ask(question or Question()))

    def wait_for(self, message: str, node: str = "") -> Entry:
        """Wait until an event of that message is in its spool."""
        found: list[Entry] = []

        def there() -> bool:
            nodes = (node,) if node else ()
            found[:] = [e for e in self.entries(Question(nodes=nodes)) if e.message == message]
            return bool(found)

        wait_until(there, f"{message!r} in the spool of {self.name}")
        return found[0]

    def wait_complete(self) -> None:
        """Wait until nothing is open, and everything is on the disk.

        Every sender says once a second how far it is, the monitor's own as well: when its accounts
        show that it has heard itself say so more than a second later, it has heard all others, too.
        """
        asked_ns = clock.wall_ns()

        def has_heard_all() -> bool:
            own = [p for p in self.panels("sender") if p["node"] == self.name]
            return any(whole(p, "heard") > asked_ns + SECOND_NS for p in own)

        wait_until(has_heard_all, f"{self.name} has heard everybody")
        wait_until(
            lambda: not self.figure("intake", "open") and not self.figure("spool", "waiting"),
            f"nothing open at {self.name}",
        )


def wait_for_points(node: str, field: str, count: int) -> None:
    """Wait until the statistics of the monitor have a figure of so many moments."""

    def are_there() -> bool:
        done = isinglass("history", node, field, "--since", "-1m", "--json", expect=None)
        trends = json.loads(done.stdout)["trends"] if done.returncode == 0 else []
        return any(sum(point["seconds"] for point in each["points"]) >= count for each in trends)

    wait_until(are_there, f"{count} seconds of {field} of {node}")


def settings_for(daemons: ClusterDaemons, **settings: object) -> dict[str, object]:
    """Return the settings of a monitor of a cluster."""
    shared = {name: value for name, value in daemons.settings.items() if name in SHARED}
    if "cluster_key_file" not in shared:
        shared["insecure"] = True
    return {**shared, **settings}


@contextmanager
def monitor(
    daemons: ClusterDaemons, name: str = "monitor", /, **settings: object
) -> Iterator[MonitorProcess]:
    """Run a monitor of a cluster for a block."""
    with _running(MonitorProcess(name, settings_for(daemons, **settings))) as process:
        yield process


@contextmanager
def monitor_on(
    host: Host, name: str = "monitor", /, **settings: object
) -> Iterator[MonitorProcess]:
    """Run a monitor of a cluster of hosts (`hosts.cluster`) on one of them for a block."""
    shared = {
        "cluster": CLUSTER,
        "cluster_key_file": data_directory() / KEY_FILE,
        "multicast_port": MULTICAST_PORT,
        "interface": "eth0",
    }
    with _running(MonitorProcess(name, {**shared, **settings}, within(host.process))) as process:
        yield process


@contextmanager
def _running(process: MonitorProcess) -> Iterator[MonitorProcess]:
    process.start()
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.process.send_signal(signal.SIGCONT)
            process.kill()
