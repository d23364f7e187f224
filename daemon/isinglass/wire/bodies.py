"""What a datagram between nodes may say: each kind of body, and the check that it passes.

A body is msgpack. What came over the network is checked once, here, kind by kind from one table, so
that nothing behind it meets a type, a range or a length that it does not expect; whether a record's
value is a record is the store's question. Updates are flat lists of key and record, because the
check of a whole datagram is then a few calls into C instead of some for each update.

    UPDATES  [first sequence, table, [key, record, key, record, ...], table, [...], ...]
             the sender's own stream; the numbers run on through the body
    PART     [origin, incarnation, [sequence, ...], check, part, parts, bytes]
             a part of msgpack [table, key, record], too large for one datagram, of that stream;
             check = CRC-32 of the whole: parts of two states of one record never mix
    STATE    a list: the sender's heartbeat (wire/reports)
    NACK     [target, origin, incarnation, [first, last, first, last, ...]]
             missing, ascending; `target` is the node that is asked, the others hold back
    REPAIR   [origin, incarnation, [sequence, ...], table, key, record, [sequence, ...], ...]
             the present state of records that those updates of that stream had changed
    VOID     [origin, incarnation, first, last]        cannot be repaired by the sender
    ACK      [origin, incarnation, received]           every update up to this one was received
    URGENT   as UPDATES; whoever receives it answers with an ACK at once

A record is as it is stored. A change of a table is an update, too: its key is empty, and its record
says what the table is now (node/shelf), with flags that no other record has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

import msgpack

from isinglass.errors import BadRecord
from isinglass.store.records import FLAGS, KEY_LIMIT_BYTES, ORIGIN_LIMIT, PAYLOAD
from isinglass.store.tables import check_name
from isinglass.wire import reports

UPDATES, PART, STATE, NACK, REPAIR, VOID, ACK, URGENT = range(1, 9)

SEQUENCE_LIMIT = 1 << 63
INCARNATION_LIMIT = 1 << 64
PARTS_LIMIT = 256  # of one update: more than twice what a record may have, in any case
SEQUENCES_LIMIT = 64  # updates that one repaired record may stand for
TABLE_CHANGE = 0x80  # the flags of what says which tables there are

REASONS = (
    "malformed",
    "wrong_version",
    "wrong_cluster",
    "bad_tag",
    "replayed",
    "old_life",
    "duplicate_node",
)

_unpack = msgpack.unpackb


class BadDatagram(Exception):
    """Input that is no datagram for this node.

    Attributes:
        reason: one of REASONS.
        origin, number: whose it is and of which life, for "duplicate_node"; or the version.
    """

    def __init__(self, reason: str, origin: int = 0, number: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.origin, self.number = reason, origin, number


class Update(NamedTuple):
    """One change of one record, with the numbers it has in its stream."""

    sequences: list[int]
    table: str
    key: bytes
    record: bytes


def malformed() -> NoReturn:
    """Raise what a body raises that breaks its kind's rules."""
    raise BadDatagram("malformed")


def parse(kind: int, packed: bytes) -> Any:
    """Return the checked body of a datagram.

    Raises:
        BadDatagram: there is no such kind, or the bytes are no body of it.
    """
    entry = KINDS.get(kind)
    return checked(packed, entry[1] if entry else None)


def checked(packed: bytes, check: Callable[[Any], None] | None) -> Any:
    """Return an unpacked body that breaks no rule.

    Args:
        check: raises BadDatagram, or anything, for a body that does; None: there is no such kind.

    Raises:
        BadDatagram: it does.
    """
    if check is None:
        malformed()
    try:
        body = _unpack(packed)
        check(body)
    except BadDatagram:
        raise
    # Arbitrary input makes msgpack raise ValueError, TypeError, OverflowError and its own kinds; a
    # check that trips over a type raises TypeError or LookupError.
    except Exception:
        malformed()
    return body


def runs_of(body: list[Any]) -> Iterator[tuple[int, str, list[bytes]]]:
    """Yield the runs of a checked UPDATES body: first number, table, keys and records in turn."""
    number = body[0]
    for table, pairs in zip(body[1::2], body[2::2], strict=True):
        yield number, table, pairs
        number += len(pairs) >> 1


def update_count(body: list[Any]) -> int:
    """Return how many updates a checked UPDATES body holds."""
    return sum(map(len, body[2::2])) >> 1


def repairs_of(body: list[Any]) -> Iterator[Update]:
    """Yield each repaired record of a checked REPAIR body; its stream stands in body[0:2]."""
    for place in range(2, len(body), 4):
        yield Update(*body[place : place + 4])


@lru_cache(maxsize=1024)
def _is_table_name(name: str) -> bool:
    try:
        check_name(name)
    except (BadRecord, UnicodeEncodeError):
        return False
    return True


