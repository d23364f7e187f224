"""A real monitor for a test, beside a real cluster: started, stopped, killed, asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster_daemons import ClusterDaemons, wait_until
from isinglass import clock
from isinglass.glass import layout
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import PanelView
from isinglass_monitor.spool.folder import FOLDER
from isinglass_monitor.spool.reading import Question, SpoolReader
from isinglass_monitor.spool.records import Entry

WAIT_SECONDS = 30.0
SHARED = (
    "cluster",
    "cluster_key_file",
    "interface",
    "multicast_group",
    "multicast_port",
    "log_port",
)


class MonitorProcess:
    """`isinglass monitor run`; it starts again with the same settings."""

    def __init__(self, name: str, settings: dict[str, object]) -> None:
        self.name = name
        self.flags = [
            word
            for setting, value in settings.items()
            for word in (
                f"--{setting.replace('_', '-')}",
                *([] if value is True else [str(value)]),
            )
        ]
        self.process: subprocess.Popen[str]

    def start(self) -> MonitorProcess:
        """Start it; return when it takes events in."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "isinglass_console.cli", "monitor", "run", "--name", self.name,
             *self.flags],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert "listens" in line, line + self.process.stderr.read()
        return self

    @property
    def folder(self) -> Path:
        """The folder of its spool."""
        return Path(os.environ["ISINGLASS_DATA_DIR"]) / self.name / FOLDER

    def gone(self) -> int:
        """Wait for its end, with a limit; return its exit code."""
        code = self.process.wait(WAIT_SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code

    def kill(self) -> None:
        """Kill it with SIGKILL; return when it is gone."""
        self.process.kill()
        self.gone()

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        self.process.terminate()
        return self.gone()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop every thread of it (SIGSTOP) for a block."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

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

        Each sender says once a second how far it is, and the accounts are shown once a second.
        """
        clock.sleep(2.2)
        wait_until(
            lambda: (
                self.panels("sender")
                and not self.figure("intake", "open")
                and not self.figure("spool", "waiting")
            ),
            f"nothing open at {self.name}",
        )


def settings_for(daemons: ClusterDaemons, **settings: object) -> dict[str, object]:
    """Return the settings of a monitor of a cluster."""
    shared = {name: value for name, value in daemons.settings.items() if name in SHARED}
    if "cluster_key_file" not in shared:
        shared["insecure"] = True
    return {**shared, **settings}


@contextmanager
def monitor(
    daemons: ClusterDaemons, name: str = "monitor", **settings: object
) -> Iterator[MonitorProcess]:
    """Run a monitor of a cluster for a block."""
    process = MonitorProcess(name, settings_for(daemons, **settings))
    process.start()
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.process.send_signal(signal.SIGCONT)
            process.kill()
