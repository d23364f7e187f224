"""The node's store as this process reads it: opened once a process, shared by its clients.

LMDB lets a process open a store once, because its locks belong to the process, so clients of one
node share it and the last one closes it. A store is told by its file, not by its path: a daemon
that came back with its data elsewhere, or whose store was moved away, as one that is damaged should
be, is followed when it answers.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from isinglass.client.session import Session
from isinglass.store.engine import DATA_FILE
from isinglass.store.reading import StoreReader
from isinglass.store.records import Record, is_counting, written_stamp
from isinglass.store.tables import TableInfo

Identity = tuple[int, int]  # device and inode of the data file

_lock = threading.Lock()
_shared: dict[Identity, tuple[StoreReader, int]] = {}


def identity_of(path: str) -> Identity:
    """Return which store is at a path now; (0, 0) when there is none."""
    try:
        found = os.stat(f"{path}/{DATA_FILE}")
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def borrow(identity: Identity, path: str) -> StoreReader:
    """Return the store at a path, open for reading; give it back with `give_back`.

    Raises:
        StoreError: it cannot be opened.
    """
    with _lock:
        store, users = _shared.get(identity) or (StoreReader.open(path), 0)
        _shared[identity] = (store, users + 1)
        return store


def give_back(identity: Identity) -> None:
    """Close a store when nobody else of this process uses it."""
    with _lock:
        store, users = _shared.pop(identity)
        if users > 1:
            _shared[identity] = (store, users - 1)
        else:
            store.close()


class LocalStore:
    """One client's reads; `get_value` is the store's own, so that a read by key costs no call more.

    Raises:
        StoreError: the store cannot be opened.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._identity: Identity | None = identity_of(session.data_directory)
        self._store = borrow(self._identity, session.data_directory)
        self.get_value = self._store.get_value
        session.when_restarted = self._follow

    def close(self) -> None:
        """Give the store back."""
        if self._identity is not None:
            give_back(self._identity)
            self._identity = None

    def _follow(self) -> None:
        """Open the store where the daemon has it now."""
        identity = identity_of(self._session.data_directory)
        if self._identity is not None and identity != self._identity:
            fresh = borrow(identity, self._session.data_directory)
            give_back(self._identity)
            self._identity, self._store, self.get_value = identity, fresh, fresh.get_value

    def counts(self, table: str, key: str) -> bool:
        """Tell whether the stored record has counters.

        Raises:
            TableMissing: there is no such table.
        """
        record = self._store.look_up(table, key.encode("utf-8", "surrogatepass"))
        return record is not None and is_counting(record)

    def shows(self, table: str, key: str, stamp: int) -> bool | None:
        """Tell whether the store has what was put or deleted at a stamp, or later.

        Returns:
            None when the store has nothing of the record, not even that it was deleted.
        """
        record = self._store.stored(table, key.encode("utf-8", "surrogatepass"))
        return None if record is None else written_stamp(record) >= stamp

    def scan(
        self, table: str, start: str | None, stop: str | None, limit: int | None, reverse: bool
    ) -> Iterator[Record]:
        """Yield the records of a key range."""
        return iter(self._store.scan(table, start or "", stop, limit=limit, reverse=reverse))

    def find(
        self,
        table: str,
        field: str,
        value: Any,
        start: Any,
        stop: Any,
        limit: int | None,
        reverse: bool,
    ) -> Iterable[Record]:
        """Yield the records of an index's value or range."""
        return self._store.index_scan(
            table, field, equal=value, start=start, stop=stop, limit=limit, reverse=reverse
        )

    def tables(self) -> list[TableInfo]:
        """Return all tables."""
        return self._store.tables()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
