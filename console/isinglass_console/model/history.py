"""The last fifteen minutes, always in memory: any frame of them can be had again, at any time.

Frames are kept as rows (`kept_rows`); thirty rows are a run, the least that is freed, and the first
of them is a key row. Five nodes and a monitor take 9 kB a frame, 8.5 MB for fifteen minutes at one
a second. The limit in bytes goes before the limit in time. Four frames are packed one after the
other: between two of them others use the processor, and what packs one by one finds its caches
cold each time, and takes twice as long.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from isinglass_console.model.frame import Frame
from isinglass_console.model.frame_codec import bare_frame
from isinglass_console.model.heat import Tally
from isinglass_console.model.kept_rows import KeptRow, RowPacker, RowUnpacker
from isinglass_console.model.rows import Recent, Run
from isinglass_console.model.timeline import frames_before

KEPT_SECONDS = 900
KEPT_BYTES = 96 * 1024 * 1024
RUN_ROWS = 30
PACKED_TOGETHER = 4
DECODED_FRAMES = PACKED_TOGETHER
BARE_FRAMES = 128  # more than a share is of at ten a second


class History:
    """The frames of the last fifteen minutes by their number; a `Timeline`."""

    def __init__(self, kept_seconds: float = KEPT_SECONDS, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_ns = int(kept_seconds * 1e9)
        self._kept_bytes = kept_bytes
        self._packer = RowPacker()
        self._waiting: list[tuple[Frame, Frame]] = []  # to be packed; whole, and bare
        self._runs: deque[Run[KeptRow]] = deque()
        self._times: deque[int] = deque()
        self._oldest = 0
        self._decoded: Recent[int, Frame] = Recent(DECODED_FRAMES)
        self._bare: Recent[int, Frame] = Recent(BARE_FRAMES)
        self.size_bytes = 0

    def append(self, frame: Frame) -> None:
        """Keep a frame; its number must be one more than the last one's."""
        bare = replace(frame, nodes=tuple(replace(node, snapshot=None) for node in frame.nodes))
        if not self._times:
            self._oldest = frame.number
        self._times.append(frame.wall_ns)
        self._decoded.put(frame.number, frame)
        self._bare.put(frame.number, bare)
        self._waiting.append((frame, bare))
        if len(self._waiting) >= PACKED_TOGETHER:
            self._pack()
        self._let_go(frame.wall_ns)

    def _pack(self) -> None:
        for frame, bare in self._waiting:
            begins = not self._runs or len(self._runs[-1].rows) >= RUN_ROWS
            row = self._packer.pack(frame, bare, key=begins)
            if begins:
                self._runs.append(Run(frame.number, (), RowUnpacker))
            self._runs[-1].rows.append(row)
            self.size_bytes += row.size_bytes
        self._waiting.clear()

    def _let_go(self, now_wall_ns: int) -> None:
        while len(self._times) > 1 and now_wall_ns - self._times[0] > self._kept_ns:
            self._drop_frames(1)
        while len(self._runs) > 1 and self.size_bytes > self._kept_bytes:
            self._drop_frames(self._runs[1].first - self._oldest)

    def _drop_frames(self, count: int) -> None:
        """Forget the oldest frames; a run goes once all of its frames have."""
        self._oldest += count
        for _ in range(count):
            self._times.popleft()
        while self._runs and self._runs[0].last < self._oldest:
            self.size_bytes -= sum(row.size_bytes for row in self._runs.popleft().rows)

    @property
    def oldest(self) -> int:
        """The number of the oldest frame; -1 when there is none."""
        return self._oldest if self._times else -1

    @property
    def newest(self) -> int:
        """The number of the newest frame; -1 when there is none."""
        return self._oldest + len(self._times) - 1 if self._times else -1

    def frame(self, number: int) -> Frame | None:
        """Return a frame, None when it is not kept (any more)."""
        if not self._keeps(number):
            return None
        return self._decoded.get_or(number, lambda: self._unpacked(number))

    def _unpacked(self, number: int) -> Frame:
        run = self._run(number)
        for other in self._runs:
            if other is not run:
                other.forget()
        return run.frame(number)

    def wall_ns(self, number: int) -> int:
        """Return the time of a frame that is kept."""
        return self._times[number - self._oldest]

    def number_at(self, wall_ns: int) -> int:
        """Return the number of the last frame not after a moment, or of the oldest."""
        if not self._times:
            return -1
        return self._oldest + max(bisect_right(self._times, wall_ns) - 1, 0)

    def number_from(self, wall_ns: int) -> int:
        """Return the number of the first frame that is not before a moment, or of the newest."""
        number = self.number_at(wall_ns)
        earlier = number >= 0 and self.wall_ns(number) < wall_ns
        return min(number + earlier, self.newest)

    def tallies(self, node: str, number: int, seconds: float) -> list[Tally]:
        """Return the probe samples of a node in the last `seconds` before frame `number`."""
        if not self._keeps(number):
            return []
        nodes = (self._bare_frame(at).node(node) for at in frames_before(self, number, seconds))
        return [there.tally for there in nodes if there is not None]

    def frames_since(self, number: int) -> Iterator[Frame]:
        """Return the frames from one on that are kept now, for whoever takes them later."""
        self._pack()
        first = max(number, self.oldest)
        copied = [Run(run.first, run.rows, RowUnpacker) for run in self._runs if run.last >= first]
        return _frames(copied, first)

    def _bare_frame(self, number: int) -> Frame:
        kept = self._bare.get(number)
        if kept is not None:
            return kept
        run = self._run(number)
        return self._bare.put(number, bare_frame(run.rows[number - run.first].bare))

    def _keeps(self, number: int) -> bool:
        return bool(self._times) and self.oldest <= number <= self.newest

    def _run(self, number: int) -> Run[KeptRow]:
        self._pack()
        return self._runs[(number - self._runs[0].first) // RUN_ROWS]


def _frames(runs: Sequence[Run[KeptRow]], first: int) -> Iterator[Frame]:
    for run in runs:
        for number in range(max(first, run.first), run.last + 1):
            yield run.frame(number)
        run.forget()
