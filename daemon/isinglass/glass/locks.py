"""Kernel locks on byte ranges of the segment: released by the kernel when their holder dies.

Open-file-description locks (fcntl(2), F_OFD_SETLK) belong to the open file, not to the process, so
they are right across threads and pid namespaces, and a question (F_OFD_GETLK) needs no privilege.
Nobody waits without a limit: a stopped holder is a typed error, never a hang.
"""

from __future__ import annotations

import fcntl
import os
import struct

from isinglass import clock
from isinglass.errors import LockTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_FLOCK = struct.Struct("hhqqi4x")
_POLL_SECONDS = 0.0002


def _range(kind: int, start: int, length: int) -> bytes:
    return _FLOCK.pack(kind, 0, start, length, 0)


def requests(start: int) -> tuple[bytes, bytes]:
    """Return what asks fcntl(2) to lock and to unlock a byte, packed once for many calls."""
    return _range(fcntl.F_WRLCK, start, 1), _range(fcntl.F_UNLCK, start, 1)


def try_lock(descriptor: int, start: int, length: int = 1) -> bool:
    """Take the lock on a byte range if nobody has it; return whether it is ours now."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _range(fcntl.F_WRLCK, start, length))
    except (BlockingIOError, PermissionError):
        return False
    return True


def lock(descriptor: int, start: int, *, limit_seconds: float, what: str) -> None:
    """Take the lock on one byte, waiting at most `limit_seconds`.

    Raises:
        LockTimeout: somebody held it all that time, so is most likely stopped.
    """
    _wait(lambda: try_lock(descriptor, start), limit_seconds, what)


def lock_folder(path: str, limit_seconds: float, what: str) -> int:
    """Take the lock on a folder (flock(2)); return its open file, whose end gives the lock back.

    Raises:
        LockTimeout: somebody held it all the time.
        OSError: the folder cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _wait(lambda: _try_folder(descriptor), limit_seconds, what)
    except LockTimeout:
        os.close(descriptor)
        raise
    return descriptor


def _try_folder(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(take: Callable[[], bool], limit_seconds: float, what: str) -> None:
    deadline = clock.monotonic_ns() + int(limit_seconds * clock.NANOSECONDS_PER_SECOND)
    while not take():
        if clock.monotonic_ns() > deadline:
            raise LockTimeout(
                f"the lock for {what} was not free within {limit_seconds:g} s: look for a stopped"
                " process of this node (`isinglass ps`) and continue or end it"
            )
        clock.sleep(_POLL_SECONDS)


def unlock(descriptor: int, start: int, length: int = 1) -> None:
    """Give the lock on a byte range back."""
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _range(fcntl.F_UNLCK, start, length))


def is_locked(descriptor: int, start: int, length: int = 1) -> bool:
    """Tell whether another open file holds a lock in the byte range."""
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _range(fcntl.F_WRLCK, start, length))
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
