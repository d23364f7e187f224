"""Writes frames into a recording, one at a time; whoever calls it has a thread for that.

    no chapter ──a frame: a key row──▶ open ──each 15th: a key row──▶ open
        ▲                                └──120 rows: packed, and what is too old goes───┐
        └──────────────────────────────────────────────────────────────────────────────────┘

A recording that is there already is gone on with: what a killed recorder left as rows becomes a
chapter, and numbers count on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from isinglass_console.model.alarms import AlarmSheet
from isinglass_console.model.frame import Frame
from isinglass_console.model.frame_codec import FrameEncoder, wall_of
from isinglass_console.model.lives import Name
from isinglass_console.model.log import LogEntry
from isinglass_console.model.own_alarms import OwnAlarms
from isinglass_console.recording.board_tables import BoardWriter
from isinglass_console.recording.file import RecordingFile
from isinglass_console.recording.format import CHAPTER_ROWS, KEY_ROWS, Chapter, pack_rows

LARGEST_TIDIED_BYTES = 1 << 28  # to copy a larger file takes its time, for a small part of it


class Recorder:
    """Records frames until it is closed.

    Args:
        path: the file; made when it is not there.
        wall_ns: the time now.
        keep_seconds: what is older than that goes; 0: nothing does.
        durable: flush each frame to the disk.

    Raises:
        RecordingError, DiskFull: the file cannot be written.
    """

    def __init__(
        self, path: Path, wall_ns: int, keep_seconds: float = 0.0, *, durable: bool = True
    ) -> None:
        self.path = path
        self._keep_ns = int(keep_seconds * 1e9)
        self._file = RecordingFile(path, writes=True, durable=durable, began_ns=wall_ns)
        self._chapters, self._rows = self._file.contents({})
        self._walls: list[int] = []
        self._encoder = FrameEncoder()
        self._own, self._board = OwnAlarms(), BoardWriter(self._file.board().alarms)
        self._schemas: dict[Name, int] = {}
        # What an earlier recorder left goes with the last of its chapters.
        self._left = {table: self._file.lives(table) for table in ("schemas", "wholes")}
        self.frames = 0  # taken by this recorder
        self._take_over()

    def _take_over(self) -> None:
        """Go on behind what another recorder left."""
        self._next = self._chapters[-1].last + 1 if self._chapters else 0
        if self._rows:
            self._walls = [wall_of(row) for row in self._rows]
            self._next += len(self._rows)
            self._finish_chapter()
        self._first = self._next  # of its own frames

    @property
    def size_bytes(self) -> int:
        """How long the file is."""
        return self._file.size_bytes

    def take(
        self, frame: Frame, events: Iterable[LogEntry], sheet: AlarmSheet | None = None
    ) -> None:
        """Record a frame, and what happened since the one before.

        Args:
            sheet: what a monitor says is wrong; None: what the frame's own thresholds say.

        Raises:
            DiskFull, RecordingError: it could not be stored; the recording ends before it.
        """
        key = len(self._rows) % KEY_ROWS == 0
        frame = replace(frame, number=self._next)
        row = self._encoder.encode(frame, events, key=key)
        own = self._own.sheet(frame)
        board = self._board.puts(frame, own if sheet is None else sheet)
        schemas, wholes = self._new_schemas(frame), self._new_wholes()
        self._file.append(self._next, row, schemas, wholes, board)
        self._left["schemas"].difference_update(schemas)
        self._left["wholes"].difference_update(wholes)
        self._rows.append(row)
        self._walls.append(frame.wall_ns)
        self._next += 1
        self.frames += 1
        if len(self._rows) >= CHAPTER_ROWS:
            self._finish_chapter()
            self._forget_old(frame.wall_ns)

    def _new_schemas(self, frame: Frame) -> dict[Name, bytes]:
        found = {}
        for node in frame.nodes:
            if node.snapshot is None:
                continue
            life = (node.name, node.snapshot.generation)
            catalogue = node.snapshot.catalogue
            if self._schemas.get(life, -1) < catalogue.used:
                found[life] = bytes(catalogue.area)
                self._schemas[life] = len(found[life])
        return found

    def _new_wholes(self) -> dict[Name, bytes]:
        found = {
            (name, checksum): whole
            for name, wholes in self._encoder.lives.wholes.items()
            for checksum, whole in wholes.items()
        }
        self._encoder.lives.wholes.clear()
        return found

    def _finish_chapter(self) -> None:
        packed = pack_rows(self._rows)
        first = self._next - len(self._rows)
        chapter = Chapter(first, packed.events_count, tuple(self._walls))
        self._file.finish_chapter(chapter, packed)
        self._chapters.append(chapter)
        self._rows, self._walls = [], []

    def _forget_old(self, now_wall_ns: int) -> None:
        if not self._keep_ns:
            return
        oldest = now_wall_ns - self._keep_ns
        # From the front alone: a clock that was set back must not leave a hole.
        before = self._chapters[:-1]
        old = list(takewhile(lambda chapter: chapter.walls_ns[-1] < oldest, before))
        if old:
            self._chapters = self._chapters[len(old) :]
            self._file.forget(old, self._chapters[0], *self._lives_over())

    def _lives_over(self) -> tuple[list[Name], list[Name]]:
        """Return schemas and whole snapshots that no chapter needs any more."""
        oldest = self._chapters[0].first
        schemas, wholes = self._encoder.lives.let_go(oldest)
        for life in schemas:
            del self._schemas[life]
        if oldest >= self._first:
            for gone, table in ((schemas, "schemas"), (wholes, "wholes")):
                gone.extend(self._left[table])
                self._left[table].clear()
        return schemas, wholes

    def close(self, *, tidy: bool = True) -> None:
        """End the recording.

        Args:
            tidy: pack what is in no chapter yet; False after an error.

        Raises:
            DiskFull, RecordingError: it could not be packed; nothing is lost.
        """
        try:
            if tidy and self._rows:
                self._finish_chapter()
            if tidy and self.size_bytes < LARGEST_TIDIED_BYTES:
                self._file.compact()
        finally:
            self._file.close()

    def copy(self, path: Path) -> None:
        """Write all that was recorded into another file, as small as it gets; raises as `close`."""
        if self._rows:
            self._finish_chapter()
        self._file.copy(path)
