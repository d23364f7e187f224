"""Many packed snapshots of one node turned on their side: each word's changes in a row.

What one counter did, second after second, is much alike, and what stands beside it in a message is
not: whoever compresses a minute of messages saves an eighth by putting each word's changes
together, their highest bytes first. The messages come back to the last bit.

    rest      a message without the changes of its areas' words
    columns   for each word that changed, by where it changed first: bytes a change (1), then the
              highest byte of each change, and so on to the lowest
"""

from __future__ import annotations

from array import array
from collections import Counter
from itertools import accumulate

from isinglass.glass.differences import ANEW, RESIZED, SAME, WORD_BYTES, Source, put_number
from isinglass.glass.snapshot_codec import DEFLATED, HEAD, WHOLE
from isinglass.glass.unpacking import SCHEMA_APART

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEADER, _SHARED, _SLOT_WORDS, _REGION = range(4)
_AREA_SHIFT, _KIND_SHIFT = 24, 32  # a column's number: kind of the area, slot, word, its low bit


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


def turn_back(rests: Sequence[bytes], columns: bytes) -> list[bytes]:
    """Return the messages of which `turn` gave rests and columns.

    Raises:
        ValueError: it did not.
    """
    places: list[list[tuple[int, list[int]]]] = []
    counts: Counter[int] = Counter()
    for rest in rests:
        source = _opened(rest)
        found = [(source.at, words) for words in _changed_words(source, rest[1])]
        for _, words in found:
            counts.update(words)
        places.append(found)
    source = Source(columns)
    changes = {word: iter(_values(source, count)) for word, count in counts.items()}
    if not source.ended:
        raise ValueError("more changes than words")
    return [_whole(rest, found, changes) for rest, found in zip(rests, places, strict=True)]


def _whole(
    rest: bytes, places: list[tuple[int, list[int]]], changes: dict[int, Iterator[int]]
) -> bytes:
    out, at = bytearray(), 0
    for place, words in places:
        out += rest[at : HEAD.size + place]
        at = HEAD.size + place
        for word in words:
            change = next(changes[word])
            if change < 0x80:
                out.append(change)
            else:
                put_number(out, change)
    out += rest[at:]
    return bytes(out)


def _opened(message: bytes) -> Source:
    if len(message) < HEAD.size or message[1] & DEFLATED:
        raise ValueError("no message as it was packed")
    return Source(message[HEAD.size :])


def _planes(changes: array[int]) -> bytes:
    raw, width = changes.tobytes(), (max(changes).bit_length() + 7) // 8
    planes = [raw[place::WORD_BYTES] for place in range(width - 1, -1, -1)]
    return b"".join((bytes((width,)), *planes))


def _values(source: Source, count: int) -> list[int]:
    (width,) = source.take(1)
    if width > WORD_BYTES:
        raise ValueError("a change of too many bytes")
    raw = bytearray(count * WORD_BYTES)
    for place in range(width - 1, -1, -1):
        raw[place::WORD_BYTES] = source.take(count)
    return memoryview(raw).cast("Q").tolist()


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
    behind = accumulate(((gap | 1) + 1 for gap in distances), initial=kind << _KIND_SHIFT)
    first = slot << _AREA_SHIFT
    yield [first + at + gap for at, gap in zip(behind, distances, strict=False)]
