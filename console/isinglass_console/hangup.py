"""Ends the console when its terminal is gone, whatever the rest of it is doing.

Left alone, Textual's input thread spins on a dead descriptor, and its output queue fills up behind
a thread that died of the first write. So this is a thread of its own: it sleeps in poll(2) until
the kernel says that the terminal hung up (also when SIGHUP is ignored), lets what is
still read and written go to nowhere, asks the app to leave, and ends the process when it does not.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable

EXIT_HANGUP = 129
STANDARD_STREAMS = (0, 1, 2)
LAST_RESORT_SECONDS = 3.0


class HangupWatch(threading.Thread):
    """Watches standard input's terminal.

    Args:
        leave: asks the app to end; called in this thread, once.
    """

    def __init__(self, leave: Callable[[], object]) -> None:
        super().__init__(name="hangup", daemon=True)
        self._leave = leave
        self._ended = threading.Event()
        self._wake_read, self._wake_write = os.pipe()

    def watch(self) -> None:
        """Start; call it in the main thread, which takes the signal."""
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._hung_up)
        self.start()

    def end(self) -> None:
        """The app has ended: nothing is watched any more."""
        self._ended.set()
        os.write(self._wake_write, b"e")

    def _hung_up(self, _number: int, _frame: object) -> None:
        os.write(self._wake_write, b"h")

    def run(self) -> None:
        """Sleep until the terminal hangs up or the app ends."""
        poll = select.poll()
        poll.register(STANDARD_STREAMS[0], 0)
        poll.register(self._wake_read, select.POLLIN)
        poll.poll()
        if self._ended.is_set():
            return
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in STANDARD_STREAMS:
            os.dup2(nowhere, descriptor)
        self._leave()
        if not self._ended.wait(LAST_RESORT_SECONDS):
            os._exit(EXIT_HANGUP)
