"""One recording to look at, or two side by side, as a command line names them and their moments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from isinglass.errors import UsageError
from isinglass_console.model.comparison import Comparison
from isinglass_console.recording.reading import Recording
from isinglass_monitor.query.times import parse_time


class Opened(NamedTuple):
    """A recording, the moment that was asked for (0: none was), and what stands beside it."""

    recording: Recording
    at_ns: int
    comparison: Comparison | None


def opened(path: str, beside: str = "", at: str = "", beside_at: str = "") -> Opened:
    """Open a recording, and one to compare it with.

    Args:
        beside: the other file, or the same one; empty for none.
        at, beside_at: moments of the two that stand side by side; empty for their starts, or as
            long after the one's start as `at` is after the other's.

    Raises:
        RecordingError: one cannot be opened.
        UsageError: a moment is none, or there is nothing to compare with.
    """
    if beside_at and not beside:
        raise UsageError("--compare-at is a moment of what --compare names: name that, too.")
    recording = Recording(Path(path))
    at_ns = _moment(recording, at)
    if not beside:
        return Opened(recording, at_ns, None)
    # A process has a file open once.
    same = os.path.exists(beside) and os.path.samefile(beside, path)
    other = recording if same else Recording(Path(beside))
    beside_ns = _moment(other, beside_at)
    name = Path(beside).stem
    return Opened(recording, at_ns, Comparison.lined_up(recording, other, name, at_ns, beside_ns))


def _moment(recording: Recording, text: str) -> int:
    return parse_time(text, recording.wall_ns(recording.newest)) if text else 0
