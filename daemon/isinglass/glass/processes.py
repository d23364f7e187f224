"""What the kernel says of a process by its number: when it started, its state, its command line."""

from __future__ import annotations

_STATE, _START_TICKS = 0, 19  # of the fields that follow the name


def _fields(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the state on (proc(5), field 3); [] when gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def start_ticks(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 when it is gone."""
    fields = _fields(pid)
    return int(fields[_START_TICKS]) if fields else 0


def is_stopped(pid: int) -> bool:
    """Return whether a process stands still by a signal, or is traced."""
    fields = _fields(pid)
    return bool(fields) and fields[_STATE] in (b"T", b"t")


def command_of(pid: int) -> str:
    """Return the command line of a process, "" when it is gone (proc(5))."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""
