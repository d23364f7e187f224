"""Counters that commute: adds from any node, in any order and any number of times, all count once.

A field that is counted cannot be a plain value, because the newest of two concurrent counts would
win and the other be lost. So a counting record keeps, of each field and each writer, what that
writer alone has added so far; the value is their sum. A writer is one life of one daemon: its
totals are exact, and a later life never contradicts what other nodes have of a queue that was
killed (Shapiro et al., "A comprehensive study of Convergent and Commutative Replicated Data Types",
2011, 3.1.1: the state-based counter; there a total only grows, here a stamp says which is newer, so
that adds may be negative).

    header     as every record; its version is the greatest of all below
               flags: 2 = counting, 3 = counting, and there is nothing to show
    payload    msgpack [base, reset, {field: {writer: [epoch, latest, total]}}], fields and writers
               in their order, so that equal contents are equal bytes
      base     the plain record or tombstone whose fields show beside the counts, whole; or nothing
      reset    the version of the newest deletion that knew of counts, 10 bytes; or nothing
      writer   u16 origin, u64 incarnation, big-endian
      epoch    the stamp of the writer's first add since the deletion that it knew of
      latest   the stamp of its newest add: the greater one wins, whatever the total
      total    the sum of its adds of the epoch, a signed 64-bit integer

An add travels and waits as a record that has one writer's total of one field and nothing else: some
60 bytes. `join` does the rest. It is the least upper bound of what both records say, so it does not
matter in which order, in which company, and how often a record comes: of bases the greater one, of
resets the greater one, of contributions the one with the greater (epoch, latest). A contribution
whose epoch is not above the reset, or not above its table's floor, is gone for good, so a deleted
counter starts at zero and no late repeat brings it back.

A reset is apart from the tombstone for a reason: a put that is newer than a tombstone replaces it,
and a put does not touch counters, so the tombstone alone could not keep old contributions out. The
daemon writes a reset when it deletes a record that it knows to be counting; adds that it did not
know of, in a record that was plain to it, outlive the deletion, as concurrent ones should. Adds in
an epoch that it did know of go, also those on their way.

The stamp serves as the number of an add: it grows with each, and the header's version follows from
what is left, which it must, to be the same everywhere. Each life that adds to a record leaves some
35 bytes in it for each field.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, cast

import msgpack

from isinglass.errors import BadRecord
from isinglass.store import records
from isinglass.store.records import (
    COUNTING,
    FLAGS,
    HEADER,
    NEVER,
    PAYLOAD,
    TOMBSTONE,
    VERSION_BYTES,
    version_stamp,
)

STAMP_BYTES = 8
ORIGIN_BYTES = VERSION_BYTES - STAMP_BYTES
WRITER_BYTES = ORIGIN_BYTES + 8
_PARTS = (int, int, int)
# How an addition begins in msgpack: [no bytes, no bytes, {one field: {one writer of 10 bytes:
_ONE_FIELD, _ONE_WRITER = b"\x93\xc4\x00\xc4\x00\x81", b"\x81\xc4\x0a"
_pack = msgpack.Packer(autoreset=True).pack  # as in `records`


class Contribution(NamedTuple):
    """What one writer has added to one field; see the module for the words."""

    epoch: int
    latest: int
    total: int


Fields = dict[str, dict[bytes, Contribution]]


class Contents(NamedTuple):
    """What a record says, counting or not."""

    base: bytes
    reset: bytes
    fields: Fields


def writer_of(origin: int, incarnation: int) -> bytes:
    """Return the name of one life of one daemon."""
    return origin.to_bytes(ORIGIN_BYTES, "big") + incarnation.to_bytes(8, "big")


def version_of(stamp: int, writer: bytes) -> bytes:
    """Return the version of what a writer did at a stamp."""
    return stamp.to_bytes(STAMP_BYTES, "big") + writer[:ORIGIN_BYTES]


def contents(record: bytes) -> Contents:
    """Take a stored record apart.

    Raises:
        BadRecord: it is a counting record, and damaged.
    """
    if record[FLAGS] < COUNTING:
        return Contents(record, b"", {})
    try:
        base, reset, stored = msgpack.unpackb(record[PAYLOAD:])
        fields = {
            field: {writer: Contribution(*parts) for writer, parts in by_writer.items()}
            for field, by_writer in stored.items()
        }
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
        raise BadRecord(f"a counting record is damaged: {error or type(error).__name__}") from error
    return Contents(base, reset, fields)


def versions_in(record: bytes) -> Iterator[bytes]:
    """Yield the versions of all that a stored record is made of: a put, a deletion, newest adds.

    Raises:
        BadRecord: it is a counting record, and damaged.
    """
    base, reset, fields = contents(record)
    yield from (version for version in (base[:VERSION_BYTES], reset) if version)
    for by_writer in fields.values():
        for writer, added in by_writer.items():
            yield version_of(added.latest, writer)


def _record(found: Contents, floor: bytes) -> bytes | None:
    """Return the one record that says this, without what is not above the floor; None: nothing."""
    reset = found.reset if found.reset > floor else b""
    limit = max(reset, floor)
    base = found.base if found.base[:VERSION_BYTES] > limit else b""
    fields: dict[str, dict[bytes, Contribution]] = {}
    version = max(base[:VERSION_BYTES], reset)
    for field in sorted(found.fields):
        by_writer = found.fields[field]
        for writer in sorted(by_writer):
            added = by_writer[writer]
            if version_of(added.epoch, writer) > limit:
                fields.setdefault(field, {})[writer] = added
                version = max(version, version_of(added.latest, writer))
    if not fields and not reset:
        return base or None
    shows = fields or (base and not base[FLAGS] & TOMBSTONE)
    header = HEADER.pack(
        version_stamp(version),
        int.from_bytes(version[STAMP_BYTES:], "big"),
        COUNTING if shows else COUNTING | TOMBSTONE,
    )
    return header + cast(bytes, _pack([base, reset, fields]))


def joined(queued: bytes | None, record: bytes, floor: bytes) -> tuple[bytes, bool]:
    """Return what waits once a counting record, or one for a counting record, has come.

    Returns:
        That record, and whether what came says nothing new.

    Raises:
        BadRecord: one of them is damaged.
    """
    together = merged(queued, record, floor)
    return together or record, together is None or together == queued


def merged(old: bytes | None, record: bytes, floor: bytes) -> bytes | None:
    """Return what two records say together, above a floor; None when that is nothing.

    Args:
        old: the record that is there, or None.
        floor: the version of the table's newest drop; NEVER when it was not dropped.

    Raises:
        BadRecord: one of them is damaged.
    """
    if floor == NEVER:
        if old is None:
            return record
        end = _alone(record)
        if end and old[PAYLOAD:end] == record[PAYLOAD:end]:
            return max(record, old, key=lambda found: _parts(found[end:]))
    ours = contents(record)
    if old is None:
        return _record(ours, floor)
    theirs = contents(old)
    fields = dict(theirs.fields)
    for field, by_writer in ours.fields.items():
        known = fields[field] = dict(fields.get(field, {}))
        for writer, added in by_writer.items():
            known[writer] = max(added, known.get(writer, added))
    together = Contents(max(theirs.base, ours.base), max(theirs.reset, ours.reset), fields)
    return _record(together, floor)


def _alone(record: bytes) -> int:
    """Return the place of the one contribution in a record that says nothing else; 0: it says more.

    What stands before it, from the payload on, is field and writer: most joins are of two adds with
    the same ones, and need not take them apart.
    """
    if not record.startswith(_ONE_FIELD, PAYLOAD):
        return 0
    place = PAYLOAD + len(_ONE_FIELD)
    kind = record[place]  # of msgpack's short text, or of longer text
    if kind & 0xE0 == 0xA0:
        place += 1 + (kind & 0x1F)
    elif kind == 0xD9:
        place += 2 + record[place + 1]
    else:
        return 0
    place += len(_ONE_WRITER)
    return place + WRITER_BYTES if record[:place].endswith(_ONE_WRITER) else 0


def _parts(packed: bytes) -> Contribution:
    try:
        return Contribution(*msgpack.unpackb(packed))
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise BadRecord(f"a counting record is damaged: {error or type(error).__name__}") from error


def added_in(record: bytes, field: str, writer: bytes) -> tuple[bytes, Contribution | None]:
    """Return the reset of a stored record, and what a writer has added there to a field, if any.

    Raises:
        BadRecord: it is a counting record, and damaged.
    """
    if record[FLAGS] < COUNTING:
        return b"", None
    beginning = _beginning(field, writer)
    if record.startswith(beginning, PAYLOAD):
        return b"", _parts(record[PAYLOAD + len(beginning) :])
    found = contents(record)
    return found.reset, found.fields.get(field, {}).get(writer)


def join(one: bytes, other: bytes) -> bytes:
    """Return what two stored records of a key say together; of two plain ones the greater.

    Raises:
        BadRecord: one of them is damaged.
    """
    if one[FLAGS] < COUNTING and other[FLAGS] < COUNTING:
        return max(one, other)
    return merged(one, other, NEVER) or b""


def addition(field: str, writer: bytes, added: Contribution) -> bytes:
    """Return the record of one writer's total of one field, as it travels and waits."""
    header = HEADER.pack(added.latest, int.from_bytes(writer[:ORIGIN_BYTES], "big"), COUNTING)
    return header + _beginning(field, writer) + cast(bytes, _pack(added))


