"""Who writes a store: `daemon.lock`, and what it remembers of the last writer.

The kernel's lock on the file's first byte belongs to the writing daemon and ends with it, however
it ends; it is tried, never waited for. The text says how the last writer left the store:

    made      the store was complete once, so an empty data file is damage and not a beginning
    open      a daemon wrote, and has not closed it
    boot      the boot of the machine in which it wrote
    durability as it was opened

Left open in another boot without "commit", the kernel may have written pages in any order before
the machine went down: then `check` reads the whole store, in a process of its own, because a
damaged page can end the process that reads it.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import weakref
from pathlib import Path

from isinglass.errors import DiskFull, StoreCorrupt, StoreError, StoreLocked
from isinglass.glass.locks import try_lock, unlock

LOCK_NAME, DATA_NAME = "daemon.lock", "data.mdb"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
CHECK_LIMIT_SECONDS = 3600
TEXT_BYTES = 256

_owners: weakref.WeakSet[Owner] = weakref.WeakSet()


class Owner:
    """The lock of a writing daemon; made by `take`."""

    def __init__(self, path: Path, descriptor: int, durability: str) -> None:
        self._path, self._descriptor, self._durability = path, descriptor, durability
        _owners.add(self)

    def _write(self, state: str) -> None:
        boot = BOOT_ID.read_text().strip()
        text = f"made {state} boot={boot} durability={self._durability} pid={os.getpid()}\n"
        try:
            os.pwrite(self._descriptor, text.encode().ljust(TEXT_BYTES), 0)
            os.fsync(self._descriptor)
        except OSError as error:
            raise _unusable(self._path, error) from error

    def made(self) -> None:
        """Note that the store is complete and being written."""
        self._write("open")

    def closing(self) -> None:
        """Note that everything is on the disk and nothing more will be written."""
        self._write("closed")

    def release(self) -> None:
        """Let another daemon have the store, also when a child was forked just now."""
        if self._descriptor >= 0:
            unlock(self._descriptor, 0)
            self.forget()

    def forget(self) -> None:
        """In a forked child: close its copy of the descriptor; the parent keeps the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def take(path: Path, durability: str) -> Owner:
    """Take a store for writing, making its directory; check what a crash of the machine left.

    Raises:
        StoreLocked: another daemon has it.
        StoreCorrupt: its data file is gone, empty or damaged.
        StoreError, DiskFull: the directory cannot be made.
    """
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(
            path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640
        )
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        if not try_lock(descriptor, 0):
            raise StoreLocked(
                f"another daemon has the store {path}: stop it, or give this node another data"
                " directory"
            )
        _check_last(path, os.pread(descriptor, TEXT_BYTES, 0).decode("ascii", "replace").split())
    except BaseException:
        os.close(descriptor)
        raise
    return Owner(path, descriptor, durability)


def _unusable(path: Path, error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"the disk under {path} has no room: free some")
    return StoreError(f"the store's directory {path} cannot be used: {error.strerror}")


def _check_last(path: Path, words: list[str]) -> None:
    """Look at how the last writer left the store."""
    if "made" not in words:
        return
    data = path / DATA_NAME
    if not data.is_file() or data.stat().st_size == 0:
        raise StoreCorrupt(
            f"the store {path} has lost its data file: restore it from another node or a copy, or"
            " remove the directory to begin with nothing"
        )
    same_boot = f"boot={BOOT_ID.read_text().strip()}" in words
    if "open" in words and not same_boot and "durability=commit" not in words:
        check(path)


def check(path: Path) -> None:
    """Read and verify a whole store in a process of its own.

    Raises:
        StoreCorrupt: it is damaged, and how.
    """
    command = [sys.executable, "-m", "isinglass.store.check", str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=CHECK_LIMIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise StoreCorrupt(f"the store {path} could not be read within an hour") from error
    if done.returncode:
        reason = done.stdout.strip() or f"reading it ended with status {done.returncode}"
        raise StoreCorrupt(
            f"the store {path} is damaged ({reason}): move it away and restore it from another"
            " node or a copy"
        )


def _release_in_child() -> None:
    for owner in list(_owners):
        owner.forget()


os.register_at_fork(after_in_child=_release_in_child)
