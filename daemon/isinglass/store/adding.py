"""What a daemon writes when a client counts or deletes, by what it has of the record already.

An add is the writer's new total, so it needs what the writer added before; a deletion is a reset
when it takes counts with it. Both look at all that the node has of the record: in line, in the
batch in hand, and stored. What is asked for is checked here, before it gets near the queue.

    field    1 to FIELD_LIMIT_BYTES bytes of UTF-8
    number   what is added, and a writer's total: 64 bits with a sign
    record   its counts and plain fields: VALUE_LIMIT_BYTES when it is added to
"""

from __future__ import annotations

from collections.abc import Iterable

from isinglass.errors import BadRecord, RecordTooLarge
from isinglass.store import counters, records
from isinglass.store.counters import Contribution
from isinglass.store.records import PAYLOAD, VALUE_LIMIT_BYTES, is_counting, version_stamp
from isinglass.store.tables import FIELD_LIMIT_BYTES

LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1


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


def add(
    present: Iterable[bytes], floor: bytes, writer: bytes, field: str, number: int, stamp: int
) -> bytes:
    """Return the record that makes one more add of a writer known.

    Args:
        present: the records of the key, wherever they wait or lie. All of them count: another node
            may just have sent back an older one of this writer's.
        floor: the version of the table's newest drop.
        stamp: above all that the node has stamped.

    Raises:
        BadRecord: the writer's total would not fit 64 bits.
        RecordTooLarge: the record would pass VALUE_LIMIT_BYTES.
    """
    limit, found = floor, []
    mine: Contribution | None = None
    for record in present:
        found.append(record)
        reset, added = counters.added_in(record, field, writer)
        limit = max(limit, reset)
        if added is not None:
            mine = added if mine is None else max(mine, added)
    if mine is not None and counters.version_of(mine.epoch, writer) > limit:
        return counters.addition(field, writer, next_addition(mine, number, stamp))
    # A clock elsewhere may be ahead: what begins anew must be above what it begins after.
    begun = next_addition(None, number, max(stamp, version_stamp(limit) + 1))
    record = counters.addition(field, writer, begun)
    check_size(found, record)
    return record


def delete(present: Iterable[bytes], stamp: int, origin: int) -> bytes:
    """Return the record that deletes a key: a tombstone, or a reset where something counts.

    Args:
        present: as for `add`.
        stamp: above all that the node has stamped.
    """
    counting = [version_stamp(record) for record in present if is_counting(record)]
    if not counting:
        return records.encode(stamp, origin, None)
    return counters.deletion(max(stamp, max(counting) + 1), origin)


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
        whole = counters.join(whole, record)
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
