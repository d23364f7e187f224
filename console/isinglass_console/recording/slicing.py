"""Cuts a part out of a recording, or of the console's memory, into a file for a colleague.

The part is a recording like any other, written beside the file and then copied without the pages
that LMDB does not use any more: five minutes of three nodes are about 700 kB.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from isinglass import clock
from isinglass_console.model.alarms import AlarmSheet
from isinglass_console.model.frame import Frame
from isinglass_console.model.log import LogEntry
from isinglass_console.recording.file import LOCK_SUFFIX
from isinglass_console.recording.format import RecordingError
from isinglass_console.recording.recorder import Recorder

CUTTING_SUFFIX = ".cutting"


def _no_sheet(_number: int) -> AlarmSheet | None:
    return None


def write_slice(
    target: Path,
    frames: Iterable[Frame],
    events: Sequence[LogEntry],
    sheet: Callable[[int], AlarmSheet | None] = _no_sheet,
) -> int:
    """Write frames into a new recording; return how many there were.

    Args:
        events: in order of time; each is kept with the first frame that is not before it.
        sheet: the alarms about a frame, by its number.

    Raises:
        RecordingError, DiskFull: it cannot be written; nothing is left behind.
    """
    if os.path.lexists(target):
        raise RecordingError(f"{target} is there already: choose another name.")
    part = target.with_name(target.name + CUTTING_SUFFIX)
    _remove(part)  # what a cut that was killed left would be gone on with
    try:
        recorder = Recorder(part, clock.wall_ns(), durable=False)
        try:
            at = 0
            for frame in frames:
                end = at
                while end < len(events) and events[end].wall_ns <= frame.wall_ns:
                    end += 1
                recorder.take(frame, events[at:end], sheet(frame.number))
                at = end
            if not recorder.frames:
                raise RecordingError("There is no frame in that time: nothing was written.")
            recorder.copy(target)
        finally:
            recorder.close(tidy=False)
    finally:
        _remove(part)
    return recorder.frames


def _remove(part: Path) -> None:
    for leftover in (part, Path(f"{part}{LOCK_SUFFIX}")):
        with suppress(OSError):
            os.unlink(leftover)
