"""Writes small files of the data directory on a thread of its own: no disk holds up the watch.

A disk that hangs keeps the thread that writes to it for as long as it hangs. That must not be the
one that watches: it would tell of nothing any more, least of all of the disk. So what is to be
written waits here under its name, the newest alone, and of what failed the watch is told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

WAITING_LIMIT = 100
END_SECONDS = 10.0

Write = Callable[[], None]


class Keeper:
    """The thread, and what waits for it.

    Args:
        report: told of each OSError, on the thread.
    """

    def __init__(self, report: Callable[[OSError], None]) -> None:
        self._report = report
        self._condition = threading.Condition()
        self._waiting: dict[str, Write] = {}
        self._failed: set[str] = set()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def put(self, name: str, write: Write) -> None:
        """Have something written, in place of what waits under that name.

        When WAITING_LIMIT names wait already, a new one is left out.
        """
        with self._condition:
            if name in self._waiting or len(self._waiting) < WAITING_LIMIT:
                self._waiting[name] = write
                self._condition.notify()

    def has_failed(self, name: str) -> bool:
        """Tell, once, that what was last written under a name could not be."""
        with self._condition:
            failed = name in self._failed
            self._failed.discard(name)
            return failed

    def close(self) -> None:
        """Write what waits, and end the thread; give up when the disk hangs."""
        with self._condition:
            self._ending = True
            self._condition.notify()
        self._thread.join(END_SECONDS)

    def _run(self) -> None:
        while (found := self._next()) is not None:
            name, write = found
            try:
                write()
            except OSError as error:
                with self._condition:
                    self._failed.add(name)
                self._report(error)

    def _next(self) -> tuple[str, Write] | None:
        with self._condition:
            while not self._waiting:
                if self._ending:
                    return None
                self._condition.wait()
            name = next(iter(self._waiting))
            return name, self._waiting.pop(name)
