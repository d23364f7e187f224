"""A recording as the screens see it: a timeline, with trends and events, at any instant of it.

Opening reads the index alone, 600 bytes a chapter. To show an instant, its chapter is unpacked, at
most fifteen rows of it are applied, and the trends before it take another chapter: 50 ms of CPU
for three nodes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise, repeat
from math import nan
from pathlib import Path
from typing import Any

from isinglass.errors import IsinglassError
from isinglass.glass.columns import Turned
from isinglass.glass.severity import WARNING
from isinglass_console.model.alarms import Alarm, AlarmSheet
from isinglass_console.model.frame import Condition, Frame
from isinglass_console.model.frame_codec import (
    FrameDecoder,
    PackedRow,
    entries_of,
    events_of,
    figures_of,
    tally_of,
    wall_of,
)
from isinglass_console.model.heat import Tally
from isinglass_console.model.hub import LAGS
from isinglass_console.model.lives import Lives
from isinglass_console.model.log import KEPT, Log, LogEntry
from isinglass_console.model.rows import Recent, Run
from isinglass_console.model.timeline import frames_before
from isinglass_console.recording.file import RecordingFile
from isinglass_console.recording.format import (
    KEY_ROWS,
    Chapter,
    RecordingDamaged,
    RecordingError,
    snapshots_of,
    unpack,
)

UNPACKED_CHAPTERS, UNPACKED_SNAPSHOTS, RUNS = 8, 2, 8
DECODED_FRAMES = 4
TALLIES = 256
EVENT_CHAPTERS = 240  # searched for events before a moment

NodeFigures = dict[str, dict[str, float]]


def _moving(nodes: dict[str, tuple[str, dict[str, float]]]) -> NodeFigures:
    """Return, as the hub does, of what does not move only what others measure of it."""
    return {
        name: figures
        if condition == Condition.ALIVE
        else {figure: value for figure, value in figures.items() if figure in LAGS}
        for name, (condition, figures) in nodes.items()
    }


def _once(entries: Iterable[LogEntry]) -> list[LogEntry]:
    """Return events in order of time: a second recorder found in the rings what the first did."""
    every = {entry.key: entry for entry in entries}
    return sorted(every.values(), key=lambda entry: entry.wall_ns)


class Recording:
    """The frames of a recording; a `Timeline`, its `Trends` and its `Events`.

    Raises:
        RecordingError: it cannot be opened, and why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = RecordingFile(path)
        self._lives = Lives()
        self._finished: dict[int, Chapter] = {}
        self.grows = False  # a recorder has it, as far as is known
        self._rows: Recent[int, list[bytes]] = Recent(UNPACKED_CHAPTERS)
        self._snapshots: Recent[int, Any] = Recent(UNPACKED_SNAPSHOTS)
        self._runs: Recent[int, Run[PackedRow]] = Recent(RUNS)
        self._decoded: Recent[int, Frame] = Recent(DECODED_FRAMES)
        self._tallies: Recent[tuple[str, int], Tally | None] = Recent(TALLIES)
        self._figures: Recent[int, NodeFigures] = Recent(UNPACKED_CHAPTERS * 60)
        self._logs: Recent[tuple[int, int], Log] = Recent(2)
        try:
            self._take_in()
        except BaseException:
            self._file.close()
            raise

    def _take_in(self) -> None:
        """Read what there is now; what was read before is not unpacked again.

        What cannot be read leaves all as it was: the screens go on with it.
        """
        self._version, self.grows = self._file.version, self._file.is_written()
        chapters, open_rows = self._file.contents(self._finished)
        finished = {chapter.first: chapter for chapter in chapters}
        if open_rows:
            first = chapters[-1].last + 1 if chapters else 0
            chapters.append(Chapter(first, 1, tuple(wall_of(row) for row in open_rows)))
        walls = self._checked(chapters)
        self._file.add_lives(self._lives)
        self._board = self._file.board()
        self._lives.levels = self._board.levels
        self._finished, self._chapters, self._open_rows = finished, chapters, open_rows
        self._firsts, self._walls = [chapter.first for chapter in chapters], walls

    def follow(self) -> bool:
        """Take in what was recorded since; return whether there is anything new.

        Raises:
            RecordingError: the file cannot be read any more.
        """
        grew = self.grows
        if self._file.is_another():
            self._file.close()
            self._file, self._finished = RecordingFile(self.path), {}
            for kept in (self._rows, self._snapshots, self._decoded, self._tallies, self._figures):
                kept.clear()
            self._runs.clear()
        elif self._file.version == self._version:
            self.grows = self._file.is_written()
            return self.grows != grew
        self._logs.clear()
        self._take_in()
        for first, run in list(self._runs.items()):
            self._lengthen(first, run)
        return True

    def _lengthen(self, first: int, run: Run[PackedRow]) -> None:
        """Give a run the rows that came since, or let go of it when they are packed by now."""
        chapter = self._chapter(first)
        last = min(first + KEY_ROWS - 1, chapter.last)
        if self._is_open(chapter) and run.last < last:
            new = self._open_rows[run.last + 1 - chapter.first : last + 1 - chapter.first]
            run.rows.extend(map(PackedRow, new))
        elif run.last < last or first < self.oldest:
            del self._runs[first]

    def _checked(self, chapters: Sequence[Chapter]) -> array[int]:
        """Return the times of all frames of chapters, when these are whole."""
        if not chapters:
            raise RecordingDamaged(f"{self.path} is a recording without a single frame.")
        for before, chapter in pairwise(chapters):
            if chapter.first != before.last + 1:
                raise RecordingDamaged(f"{self.path} has lost frames before {chapter.first}.")
        try:
            return array("q", (wall_ns for each in chapters for wall_ns in each.walls_ns))
        except (OverflowError, TypeError) as reason:
            raise RecordingDamaged(f"{self.path} has frames of no time ({reason}).") from reason

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    # ------------------------------------------------------------------ frames
    @property
    def oldest(self) -> int:
        """The number of the first frame."""
        return self._firsts[0]

    @property
    def newest(self) -> int:
        """The number of the last frame."""
        return self._chapters[-1].last

    def wall_ns(self, number: int) -> int:
        """Return the time of a frame."""
        return self._walls[number - self.oldest]

    def frame(self, number: int) -> Frame | None:
        """Return a frame, None when there is none of that number.

        Raises:
            RecordingDamaged, FrameDamaged: it is damaged; others may not be.
        """
        if not self.oldest <= number <= self.newest:
            return None
        return self._decoded.get_or(number, lambda: self._run(number).frame(number))

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        """Yield the frames from one number through another; raises as `frame` does."""
        for number in range(first, last + 1):
            if (frame := self.frame(number)) is not None:
                yield frame

    def number_at(self, wall_ns: int) -> int:
        """Return the number of the last frame not after a moment, or of the first."""
        return self.oldest + max(bisect_right(self._walls, wall_ns) - 1, 0)

    def number_from(self, wall_ns: int) -> int:
        """Return the number of the first frame that is not before a moment, or of the last."""
        number = self.number_at(wall_ns)
        return min(number + (self.wall_ns(number) < wall_ns), self.newest)

    def tallies(self, node: str, number: int, seconds: float) -> list[Tally]:
        """Return the probe samples of a node in the last `seconds` before frame `number`."""
        if not self.oldest <= number <= self.newest:
            return []
        found = (self._tally(node, at) for at in frames_before(self, number, seconds))
        return [tally for tally in found if tally is not None]

    def tail(self, key: Hashable, length: int, number: int) -> list[float]:
        """Return the `length` values of a figure that end with frame `number`, oldest first."""
        return [self._figure(key, at) for at in range(number - length + 1, number + 1)]

    def _figure(self, key: Hashable, number: int) -> float:
        if not self.oldest <= number <= self.newest or not isinstance(key, tuple):
            return nan
        name, figure = key
        return self._figures_at(number).get(name, {}).get(figure, nan)

    def _figures_at(self, number: int) -> NodeFigures:
        """Return the figures of all nodes; what cannot be read is a gap, as the frame tells."""
        try:
            return self._figures.get_or(number, lambda: _moving(figures_of(self._row(number))))
        except IsinglassError:
            return {}

    def figures(self, first: int, last: int) -> Iterator[NodeFigures]:
        """Yield the figures of all nodes from one frame through another."""
        return map(self._figures_at, range(first, last + 1))

    def _tally(self, node: str, number: int) -> Tally | None:
        try:
            return self._tallies.get_or((node, number), lambda: tally_of(self._row(number), node))
        except IsinglassError:
            return None

    def _row(self, number: int) -> bytes:
        """Return a row without its snapshots."""
        chapter = self._chapter(number)
        return self._rows_of(chapter)[number - chapter.first]

    def _run(self, number: int) -> Run[PackedRow]:
        chapter = self._chapter(number)
        part = (number - chapter.first) // KEY_ROWS
        first = chapter.first + part * KEY_ROWS
        return self._runs.get_or(first, lambda: self._whole(chapter, part))

    def _chapter(self, number: int) -> Chapter:
        return self._chapters[bisect_right(self._firsts, number) - 1]

    def _is_open(self, chapter: Chapter) -> bool:
        return bool(self._open_rows) and chapter is self._chapters[-1]

    def _rows_of(self, chapter: Chapter) -> list[bytes]:
        if self._is_open(chapter):
            return self._open_rows
        return self._rows.get_or(chapter.first, lambda: self._unpacked(chapter))

    def _unpacked(self, chapter: Chapter) -> list[bytes]:
        rows: list[bytes] = unpack(self._of_chapter("chapters", chapter))
        if not isinstance(rows, list) or len(rows) != len(chapter.walls_ns):
            raise RecordingDamaged(f"A part of {self.path} is damaged: look at another.")
        return rows

    def _whole(self, chapter: Chapter, part: int) -> Run[PackedRow]:
        """Return the rows of a chapter from a key row to the next, whole."""
        first = part * KEY_ROWS
        rows = self._rows_of(chapter)[first : first + KEY_ROWS]
        turned: Iterable[dict[str, Turned] | None] = repeat(None, len(rows))
        if not self._is_open(chapter):
            turned = snapshots_of(rows, self._snapshots_of(chapter), part)
        whole = map(PackedRow, rows, turned)
        return Run(chapter.first + first, whole, partial(FrameDecoder, self._lives))

    def _snapshots_of(self, chapter: Chapter) -> Any:
        """Return the snapshots of a chapter; it is unpacked once for what is about one moment."""
        return self._snapshots.get_or(
            chapter.first, lambda: unpack(self._of_chapter("snapshots", chapter))
        )

    def _of_chapter(self, table: str, chapter: Chapter) -> bytes:
        data = self._file.of_chapter(table, chapter.first)
        if not data and self.grows:
            raise RecordingError(
                "Its recorder has just forgotten this moment: look at a later one."
            )
        return data

    # ------------------------------------------------------------------ alarms
    def sheet(self, number: int) -> AlarmSheet | None:
        """Return the alarms about a frame, as `sheet_at` wants them; None: none were recorded."""
        return self._board.sheet(number, self.wall_ns(number))

    @property
    def alarms(self) -> Sequence[Alarm]:
        """All alarms that were recorded, by the time at which they were raised."""
        return self._board.alarms

    # ------------------------------------------------------------------ events
    def around(self, wall_ns: int, least: int = KEPT) -> Log:
        """Return the events about a moment: the newest `least` before it, a chapter after it."""
        at = bisect_right(self._firsts, self.number_at(wall_ns)) - 1
        return self._logs.get_or((at, least), lambda: self._log(at, least))

    def entries(self, first: int, last: int) -> list[LogEntry]:
        """Return the events of the chapters that hold the frames, in order of time."""
        found: list[LogEntry] = []
        for chapter in self._chapters:
            if chapter.first <= last and chapter.last >= first:
                found.extend(self._events(chapter))
        return _once(found)

    def warnings(self, wall_ns: int, step: int) -> Iterator[LogEntry]:
        """Yield the events that warn, or are errors, from a moment on, or back from it (-1)."""
        at = bisect_right(self._firsts, self.number_at(wall_ns)) - 1
        # What happened just before a chapter's first frame is kept with that frame.
        near = self._chapters[at:] if step > 0 else self._chapters[: at + 2][::-1]
        for chapter in near:
            bad = [entry for entry in self._events(chapter) if entry.severity >= WARNING]
            beyond = [entry for entry in bad if (entry.wall_ns - wall_ns) * step > 0]
            yield from sorted(beyond, key=lambda entry: entry.wall_ns * step)

    def _log(self, at: int, least: int) -> Log:
        """Return the events of a chapter and the next, and of those before until there are enough.

        Each chapter is unpacked for it, a millisecond or two.
        """
        found = [entry for each in self._chapters[at : at + 2] for entry in self._events(each)]
        before = 0
        for chapter in self._chapters[max(0, at - EVENT_CHAPTERS) : at][::-1]:
            if before >= least:
                break
            events = self._events(chapter)
            before += len(events)
            found.extend(events)
        return Log(_once(found))

    def _events(self, chapter: Chapter) -> list[LogEntry]:
        if not chapter.events:
            return []
        if self._is_open(chapter):
            return [entry for row in self._open_rows for entry in events_of(row)]
        return entries_of(unpack(self._of_chapter("events", chapter)))
