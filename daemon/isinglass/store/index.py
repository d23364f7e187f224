"""The keys of a secondary index: values as bytes that sort as the values do.

    0    u32   number of the index, big-endian
    4    u8    kind of the value: 1 None, 2 bool, 3 number, 4 text, 5 bytes; kinds sort so
    5    ...   the value (below), at most VALUE_LIMIT_BYTES
    ...  0     the end of the value
    ...        the record's key

    bool     1 byte, 0 or 1
    number   8 bytes, the nearest double with its sign turned so that bytes sort as numbers, then
             2 bytes, how far the whole number lies from that double: 2**53 + 1 follows 2**53, and
             2 < 2.5 < 3 although two are whole and one is not; NaN comes before all numbers
    text     UTF-8, and bytes as they are, with 0 written as 1 1 and 1 as 1 2, so that the 0 at the
             end is the only one, and a shorter value sorts before the longer one that it begins

Text beyond VALUE_LIMIT_BYTES is cut: such values share their place in the order, and a reader looks
at the record itself (`Bounds.admits`). Fields that are missing, or hold lists, maps or numbers
beyond 64 bits, are not in the index.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

from isinglass.errors import BadRecord
from isinglass.store import records

Value = None | bool | int | float | str | bytes
Order = tuple[int, bytes]

INDEX_ID_BYTES = 4
VALUE_LIMIT_BYTES = 96
END = b"\0"

_NONE, _BOOL, _NUMBER, _TEXT, _BYTES = b"\1", b"\2", b"\3", b"\4", b"\5"
_FIXED_BYTES = {_NONE[0]: 1, _BOOL[0]: 2, _NUMBER[0]: 11}
_BIG = struct.Struct(">Q")
_DOUBLE = struct.Struct(">d")
_FAR = struct.Struct(">H")
_MIDDLE = 1 << 15
_SIGN = 1 << 63
_ALL = (1 << 64) - 1
_WHOLE_LOW, _WHOLE_HIGH = -(1 << 63), 1 << 64  # what msgpack carries


def encode_value(value: object) -> bytes | None:
    """Return the bytes of a value in an index, or None when such values are not in an index."""
    kind = type(value)
    if kind is str:
        return _TEXT + _escaped(value.encode("utf-8", "surrogatepass"))  # type: ignore[attr-defined]
    if kind is int or kind is float:
        return _number(value)  # type: ignore[arg-type]
    if kind is bool:
        return _BOOL + (b"\1" if value else b"\0")
    if value is None:
        return _NONE
    if kind is bytes:
        return _BYTES + _escaped(value)  # type: ignore[arg-type]
    return None


def _escaped(raw: bytes) -> bytes:
    if b"\0" in raw or b"\1" in raw:
        raw = raw.replace(b"\1", b"\1\2").replace(b"\0", b"\1\1")
    return raw[:VALUE_LIMIT_BYTES]


def _number(value: float) -> bytes | None:
    if value != value:
        return _NUMBER + bytes(10)
    double = float(value) if _WHOLE_LOW <= value < _WHOLE_HIGH or type(value) is float else None
    if double is None:
        return None
    (bits,) = _BIG.unpack(_DOUBLE.pack(double + 0.0))  # -0.0 + 0.0 is 0.0
    bits = bits ^ _ALL if bits & _SIGN else bits | _SIGN
    far = int(value) - int(double) if type(value) is int else 0
    return _NUMBER + _BIG.pack(bits) + _FAR.pack(_MIDDLE + far)


def record_key(entry: bytes) -> bytes:
    """Return the key of the record that an index key leads to."""
    fixed = _FIXED_BYTES.get(entry[INDEX_ID_BYTES])
    end = entry.index(END, INDEX_ID_BYTES + 1) if fixed is None else INDEX_ID_BYTES + fixed
    return entry[end + 1 :]


class IndexedField(NamedTuple):
    """One index of a table: the field, and the four bytes its keys start with."""

    field: str
    prefix: bytes


def entries(key: bytes, record: bytes, fields: Iterable[IndexedField]) -> list[bytes | None]:
    """Return the record's key in each index, in the order of `fields`; None where it is in none."""
    if records.is_tombstone(record):
        return [None for _ in fields]
    value = records.stored_value(record)
    found: list[bytes | None] = []
    for field, prefix in fields:
        encoded = encode_value(value[field]) if field in value else None
        found.append(None if encoded is None else prefix + encoded + END + key)
    return found


class Bounds:
    """A range of one index: from `start` (included) to `stop` (not included), or `equal` alone.

    An open end stays within the kind of the other bound: `start=5` finds numbers, no text.

    Raises:
        BadRecord: a bound is no value that an index holds.
    """

    __slots__ = ("_beyond", "_equal", "_field", "_first", "exact", "high", "low")

    def __init__(
        self, index: IndexedField, *, equal: Any = ..., start: Any = ..., stop: Any = ...
    ) -> None:
        self._field, self._equal = index.field, equal
        self._first, self._beyond = _order_between(start, stop)
        given = [_bound(value) for value in (equal, start, stop) if value is not ...]
        self.exact = all(len(encoded) <= VALUE_LIMIT_BYTES for encoded in given)
        kind = given[0][:1] if given else b""
        self.low, self.high = index.prefix + kind, prefix_end(index.prefix + kind)
        if equal is not ...:
            self.low = index.prefix + given[0] + END
            self.high = prefix_end(self.low)
        if start is not ...:
            self.low = index.prefix + _bound(start)
        if stop is not ...:
            # values as long as a cut one share its bytes on both sides of the bound
            self.high = index.prefix + _bound(stop) + (END if self.exact else b"\1")

    def admits(self, value: dict[str, Any]) -> bool:
        """Tell whether the record's own value lies in the range, cut in the index or not."""
        try:
            place = order_of(value.get(self._field, ...))
        except BadRecord:
            return False  # it is not there, or nothing that an index holds
        if self._equal is not ... and place != order_of(self._equal):
            return False
        return self._first <= place < self._beyond


def _order_between(start: Any, stop: Any) -> tuple[Order, Order]:
    """Return what a range begins with, and what is beyond it, as `order_of` values."""
    first: Order = (0, b"") if start is ... else order_of(start)
    beyond: Order = (_BYTES[0] + 1, b"") if stop is ... else order_of(stop)
    if start is ... and stop is not ...:
        first = (beyond[0], b"")
    if stop is ... and start is not ...:
        beyond = (first[0] + 1, b"")
    return first, beyond


def _bound(value: object) -> bytes:
    encoded = encode_value(value)
    if encoded is None:
        raise BadRecord(f"an index holds no such value: {value!r:.60}")
    return encoded


def order_of(value: object) -> Order:
    """Return what sorts as the index does, with no value cut.

    Raises:
        BadRecord: the value is none that an index holds.
    """
    encoded = _bound(value)
    if isinstance(value, str):
        return encoded[0], value.encode("utf-8", "surrogatepass")
    return encoded[0], value if isinstance(value, bytes) else encoded


def prefix_end(prefix: bytes) -> bytes:
    """Return the smallest bytes above all that start with `prefix` (which is not all 255)."""
    return (int.from_bytes(prefix, "big") + 1).to_bytes(len(prefix), "big")
