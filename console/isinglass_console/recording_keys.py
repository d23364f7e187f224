"""What `R` and `W` do: record what the console shows, and save a part of its memory.

Recording is on a thread of its own: a slow disk must not hold up the screen. Frames wait in a queue
of 120; when the disk is slower than that, frames are left out, and counted. What goes wrong ends
the recording with a sentence, never the console.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from isinglass import clock
from isinglass.errors import IsinglassError, UsageError
from isinglass_console.model import format as text
from isinglass_console.model.alarms import AlarmSheet
from isinglass_console.model.cursor import parse_moment
from isinglass_console.model.frame import Frame
from isinglass_console.model.log import LogEntry
from isinglass_console.recording.places import new_name
from isinglass_console.recording.recorder import Recorder
from isinglass_console.recording.slicing import frames_of, write_slice
from isinglass_console.screens.desk import Desk

WAITING_FRAMES = 120
END_SECONDS = 10.0

Item = tuple[Frame, Sequence[LogEntry], AlarmSheet | None]


class RecordingThread(threading.Thread):
    """Makes one recording.

    Raises:
        IsinglassError: the file cannot be written; nothing was started.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(name="recording", daemon=True)
        self.path = path
        self.problem = ""
        self.left_out = 0
        self._recorder = Recorder(path, clock.wall_ns())
        self._waiting: queue.Queue[Item | None] = queue.Queue(WAITING_FRAMES)
        self.size_bytes = self._recorder.size_bytes

    def put(self, frame: Frame, events: Sequence[LogEntry], sheet: AlarmSheet | None) -> None:
        """Have a frame recorded, with what a monitor says is wrong, if there is one."""
        try:
            self._waiting.put_nowait((frame, events, sheet))
        except queue.Full:
            self.left_out += 1

    @property
    def told(self) -> str:
        """What the status row says of it."""
        if self.problem:
            return "REC FAILED"
        missing = f", {self.left_out} left out" if self.left_out else ""
        return f"REC {text.size(self.size_bytes)}{missing}"

    def run(self) -> None:
        """Record until it is stopped, or cannot go on."""
        try:
            while (item := self._waiting.get()) is not None:
                self._recorder.take(*item)
                self.size_bytes = self._recorder.size_bytes
            self._recorder.close()
        except IsinglassError as reason:
            self.problem = str(reason)
            self._recorder.close(tidy=False)

    def stop(self) -> str:
        """Record what waits, end, and return what to say."""
        try:
            self._waiting.put(None, timeout=END_SECONDS)
        except queue.Full:
            return f"the disk does not take what is recorded into {self.path}"
        self.join(END_SECONDS)
        if self.problem:
            return self.problem
        frames = self._recorder.frames
        return f"recorded {frames:,} frames into {self.path}, {text.size(self.size_bytes)}"


class ConsoleRecording:
    """What the console can do with what it shows: record it from now on, save what was.

    Args:
        desk: whose frames they are; it is told what the status row says.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._thread: RecordingThread | None = None

    def toggle(self) -> str:
        """Begin a recording, or end the one that is made; return what to say.

        Raises:
            IsinglassError: there is no file that could be written.
        """
        if self._thread is not None:
            return self.end()
        self._thread = RecordingThread(new_name(clock.wall_ns()))
        self._thread.start()
        self._desk.recording = self._thread.told
        return f"recording to {self._thread.path}; R ends it"

    def end(self) -> str:
        """End the recording, if there is one, and return what to say."""
        thread, self._thread = self._thread, None
        self._desk.recording = ""
        return thread.stop() if thread is not None else ""

    def put(self, frame: Frame) -> None:
        """Record a frame that the desk has just taken, when there is a recording."""
        thread = self._thread
        if thread is None:
            return
        thread.put(frame, tuple(self._desk.hub.fresh), self._desk.told.sheet)
        self._desk.recording = thread.told
        if thread.problem:
            self._desk.settings.notice = self.end()

    def save(self, words: str) -> Callable[[], str]:
        """Take the frames since a time; return what writes them, as `Outside` says.

        Raises:
            IsinglassError: the words are no time, or there is no place for the file.
        """
        since, _, name = words.partition(" ")
        memory = self._desk.memory
        newest_ns = memory.wall_ns(memory.newest) if memory.newest >= 0 else 0
        moment_ns = parse_moment(since, newest_ns)
        if moment_ns is None:
            raise UsageError(f"{since!r} is no time; try -5m or 14:02:30")
        path = Path(name.strip()).expanduser() if name.strip() else new_name(clock.wall_ns())
        number = memory.number_from(moment_ns)
        rows, lives = memory.rows_since(number)
        entries, sheet = list(self._desk.hub.log.entries), self._desk.told.sheet

        def write() -> str:
            count = write_slice(path, frames_of(rows, lives, number), entries, lambda _: sheet)
            return f"saved {count:,} frames to {path}, {text.size(path.stat().st_size)}"

        return write
