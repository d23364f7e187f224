"""The signals that end a daemon: caught in whichever thread they come, waited for in one.

Python runs a signal's handler in the main thread, when that next runs. The kernel, though, gives a
signal that is meant for a process to any thread that does not block it; after SIGSTOP and SIGCONT
that is often not the main one, which then goes on sleeping in whatever it waits for. So what wakes
it is a pipe: the interpreter's own C handler writes the signal's number into it at once, in the
thread that was interrupted (signal.set_wakeup_fd). No signal is blocked, so child processes need
nothing undone.
"""

from __future__ import annotations

import os
import select
import signal

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_READ_BYTES = 4096


class StopSignals:
    """Catches the stop signals from `__enter__` to `__exit__`; for the main thread."""

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def __enter__(self) -> StopSignals:
        self._earlier_descriptor = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        # A handler, so that the interpreter catches the signal; what counts is the pipe.
        self._earlier = {number: signal.signal(number, lambda *_: None) for number in STOP_SIGNALS}
        return self

    def wait(self) -> None:
        """Wait, without a limit, until a stop signal has come; at once when one came before."""
        poller = select.poll()
        poller.register(self._read_end, select.POLLIN)
        while True:
            poller.poll()
            if not set(STOP_SIGNALS).isdisjoint(os.read(self._read_end, _READ_BYTES)):
                return

    def end(self) -> None:
        """End the wait as a signal would; any thread may."""
        os.write(self._write_end, bytes([signal.SIGTERM]))

    def __exit__(self, *_: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._earlier_descriptor)
        os.close(self._read_end)
        os.close(self._write_end)
