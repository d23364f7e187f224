"""Storage groups on disk: the records of one group packed into as few LMDB values as fit.

The records of a group ("order 7/line 1", "order 7/line 2": all up to the first "/") are changed
and read together, so they are stored together: one write for many updates, and one page for a scan.
A pack that outgrows PACK_LIMIT_BYTES is cut in two, so a group may grow without limit and an
accepted update is never refused later because of its neighbours.

    key      u32 table number, then the group, then what the first record's key has beyond it
             (nothing for the group's first pack)
    value    msgpack map, in key order: what the record's key has beyond the group (bytes)
             -> the stored record (bytes)

The pack of a key is the last one whose key is not above it, if it is of the same group.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import msgpack

from isinglass.errors import StoreCorrupt
from isinglass.store.transaction import Cursor

# A pack fits one page of its own. Measured: scattered updates cost the same from 1,000 to 8,000
# bytes; at 8,000 appending to groups costs 1.4 times as much; at 1,000 the file is a sixth larger.
PACK_LIMIT_BYTES = 4000
_OVERHEAD_BYTES = 6  # of a record in a pack: two lengths
_REMEDY = "restore the store from another node or a copy"


class Pack(NamedTuple):
    """One pack as found: its key, its records, and the key at which its successor starts."""

    key: bytes
    records: dict[bytes, bytes]
    stop: bytes | None


def unpack(value: bytes) -> dict[bytes, bytes]:
    """Return the records of a pack, in key order.

    Raises:
        StoreCorrupt: the bytes are no pack.
    """
    try:
        found = msgpack.unpackb(value)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise StoreCorrupt(f"a group of records is damaged ({error}): {_REMEDY}") from error
    if type(found) is not dict:
        raise StoreCorrupt(f"a group of records is damaged: {_REMEDY}")
    return cast("dict[bytes, bytes]", found)


def items_of(first: bytes, group: bytes, records: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return the LMDB items that hold `records` (in key order); the first one gets the key `first`.

    What is too long for one pack is cut into packs that are three quarters full, so that the next
    few records have room.
    """
    value = cast(bytes, msgpack.packb(records))
    if len(value) <= PACK_LIMIT_BYTES or len(records) == 1:
        return [(first, value)]
    items: list[tuple[bytes, bytes]] = []
    part: dict[bytes, bytes] = {}
    size = 0
    for key, record in records.items():
        more = len(key) + len(record) + _OVERHEAD_BYTES
        if part and size + more > PACK_LIMIT_BYTES * 3 // 4:
            items.append((first, cast(bytes, msgpack.packb(part))))
            part, size, first = {}, 0, group + key
        part[key] = record
        size += more
    items.append((first, cast(bytes, msgpack.packb(part))))
    return items


def find(cursor: Cursor, group: bytes, key: bytes) -> Pack | None:
    """Return the pack that holds `key`, or would; None when the group has none so low.

    Both `group` and `key` start with the table's number.
    """
    stop = None
    if cursor.set_range(key):
        found = cursor.key()
        if found == key:
            value = cursor.value()
            if cursor.next() and cursor.key().startswith(group):
                stop = cursor.key()
            return Pack(found, unpack(value), stop)
        if found.startswith(group):
            stop = found
        if not cursor.prev():
            return None
    elif not cursor.last():
        return None
    found = cursor.key()
    return Pack(found, unpack(cursor.value()), stop) if found.startswith(group) else None