def check_update(table: Any, key: Any, record: Any) -> None:
    """Refuse what is no update.

    Raises:
        BadDatagram: the table's name, the key or the record cannot be one.
    """
    if type(table) is not str or type(key) is not bytes or type(record) is not bytes:
        malformed()
    _check_pairs(table, [key, record])


def _check_pairs(table: Any, pairs: Any) -> None:
    """Check the updates of one table, all of them with each step."""
    if type(table) is not str or type(pairs) is not list or not pairs or len(pairs) & 1:
        malformed()
    keys, records = pairs[::2], pairs[1::2]
    # join() checks the types: of what msgpack makes, it takes bytes alone, or raises TypeError.
    joined = b"".join(keys)
    b"".join(records)
    if not _is_table_name(table) or min(map(len, records)) < PAYLOAD:
        malformed()
    if len(joined) > KEY_LIMIT_BYTES and max(map(len, keys)) > KEY_LIMIT_BYTES:
        malformed()
    if not joined.isascii():
        for key in keys:
            key.decode()  # its UnicodeDecodeError is a ValueError
    for key, record in zip(keys, records, strict=True) if b"" in keys else ():
        if not key and record[FLAGS] != TABLE_CHANGE:
            malformed()


def _check_number(number: Any, low: int, limit: int) -> None:
    if type(number) is not int or not low <= number < limit:
        malformed()


def _check_numbers(numbers: Any, low: int, limit: int) -> None:
    """Check a list of numbers, none of them twice, ascending."""
    if type(numbers) is not list or not numbers or set(map(type, numbers)) != {int}:
        malformed()
    if numbers[0] < low or numbers[-1] >= limit:
        malformed()
    if any(map(int.__ge__, numbers, numbers[1:])):
        malformed()


def _check_stream(body: Any, length: int) -> None:
    """Check that a list starts with the origin and incarnation of a stream."""
    if type(body) is not list or len(body) != length:
        malformed()
    _check_number(body[0], 1, ORIGIN_LIMIT)
    _check_number(body[1], 0, INCARNATION_LIMIT)


def _check_updates(body: Any) -> None:
    if type(body) is not list or len(body) < 3 or not len(body) & 1:
        malformed()
    for place in range(1, len(body), 2):
        _check_pairs(body[place], body[place + 1])
    _check_number(body[0], 1, SEQUENCE_LIMIT - update_count(body))


def _check_sequences(sequences: Any) -> None:
    _check_numbers(sequences, 1, SEQUENCE_LIMIT)
    if len(sequences) > SEQUENCES_LIMIT:
        malformed()


def _check_part(body: Any) -> None:
    _check_stream(body, 7)
    _, _, sequences, check, part, parts, data = body
    _check_sequences(sequences)
    _check_number(check, 0, 1 << 32)
    _check_number(parts, 1, PARTS_LIMIT + 1)
    _check_number(part, 0, parts)
    if type(data) is not bytes or not data:
        malformed()


def _check_state(body: Any) -> None:
    if not reports.is_body(body):
        malformed()


def _check_nack(body: Any) -> None:
    if type(body) is not list or len(body) != 4:
        malformed()
    target, *stream, ranges = body
    _check_number(target, 1, ORIGIN_LIMIT)
    _check_stream(stream, 2)
    if type(ranges) is not list or not ranges or len(ranges) & 1:
        malformed()
    if set(map(type, ranges)) != {int} or ranges[0] < 1 or ranges[-1] >= SEQUENCE_LIMIT:
        malformed()
    firsts, lasts = ranges[::2], ranges[1::2]
    if any(map(int.__gt__, firsts, lasts)) or any(map(int.__ge__, lasts, firsts[1:])):
        malformed()


def _check_repair(body: Any) -> None:
    if type(body) is not list or len(body) < 6 or len(body) % 4 != 2:
        malformed()
    _check_stream(body[:2], 2)
    for sequences, table, key, record in zip(*(body[2 + i :: 4] for i in range(4)), strict=True):
        _check_sequences(sequences)
        if record != b"" or type(record) is not bytes:  # nothing: the record is no more
            check_update(table, key, record)
        elif type(table) is not str or type(key) is not bytes:
            malformed()


def _check_void(body: Any) -> None:
    _check_stream(body, 4)
    _check_number(body[2], 1, SEQUENCE_LIMIT)
    _check_number(body[3], body[2], SEQUENCE_LIMIT)


def _check_ack(body: Any) -> None:
    _check_stream(body, 3)
    _check_number(body[2], 0, SEQUENCE_LIMIT)


# kind: (its name, its check)
KINDS: dict[int, tuple[str, Callable[[Any], None]]] = {
    UPDATES: ("updates", _check_updates),
    PART: ("part", _check_part),
    STATE: ("state", _check_state),
    NACK: ("nack", _check_nack),
    REPAIR: ("repair", _check_repair),
    VOID: ("void", _check_void),
    ACK: ("ack", _check_ack),
    URGENT: ("urgent", _check_updates),
}
