"""A real daemon for a test: started, stopped, killed, restarted; ended when the block ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from isinglass.glass import layout
from isinglass.glass.panel_views import PanelView
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Process, Snapshot
from service_process import ServiceProcess


class DaemonProcess(ServiceProcess):
    """The daemon of one node, as `isinglass daemon run`; it starts again with the same settings.

    Args:
        settings: True stands for a switch without a value.
        within: a command that runs the command that follows it somewhere: in a namespace.
    """

    def __init__(
        self, node: str, settings: Mapping[str, object], within: Sequence[str] = ()
    ) -> None:
        super().__init__(("daemon", "run", node), "is ready", settings, within)
        self.node = node
        self.path = layout.segment_path(node)

    def snapshot(self) -> Snapshot:
        """Return what the node's segment shows."""
        with SegmentReader(self.path) as reader:
            return reader.snapshot(events=True)

    @property
    def owner(self) -> Process:
        """The daemon itself, as the node's segment shows it."""
        owner = self.snapshot().owner
        assert owner is not None
        return owner

    def panel(self, name: str, instance: str = "") -> PanelView:
        """Return a panel of the daemon."""
        panel = self.snapshot().panel(name, instance)
        assert panel is not None, name
        return panel


@contextmanager
def daemon(node: str = "oak", **settings: object) -> Iterator[DaemonProcess]:
    """Run a daemon for a block."""
    process = DaemonProcess(node, settings)
    process.start()
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.kill()
