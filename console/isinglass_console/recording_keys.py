"""What `R` and `O` do: record what the console shows, and save a part of its memory.

What writes files is loaded when a key asks for it: most consoles never record, and each begins.
"""

from __future__ import annotations

from collections.abc import Callable

from isinglass import clock
from isinglass.errors import UsageError
from isinglass_console.model import format as text
from isinglass_console.model.cursor import parse_moment
from isinglass_console.model.frame import Frame
from isinglass_console.recording.places import new_name
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.outside import path_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass_console.recording.recording_thread import RecordingThread


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
        from isinglass_console.recording.recording_thread import RecordingThread

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
        from isinglass_console.recording.slicing import write_slice

        since, _, name = words.partition(" ")
        memory = self._desk.memory
        newest_ns = memory.wall_ns(memory.newest) if memory.newest >= 0 else 0
        moment_ns = parse_moment(since, newest_ns)
        if moment_ns is None:
            raise UsageError(f"{since!r} is no time; try -5m or 14:02:30")
        path = path_of(name) if name.strip() else new_name(clock.wall_ns())
        frames = memory.frames_since(memory.number_from(moment_ns))
        entries, sheet = list(self._desk.hub.log.entries), self._desk.told.sheet

        def write() -> str:
            count = write_slice(path, frames, entries, lambda _: sheet)
            return f"saved {count:,} frames to {path}, {text.size(path.stat().st_size)}"

        return write
