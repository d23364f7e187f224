"""What waits for the spool, between the thread that receives and the one that writes.

It is bounded, and shared fairly: a stream may have as much in it as is still free. So one that
floods takes half and leaves half, two take a third each, and whoever sends little always finds room
(Choudhury and Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", 1998,
with a factor of 1). What finds no room is not taken in, and asked for again later.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from isinglass_monitor.spool.batch import Piece

GATHER_SECONDS = 0.02
GATHERED_EVENTS = 1000
BATCH_EVENTS = 16_000  # of one transaction, when more has come than can be kept up with
PIECE_BYTES = 512  # what a piece takes beside its datagram, of which there is a copy


def _size(piece: Piece) -> int:
    return PIECE_BYTES + 2 * piece.size_bytes


class Backlog:
    """Pieces in the order in which they came; any thread puts, one takes."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._changed = threading.Condition()
        self._pieces: list[Piece] = []
        self._shares: dict[int, int] = {}
        self._ended = False
        self.size_bytes = self.events = 0

    def has_room(self, stream: int) -> bool:
        """Tell whether one more datagram of a stream may be taken in."""
        return self._shares.get(stream, 0) <= self._limit_bytes - self.size_bytes

    @property
    def is_half_full(self) -> bool:
        """Whether it is no time to ask for more."""
        return self.size_bytes > self._limit_bytes // 2

    def put(self, pieces: Sequence[Piece]) -> None:
        """Add pieces; whether there is room was asked before."""
        if not pieces:
            return
        shares = self._shares
        with self._changed:
            was_empty, before = not self._pieces, self.events
            self._pieces += pieces
            for piece in pieces:
                size = _size(piece)
                shares[piece.stream] = shares.get(piece.stream, 0) + size
                self.size_bytes += size
                self.events += piece.last - piece.first + 1
            if was_empty or before < GATHERED_EVENTS <= self.events:
                self._changed.notify()

    def take(self) -> list[Piece]:
        """Wait for pieces, and a moment for more; return them; none when all is over.

        They stay counted until `done`.
        """
        with self._changed:
            while not self._pieces and not self._ended:
                self._changed.wait()
            if not self._ended:
                self._changed.wait_for(
                    lambda: self.events >= GATHERED_EVENTS or self._ended, GATHER_SECONDS
                )
            return self._some()

    def _some(self) -> list[Piece]:
        events, count = 0, 0
        for piece in self._pieces:
            events, count = events + piece.events, count + 1
            if events >= BATCH_EVENTS:
                break
        taken = self._pieces[:count]
        del self._pieces[:count]
        return taken

    def done(self, taken: list[Piece]) -> None:
        """Let go of what has been stored."""
        with self._changed:
            for piece in taken:
                size = _size(piece)
                self.size_bytes -= size
                self.events -= piece.events
                left = self._shares[piece.stream] - size
                if left:
                    self._shares[piece.stream] = left
                else:
                    del self._shares[piece.stream]

    def end(self) -> None:
        """Let `take` return what is left, and then nothing."""
        with self._changed:
            self._ended = True
            self._changed.notify()
