"""What a monitor has: its log by pages, its alarms each second, on one thread.

The thread of the nodes (`feed`) reads memory; this one reads files, and a disk, or a link to
another host, may take its time. So they are two, and neither waits for the other. Only the newest
answer is kept: a slow screen misses some of them.

    none ──one runs here, or is named──▶ attached ──its files cannot be read──▶ none
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from isinglass import clock
from isinglass.cli.nodes import is_remote
from isinglass.errors import IsinglassError, StoreError
from isinglass_console.model.log_page import LogRequest
from isinglass_console.model.told import Past, Told
from isinglass_console.sources.monitor_files import MonitorFiles, MonitorHere, MonitorThere
from isinglass_console.sources.reading_thread import ReadingThread
from isinglass_console.sources.spool_log import SpoolLog
from isinglass_console.sources.statistics import pasts
from isinglass_monitor.commands.places import operator

LOOK_SECONDS = 0.25
ALARMS_SECONDS = 1.0


class MonitorFeed(ReadingThread):
    """Reads a monitor's files until it is stopped.

    Args:
        monitor: its name, or the folder of its spool, or an ssh:// address; empty for the one that
            runs here, now or later.
        arrived: called in this thread when `told` has changed.
        ssh_command: what reaches other hosts; empty for asyncssh.

    Raises:
        UsageError: the address is none.
    """

    def __init__(self, monitor: str, arrived: Callable[[], None], ssh_command: str = "") -> None:
        super().__init__("monitor feed")
        self.told = Told()
        self._arrived = arrived
        self._files: MonitorFiles = (
            MonitorThere(monitor, ssh_command) if is_remote(monitor) else MonitorHere(monitor)
        )
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
            IsinglassError: it does not run, or does not answer, or cannot do that, and why.
        """
        self._files.order({**order, "by": operator()})

    def stop(self) -> None:
        """End the thread and wait for it; a link that is waited for ends first."""
        self._ended.set()
        self._files.close()
        super().stop()

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
                # Its alarms are those that were known last: whoever records them must know.
                sheet = self.told.sheet and replace(self.told.sheet, runs=False)
                self._tell(replace(self.told, sentence=sentence, page=None, sheet=sheet))
                self._ended.wait(ALARMS_SECONDS)
            self._hurry.wait(self._rest_seconds())
        self._detach()

    def _rest_seconds(self) -> float:
        """Return how long there is nothing to do: until the alarms are due, when that is all."""
        if self._wanted is not None or self._pasts is not None:
            return LOOK_SECONDS
        return max((self._alarms_due_ns - clock.monotonic_ns()) / 1e9, 0.0)

    def _look(self) -> None:
        now_ns = clock.monotonic_ns()
        due = now_ns >= self._alarms_due_ns
        if due:
            self._alarms_due_ns = now_ns + int(ALARMS_SECONDS * clock.NANOSECONDS_PER_SECOND)
        if self._log is None and (not due or not self._attach()):
            return
        assert self._log is not None
        told, request = self.told, self._wanted
        page = self._log.look(request) if request is not None else None
        sheet = self._files.sheet() if due else told.sheet
        self._tell(Told(self._log.name, "", page or told.page, sheet, self._past(told.past)))

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
        spool = self._files.spool()
        if spool is None:
            return False
        self._log = SpoolLog(spool, self._hurry.is_set)
        if not self._past_begun:
            self._past_begun = True
            self._pasts = self._all_pasts()
        return True

    def _all_pasts(self) -> Iterator[Past]:
        now_second = clock.wall_ns() // clock.NANOSECONDS_PER_SECOND
        yield from pasts(self._files.statistics(), now_second)

    def _detach(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None
        self._pasts = None

    def _tell(self, told: Told) -> None:
        if told != self.told:
            self.told = told
            self._arrived()