@lru_cache(maxsize=256)
def _beginning(field: str, writer: bytes) -> bytes:
    """Return the payload of an addition, up to the contribution."""
    return _ONE_FIELD + cast(bytes, _pack(field)) + _ONE_WRITER + writer


def deletion(stamp: int, origin: int) -> bytes:
    """Return the record that deletes a counting one: counts and plain fields up to its version."""
    return _record(Contents(b"", records.version_bytes(stamp, origin), {}), NEVER) or b""


def check_record(record: bytes) -> None:
    """Refuse bytes, from another node or the disk, that no daemon stores.

    Raises:
        BadRecord: they are no record, or a counting one that is not as `merged` makes it.
    """
    if len(record) < PAYLOAD or record[FLAGS] > COUNTING | TOMBSTONE:
        raise BadRecord("a stored record is cut short, or of an unknown kind")
    if record[FLAGS] == 0:
        records.unpack_value(record[PAYLOAD:])
    elif record[FLAGS] == TOMBSTONE:
        if len(record) > PAYLOAD:
            raise BadRecord("a tombstone has no value")
    elif end := _alone(record):
        added = _parts(record[end:])
        writer = record[end - WRITER_BYTES : end]
        _check_added(added)
        if record[: FLAGS + 1] != version_of(added.latest, writer) + bytes([COUNTING]):
            raise BadRecord("a counting record has another version than its add")
    else:
        _check_contents(record)


def _check_added(added: Contribution) -> None:
    if tuple(map(type, added)) != _PARTS or not 0 <= added.epoch <= added.latest < 1 << 64:
        raise BadRecord("the counts of a record are damaged")


def _check_contents(record: bytes) -> None:
    try:
        found = contents(record)
        for field, by_writer in found.fields.items():
            if type(field) is not str or not field:
                raise BadRecord("the counts of a record are damaged")
            for writer, added in by_writer.items():
                _check_added(added)
                if len(writer) != WRITER_BYTES:
                    raise BadRecord("the counts of a record are damaged")
        if found.base:
            if found.base[FLAGS] >= COUNTING:
                raise BadRecord("a counting record lies within another")
            check_record(found.base)
        sound = len(found.reset) in (0, VERSION_BYTES) and _record(found, NEVER) == record
    except (TypeError, ValueError, OverflowError, IndexError) as error:
        raise BadRecord(f"a counting record is damaged: {error}") from error
    if not sound:
        raise BadRecord("a counting record is not as a daemon writes it")
