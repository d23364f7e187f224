"""A real cluster under a real monitor, with a notifier that writes down what is told."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.commands import isinglass as command
from cluster_daemons import cluster
from daemon_process import DaemonProcess
from monitor_process import MonitorProcess, monitor
from waiting import wait_until


class Watched:
    """A cluster, its monitor, and what was told of its alarms."""

    def __init__(
        self, daemons: Mapping[str, DaemonProcess], watching: MonitorProcess, told: Path
    ) -> None:
        self.daemons, self.watching, self._told = daemons, watching, told

    def told(self) -> list[tuple[str, str, str]]:
        """Return what was told, in order: raised or cleared, the rule, the node."""
        lines = self._told.read_text().splitlines() if self._told.exists() else []
        documents = [json.loads(line) for line in lines]
        return [(d["what"], d["alarm"]["rule"], d["alarm"]["node"]) for d in documents]

    def wait_told(self, *wanted: tuple[str, str, str]) -> None:
        """Wait until this was told."""
        try:
            wait_until(lambda: set(wanted) <= set(self.told()), "all told", 90.0)
        except AssertionError as error:
            missing = sorted(set(wanted) - set(self.told()))
            known = [
                (a["rule"], a["node"], a["state"], a["held_back"], a["figures"])
                for a in self.alarms()["alarms"]
            ]
            raise AssertionError(f"never told: {missing}; what there is: {known}") from error

    def wait_up(self, *nodes: str) -> None:
        """Wait until these nodes are on the scoreboard, and heard."""
        wait_until(lambda: all(self.board().get(node) == "up" for node in nodes), f"{nodes} up")

    def alarms(self) -> dict[str, Any]:
        """Return the document of alarms."""
        return dict(json.loads(command("alarms", "--json").stdout))

    def alarm(self, rule: str, node: str) -> dict[str, Any]:
        """Return the alarm of a rule about a node that is raised now; empty when there is none."""
        for alarm in self.alarms()["alarms"]:
            if (alarm["rule"], alarm["node"]) == (rule, node) and alarm["number"]:
                return dict(alarm)
        return {}

    def board(self) -> dict[str, str]:
        """Return the state of every node on the scoreboard."""
        path = Path(os.environ["ISINGLASS_RUNTIME_DIR"]) / "monitor" / "scoreboard.json"
        if not path.exists():
            return {}
        return {row["node"]: row["state"] for row in json.loads(path.read_text())["nodes"]}


def alarms_file(tmp_path: Path, rules: str = "") -> tuple[Path, Path]:
    """Write a file of alarms; return it, and the file to which its notifier adds what is told.

    Args:
        rules: in place of default ones, as TOML.
    """
    told, file = tmp_path / "told", tmp_path / "alarms.toml"
    line = json.dumps(["sh", "-c", f"cat >> {told}; echo >> {told}"])
    file.write_text(
        f'{rules}\n[[notifier]]\nname = "log"\nkind = "command"\ncommand = {line}\n'
        'severity = "info"\n'
    )
    return file, told


@contextmanager
def watching(
    tmp_path: Path,
    rules: str = "",
    nodes: int = 3,
    own: Mapping[str, object] | None = None,
    **settings: object,
) -> Iterator[Watched]:
    """Run a cluster on this machine, and a monitor with such a file.

    Args:
        own: settings of the monitor.
        settings: of the daemons.
    """
    file, told = alarms_file(tmp_path, rules)
    with (
        cluster(nodes, **settings) as daemons,
        monitor(daemons, alarms=file, **(own or {})) as process,
    ):
        scene = Watched(daemons.nodes, process, told)
        scene.wait_up(*daemons.nodes)
        yield scene
