"""The bytes of a stored record, the rules for keys, and the order that says which record is newer.

A record starts with its version, so two records of one key compare as bytes: the greater one is the
newer one, whoever looks and in whatever order they arrive. That one rule makes applying idempotent
and commutative: the stamp decides, then the origin, then (two updates with one stamp from one
origin) the rest of the bytes, so that every node keeps the same one. Records with fields that are
counted are the exception: they join what is there.

    0    u64  stamp, from the hybrid logical clock, big-endian          } the version,
    8    u16  origin, the small number of the node that made it         } 10 bytes
    10   u8   flags: 1 = tombstone, the record is deleted; 2 = counting, see `counters`
    11   ...  the value: a msgpack map with text keys (nothing for a tombstone)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgpack

from isinglass.errors import BadRecord, RecordTooLarge

VERSION = struct.Struct(">QH")
HEADER = struct.Struct(">QHB")
VERSION_BYTES = VERSION.size
FLAGS = VERSION_BYTES  # the place of the flags, and the length of a version
PAYLOAD = HEADER.size  # the place of the value
TOMBSTONE, COUNTING = 1, 2

KEY_LIMIT_BYTES = 400  # LMDB's keys end at 511 bytes, and an index key holds a value beside the key
VALUE_LIMIT_BYTES = 64 * 1024
ORIGIN_LIMIT = 1 << 16
_unpack = msgpack.unpackb
# One packer a process, twice as fast as one for each value; threads cannot mix in it, because
# packing does not let go of the interpreter lock.
_pack = msgpack.Packer(autoreset=True).pack
NEVER = bytes(VERSION_BYTES)  # older than every version


class Record(NamedTuple):
    """One record as a reader gets it."""

    key: str
    value: dict[str, Any]
    stamp: int
    origin: int


def key_bytes(key: str) -> bytes:
    """Return the stored form of a key: UTF-8, whose byte order is the order of its characters.

    Raises:
        BadRecord: the key is empty, or has a lone surrogate.
        RecordTooLarge: the key is longer than KEY_LIMIT_BYTES.
    """
    try:
        encoded = key.encode()
    except UnicodeEncodeError as error:
        raise BadRecord(f"the key {key!r} is not valid text: {error.reason}") from error
    check_key(encoded)
    return encoded


def check_key(key: bytes) -> None:
    """Refuse a stored key that is empty, too long, or not UTF-8.

    Raises:
        BadRecord: the key is empty or not UTF-8.
        RecordTooLarge: the key is longer than KEY_LIMIT_BYTES.
    """
    if not key:
        raise BadRecord("a key has at least one character")
    if len(key) > KEY_LIMIT_BYTES:
        raise RecordTooLarge(f"a key has at most {KEY_LIMIT_BYTES} bytes, this one {len(key)}")
    if not key.isascii():
        try:
            key.decode()
        except UnicodeDecodeError as error:
            raise BadRecord(f"the key {key!r} is not UTF-8") from error


def check_payload(payload: object) -> None:
    """Refuse bytes that are not a packed record.

    Raises:
        BadRecord: they are not a msgpack map with text keys.
        RecordTooLarge: they are too long.
    """
    if type(payload) is not bytes:
        raise BadRecord("a value travels as the bytes of a msgpack map")
    unpack_value(payload)


def pack_value(value: Mapping[str, Any]) -> bytes:
    """Return a record's value as msgpack.

    Raises:
        BadRecord: the value is not a mapping with text keys, or holds what msgpack cannot carry.
        RecordTooLarge: the value takes more than VALUE_LIMIT_BYTES.
    """
    if not isinstance(value, dict) or not all(map(str.__instancecheck__, value)):
        raise BadRecord(f"a record is a dict with text keys, not {type(value).__name__}")
    try:
        payload: bytes = _pack(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRecord(f"the value cannot be stored: {error}") from error
    if len(payload) > VALUE_LIMIT_BYTES:
        raise RecordTooLarge(
            f"a value takes at most {VALUE_LIMIT_BYTES} bytes, this one {len(payload)}"
        )
    return payload


def unpack_value(payload: bytes) -> dict[str, Any]:
    """Return the value that `pack_value` packed.

    Raises:
        BadRecord: the bytes are not a msgpack map with text keys.
        RecordTooLarge: they are longer than VALUE_LIMIT_BYTES.
    """
    if len(payload) > VALUE_LIMIT_BYTES:
        raise RecordTooLarge(
            f"a value takes at most {VALUE_LIMIT_BYTES} bytes, this one {len(payload)}"
        )
    try:
        value = _unpack(payload)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise BadRecord(f"the value is not msgpack: {error or type(error).__name__}") from error
    # Every read of every record comes through here; a plain loop is the fastest.
    if type(value) is dict:
        for name in value:
            if type(name) is not str:
                break
        else:
            return value
    raise BadRecord("the value is not a map with text keys")


def version_bytes(stamp: int, origin: int) -> bytes:
    """Return the ten bytes that order updates: first by stamp, then by origin."""
    return VERSION.pack(stamp, origin)


def version_stamp(version: bytes) -> int:
    """Return the stamp of a version, or of the record that starts with it."""
    return int.from_bytes(version[:8], "big")


def encode(stamp: int, origin: int, payload: bytes | None) -> bytes:
    """Return a stored record; a payload of None makes a tombstone."""
    if payload is None:
        return HEADER.pack(stamp, origin, TOMBSTONE)
    return HEADER.pack(stamp, origin, 0) + payload


def is_tombstone(record: bytes) -> bool:
    """Tell whether the stored record says that its key is deleted."""
    return bool(record[FLAGS] & TOMBSTONE)


def is_counting(record: bytes, other: bytes | None = None) -> bool:
    """Tell whether one of these stored records has counters, or deletes some."""
    return record[FLAGS] >= COUNTING or (other is not None and other[FLAGS] >= COUNTING)


def decode(key: bytes, record: bytes) -> Record | None:
    """Return the record as a reader gets it, or None for a tombstone.

    Raises:
        BadRecord: the stored bytes are no record.
    """
    if len(record) < PAYLOAD:
        raise BadRecord(f"the record of {key!r} is cut short")
    stamp, origin, flags = HEADER.unpack_from(record)
    if flags & TOMBSTONE:
        return None
    return Record(key.decode(), stored_value(record), stamp, origin)


def stored_value(record: bytes) -> dict[str, Any]:
    """Return the value of a stored record that is no tombstone; it was checked on its way in.

    Raises:
        BadRecord: the stored bytes are no record.
    """
    try:
        value = _unpack(record[PAYLOAD:])
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise BadRecord(f"a stored value is damaged: {error or type(error).__name__}") from error
    if type(value) is dict:
        return value
    if record[FLAGS] == COUNTING and type(value) is list:
        return _counted_value(*value)
    raise BadRecord("a stored value is damaged: it is no map")


def _counted_value(
    base: bytes, _: bytes, counts: dict[str, dict[bytes, tuple[int, int, int]]]
) -> dict[str, Any]:
    """Return the plain fields with the counts on top: a whole number of the same name adds in."""
    value = stored_value(base) if base and not base[FLAGS] & TOMBSTONE else {}
    for field, by_writer in counts.items():
        total = sum(added for _, _, added in by_writer.values())
        start = value.get(field)
        value[field] = total + start if type(start) is int else total
    return value


def packed_value(record: bytes) -> bytes:
    """Return the value of a stored record that is no tombstone, packed, as readers see it.

    Raises:
        BadRecord: the stored bytes are no record, or a count is too large to be packed.
    """
    if record[FLAGS] < COUNTING:
        return record[PAYLOAD:]
    try:
        packed: bytes = _pack(stored_value(record))
    except OverflowError as error:
        raise BadRecord(
            "a count is beyond 64 bits, and cannot be sent: read it from the own store"
            ' (consistency="eventual")'
        ) from error
    return packed


def written_stamp(record: bytes) -> int:
    """Return the stamp of the newest put or deletion in a stored record; 0 when it only counts."""
    if record[FLAGS] < COUNTING:
        return version_stamp(record)
    base, reset, _ = _unpack(record[PAYLOAD:])
    return version_stamp(max(base[:VERSION_BYTES], reset))


def older_bound(version: bytes) -> bytes:
    """Return what every record of this version or an older one sorts below.

    No record has the flags 255, so `record < older_bound(version)` is the whole comparison.
    """
    return version + b"\xff"


def group_of(key: bytes, separator: bytes) -> bytes:
    """Return the storage group of a key: up to and including its first separator, else all of it.

    Groups keep the order of keys: no group with a separator is the beginning of another one.
    """
    if not separator:
        return key
    cut = key.find(separator)
    return key if cut < 0 else key[: cut + len(separator)]


def after_prefix(prefix: str) -> str | None:
    """Return the smallest key above all that start with `prefix`; None when there is none."""
    for place in range(len(prefix) - 1, -1, -1):
        following = ord(prefix[place]) + 1
        if following == 0xD800:
            following = 0xE000  # the surrogates are no characters
        if following <= 0x10FFFF:
            return prefix[:place] + chr(following)
    return None
