"""Samples in the formats of other tools: speedscope's JSON and Brendan Gregg's folded stacks.

speedscope: https://www.speedscope.app/file-format-schema.json, one "sampled" profile a thread.
Folded: one line a stack, frames apart by semicolons, then a blank and the number of samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from isinglass.harmless import printable

SCHEMA_URL = "https://www.speedscope.app/file-format-schema.json"


class Frame(NamedTuple):
    """What a word means: where the mark stands and what it says; an empty path for no mark yet."""

    path: str
    line: int
    function: str
    label: str
    waits: bool

    def title(self) -> str:
        """Return the name that viewers show for the line."""
        if not self.path:
            return "(no mark reached yet)"
        place = f"{self.path.rpartition('/')[2]}:{self.line}"
        label = f"waiting {self.label}" if self.waits else self.label
        return f"{place} {label}".rstrip()


class Track(NamedTuple):
    """One thread's samples in order, as runs of (frame, samples)."""

    process: str
    pid: int
    thread: str
    runs: Sequence[tuple[Frame, int]]


class _Frames:
    """The shared list of frames, each one once."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self._places: dict[dict[str, object] | tuple[str, str, int], int] = {}

    def place(self, name: str, path: str, line: int) -> int:
        key = (name, path, line)
        if key not in self._places:
            self._places[key] = len(self.rows)
            row: dict[str, object] = {"name": name}
            if path:
                row.update(file=path, line=line)
            self.rows.append(row)
        return self._places[key]


def speedscope(
    tracks: Iterable[Track], sample_seconds: float, title: str, exporter: str
) -> dict[str, object]:
    """Return the document for speedscope.

    Args:
        tracks: one for each thread.
        sample_seconds: the time that one sample stands for.
        title: the name of the whole profile.
        exporter: the program that made it, with its version.
    """
    frames = _Frames()
    profiles = [_profile(track, frames, sample_seconds) for track in tracks]
    return {
        "$schema": SCHEMA_URL,
        "exporter": exporter,
        "name": title,
        "activeProfileIndex": 0 if profiles else None,
        "shared": {"frames": frames.rows},
        "profiles": profiles,
    }


def _profile(track: Track, frames: _Frames, sample_seconds: float) -> dict[str, object]:
    samples, weights = [], []
    for frame, count in track.runs:
        stack = [frames.place(frame.title(), frame.path, frame.line)]
        if frame.path:
            stack.insert(0, frames.place(frame.function, frame.path, frame.line))
        samples.append(stack)
        weights.append(round(count * sample_seconds, 9))
    return {
        "type": "sampled",
        "name": f"{track.process} {track.pid} {track.thread}",
        "unit": "seconds",
        "startValue": 0,
        "endValue": round(sum(weights), 9),
        "samples": samples,
        "weights": weights,
    }


def folded(counts: Mapping[tuple[str, int, str, Frame], int]) -> str:
    """Return folded stacks from samples by (process, pid, thread, frame)."""
    lines = []
    for (process, pid, thread, frame), count in counts.items():
        frames = (f"{process} {pid}", thread, frame.function, frame.title())
        stack = ";".join(printable(name).replace(";", ",") for name in frames if name)
        lines.append(f"{stack} {count}\n")
    return "".join(sorted(lines))
