"""A limit for the whole of a talk with a server, which a socket's own time limit is not.

That one begins anew with each byte, so a server that sends one now and then would hold up its
notifier for ever. When the time is over, the connection is shut down from another thread, and what
waits for it gets an error.
"""

from __future__ import annotations

import contextlib
import threading
from types import TracebackType
from typing import Any

SHUT_BOTH_WAYS = 2  # SHUT_RDWR of shutdown(2)


class TimeLimit:
    """A context manager for one talk; beyond the limit it raises TimeoutError.

    Args:
        seconds: how long it may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._is_over = seconds, False
        self._connection: Any = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="time-limit", daemon=True)

    def connection(self, kind: Any, *arguments: Any, **options: Any) -> Any:
        """Return a connection of a class that has its socket as `sock`.

        It is known here before its constructor runs, since that may talk already.
        """
        self._connection = kind.__new__(kind)
        self._connection.__init__(*arguments, **options)
        return self._connection

    def __enter__(self) -> TimeLimit:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: object, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if error is not None and self._is_over:
            raise TimeoutError(f"it took longer than {self._seconds:g} s") from error

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._is_over = True
            if (connected := getattr(self._connection, "sock", None)) is not None:
                with contextlib.suppress(OSError):
                    connected.shutdown(SHUT_BOTH_WAYS)
