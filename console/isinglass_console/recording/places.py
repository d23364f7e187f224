"""Where recordings go that were given no name, and what they are then called."""

from __future__ import annotations

import os
from pathlib import Path

from isinglass import clock
from isinglass_console.recording.format import RecordingError

SUFFIX = ".recording"


def recordings_folder() -> Path:
    """Return the operator's folder for recordings, made when it is not there.

    Raises:
        RecordingError: it cannot be made.
    """
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    folder = Path(base) / "isinglass" / "recordings"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise RecordingError(f"{folder} cannot be made ({reason.strerror}).") from reason
    return folder


def new_name(wall_ns: int) -> Path:
    """Return a file for a recording that begins at a time; raises as `recordings_folder` does."""
    seconds = clock.utc_time(wall_ns // clock.NANOSECONDS_PER_SECOND)
    stem = clock.format_local("%Y-%m-%d-%H%M%SZ", seconds)
    folder, count = recordings_folder(), 1
    path = folder / f"{stem}{SUFFIX}"
    while path.exists():
        count += 1
        path = folder / f"{stem}-{count}{SUFFIX}"
    return path
