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

from typing import NamedTuple, cast

import msgpack

from isinglass.errors import BadRecord, RecordTooLarge
from isinglass.store import records
from isinglass.store.records import (
    COUNTING,
    FLAGS,
    HEADER,
    NEVER,
    PAYLOAD,
    TOMBSTONE,
    VALUE_LIMIT_BYTES,
    VERSION_BYTES,
    version_stamp,
)

LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1
STAMP_BYTES = 8
ORIGIN_BYTES = VERSION_BYTES - STAMP_BYTES
WRITER_BYTES = ORIGIN_BYTES + 8
FIELD_LIMIT_BYTES = 400
_PARTS = (int, int, int)
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


def merged(old: bytes | None, record: bytes, floor: bytes) -> bytes | None:
    """Return what two records say together, above a floor; None when that is nothing.

    Args:
        old: the record that is there, or None.
        floor: the version of the table's newest drop; NEVER when it was not dropped.

    Raises:
        BadRecord: one of them is damaged.
    """
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
    found = Contents(b"", b"", {field: {writer: added}})
    return _record(found, NEVER) or b""


def deletion(stamp: int, origin: int) -> bytes:
    """Return the record that deletes a counting one: counts and plain fields up to its version."""
    return _record(Contents(b"", records.version_bytes(stamp, origin), {}), NEVER) or b""


def next_addition(present: Contribution | None, number: int, stamp: int) -> Contribution:
    """Return a writer's contribution after one more add.

    Args:
        present: what the writer had added before, in this epoch; None begins one.
        stamp: above all that the node has seen.

    Raises:
        BadRecord: the total would not fit 64 bits.
    """
    total = number + (present.total if present else 0)
    if not LOWEST <= total <= HIGHEST:
        raise BadRecord(f"adding {number} takes the count of this daemon beyond 64 bits")
    if present is None:
        return Contribution(stamp, stamp, total)
    return Contribution(present.epoch, max(stamp, present.latest + 1), total)


def check_size(found: list[bytes], addition: bytes) -> None:
    """Refuse an add that would take a record beyond VALUE_LIMIT_BYTES.

    Args:
        found: the records of the key, wherever they wait or lie.

    Raises:
        RecordTooLarge: it would.
    """
    if len(addition) + sum(map(len, found)) <= VALUE_LIMIT_BYTES:
        return
    whole = addition
    for record in found:
        whole = join(whole, record)
    if len(whole) - PAYLOAD > VALUE_LIMIT_BYTES:
        raise RecordTooLarge(
            f"the record with its counts would take more than {VALUE_LIMIT_BYTES} bytes: count in"
            " fewer fields, or delete the record and begin again"
        )


def check_field(field: object) -> str:
    """Return the name of a field that can be counted.

    Raises:
        BadRecord: it is no text, empty, too long, or has a lone surrogate.
    """
    if type(field) is not str or not field:
        raise BadRecord("a field that is counted has a name, and that is text")
    try:
        size = len(field.encode())
    except UnicodeEncodeError as error:
        raise BadRecord(f"the field {field!r} is not valid text: {error.reason}") from error
    if size > FIELD_LIMIT_BYTES:
        raise BadRecord(f"the name of a counted field has at most {FIELD_LIMIT_BYTES} bytes")
    return field


def check_number(number: object) -> int:
    """Return a number that can be added.

    Raises:
        BadRecord: it is no integer, or does not fit 64 bits with a sign.
    """
    if type(number) is not int or not LOWEST <= number <= HIGHEST:
        raise BadRecord(f"what is added is an integer of at most 64 bits, not {number!r:.60}")
    return number


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
    else:
        _check_contents(record)


def _check_contents(record: bytes) -> None:
    try:
        found = contents(record)
        for field, by_writer in found.fields.items():
            check_field(field)
            for writer, added in by_writer.items():
                if (
                    len(writer) != WRITER_BYTES
                    or tuple(map(type, added)) != _PARTS
                    or not added.epoch <= added.latest
                ):
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
