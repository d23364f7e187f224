"""What the console reads of a monitor: its spool, alarms and statistics, here or on another host.

Nobody is asked on this machine: they are files that the monitor leaves, and can be read when it
hangs or is gone. On another host a command of ours reads the same files (`far_monitor`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from isinglass.errors import IsinglassError, RemoteError
from isinglass.glass import layout
from isinglass.settings import data_directory
from isinglass_console.model.alarms import AlarmSheet, sheet_of
from isinglass_console.sources.statistics import Statistics
from isinglass_monitor.commands.alarms_text import current
from isinglass_monitor.commands.places import Places
from isinglass_monitor.orders import MonitorAway, ask, is_there
from isinglass_monitor.query.far_monitor import FarMonitor
from isinglass_monitor.query.sources import PREFERRED, spool_folder, spool_names
from isinglass_monitor.query.spools import Spool, SpoolHere
from isinglass_monitor.statistics_store import DIRECTORY, StatisticsFile

PATIENCE_SECONDS = 5.0


class MonitorFiles(Protocol):
    """One monitor; its methods raise StoreError, and RemoteError for one on another host."""

    def spool(self) -> Spool | None:
        """Return its spool, open; None while there is no monitor."""

    def sheet(self) -> AlarmSheet | None:
        """Return its alarms; None while it has not written any, or in a way unknown here."""

    def statistics(self) -> Statistics:
        """Return its statistics, open."""

    def order(self, order: Mapping[str, object]) -> None:
        """Give it an order; raises an IsinglassError that says why it was not obeyed."""

    def close(self) -> None:
        """End the link to it, if there is one."""


class MonitorHere:
    """A monitor of this machine.

    Args:
        monitor: its name, or the folder of its spool; empty for the one that runs here, now or
            later.
    """

    def __init__(self, monitor: str) -> None:
        self._monitor = monitor
        self._places: Places | None = None

    def spool(self) -> Spool | None:
        """Return the spool of the monitor, once there is one."""
        folder = spool_folder(self._monitor) if self._monitor else _running_here()
        if folder is None:
            return None
        name = folder.parent.name
        self._places = Places(Path(layout.runtime_directory()) / name, folder.parent)
        return SpoolHere(folder)

    def sheet(self) -> AlarmSheet | None:
        """Return the alarms that it wrote last."""
        if self._places is None:
            return None
        try:
            document, runs = current(self._places)
            return sheet_of(self._places.data.name, document, runs)
        except (IsinglassError, KeyError, TypeError, ValueError):
            return None

    def statistics(self) -> Statistics:
        """Return the file of statistics."""
        assert self._places is not None
        return StatisticsFile(self._places.data / DIRECTORY, writes=False)

    def order(self, order: Mapping[str, object]) -> None:
        """Give an order, and wait for the answer."""
        if self._places is None:
            raise MonitorAway("No monitor runs here.")
        ask(self._places.runtime, dict(order), PATIENCE_SECONDS)

    def close(self) -> None:
        """Nothing is held."""


class MonitorThere:
    """A monitor of another host.

    Args:
        address: ssh://[USER@]HOST[:PORT]/[NAME]
        ssh_command: the system's ssh; empty for asyncssh.
    """

    def __init__(self, address: str, ssh_command: str) -> None:
        self._monitor = FarMonitor(address, ssh_command)

    def spool(self) -> Spool | None:
        """Return its spool."""
        return self._monitor.spool()

    def sheet(self) -> AlarmSheet | None:
        """Return the alarms; when they were written is told on this machine's clock."""
        try:
            document, runs, name, behind_ns = self._monitor.alarms()
            sheet = sheet_of(f"{name} at {self._monitor.host}", document, runs)
        except RemoteError:
            raise
        except (IsinglassError, KeyError, TypeError, ValueError):
            return None
        written_ns = sheet.written_ns + behind_ns if sheet.written_ns else 0
        return replace(sheet, written_ns=written_ns)

    def statistics(self) -> Statistics:
        """Return its statistics."""
        return self._monitor.statistics()

    def order(self, order: Mapping[str, object]) -> None:
        """Give an order, and wait for the answer."""
        self._monitor.order(dict(order))

    def close(self) -> None:
        """End the link."""
        self._monitor.close()


def _running_here() -> Path | None:
    """Return the spool of the monitor that runs here: the one of the usual name, or the first."""
    runtime = Path(layout.runtime_directory())
    names = [name for name in spool_names(data_directory()) if is_there(runtime / name)]
    if not names:
        return None
    return spool_folder(PREFERRED if PREFERRED in names else names[0])
