"""Numbers and areas of words in few bytes: what changed from one copy of an area to the next.

Most words that change are counters that grew a little: a difference says which words changed, as
gaps, and by how much. All gaps stand before all changes: they are much the same from second to
second, and whoever packs many differences together finds them again. The difference of two doubles
is eight bytes of noise, but most that daemons write were whole nanoseconds before they were
seconds: such a double is told as that whole number.

    number    7 bits a byte, the lowest first; the highest bit: another byte follows (LEB128)
    signed    a number: 2 n for n >= 0, -2 n - 1 below (zigzag, as in Protocol Buffers)
    bytes     number of them, then they
    area      0                                  as before
              1   changed words                  a number, then for each:
                  its distance from the word behind the last one, twice; plus 1: it is a double
                  then for each, signed: the change, modulo 2**64; or the double in billionths
              2   words, their bytes             all anew
              3   words, then as for 1           first cut, or made longer with zeros, to that
"""

from __future__ import annotations

import struct
from array import array
from itertools import compress
from operator import ne

SAME, CHANGED, ANEW, RESIZED = range(4)
WORD_BYTES = 8
MODULUS = 1 << 64
_SIGN = 1 << 63
MOST_WORDS = 1 << 16
_CHUNK_BYTES = 512  # compared at once: most of an area does not change
_LONGEST_SHIFT = 63
_SMALL = 1 << 27  # a change below that takes four bytes at most
_BILLION = 1e9
_IS_LONGER = bytes(byte > 0x7F for byte in range(256))
_DOUBLE, _WORD = struct.Struct("<d"), struct.Struct("<Q")
_WITHOUT_SIGN = _SIGN - 1
# As words: doubles from half a billionth to a billion. No count or time of ours is between them.
_LEAST_BITS, _MOST_BITS = (_WORD.unpack(_DOUBLE.pack(value))[0] for value in (5e-10, 1e9))


def put_number(out: bytearray, number: int) -> None:
    """Append a number that is not negative."""
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def put_signed(out: bytearray, number: int) -> None:
    """Append a number that may be negative."""
    put_number(out, number << 1 if number >= 0 else (-number << 1) - 1)


def put_bytes(out: bytearray, data: bytes | bytearray) -> None:
    """Append bytes with their length."""
    put_number(out, len(data))
    out += data


def put_area(out: bytearray, before: bytes | None, after: bytes) -> None:
    """Append what became of an area of whole words; `before`: what it was, None when it is new."""
    if before == after:
        out.append(SAME)
        return
    words = len(after) // WORD_BYTES
    if before is not None:
        told = bytearray((CHANGED,))
        if len(before) != len(after):
            told[0] = RESIZED
            put_number(told, words)
            before = _resized(before, words)
        _put_changes(told, before, after)
        if len(told) < len(after):
            out += told
            return
    out.append(ANEW)
    put_number(out, words)
    out += after


def _resized(area: bytes, words: int) -> bytes:
    return area[: words * WORD_BYTES].ljust(words * WORD_BYTES, b"\0")


def _put_changes(out: bytearray, before: bytes, after: bytes) -> None:
    distances: list[int] = []
    changes: list[int] = []
    following = 0
    for start in range(0, len(after), _CHUNK_BYTES):
        old, new = before[start : start + _CHUNK_BYTES], after[start : start + _CHUNK_BYTES]
        if old == new:
            continue
        were, are = memoryview(old).cast("Q").tolist(), memoryview(new).cast("Q").tolist()
        for index in compress(range(len(were)), map(ne, were, are)):
            at, is_now = start // WORD_BYTES + index, are[index]
            change = is_now - were[index]
            if not -_SIGN <= change < _SIGN:
                change += MODULUS if change < 0 else -MODULUS
            kind = 0
            if not -_SMALL < change < _SMALL:
                told = _billionths(is_now)
                if told is not None and abs(told) < abs(change):
                    change, kind = told, 1
            distances.append(at - following << 1 | kind)
            changes.append(change << 1 if change >= 0 else (-change << 1) - 1)
            following = at + 1
    put_number(out, len(distances))
    put_numbers(out, distances)
    put_numbers(out, changes)


