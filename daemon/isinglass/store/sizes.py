"""How full a store is, from LMDB's own numbers of pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

OWN_PAGES = 2  # LMDB's heads, at the beginning of the file


class Statistics(NamedTuple):
    """Sizes of the data file: allowed, ever used, and free for new writes within the used part."""

    map_bytes: int
    file_bytes: int
    free_bytes: int
    last_commit: int
    entries: int


def statistics(
    environment: Mapping[str, int], tables: Sequence[Mapping[str, int]], names: Mapping[str, int]
) -> Statistics:
    """Work the sizes out.

    Args:
        environment: LMDB's information on the whole file.
        tables: its statistics of the store's tables.
        names: its statistics of the table that holds their names.
    """
    page = names["psize"]
    used = environment["last_pgno"] + 1
    held = sum(
        table["branch_pages"] + table["leaf_pages"] + table["overflow_pages"]
        for table in (*tables, names)
    )
    return Statistics(
        map_bytes=environment["map_size"],
        file_bytes=used * page,
        free_bytes=max(used - held - OWN_PAGES, 0) * page,
        last_commit=environment["last_txnid"],
        entries=sum(table["entries"] for table in tables),
    )
