"""Python stacks of another process, asked for by an operator: this touches the process.

Two ways. py-spy, where it is installed, stops the process for some milliseconds and reads its
memory; a process that is stopped already is read as it is. Else the process writes its stacks
itself, if it said that it would (`glass/stacks`), at a signal. A pid is a number that is used
again, so before anything is done the process is held by a pidfd and compared with the segment: its
start, and for the signal the file that it has open and that it catches the signal.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

from isinglass import clock
from isinglass.errors import ProcessAway
from isinglass.glass.processes import is_stopped, start_ticks
from isinglass.glass.stacks import SIGNAL, stacks_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.glass.snapshot import Process

PY_SPY, FAULTHANDLER = "py-spy", "faulthandler"
LIMIT_SECONDS = 10.0
LOOK_SECONDS = 0.02
STILL_LOOKS = 3  # so often the file must not have grown before it counts as whole
LARGEST_BYTES = 1 << 20
NO_WAY = (
    "its stacks cannot be had: install py-spy (`pip install 'isinglass[debug]'`), or have the"
    " process call isinglass.stacks_on_request()"
)


def py_spy() -> str:
    """Return the program py-spy: beside this interpreter, or on the path; "" without one."""
    beside = os.path.join(os.path.dirname(sys.executable), PY_SPY)
    return beside if os.access(beside, os.X_OK) else shutil.which(PY_SPY) or ""


def take(process: Process, segment_path: str, way: str = "") -> tuple[str, str]:
    """Return the stacks of a process of this machine as text, and which way they came.

    Args:
        way: `PY_SPY` or `FAULTHANDLER`; "" for the first that there is.

    Raises:
        ProcessAway: it is not that process any more, or its stacks cannot be had; says why.
    """
    descriptor = grasp(process)
    try:
        program = py_spy()
        if way == PY_SPY or (program and way != FAULTHANDLER):
            if not program:
                raise ProcessAway("py-spy is not installed: `pip install 'isinglass[debug]'`.")
            return _by_py_spy(program, process.pid), PY_SPY
        return _by_itself(process, segment_path, descriptor), FAULTHANDLER
    finally:
        os.close(descriptor)


def grasp(process: Process) -> int:
    """Return a pidfd of the process that has a region; the caller closes it.

    Raises:
        ProcessAway: it has ended, or is not to be found from here (another pid namespace).
    """
    who = f"{process.name} {process.pid}"
    try:
        descriptor = os.pidfd_open(process.pid)
    except (ProcessLookupError, ValueError):
        raise ProcessAway(f"{who} is not there: it ended, or runs in a container.") from None
    if start_ticks(process.pid) != process.start_ticks:
        os.close(descriptor)
        raise ProcessAway(f"Process {process.pid} is not {process.name} of this node any more.")
    return descriptor


# ---------------------------------------------------------------------- py-spy
def _by_py_spy(program: str, pid: int) -> str:
    # A stopped process does not move while it is read, and must not be set going by the reader.
    still = ["--nonblocking"] if is_stopped(pid) else []
    command = [program, "dump", "--pid", str(pid), *still]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProcessAway(f"py-spy gave no answer within {LIMIT_SECONDS:g} s.") from None
    if done.returncode or not done.stdout.strip():
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise ProcessAway(f"py-spy could not read process {pid}: {lines[-1].strip()}.")
    return done.stdout.strip()


# ---------------------------------------------------------------------- faulthandler
def _by_itself(process: Process, segment_path: str, descriptor: int) -> str:
    path = stacks_path(segment_path, process.slot)
    if not (_catches(process.pid) and _has_open(process.pid, path)):
        raise ProcessAway(f"{process.name} {process.pid}: {NO_WAY}.")
    if is_stopped(process.pid):
        raise ProcessAway(
            f"{process.name} {process.pid} is stopped and cannot write its stacks: install py-spy,"
            " which reads them"
        )
    before = os.path.getsize(path)
    signal.pidfd_send_signal(descriptor, SIGNAL)
    text = _written(path, before)
    if not text:
        raise ProcessAway(f"{process.name} {process.pid} has not written its stacks.")
    if before + len(text) > LARGEST_BYTES:
        os.truncate(path, 0)
    return text


def _written(path: str, before: int) -> str:
    """Return what was appended to a file, once it has stopped growing."""
    end_ns = clock.monotonic_ns() + int(LIMIT_SECONDS * clock.NANOSECONDS_PER_SECOND)
    size, still = before, 0
    while clock.monotonic_ns() < end_ns and (size == before or still < STILL_LOOKS):
        clock.sleep(LOOK_SECONDS)
        now = os.path.getsize(path)
        size, still = now, still + 1 if now == size else 0
    with open(path, "rb") as file:
        file.seek(before)
        return file.read(LARGEST_BYTES).decode("utf-8", "replace").strip()


def _catches(pid: int) -> bool:
    """Return whether a process has a handler for the signal (proc(5), status, SigCgt)."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            lines = dict(line.split(b":", 1) for line in file if b":" in line)
        return bool(int(lines[b"SigCgt"], 16) >> (SIGNAL - 1) & 1)
    except (OSError, KeyError, ValueError):
        return False


def _has_open(pid: int, path: str) -> bool:
    try:
        wanted = os.stat(path)
        with os.scandir(f"/proc/{pid}/fd") as entries:
            return any(_is(entry.path, wanted) for entry in entries)
    except OSError:
        return False


def _is(path: str, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), wanted)
    except OSError:
        return False  # Closed since it was listed.
