"""Orders to a running monitor: files in its runtime directory, answered within about a second.

    command                                  monitor, once a second
    orders/NAME.order   (renamed into place) ──▶ reads it, removes it, obeys
    orders/NAME.answer  ◀── (renamed into place) its answer

Files rather than a socket: whoever may write in the directory may give orders, an order is whole or
not there, and nothing has to be accepted, timed or taken apart while the monitor works. That a
monitor runs is told by the lock it holds, so a command does not wait for one that is gone.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isinglass import clock
from isinglass.errors import IsinglassError, StoreLocked
from isinglass.glass.permission import unreadable
from isinglass_monitor.atomic_file import read_document, replace_document

DIRECTORY, LOCK_FILE = "orders", "watch.lock"
ORDER, ANSWER = ".order", ".answer"
LONGEST_BYTES = 64 << 10
ORDERS_A_LOOK = 100
STALE_SECONDS = 60.0
PATIENCE_SECONDS = 10.0
LOOK_SECONDS = 0.05
LOCK_TRIES = 20


class OrderRefused(IsinglassError):
    """The monitor could not do what it was asked; it said why."""


class MonitorAway(IsinglassError):
    """No monitor of that name runs on this machine, or it does not answer."""


class OrderBox:
    """The monitor's end; holds the lock that says that it is there.

    Raises:
        StoreLocked: another monitor uses this directory.
    """

    def __init__(self, runtime: Path) -> None:
        self._path = runtime / DIRECTORY
        self._path.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._lock = os.open(runtime / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        if not self._is_locked():
            os.close(self._lock)
            raise StoreLocked(f"Another monitor uses {runtime}: choose another name.")

    def _is_locked(self) -> bool:
        """Lock it, several times if need be: `is_there` has the lock while it looks."""
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                clock.sleep(LOOK_SECONDS)
                continue
            return True
        return False

    def taken(self) -> Iterator[tuple[str, Any]]:
        """Yield the orders that wait, each with its name; None for one that cannot be read.

        An order is gone before it is obeyed: one that kills the monitor is not obeyed for ever.
        """
        names = sorted(name for name in os.listdir(self._path) if name.endswith(ORDER))
        for name in names[:ORDERS_A_LOOK]:
            path = self._path / name
            try:
                document = read_document(path) if path.stat().st_size <= LONGEST_BYTES else None
                path.unlink()
            except OSError:
                continue  # its sender has taken it back
            yield name.removesuffix(ORDER), document

    def answer(self, name: str, document: dict[str, Any]) -> None:
        """Answer an order."""
        replace_document(self._path / (name + ANSWER), document)

    def sweep(self, now_wall_ns: int) -> None:
        """Remove answers that nobody has read, and what an interrupted command left."""
        oldest = now_wall_ns - STALE_SECONDS * clock.NANOSECONDS_PER_SECOND
        with os.scandir(self._path) as entries:
            for entry in entries:
                try:
                    if entry.stat(follow_symlinks=False).st_mtime_ns < oldest:
                        os.unlink(entry.path)
                except OSError:
                    continue

    def close(self) -> None:
        """Let go of the lock."""
        os.close(self._lock)


def is_there(runtime: Path) -> bool:
    """Tell whether a monitor works in this directory."""
    try:
        descriptor = os.open(runtime / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def ask(runtime: Path, order: dict[str, Any], patience: float = PATIENCE_SECONDS) -> dict[str, Any]:
    """Give an order and return the answer.

    Raises:
        MonitorAway: no monitor runs there, or it does not answer in time; then it will not obey,
            nor when the wait is broken off.
        OrderRefused: it cannot do that.
    """
    if not is_there(runtime):
        raise MonitorAway(
            unreadable(runtime / LOCK_FILE)
            or f"No monitor {runtime.name} runs: start it with `isinglass monitor start`."
        )
    name = f"{clock.wall_ns()}-{os.getpid()}-{secrets.token_hex(4)}"
    path, answer = (runtime / DIRECTORY / (name + kind) for kind in (ORDER, ANSWER))
    try:
        replace_document(path, order)
    except OSError as error:
        raise MonitorAway(f"The monitor cannot be reached: {error.strerror}.") from error
    try:
        found = _answer(answer, patience)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if found is None:
        try:
            path.unlink()
        except FileNotFoundError:
            raise MonitorAway("The monitor took the order and does not answer.") from None
        raise MonitorAway("The monitor does not answer; it will not do it later either.")
    if found.get("refused"):
        raise OrderRefused(str(found["refused"]))
    return found


def _answer(answer: Path, patience: float) -> dict[str, Any] | None:
    """Wait for an answer, take it away and return it; None when none comes in time."""
    deadline = clock.monotonic_ns() + round(patience * clock.NANOSECONDS_PER_SECOND)
    while clock.monotonic_ns() < deadline:
        found = read_document(answer)
        if isinstance(found, dict):
            answer.unlink(missing_ok=True)
            return found
        clock.sleep(LOOK_SECONDS)
    return None
