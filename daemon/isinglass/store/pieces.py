"""Reading a whole store in pieces, each of one short snapshot: for digests, and to copy buckets.

A snapshot that is held while somebody thinks keeps the data file growing, so a piece ends after
PIECE_SECONDS or so many bytes, and says where the next one begins. The store may change in between:
a record that is there all the time is read exactly once, tombstones and dropped tables included; a
table is found again by its name, also under new numbers.
"""

from __future__ import annotations

from collections.abc import Callable

from isinglass import clock
from isinglass.store import scans
from isinglass.store.tables import Catalogue
from isinglass.store.transaction import Scope

# Of one snapshot. The daemon's other threads wait for as long as this one computes, so it is short.
PIECE_SECONDS = 0.0002
PIECE_BYTES = 4 << 20
CHUNK = 100  # records between two looks at the clock: at most 6.4 MB

Item = tuple[str, bytes, bytes]
"""Table, key, stored record."""
Place = tuple[str, bytes]
"""A table, and the lowest key in it, that the next piece begins with."""
START: Place = ("", b"")


def read_piece(
    scope: Scope,
    catalogue: Catalogue,
    place: Place,
    limit_bytes: int,
    wanted: Callable[[str, bytes], bool] | None = None,
) -> tuple[list[Item], Place | None]:
    """Return records in the order of tables and keys, and where the next piece begins.

    Args:
        place: where this one begins.
        limit_bytes: of records; the last chunk may go beyond it.
        wanted: tells of a table and key whether they are returned; all are without it.

    Returns:
        The records, perhaps none although there are more; and None at the end of the store.
    """
    deadline_ns = clock.perf_ns() + int(PIECE_SECONDS * clock.NANOSECONDS_PER_SECOND)
    items: list[Item] = []
    size = 0
    first, low = place
    for name in sorted(name for name in catalogue.tables if name >= first):
        table = catalogue.tables[name]
        start = low if name == first else b""
        while part := scans.read(scope, table, start, None, CHUNK):
            for key, record in part:
                if wanted is None or wanted(name, key):
                    items.append((name, key, record))
                    size += len(key) + len(record)
            start = part[-1][0] + b"\0"
            if size >= limit_bytes or clock.perf_ns() >= deadline_ns:
                return items, (name, start)
    return items, None
