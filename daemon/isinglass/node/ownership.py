"""One daemon a node: the lock that a daemon holds for its life, and how others find it.

The file `NODE/daemon.lock` is never removed; what counts is the kernel's lock on it, which ends
with its holder, so a daemon that was killed leaves nothing to clean up. The file says who holds it:

    PID PID_NAMESPACE\\n        namespace: the inode of /proc/self/ns/pid

A pid is a number in one namespace, and is used again. So nobody is signalled by number: `grasp`
takes a pidfd (pidfd_open(2)) and then makes sure that this very process has the lock file open.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from isinglass.errors import ProcessAway, StoreLocked
from isinglass.glass import locks
from isinglass.glass.permission import refusal

LOCK_NAME = "daemon.lock"
DIRECTORY_MODE = 0o750
FILE_MODE = 0o640
LONGEST_LINE_BYTES = 64
_HELD_BYTE = 0


@dataclass(frozen=True)
class Owner:
    """The process that holds a node; `pid` is 0 while it has not yet written its own."""

    pid: int
    namespace: int


def pid_namespace() -> int:
    """Return the inode of this process's pid namespace (pid_namespaces(7))."""
    return os.stat("/proc/self/ns/pid").st_ino


def owner_of(node_runtime_dir: Path) -> Owner | None:
    """Return who holds the node, or None when no daemon runs; needs read permission alone.

    Raises:
        ProcessAway: this user may not look at the node.
    """
    try:
        descriptor = os.open(node_runtime_dir / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise ProcessAway(refusal(node_runtime_dir)) from None
    try:
        if not locks.is_locked(descriptor, _HELD_BYTE):
            return None
        words = os.pread(descriptor, LONGEST_LINE_BYTES, 0).split()
        return Owner(int(words[0]), int(words[1])) if len(words) == 2 else Owner(0, 0)
    finally:
        os.close(descriptor)


def grasp(node_runtime_dir: Path, owner: Owner) -> int:
    """Return a pidfd of the process that holds the node; the caller closes it.

    Raises:
        ProcessAway: it is in another pid namespace, is ending, or belongs to another user.
    """
    if owner.namespace != pid_namespace():
        raise ProcessAway(
            "The daemon runs in another pid namespace (a container): give the command there."
        )
    try:
        descriptor = os.pidfd_open(owner.pid)
    except ProcessLookupError:
        raise ProcessAway(f"The daemon's process {owner.pid} is just ending.") from None
    if not _has_open(owner.pid, node_runtime_dir / LOCK_NAME):
        os.close(descriptor)
        raise ProcessAway(
            f"Process {owner.pid} cannot be seen to be the daemon: give the command as its user,"
            " or again if the daemon is just starting or ending."
        )
    return descriptor


def _has_open(pid: int, path: Path) -> bool:
    try:
        return any(entry.samefile(path) for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def running_already(node: str, owner: Owner | None) -> str:
    """Return the sentence for one who wants to start a second daemon of a node."""
    process = f" (process {owner.pid})" if owner and owner.pid else ""
    return (
        f"A daemon of node {node} is running already{process}: end it with"
        f" `isinglass daemon stop {node}`, or start a node of another name."
    )


class NodeOwnership:
    """The node's lock, held from `__enter__` to `__exit__` or to the process's death.

    Args:
        already: returns the sentence for one who comes second; gets the node and the owner.
    """

    def __init__(
        self,
        node: str,
        node_runtime_dir: Path,
        already: Callable[[str, Owner | None], str] = running_already,
    ) -> None:
        self._node = node
        self._folder = node_runtime_dir
        self._already = already
        self._descriptor = -1

    def __enter__(self) -> NodeOwnership:
        """Take the lock.

        Raises:
            StoreLocked: another daemon runs for this node.
            OSError: the runtime directory cannot be made or written.
        """
        self._folder.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._folder / LOCK_NAME, flags, FILE_MODE)
        if not locks.try_lock(descriptor, _HELD_BYTE):
            os.close(descriptor)
            holder = owner_of(self._folder)
            raise StoreLocked(self._already(self._node, holder))
        self._descriptor = descriptor
        line = f"{os.getpid()} {pid_namespace()}\n".encode("ascii")
        os.pwrite(descriptor, line, 0)
        os.ftruncate(descriptor, len(line))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the node back."""
        os.close(self._descriptor)
        self._descriptor = -1
