"""What `isinglass log` does beside printing: sends to a collector, keeps from where to go on.

A batch that is not taken is tried again for as long as `--follow` lasts, so nothing is left out and
the order stays; without it the command ends with the reason. The cursor is kept only when what came
before it is delivered: whoever begins again with it may send some events twice, and misses none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

from isinglass import clock
from isinglass.cli.units import counted
from isinglass.errors import SettingsError, UsageError
from isinglass_monitor.atomic_file import replace_text
from isinglass_monitor.otlp import Exporter, NotDelivered
from isinglass_monitor.spool.reading import Cursor, parse_cursor
from isinglass_monitor.spool.records import Entry

SENT_TOGETHER = 500
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0


class Delivery:
    """Sends entries to a collector.

    Args:
        endpoint: its whole address.
        patient: try again until a batch is taken.
        sleep: waits for some seconds.

    Raises:
        SettingsError: the library is missing, or the address is none.
    """

    def __init__(
        self, endpoint: str, *, patient: bool, sleep: Callable[[float], None] = clock.sleep
    ) -> None:
        self._exporter, self._patient, self._sleep = Exporter(endpoint), patient, sleep
        self._endpoint = endpoint
        self._sent = 0

    def __call__(self, entries: Iterable[Entry]) -> None:
        """Send entries in their order.

        Raises:
            NotDelivered: a batch was not taken; those before it were.
        """
        left = iter(entries)
        while batch := list(islice(left, SENT_TOGETHER)):
            self._deliver(batch)
            self._sent += len(batch)

    def _deliver(self, batch: list[Entry]) -> None:
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            try:
                self._exporter.send(batch)
                return
            except NotDelivered as reason:
                if not self._patient:
                    raise
                print(f"isinglass: {reason} Trying again.", file=sys.stderr, flush=True)
            self._sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    def close(self) -> None:
        """Let go of the connection; say how much was sent."""
        self._exporter.close()
        print(
            f"isinglass: {counted(self._sent, 'event')} sent to {self._endpoint}", file=sys.stderr
        )


def kept_cursor(path: Path) -> Cursor | None:
    """Return the cursor that a file keeps; None when there is no file yet.

    Raises:
        SettingsError: it cannot be read.
        UsageError: what is in it is no cursor.
    """
    try:
        text = path.read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as reason:
        raise SettingsError(f"The cursor in {path} cannot be read: {reason}.") from None
    try:
        return parse_cursor(text)
    except UsageError:
        raise UsageError(f"What {path} has is no cursor: remove it to begin anew.") from None


def keep_cursor(path: Path, cursor: str) -> None:
    """Keep a cursor in a file, replaced whole.

    Raises:
        SettingsError: it cannot be written.
    """
    try:
        replace_text(path, cursor + "\n", durable=True)
    except OSError as reason:
        raise SettingsError(f"The cursor cannot be kept in {path}: {reason.strerror}.") from None
