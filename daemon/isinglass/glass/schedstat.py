"""The kernel's account of a thread, read cheaply and often: `/proc/PID/task/TID/schedstat`.

Three numbers: nanoseconds run, nanoseconds waited for a CPU, timeslices (kernel documentation,
scheduler/sched-stats). The file is opened once a thread and read again with `pread`, three
microseconds a time; a thread that has ended gives an error at the next read.
"""

from __future__ import annotations

import os
from typing import NamedTuple

LONGEST = 128


class Usage(NamedTuple):
    """What the kernel says of a thread: time run and time waited for a CPU, in nanoseconds."""

    running_ns: int
    queued_ns: int


_NOTHING = Usage(0, 0)


class SchedStat:
    """The open account of one thread; `delta` gives what it used since the last call."""

    __slots__ = ("_descriptor", "_last", "_text")

    def __init__(self, pid: int, tid: int) -> None:
        self._descriptor = -1
        self._last: Usage | None = None
        self._text = b""
        try:
            self._descriptor = os.open(
                f"/proc/{pid}/task/{tid}/schedstat", os.O_RDONLY | os.O_CLOEXEC
            )
        except OSError:
            return
        self._text = self._read()
        self._last = _usage(self._text)

    def delta(self) -> Usage | None:
        """Return the usage since the last call, or None when the kernel does not say."""
        text = self._read()
        if text and text == self._text:
            return _NOTHING  # most threads wait, most of the time
        self._text, earlier, self._last = text, self._last, _usage(text)
        if earlier is None or self._last is None:
            return None
        return Usage(
            self._last.running_ns - earlier.running_ns, self._last.queued_ns - earlier.queued_ns
        )

    def _read(self) -> bytes:
        if self._descriptor < 0:
            return b""
        try:
            return os.pread(self._descriptor, LONGEST, 0)
        except OSError:
            return b""

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _usage(text: bytes) -> Usage | None:
    fields = text.split()
    return Usage(int(fields[0]), int(fields[1])) if len(fields) >= 2 else None
