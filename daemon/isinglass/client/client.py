"""The library that applications import: read and write the tables of a node.

Writes go to the node's daemon. Reads go straight to the store, which every process of the node maps
by itself, with no trip to the daemon; a client always sees its own writes. What a write is promised
when the call returns:

    durability    the update is                     and survives
    "none"        in the daemon's queue             a stop of the daemon, not its kill
    "second"      in the daemon's queue             the same; once applied (milliseconds) a kill of
                                                    the daemon too, and once flushed (a second) a
                                                    crash of the machine
    "commit"      in the store and on the disk      everything but the loss of the disk
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from isinglass.client.local import LocalStore
from isinglass.client.panels import ClientPanel
from isinglass.client.session import Session
from isinglass.errors import TableMissing, UsageError
from isinglass.glass import layout
from isinglass.glass.probe import mark
from isinglass.store import records
from isinglass.store.tables import TableInfo
from isinglass.wire import messages

Value = dict[str, Any]
DURABILITIES = messages.DURABILITIES
CHUNK = 250
"""Updates in one request of `put_many`: enough to be cheap, few enough to be answered soon."""
TOGETHER = 4
"""Requests of `put_many` that are sent before the first is answered."""

_GETS = ClientPanel.gets.index
_PUTS = ClientPanel.puts.index
_DELETES = ClientPanel.deletes.index
_SCANNED = ClientPanel.scanned.index


class Client:
    """A connection to one node; made by `connect`, and a context manager that closes it.

    Any number of threads may use one client: each gets a connection of its own. After a fork the
    child may go on using it, too.
    """

    def __init__(
        self,
        node: str,
        timeout_seconds: float = 5.0,
        durability: str = "second",
        process: str = "client",
    ) -> None:
        self._durability = _level(durability)
        self._session = Session(node, process, timeout_seconds)
        self._own = self._session.own
        self._words = self._session.panel.words
        try:
            self._local = LocalStore(self._session)
        except BaseException:
            self._session.close()
            raise

    @property
    def node(self) -> str:
        """The node's name."""
        return self._session.node

    def close(self) -> None:
        """Let go of the connections, the store and the region; may be called twice."""
        self._local.close()
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ writing
    def put(
        self,
        table: str,
        key: str,
        value: Mapping[str, Any],
        *,
        durability: str | None = None,
        wait: bool = True,
    ) -> None:
        """Write one record, whether it is there or not.

        Args:
            key: at most 400 bytes of UTF-8.
            value: text keys to whatever msgpack carries; at most 64 KiB packed.
            durability: "none", "second" or "commit" instead of the client's.
            wait: while there is no room, or writers are too fast, wait; else raise RequestRefused.

        Raises:
            TableMissing, BadRecord, RecordTooLarge: it cannot be written.
            DiskFull, MapFull: the store takes no writes now.
            DaemonAway, RequestTimeout, RequestRefused: no answer, or none in time.
        """
        self._write(table, key, records.pack_value(value), durability, wait)
        self._words[_PUTS] += 1

    def delete(
        self, table: str, key: str, *, durability: str | None = None, wait: bool = True
    ) -> None:
        """Delete one record, whether it is there or not; arguments and errors as `put`."""
        self._write(table, key, None, durability, wait)
        self._words[_DELETES] += 1

    def _write(
        self, table: str, key: str, payload: bytes | None, durability: str | None, wait: bool
    ) -> None:
        level = self._durability if durability is None else _level(durability)
        request = [messages.PUT, table, key, payload, level, 0]
        place = self._session.ask(request, write=True, wait=wait)
        self._own.add(table, key, place, payload, self._session.words.applied_through)
        mark.waiting("for the program's next call")

    def put_many(
        self,
        table: str,
        items: Mapping[str, Mapping[str, Any]] | Iterable[tuple[str, Mapping[str, Any]]],
        *,
        durability: str | None = None,
        wait: bool = True,
    ) -> int:
        """Write many records, in their order, and return how many; much cheaper than as many puts.

        They are not one transaction: when this raises, the first ones may be written.
        Arguments and errors as `put`.
        """
        level = self._durability if durability is None else _level(durability)
        pairs = items.items() if isinstance(items, Mapping) else items
        packed = [(key, records.pack_value(value)) for key, value in pairs]
        left = [packed[start : start + CHUNK] for start in range(0, len(packed), CHUNK)]
        while left:
            together = left[:TOGETHER]
            requests = [[messages.PUT_MANY, table, chunk, level, 0] for chunk in together]
            answers = self._session.ask_all(requests, write=True, wait=wait)
            applied = self._session.words.applied_through
            rest = []
            for chunk, (place, count) in zip(together, answers, strict=True):
                self._own.add_many(table, chunk[:count], place, applied)
                rest += [chunk[count:]] if count < len(chunk) else []
            left[:TOGETHER] = rest
        self._words[_PUTS] += len(packed)
        mark.waiting("for the program's next call")
        return len(packed)

    def flush(self, durability: str | None = None) -> None:
        """Wait until everything that this client wrote is in the store.

        Args:
            durability: "commit" waits until it is on the disk.

        Raises:
            DaemonAway, RequestTimeout: no answer, or none in time.
            DiskFull, MapFull: the store takes no writes now; what was acknowledged waits.
            WritesLost: a daemon was killed with some of them in its queue; raised once.
        """
        level = self._durability if durability is None else _level(durability)
        self._session.ask([messages.FLUSH, self._own.last_place, level])
        self._session.check_lost()
        mark.waiting("for the program's next call")

    # ------------------------------------------------------------------ tables
    def create_table(self, name: str, *, group_by: str = "", indexes: Iterable[str] = ()) -> None:
        """Create a table; nothing happens when it is there with the same shape.

        Args:
            group_by: one character; records whose keys agree up to its first place are stored
                together, so that updates of neighbours cost one write.
            indexes: fields by whose value records can be found.

        Raises:
            TableExists: it is there with another shape.
            DaemonAway, RequestTimeout, DiskFull, MapFull: as `put`.
        """
        self._session.ask([messages.CREATE_TABLE, name, group_by, list(indexes)])
        mark.waiting("for the program's next call")

    def drop_table(self, name: str) -> None:
        """Delete a table and all its records.

        Raises:
            TableMissing: there is no such table.
            DaemonAway, RequestTimeout: as `put`.
        """
        if name not in self.tables():
            raise TableMissing(f"there is no table {name!r}: `isinglass dump` lists them")
        self._session.ask([messages.DROP_TABLE, name])
        self._own.forget_table(name)
        mark.waiting("for the program's next call")

    def tables(self) -> dict[str, TableInfo]:
        """Return the tables by name, with their rows, sizes and indexes."""
        return {info.name: info for info in self._local.tables()}

    # ------------------------------------------------------------------ reading
    def get(self, table: str, key: str) -> Value | None:
        """Return a record's value, or None when there is no such record.

        Raises:
            TableMissing: there is no such table.
        """
        self._words[_GETS] += 1
        if self._own.kept:
            through = self._session.words.applied_through
            waiting = self._own.waiting(table, key, through)
            if waiting is not None:
                self._session.panel.own_gets += 1
                return None if waiting[1] is None else records.unpack_value(waiting[1])
            # So that the next read does not even look.
            self._own.settle(through)
        return self._local.get_value(table, key)

    def scan(
        self,
        table: str,
        start: str | None = None,
        stop: str | None = None,
        *,
        prefix: str | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Iterator[tuple[str, Value]]:
        """Yield (key, value) of the records with start <= key < stop, in the order of keys.

        The table is read in pieces, each as it is at that moment; writers are never held up.

        Args:
            prefix: only keys that start with it, instead of `start` and `stop`.
            limit: at most so many.
            reverse: from the last key to the first.

        Raises:
            TableMissing: there is no such table.
            DaemonAway, RequestTimeout: own writes were not applied in time.
        """
        if prefix is not None:
            if start is not None or stop is not None:
                raise UsageError("scan by a prefix, or from start to stop, not both")
            start, stop = prefix, records.after_prefix(prefix)
        self._catch_up()
        yield from self._counted(self._local.scan(table, start, stop, limit, reverse))

    def find(
        self,
        table: str,
        field: str,
        value: Any = ...,
        *,
        start: Any = ...,
        stop: Any = ...,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Iterator[tuple[str, Value]]:
        """Yield (key, value) of the records whose indexed field has a value, or is in a range.

        Args:
            value: the field equals it; or
            start, stop: start <= field < stop; either may be left out.
            limit, reverse: as `scan`, in the order of the field's values.

        Raises:
            TableMissing, IndexMissing: there is no such table, or no index on that field.
            DaemonAway, RequestTimeout: own writes were not applied in time.
        """
        self._catch_up()
        found = self._local.find(table, field, value, start, stop, limit, reverse)
        yield from self._counted(found)

    def _counted(self, found: Iterable[records.Record]) -> Iterator[tuple[str, Value]]:
        self._session.panel.scans += 1
        for record in found:
            self._words[_SCANNED] += 1
            yield record.key, record.value

    def _catch_up(self) -> None:
        """Wait until the store shows this client's own writes."""
        if not self._own.settle(self._session.words.applied_through):
            self._session.panel.catching_up += 1
            self._session.ask([messages.FLUSH, self._own.last_place, 0])
            self._own.settle(self._session.words.applied_through)
            mark.waiting("for the program's next call")


def _level(durability: str) -> int:
    try:
        return DURABILITIES.index(durability)
    except ValueError:
        allowed = ", ".join(DURABILITIES)
        raise UsageError(f"durability {durability!r} is none of {allowed}") from None


def connect(
    node: str | None = None,
    *,
    timeout_seconds: float = 5.0,
    durability: str = "second",
    process: str = "client",
) -> Client:
    """Connect to a node of this machine.

    Args:
        node: its name; without one the only node that is here.
        timeout_seconds: how long a call may take in all, reconnecting and waiting included.
        durability: what each write is promised, unless it says otherwise.
        process: what the console calls this process.

    Raises:
        DaemonAway: no daemon answers.
        RegionsTaken: 255 other processes are connected to the node.
        UsageError: no node was named and there is not exactly one.
    """
    return Client(node or _only_node(), timeout_seconds, durability, process)


def _only_node() -> str:
    if chosen := os.environ.get("ISINGLASS_NODE"):
        return chosen
    names = layout.node_names()
    if len(names) != 1:
        raise UsageError(
            f"name a node: there are {', '.join(names) or 'none'} in {layout.runtime_directory()}"
        )
    return names[0]
