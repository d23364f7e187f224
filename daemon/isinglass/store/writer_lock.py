"""Who holds LMDB's write lock, seen without waiting for it.

LMDB waits for that lock without a limit, and has no way to try. It is a mutex in the lock file,
though, that the kernel frees when its holder dies, and of such a mutex the first word is a matter
between C library and kernel (futex(2), "robust futexes"):

    bits 0 to 29    thread number of the holder, 0 when it is free
    bit 30          the last holder died, and nobody has had it since
    bit 31          somebody waits for it

Where in the file it lies depends on C library and machine, so it is found by a trial: in a small
store of its own, the word that holds this thread's number while this thread writes, and 0 before.
Where that finds nothing, the lock is never seen to be held, and a writer waits as LMDB does.

Only a foreign program can hold it: isinglass daemons exclude each other by `daemon.lock`. One that
takes it between a look and LMDB's own wait, a microsecond, still makes the writer wait for as long
as it likes: `held_up` tells another thread so.
"""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from isinglass import clock
from isinglass.errors import StoreError
from isinglass.glass.probe import mark
from isinglass.glass.processes import command_of

HELD_LIMIT_SECONDS = 2.0
LONGEST_COMMAND = 80
_LOOK_SECONDS = 0.001
_THREAD_BITS = (1 << 30) - 1
_WORD_BYTES = 4
_TRIAL_BYTES = 1 << 20
_HEAD_BYTES = 256  # LMDB's two mutexes lie before its table of readers
_SHARED_MEMORY = Path("/dev/shm")

T = TypeVar("T")


class WriterLock:
    """The write lock of a store, to look at.

    Args:
        path: the lock file; only named, since closing a descriptor of it would drop LMDB's locks.
        descriptor: an open one, which stays open.
        place: of the lock's word in it, from `find_place`; None when that is not known.
    """

    def __init__(self, path: Path, descriptor: int, place: int | None) -> None:
        self._path, self._descriptor, self._place = path, descriptor, place
        self._waiting_since_ns = 0

    def holder(self) -> int:
        """Return the number of the thread that holds the lock; 0 when it is free or unknown."""
        if self._place is None:
            return 0
        word = os.pread(self._descriptor, _WORD_BYTES, self._place)
        return int.from_bytes(word, sys.byteorder) & _THREAD_BITS

    def await_free(self) -> None:
        """Wait until nobody holds the lock, for HELD_LIMIT_SECONDS.

        Raises:
            StoreError: somebody holds it all that time, and who.
        """
        if not self.holder():
            return
        mark.waiting("for a foreign program to let the store go")
        until_ns = clock.monotonic_ns() + int(HELD_LIMIT_SECONDS * clock.NANOSECONDS_PER_SECOND)
        while holder := self.holder():
            if clock.monotonic_ns() > until_ns:
                raise self._held_by(holder)
            clock.sleep(_LOOK_SECONDS)

    def take(self, begin: Callable[[], T]) -> T:
        """Return what `begin` returns, which waits for the lock as LMDB does.

        Raises:
            StoreError: somebody holds it for HELD_LIMIT_SECONDS, and who; nothing was begun.
        """
        self.await_free()
        self._waiting_since_ns = clock.monotonic_ns()
        try:
            return begin()
        finally:
            self._waiting_since_ns = 0

    def held_up(self) -> StoreError | None:
        """Return the error that another thread could not raise, which waits in `take`; or None."""
        since_ns = self._waiting_since_ns
        holder = self.holder() if since_ns else 0
        if not holder or Path(f"/proc/self/task/{holder}").exists():
            return None
        waited = (clock.monotonic_ns() - since_ns) / clock.NANOSECONDS_PER_SECOND
        return self._held_by(holder) if waited > HELD_LIMIT_SECONDS else None

    def _held_by(self, thread: int) -> StoreError:
        return StoreError(
            f"{self._name(thread)} holds the write lock of the store {self._path.parent}, which"
            " only the daemon may write: end it; writes then go on"
        )

    def _name(self, thread: int) -> str:
        process = self._process(thread)
        if process is None:
            # A number of another pid namespace, or a process that may not be looked at.
            return f"another program (thread {thread} of it)"
        command = " ".join(command_of(process).split())[:LONGEST_COMMAND]
        return f"process {process} ({command})"

    def _process(self, thread: int) -> int | None:
        """Return the process of a thread, if it can be seen to have the lock file open."""
        try:
            status = Path(f"/proc/{thread}/status").read_text("utf-8", "replace")
            process = int(status.partition("Tgid:")[2].split()[0])
            if any(entry.samefile(self._path) for entry in Path(f"/proc/{process}/fd").iterdir()):
                return process
        except (OSError, ValueError, IndexError):
            pass
        return None


@functools.cache
def find_place(open_store: Callable[..., Any], lock_name: str) -> int | None:
    """Return where the lock's word lies in a lock file on this machine; None: it was not found.

    Args:
        open_store: LMDB's, handed in by the one file that imports it.
        lock_name: of the lock file in the directory of a store.
    """
    try:
        return _tried_place(open_store, lock_name)
    except Exception:
        # No room for a trial, or whatever else LMDB has against it: the store itself may do.
        return None


def _tried_place(open_store: Callable[..., Any], lock_name: str) -> int | None:
    memory = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="isinglass-trial-", dir=memory) as folder:
        lock = Path(folder, lock_name)
        with open_store(folder, map_size=_TRIAL_BYTES) as store:
            with store.begin(write=True):
                held = _words(lock)
            free = _words(lock)
    mine = threading.get_native_id()
    for number, (then, now) in enumerate(zip(held, free, strict=True)):
        if (then, now) == (mine, 0):
            return number * _WORD_BYTES
    return None


def _words(lock: Path) -> list[int]:
    head = lock.read_bytes()[:_HEAD_BYTES]
    return list(memoryview(head).cast("I"))
