"""Any frame of a run of rows: finds the key row before it, and goes on from where it was last.

A run is what the history frees at once, or a recording compresses together. Going on by one row
costs one row; going back, those since the key row.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from isinglass.glass.columns import Turned
from isinglass_console.model.frame import Frame
from isinglass_console.model.frame_codec import FrameDecoder, is_key
from isinglass_console.model.lives import Lives

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Run:
    """Rows one after the other; the first is a key row. Rows may be appended later.

    Args:
        turned: the snapshots of each row, when they are not in it.
    """

    def __init__(
        self,
        first: int,
        rows: Sequence[bytes],
        lives: Lives,
        turned: Sequence[Mapping[str, Turned]] = (),
    ) -> None:
        self.first, self.rows, self._turned = first, list(rows), turned
        self._lives = lives
        self._decoder: FrameDecoder | None = None
        self._at = -1

    @property
    def last(self) -> int:
        """The number of the last frame."""
        return self.first + len(self.rows) - 1

    def frame(self, number: int) -> Frame:
        """Return a frame of the run, by its number.

        Raises:
            FrameDamaged: it was kept, but cannot be read.
        """
        index = number - self.first
        start = next((at for at in range(index, -1, -1) if is_key(self.rows[at])), 0)
        decoder = self._decoder
        if decoder is None or not start <= self._at <= index:
            decoder, self._at = FrameDecoder(self._lives), start - 1
        self._decoder = None  # a row that is damaged leaves none behind
        for at in range(self._at + 1, index + 1):
            decoder.apply(self.rows[at], self._turned[at] if self._turned else None)
        self._decoder, self._at = decoder, index
        return decoder.frame()

    def forget(self) -> None:
        """Let go of what was decoded."""
        self._decoder = None


class Recent(OrderedDict[Key, Value]):
    """The values that were asked for last, so many of them."""

    def __init__(self, kept: int) -> None:
        super().__init__()
        self._kept = kept

    def put(self, key: Key, value: Value) -> Value:
        """Keep a value; the one that was not asked for the longest goes."""
        self[key] = value
        self.move_to_end(key)
        while len(self) > self._kept:
            self.popitem(last=False)
        return value

    def get_or(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return a value that is kept, or the one that `make` returns, and keep that."""
        if key not in self:
            return self.put(key, make())
        self.move_to_end(key)
        return self[key]
