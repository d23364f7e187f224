"""A recording that is made beside a screen, on a thread of its own.

A slow disk must not hold up the screen. Frames wait in a queue of 120; when the disk is slower than
that, frames are left out, and counted. What goes wrong ends the recording with a sentence, never
the console.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from isinglass import clock
from isinglass.cli.units import counted
from isinglass.errors import IsinglassError
from isinglass_console.model import format as text
from isinglass_console.model.alarms import AlarmSheet
from isinglass_console.model.frame import Frame
from isinglass_console.model.log import LogEntry
from isinglass_console.recording.recorder import Recorder

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
        with suppress(queue.Full):
            self._waiting.put(None, timeout=0 if self.problem else END_SECONDS)
            self.join(END_SECONDS)
        if self.problem:
            return self.problem
        if self.is_alive():
            return f"the disk does not take what is recorded into {self.path}"
        frames = self._recorder.frames
        return f"recorded {counted(frames, 'frame')} into {self.path}, {text.size(self.size_bytes)}"
