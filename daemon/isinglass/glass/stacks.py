"""Python stacks of this process on request: at a signal it writes them into a file of its node.

    import isinglass
    isinglass.attach("mydaemon")
    isinglass.stacks_on_request()         # isinglass's own daemons do it by themselves

The standard library's faulthandler does the writing, in C and without the interpreter's lock, so
it answers for a process whose threads all hang. It is the one thing here that touches a process
from outside, so it is asked for: by this call, and again each time, by `isinglass stacks`.

    NODE/stacks.REGION      made by the process, mode 0640; each request appends the stacks

The signal is a real-time one, which programs and their libraries leave alone; its number is fixed,
because who asks must know it, and sends it only to a process that has the file open and catches it.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from io import FileIO

from isinglass.errors import SegmentError
from isinglass.glass import layout, segment

SIGNAL = signal.SIGRTMIN + 11
MODE = 0o640
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_kept: list[FileIO] = []  # the file must stay open as long as the handler writes to it


def stacks_path(segment_path: str, region: int) -> str:
    """Return the file that the process of a region writes its stacks into."""
    return f"{os.path.dirname(segment_path)}/stacks.{region}"


def stacks_on_request() -> None:
    """Write all threads' stacks into a file of the node whenever `isinglass stacks` asks.

    Raises:
        SegmentError: the process is not behind the glass, or the file cannot be made.
    """
    glass = segment.current()
    if glass is None:
        raise SegmentError("this process is not behind the glass: call isinglass.attach first")
    path = stacks_path(layout.segment_path(glass.node), glass.region)
    try:
        descriptor = os.open(path, _FLAGS, MODE)
    except OSError as error:
        raise SegmentError(f"{path} cannot be made: {error.strerror}") from error
    file = FileIO(descriptor, "w")
    faulthandler.register(SIGNAL, file, all_threads=True)
    for earlier in _kept:
        earlier.close()
    _kept[:] = [file]
