"""A thread that reads for the screen, rests, and is hurried or ended from outside at any time."""

from __future__ import annotations

import threading

END_SECONDS = 5.0


class ReadingThread(threading.Thread):
    """What the feeds have in common: `_hurry` cuts a rest short, `_ended` is asked to end."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._ended = threading.Event()
        self._hurry = threading.Event()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._ended.set()
        self._hurry.set()
        if self.is_alive():
            self.join(END_SECONDS)
