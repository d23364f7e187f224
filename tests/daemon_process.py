"""A real daemon for a test: started, stopped, killed, restarted; ended when the block ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from isinglass.glass import layout
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import PanelView, Snapshot

WAIT_SECONDS = 30.0


class DaemonProcess:
    """The daemon of one node, as `isinglass daemon run`; it starts again with the same settings.

    Args:
        within: a command that runs the command that follows it somewhere: in a namespace.
        settings: True stands for a switch without a value.
    """

    def __init__(self, node: str, *, within: Sequence[str] = (), **settings: object) -> None:
        self.node = node
        self.within = within
        self.path = layout.segment_path(node)
        self.flags = [
            word
            for name, value in settings.items()
            for word in (f"--{name.replace('_', '-')}", *([] if value is True else [str(value)]))
        ]
        self.process: subprocess.Popen[str]

    def start(self, **environment: str) -> DaemonProcess:
        """Start it; return when clients are served."""
        self.launch(**environment)
        line, rest = self.first_words()
        assert "is ready" in line, line + rest
        return self

    def launch(self, **environment: str) -> None:
        """Start it, and wait for nothing."""
        self.process = subprocess.Popen(
            [
                *self.within,
                sys.executable,
                "-m",
                "isinglass_console.cli",
                "daemon",
                "run",
                self.node,
                *self.flags,
            ],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def first_words(self) -> tuple[str, str]:
        """Return the first line that it prints, and all others when that says that it failed."""
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        return line, "" if "is ready" in line else self.process.stderr.read()

    @property
    def pid(self) -> int:
        return self.process.pid

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
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def gone(self) -> int:
        """Wait for its end, with a limit; return its exit code."""
        code = self.process.wait(WAIT_SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code

    def snapshot(self) -> Snapshot:
        """Return what the node's segment shows."""
        with SegmentReader(self.path) as reader:
            return reader.snapshot(events=True)

    def panel(self, name: str, instance: str = "") -> PanelView:
        """Return a panel of the daemon."""
        panel = self.snapshot().panel(name, instance)
        assert panel is not None, name
        return panel


@contextmanager
def daemon(node: str = "oak", **settings: object) -> Iterator[DaemonProcess]:
    """Run a daemon for a block."""
    process = DaemonProcess(node, **settings)
    process.start()
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.kill()
