"""The spooler: the thread that stores what waits, a transaction each 20 ms or 1,000 events.

A transaction that the disk refuses is tried again until it is taken; meanwhile the backlog fills,
and what finds no room in it is not taken in, so that it can be asked for later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from isinglass import clock
from isinglass.errors import StoreError
from isinglass.glass.probe import mark
from isinglass.node import ending
from isinglass_monitor.ingest.backlog import Backlog
from isinglass_monitor.own_panels import MonitorPanel, SpoolPanel
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.streams import LOST
from isinglass_monitor.spool.writer import SpoolWriter

RETRY_SECONDS = 0.25
STALLED_NS = clock.NANOSECONDS_PER_SECOND // 2
STOP_LIMIT_SECONDS = 30.0


class Spooler:
    """The thread; `stop` ends it when the backlog is empty.

    Args:
        report: shows an error in the table of distinct errors.
        fail: ends the monitor, for an error that trying again does not mend.
    """

    def __init__(
        self,
        backlog: Backlog,
        writer: SpoolWriter,
        panel: SpoolPanel,
        monitor: MonitorPanel,
        *,
        report: Callable[[Exception], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._backlog, self._writer = backlog, writer
        self._report, self._fail = report, fail
        self._panel, self._monitor = panel, monitor
        self._since_ns = 0  # when what is being stored was taken; 0: nothing is
        self._giving_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spooler")

    def start(self) -> None:
        """Begin to store."""
        self._thread.start()

    def stop(self) -> int:
        """Store what waits and end; return how many events the disk did not take in time.

        Raises:
            ThreadStuck: the thread does not end.
        """
        self._backlog.end()
        if self._thread.ident is not None:
            self._thread.join(STOP_LIMIT_SECONDS)
        self._giving_up.set()
        ending.join(self._thread)
        return self._backlog.events

    def stalled_ns(self) -> int:
        """Return for how long the transaction under way has lasted; 0 when there is none."""
        since = self._since_ns
        return clock.monotonic_ns() - since if since else 0

    def is_stalled(self) -> bool:
        """Tell whether the disk does not get on."""
        return self.stalled_ns() > STALLED_NS

    def _run(self) -> None:
        try:
            self._serve()
        except Exception as error:
            self._fail(error)

    def _serve(self) -> None:
        mark.waiting("for events")
        while pieces := self._backlog.take():
            self._since_ns = clock.monotonic_ns()
            stored = self._store(pieces)
            self._since_ns = 0
            if not stored:
                return
            self._backlog.done(pieces)
            mark.waiting("for events")

    def _store(self, pieces: list[Piece]) -> bool:
        """Store pieces, however long it takes; False when it is to be given up."""
        panel = self._panel
        while True:
            mark("storing events")
            started = clock.monotonic_ns()
            try:
                self._writer.commit(pieces, clock.wall_ns())
            except StoreError as error:
                self._trouble(error)
                mark.waiting("for the disk")
                if self._giving_up.wait(RETRY_SECONDS):
                    return False
                continue
            panel.commit_time.record((clock.monotonic_ns() - started) // 1000)
            break
        if self._monitor.trouble:
            self._monitor.trouble = ""
        lost = sum(piece.events for piece in pieces if piece.how == LOST)
        panel.batch = sum(piece.events for piece in pieces) - lost
        panel.events += panel.batch
        panel.gaps += sum(piece.how == LOST for piece in pieces)
        panel.commits += 1
        panel.last_commit = clock.wall_ns()
        return True

    def _trouble(self, error: StoreError) -> None:
        self._panel.failures += 1
        self._monitor.trouble = str(error)
        self._report(error)