def put_numbers(out: bytearray, numbers: list[int]) -> None:
    """Append numbers that are not negative."""
    append = out.append
    for number in numbers:
        while number > 0x7F:
            append(number & 0x7F | 0x80)
            number >>= 7
        append(number)


def _billionths(word: int) -> int | None:
    """Return the double that a word is as a whole number of billionths, None when it is none."""
    if word == 0:
        return 0
    if not _LEAST_BITS <= word & _WITHOUT_SIGN < _MOST_BITS:
        return None
    (value,) = _DOUBLE.unpack(_WORD.pack(word))
    count = round(value * _BILLION)
    return count if double(count) == word else None


def double(billionths: int) -> int:
    """Return the word of the double that is so many billionths."""
    word: int = _WORD.unpack(_DOUBLE.pack(billionths / _BILLION))[0]
    return word


class Source:
    """Reads what the functions above have put, from bytes that may be anything.

    Raises:
        ValueError: from each method, when the bytes cannot have been put so.
    """

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    @property
    def ended(self) -> bool:
        """Whether everything has been read."""
        return self.at == len(self.data)

    def number(self) -> int:
        """Return a number."""
        first = self.data[self.at : self.at + 1]
        if first and first < b"\x80":  # most are a byte
            self.at += 1
            return first[0]
        return self.numbers(1)[0]

    def numbers(self, count: int) -> list[int]:
        """Return so many numbers."""
        data, at, found = self.data, self.at, []
        if count > len(data) - at:
            raise ValueError("more numbers than bytes")
        try:
            for _ in range(count):
                number = data[at]
                at += 1
                if number > 0x7F:
                    number &= 0x7F
                    shift = 7
                    while (byte := data[at]) > 0x7F:
                        number |= (byte & 0x7F) << shift
                        at += 1
                        shift += 7
                        if shift > _LONGEST_SHIFT:
                            raise ValueError("a number of too many bytes")
                    number |= byte << shift
                    at += 1
                found.append(number)
        except IndexError:
            raise ValueError("the bytes end inside a number") from None
        self.at = at
        return found

    def distances(self, count: int) -> list[int]:
        """Return so many numbers, most of which are a byte each: faster than `numbers`, then."""
        found: list[int] = []
        while (left := count - len(found)) > 0:
            piece = self.data[self.at : self.at + left]
            longer = piece.translate(_IS_LONGER).find(1)
            if longer < 0:
                found += self.take(left)
            else:
                found += piece[:longer]
                self.at += longer
                found.append(self.number())
        return found

    def signed(self) -> int:
        """Return a number that may be negative."""
        return signed(self.number())

    def take(self, length: int) -> bytes:
        """Return so many bytes."""
        end = self.at + length
        if end > len(self.data):
            raise ValueError("fewer bytes than were told")
        taken, self.at = self.data[self.at : end], end
        return taken

    def block(self) -> bytes:
        """Return bytes that stand with their length."""
        return self.take(self.number())

    def area(self, before: bytes | None) -> bytes:
        """Return an area as it is now; `before`: what it was."""
        kind = self.number()
        if kind == ANEW:
            return self.take(self.number() * WORD_BYTES)
        if before is None or kind > RESIZED:
            raise ValueError("a difference to an area that was not there")
        if kind == RESIZED:
            words = self.number()
            if words > MOST_WORDS:
                raise ValueError("an area larger than any")
            return self._changed(_resized(before, words))
        return before if kind == SAME else self._changed(before)

    def _changed(self, before: bytes) -> bytes:
        words, at = array("Q", before), 0
        count = self.number()
        gaps = self.distances(count)
        try:
            for gap, change in zip(gaps, self.numbers(count), strict=True):
                at += gap >> 1
                told = signed(change)
                words[at] = double(told) if gap & 1 else (words[at] + told) % MODULUS
                at += 1
        except IndexError:
            raise ValueError("a word behind the end of its area") from None
        return words.tobytes()


def signed(number: int) -> int:
    """Return the number that `put_signed` put as another one."""
    return -(number + 1 >> 1) if number & 1 else number >> 1
