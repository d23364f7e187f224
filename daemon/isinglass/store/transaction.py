"""What the store's parts need of an LMDB transaction, so that only the engine imports LMDB.

A `Scope` is one transaction with the handles of the three LMDB tables that make a store:

    records    u32 table number + key (or key of a pack)  -> stored record (or pack)
    indexes    u32 index number + value + key             -> nothing
    meta       see `tables`                               -> tables, counts, garbage
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol


class Cursor(Protocol):
    """The part of `lmdb.Cursor` that is used."""

    def key(self) -> bytes: ...
    def value(self) -> bytes: ...
    def item(self) -> tuple[bytes, bytes]: ...
    def next(self) -> bool: ...
    def prev(self) -> bool: ...
    def last(self) -> bool: ...
    def delete(self) -> bool: ...
    def set_range(self, key: bytes, /) -> bool: ...
    def put(self, key: bytes, value: bytes) -> bool: ...
    def getmulti(self, keys: Iterable[bytes]) -> list[tuple[bytes, bytes]]: ...
    def putmulti(self, items: Iterable[tuple[bytes, bytes]]) -> tuple[int, int]: ...
    def iternext(self) -> Iterator[tuple[bytes, bytes]]: ...
    def iterprev(self) -> Iterator[tuple[bytes, bytes]]: ...


class Transaction(Protocol):
    """The part of `lmdb.Transaction` that is used."""

    def get(self, key: bytes, default: None = None, db: Any = None) -> bytes | None: ...
    def put(
        self,
        key: bytes,
        value: bytes,
        dupdata: bool = True,
        overwrite: bool = True,
        append: bool = False,
        db: Any = None,
    ) -> bool: ...
    def delete(self, key: bytes, value: bytes = b"", db: Any = None) -> bool: ...
    def cursor(self, db: Any = None) -> Any: ...
    def stat(self, db: Any = None) -> Any: ...


class Scope(NamedTuple):
    """One transaction and the handles of the store's three LMDB tables."""

    transaction: Transaction
    records: Any
    indexes: Any
    meta: Any

    def cursor(self, table: Any) -> Cursor:
        """Return a cursor on one of the three."""
        cursor: Cursor = self.transaction.cursor(table)
        return cursor

    def get(self, key: bytes, table: Any) -> bytes | None:
        """Return one value."""
        return self.transaction.get(key, None, table)

    def put(self, key: bytes, value: bytes, table: Any) -> None:
        """Store one value."""
        self.transaction.put(key, value, db=table)

    def delete(self, key: bytes, table: Any) -> bool:
        """Delete one value; return whether it was there."""
        return self.transaction.delete(key, db=table)


def items_between(
    cursor: Cursor, low: bytes, high: bytes, *, reverse: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the items with low <= key < high, upward or downward."""
    if not reverse:
        if not cursor.set_range(low):
            return
        for item in cursor.iternext():
            if item[0] >= high:
                return
            yield item
        return
    if not (cursor.prev() if cursor.set_range(high) else cursor.last()):
        return
    for item in cursor.iterprev():
        if item[0] < low:
            return
        yield item
