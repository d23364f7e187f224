"""The writing side of the spool: batches into the newest segment, a new segment in time.

One thread commits. Another one may ask for the statistics and let old segments go, which takes
milliseconds for each and must not hold up the first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from isinglass import clock
from isinglass.errors import StoreCorrupt, StoreError
from isinglass.folders import flush_folder
from isinglass_monitor.spool import folder as folders
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.retention import Held, Limits, expendable
from isinglass_monitor.spool.segment_file import Contents, SegmentFile, data_bytes, explained
from isinglass_monitor.spool.streams import StreamRecord, unpacked

STREAMS_LIMIT = 8192
"""Streams of which the spool knows what it has; of those not heard longest it forgets."""

FOLDER_MODE = 0o750


class SpoolWriter:
    """The spool in a folder, open to be written by this process alone.

    Args:
        note: called with a sentence and facts, for what an operator should know.

    Raises:
        StoreError, DiskFull: the folder cannot be used.
    """

    def __init__(
        self, folder: Path, limits: Limits, now_ns: int, note: Callable[..., None]
    ) -> None:
        self.folder, self.limits, self._note = folder, limits, note
        # Changed in place alone: other threads look into it.
        self.streams: dict[int, StreamRecord] = {}
        self.closed: dict[int, Contents] = {}  # the segments before the newest one
        try:
            folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The spool {folder} cannot be made: {error.strerror}; choose another --data-dir."
            ) from error
        folders.sweep(folder)
        self.number = 0
        self._unsound = False
        self._segment = self._newest(now_ns)

    def _newest(self, now_ns: int) -> SegmentFile:
        """Open the newest segment that is whole, or make the first one."""
        numbers = folders.segment_numbers(self.folder)
        self._highest = numbers[-1] if numbers else 0
        newest: SegmentFile | None = None
        for number in reversed(numbers):
            segment = self._opened(number)
            if segment is None:
                continue
            if not self.streams and segment.known.commits:
                self.streams = _streams_of(segment)
            if newest is None:
                newest, self.number = segment, number
            else:
                self.closed[number] = segment.known
                segment.close()
        if newest is None:
            self.number = self._highest + 1
            newest = _made(self.folder, self.number, now_ns)
        if self.streams and not newest.known.commits:
            # The last writer ended when it had made this segment, before it noted the streams.
            newest.write((), self.streams.values(), now_ns)
        return newest

    def _opened(self, number: int) -> SegmentFile | None:
        try:
            return SegmentFile(
                folders.segment_path(self.folder, number), readonly=bool(self.number)
            )
        except StoreCorrupt as error:
            aside = folders.set_aside(self.folder, number)
            self._note("a damaged segment was set aside", reason=str(error), path=str(aside))
        except StoreError as error:
            if not self.number:
                raise
            self._note("a segment cannot be read", reason=str(error))
        return None

    # ---------------------------------------------------------------- the writing thread
    def commit(self, pieces: Sequence[Piece], now_ns: int) -> None:
        """Store pieces in one transaction, flushed.

        Args:
            now_ns: wall time.

        Raises:
            DiskFull, StoreError: nothing of them is stored; the call may be repeated.
        """
        if self._unsound:
            # LMDB takes nothing more once its meta page could not be written.
            self._segment.close()
            self._segment = SegmentFile(folders.segment_path(self.folder, self.number))
            self._unsound = False
        touched = self._changed(pieces)
        try:
            if self._is_full(now_ns):
                self._rotate(now_ns)
            self._segment.write(pieces, touched.values(), now_ns)
        except StoreError:
            self._unsound = True
            raise
        self.streams.update(touched)

    def _changed(self, pieces: Sequence[Piece]) -> dict[int, StreamRecord]:
        """Return the streams as they are once these pieces are stored, as copies."""
        touched: dict[int, StreamRecord] = {}
        for piece in pieces:
            number = piece.stream
            stream = touched.get(number)
            if stream is None:
                known = self.streams.get(number)
                stream = (
                    known.copied() if known else StreamRecord(number, piece.node, piece.process)
                )
                touched[number] = stream
            stream.store(piece.how, piece.first, piece.last, late=piece.late, cause=piece.cause)
            stream.heard_ns = max(stream.heard_ns, piece.arrived_ns)
            for record in piece.records:
                stream.stamp = max(stream.stamp, record.latest)
        return touched

    def _is_full(self, now_ns: int) -> bool:
        known = self._segment.known
        seconds = (now_ns - known.created_ns) / clock.NANOSECONDS_PER_SECOND
        if not known.commits:
            return False
        return (
            known.closed  # the one after it was damaged
            or self._segment.size_bytes >= self.limits.rotate_bytes
            or seconds >= self.limits.segment_seconds
        )

    def _rotate(self, now_ns: int) -> None:
        """Begin a new segment; it starts with what the spool has of the streams."""
        number = max(self.number, self._highest) + 1
        following = _made(self.folder, number, now_ns)
        kept = sorted(self.streams.values(), key=lambda stream: stream.heard_ns)[-STREAMS_LIMIT:]
        try:
            following.write((), kept, now_ns)
            self._segment.finish()
        except BaseException:
            following.close()
            raise
        for forgotten in self.streams.keys() - {stream.stream for stream in kept}:
            del self.streams[forgotten]
        self.closed[self.number] = self._segment.known
        self._segment.close()
        self._segment, self.number = following, number

    # ---------------------------------------------------------------- any thread
    def retain(self, now_ns: int) -> list[tuple[Held, str]]:
        """Remove the segments that have to go, and return them with the limit that it is for."""
        held = [
            Held(number, contents.arrived_ns, data_bytes(folders.segment_path(self.folder, number)))
            for number, contents in list(self.closed.items())
        ]
        number = self.number
        newest = data_bytes(folders.segment_path(self.folder, number))
        disk = os.statvfs(self.folder)
        free = disk.f_bavail * disk.f_frsize
        gone = expendable([*held, Held(number, now_ns, newest)], self.limits, now_ns, free)
        for segment, _ in gone:
            folders.remove(self.folder, segment.number)
            del self.closed[segment.number]
        return gone

    def totals(self) -> Contents:
        """Return what all segments hold together."""
        all_ = [*list(self.closed.values()), self._segment.known]
        filled = [contents for contents in all_ if contents.records]
        return Contents(
            min(contents.created_ns for contents in all_),
            max(contents.arrived_ns for contents in all_),
            min((contents.earliest for contents in filled), default=0),
            max((contents.latest for contents in filled), default=0),
            sum(contents.records for contents in all_),
            sum(contents.events for contents in all_),
            sum(contents.lost for contents in all_),
            sum(contents.commits for contents in all_),
        )

    def size_bytes(self) -> int:
        """Return how much disk all segments take."""
        numbers = [*list(self.closed), self.number]
        return sum(data_bytes(folders.segment_path(self.folder, number)) for number in numbers)

    def close(self) -> None:
        """Let go of the files."""
        self._segment.close()


def _made(folder: Path, number: int, now_ns: int) -> SegmentFile:
    """Make a segment, or open the one that was made when what followed had no room.

    LMDB first writes two pages: whoever opens a file that has one of them, just then or after a
    kill, finds it damaged.
    """
    path = folders.segment_path(folder, number)
    try:
        if not path.exists():
            making = folders.making_path(folder, number)
            SegmentFile(making).close()
            os.rename(making, path)
            flush_folder(folder)
    except OSError as error:
        raise explained(error, path) from error
    return SegmentFile(path, created_ns=now_ns)


def _streams_of(segment: SegmentFile) -> dict[int, StreamRecord]:
    rows = segment.scan("streams", b"", b"\xff" * 9)
    found = (unpacked(int.from_bytes(key, "big"), packed) for key, packed in rows)
    return {stream.stream: stream for stream in found}
