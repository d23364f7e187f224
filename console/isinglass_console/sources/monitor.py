"""What a monitor on this machine has: its log by pages, its alarms each second, on one thread.

The thread of the nodes (`feed`) reads memory; this one reads files, and a disk may take its time.
So they are two, and neither waits for the other. It asks nobody: log and alarms are files that the
monitor leaves, and can be read when it hangs or is gone. Only the newest answer is kept: a slow
screen misses some of them.

    none ──one runs here, or is named──▶ attached ──its files cannot be read──▶ none
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from isinglass import clock
from isinglass.errors import IsinglassError, StoreError
from isinglass.glass import layout
from isinglass.settings import data_directory
from isinglass_console.model.alarms import AlarmSheet, sheet_of
from isinglass_console.model.log_page import LogRequest
from isinglass_console.model.told import Past, Told
from isinglass_console.sources.reading_thread import ReadingThread
from isinglass_console.sources.spool_log import SpoolLog
from isinglass_console.sources.statistics import pasts
from isinglass_monitor.commands.alarms_text import current
from isinglass_monitor.commands.places import Places, operator
from isinglass_monitor.orders import MonitorAway, ask, is_there
from isinglass_monitor.query.sources import PREFERRED, spool_folder, spool_names

LOOK_SECONDS = 0.25
ALARMS_SECONDS = 1.0
PATIENCE_SECONDS = 5.0


class MonitorFeed(ReadingThread):
    """Reads a monitor's files until it is stopped.

    Args:
        monitor: its name, or the folder of its spool; empty for the one that runs here, now or
            later.
        arrived: called in this thread when `told` has changed.
    """

    def __init__(self, monitor: str, arrived: Callable[[], None]) -> None:
        super().__init__("monitor feed")
        self.told = Told()
        self.places: Places | None = None
        self._monitor, self._arrived = monitor, arrived
        self._wanted: LogRequest | None = None
        self._log: SpoolLog | None = None
        self._pasts: Iterator[Past] | None = None
        self._past_begun = False
        self._alarms_due_ns = 0

    def want(self, request: LogRequest | None) -> None:
        """Say which part of the log is on the screen; None: none is, and none is read."""
        if request != self._wanted:
            self._wanted = request
            self._hurry.set()

    def order(self, order: Mapping[str, object]) -> None:
        """Give the monitor an order in the operator's name, and wait for its answer.

        Called in any thread but this one.

        Raises:
            MonitorAway: it does not run, or does not answer.
            OrderRefused: it cannot do that, and why.
        """
        if self.places is None:
            raise MonitorAway("No monitor runs here.")
        ask(self.places.runtime, {**order, "by": operator()}, PATIENCE_SECONDS)

    def run(self) -> None:
        """Look, rest, and again."""
        while not self._ended.is_set():
            self._hurry.clear()
            try:
                self._look()
            except Exception as reason:
                # A view that says why it stands still is better than one that just does.
                known = isinstance(reason, IsinglassError | OSError)
                sentence = str(reason) if known else f"reading the monitor failed: {reason!r}"
                self._detach()
                self._tell(replace(self.told, sentence=sentence, page=None))
                self._ended.wait(ALARMS_SECONDS)
            self._hurry.wait(LOOK_SECONDS)
        self._detach()

    def _look(self) -> None:
        now_ns = clock.monotonic_ns()
        due = now_ns >= self._alarms_due_ns
        if due:
            self._alarms_due_ns = now_ns + int(ALARMS_SECONDS * clock.NANOSECONDS_PER_SECOND)
        if self._log is None and (not due or not self._attach()):
            return
        assert self._log is not None and self.places is not None
        told, request = self.told, self._wanted
        page = self._log.look(request) if request is not None else None
        sheet = _sheet(self.places) if due else told.sheet
        name = self.places.data.name
        self._tell(Told(name, "", page or told.page, sheet, self._past(told.past)))

    def _past(self, before: Past) -> Past:
        """Return what is known of the past, one node more at each look."""
        pasts, self._pasts = self._pasts, None
        try:
            found = next(pasts, None) if pasts is not None else None
        except StoreError:
            return before  # nothing was kept
        if found is None:
            return before
        self._pasts = pasts
        return {**before, **found}

    def _attach(self) -> bool:
        folder = spool_folder(self._monitor) if self._monitor else _running_here()
        if folder is None:
            return False
        name = folder.parent.name
        self.places = Places(Path(layout.runtime_directory()) / name, folder.parent)
        self._log = SpoolLog(folder, self._hurry.is_set)
        if not self._past_begun:
            self._past_begun = True
            self._pasts = pasts(folder.parent, clock.wall_ns() // clock.NANOSECONDS_PER_SECOND)
        return True

    def _detach(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None
        self._pasts = None

    def _tell(self, told: Told) -> None:
        if told != self.told:
            self.told = told
            self._arrived()


def _running_here() -> Path | None:
    """Return the spool of the monitor that runs here: the one of the usual name, or the first."""
    runtime = Path(layout.runtime_directory())
    names = [name for name in spool_names(data_directory()) if is_there(runtime / name)]
    if not names:
        return None
    return spool_folder(PREFERRED if PREFERRED in names else names[0])


def _sheet(places: Places) -> AlarmSheet | None:
    """Return the alarms; None while the monitor has not written any, or in a way unknown here."""
    try:
        document, runs = current(places)
        return sheet_of(places.data.name, document, runs)
    except (IsinglassError, KeyError, TypeError, ValueError):
        return None
