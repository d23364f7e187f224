"""Many packed snapshots of one node turned on their side: each word's changes in a row.

What one counter did, second after second, is much alike, and what stands beside it in a message is
not: whoever compresses a minute of messages saves an eighth by putting each word's changes
together, their highest bytes first. What the messages say comes back to the last bit.

    rest      a message without the changes of its areas' words
    columns   for each word that changed, by where it changed first: bytes a change (1), then the
              highest byte of each change, and so on to the lowest
"""

from __future__ import annotations

from array import array
from collections import Counter
from functools import lru_cache
from itertools import accumulate
from operator import add

from isinglass.glass.differences import ANEW, RESIZED, SAME, WORD_BYTES, Source, double, signed
from isinglass.glass.snapshot_codec import DEFLATED, HEAD, WHOLE
from isinglass.glass.unpacking import SCHEMA_APART

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    # Where its changes would stand, the columns of its changed words, their changes.
    _Area = tuple[int, list[int], list[int]]

_HEADER, _SHARED, _SLOT_WORDS, _REGION = range(4)
_AREA_SHIFT, _KIND_SHIFT = 24, 32  # a column's number: kind of the area, slot, word, its low bit
_PLACE = (1 << _AREA_SHIFT) - 1
_LAST_WORD = (1 << 64) - 1


def turn(messages: Sequence[bytes]) -> tuple[list[bytes], bytes]:
    """Return the rests of messages, and the columns of what was taken out.

    Raises:
        ValueError: one is no message that was packed without deflating it.
    """
    rests: list[bytes] = []
    columns: dict[int, array[int]] = {}
    for message in messages:
        source, pieces, at = _opened(message), [message[: HEAD.size]], 0
        for words in _changed_words(source, message[1]):
            pieces.append(source.data[at : source.at])
            for word, change in zip(words, source.numbers(len(words)), strict=True):
                columns.setdefault(word, array("Q")).append(change)
            at = source.at
        rests.append(b"".join((*pieces, source.data[at:])))
    return rests, b"".join(map(_planes, columns.values()))


class Turned:
    """A message whose changes stand in columns, as `SnapshotDecoder.take` has it.

    The message itself is not made again: to read its changes one by one would take longer than all
    else that a decoder does. `base`: the checksum of the message that it is a difference to.
    """

    __slots__ = ("_checksum", "_flags", "_index", "_sheet", "base")

    def __init__(self, sheet: _Sheet, index: int, rest: bytes) -> None:
        _version, self._flags, self._checksum, self.base = HEAD.unpack_from(rest)
        self._sheet, self._index = sheet, index

    def opened(self) -> tuple[int, int, int, Source]:
        """Return flags, checksum, the base's checksum, and what reads the body."""
        return self._flags, self._checksum, self.base, self._sheet.source(self._index)


def turned(rests: Sequence[bytes], columns: bytes) -> list[Turned]:
    """Return the messages of which `turn` gave rests and columns.

    Raises:
        ValueError: it did not.
    """
    sheet = _Sheet(rests, columns)
    return [Turned(sheet, index, rest) for index, rest in enumerate(rests)]


class _Sheet:
    """Rests and columns of many messages; changes are read up to the message that is wanted."""

    def __init__(self, rests: Sequence[bytes], columns: bytes) -> None:
        counts: Counter[int] = Counter()
        self._bodies: list[tuple[bytes, list[tuple[int, list[int]]]]] = []
        for rest in rests:
            source = _opened(rest)
            areas = [(source.at, words) for words in _changed_words(source, rest[1])]
            for _, words in areas:
                counts.update(words)
            self._bodies.append((source.data, areas))
        self._values = _values(columns, counts)
        self._read: list[list[_Area]] = []

    def source(self, index: int) -> Source:
        """Return what reads the body of a message."""
        of_word = self._values.__getitem__
        while len(self._read) <= index:
            _, areas = self._bodies[len(self._read)]
            self._read.append([(at, ws, [*map(next, map(of_word, ws))]) for at, ws in areas])
        return _Filled(self._bodies[index][0], self._read[index])


class _Filled(Source):
    """Reads a rest, with the changes that were taken out of it."""

    __slots__ = ("_areas",)

    def __init__(self, data: bytes, areas: list[_Area]) -> None:
        super().__init__(data)
        self._areas = iter(areas)

    def _changed(self, before: bytes) -> bytes:
        self.at, columns, changes = next(self._areas)
        words = array("Q", before)
        try:
            for column, change in zip(columns, changes, strict=True):
                at = (column & _PLACE) >> 1
                if column & 1:
                    words[at] = double(signed(change))
                elif change & 1:
                    words[at] = words[at] - (change + 1 >> 1) & _LAST_WORD
                else:
                    words[at] = words[at] + (change >> 1) & _LAST_WORD
        except IndexError:
            raise ValueError("a word behind the end of its area") from None
        return words.tobytes()


def _opened(message: bytes) -> Source:
    if len(message) < HEAD.size or message[1] & DEFLATED:
        raise ValueError("no message as it was packed")
    return Source(message[HEAD.size :])


def _planes(changes: array[int]) -> bytes:
    raw, width = changes.tobytes(), (max(changes).bit_length() + 7) // 8
    planes = [raw[place::WORD_BYTES] for place in range(width - 1, -1, -1)]
    return b"".join((bytes((width,)), *planes))


def _values(columns: bytes, counts: Mapping[int, int]) -> dict[int, Iterator[int]]:
    """Return the changes of each word; they are made when they are asked for."""
    found: dict[int, Iterator[int]] = {}
    at = 0
    for word, count in counts.items():
        width = columns[at] if at < len(columns) else WORD_BYTES + 1
        end = at + 1 + width * count
        if width > WORD_BYTES or end > len(columns):
            raise ValueError("a change of too many bytes, or too few changes")
        planes = columns[at + 1 : end]
        # Every `count`-th byte is of one change, its highest first.
        wide = map(int.from_bytes, map(planes.__getitem__, _strides(count)))
        found[word] = iter(planes) if width == 1 else wide
        at = end
    if at != len(columns):
        raise ValueError("more changes than words")
    return found


@lru_cache
def _strides(count: int) -> list[slice]:
    return [slice(first, None, count) for first in range(count)]


def _changed_words(source: Source, flags: int) -> Iterator[list[int]]:
    """Yield the changed words of each area, the source standing where their changes do, or would.

    Follows the body that `snapshot_codec` describes.
    """
    source.numbers(2)
    if flags & WHOLE:
        source.block()
        source.number()
    source.number()
    if not flags & SCHEMA_APART:
        source.block()
    yield from _area(source, _HEADER, 0)
    yield from _area(source, _SHARED, 0)
    for _ in range(source.number()):
        slot, _ = source.numbers(2)
        yield from _area(source, _SLOT_WORDS, slot)
        yield from _area(source, _REGION, slot)
        if source.number():
            source.number()
            source.block()


def _area(source: Source, kind: int, slot: int) -> Iterator[list[int]]:
    how = source.number()
    if how == SAME:
        return
    if how > RESIZED:
        raise ValueError("an area of no kind")
    if how == ANEW:
        source.take(source.number() * WORD_BYTES)
        return
    if how == RESIZED:
        source.number()
    distances = source.distances(source.number())
    # Each counts from the word behind the one before; words are even, their low bit a kind.
    first = (kind << _KIND_SHIFT) + (slot << _AREA_SHIFT)
    behind = accumulate([(gap | 1) + 1 for gap in distances], initial=first)
    yield [*map(add, behind, distances)]
