"""Any frame of a run of rows: finds the key row before it, and goes on from where it was last.

A run is what the history frees at once, or a recording compresses together; each has rows of its
own kind. Going on by one row costs one row; going back, those since the key row.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, Protocol, TypeVar

from isinglass_console.model.frame import Frame

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Row(Protocol):
    """What is kept of one frame."""

    @property
    def key(self) -> bool:
        """Whether one can begin with it."""


AnyRow = TypeVar("AnyRow", bound=Row)
Taken = TypeVar("Taken", bound=Row, contravariant=True)


class Decoder(Protocol[Taken]):
    """Makes frames of rows again; begins with a key row, and then takes each that follows."""

    def take(self, row: Taken) -> None:
        """Take a row without making a frame of it."""

    def frame(self) -> Frame:
        """Return the frame of the last row."""


class Run(Generic[AnyRow]):
    """Rows one after the other; the first is a key row. Rows may be appended later.

    Args:
        begin: returns what makes frames of them.
    """

    def __init__(
        self, first: int, rows: Iterable[AnyRow], begin: Callable[[], Decoder[AnyRow]]
    ) -> None:
        self.first, self.rows, self._begin = first, list(rows), begin
        self._decoder: Decoder[AnyRow] | None = None
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
        start = next((at for at in range(index, -1, -1) if self.rows[at].key), 0)
        decoder = self._decoder
        if decoder is None or not start <= self._at <= index:
            decoder, self._at = self._begin(), start - 1
        self._decoder = None  # a row that is damaged leaves none behind
        for at in range(self._at + 1, index + 1):
            decoder.take(self.rows[at])
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
