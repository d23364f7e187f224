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
from collections.abc import Iterable, Mapping
from typing import Any

from isinglass.client import adds
from isinglass.client.panels import ClientPanel
from isinglass.client.reading import Reading
from isinglass.client.receipts import Receipt, ack_number, consistency_number, durability_number
from isinglass.errors import DaemonAway, TableMissing, UsageError
from isinglass.glass import layout
from isinglass.glass.permission import unseen_nodes
from isinglass.glass.probe import mark
from isinglass.store import records
from isinglass.wire import messages

CHUNK = 250
"""Updates in one request of `put_many`: enough to be cheap, few enough to be answered soon."""
TOGETHER = 4
"""Requests of `put_many` that are sent before the first is answered."""

_PUTS = ClientPanel.puts.index
_ADDS = ClientPanel.adds.index
_DELETES = ClientPanel.deletes.index


class Client(Reading):
    """A connection to one node; made by `connect`, and a context manager that closes it.

    Any number of threads may use one client: each gets a connection of its own. After a fork the
    child may go on using it, too.
    """

    # ------------------------------------------------------------------ writing
    def put(
        self,
        table: str,
        key: str,
        value: Mapping[str, Any],
        *,
        durability: str | None = None,
        consistency: str | None = None,
        ack: str | None = None,
        wait: bool = True,
    ) -> Receipt:
        """Write one record, whether it is there or not; return who took it.

        Args:
            key: at most 400 bytes of UTF-8.
            value: text keys to whatever msgpack carries; at most 64 KiB packed.
            durability: "none", "second" or "commit" instead of the client's.
            consistency: "eventual" or "immediate" instead of the client's.
            ack: "primary", "one" or "majority" instead of the client's.
            wait: while there is no room, or writers are too fast, wait; else raise RequestRefused.

        Raises:
            TableMissing, BadRecord, RecordTooLarge: it cannot be written.
            DiskFull, MapFull: the store takes no writes now.
            DaemonAway, RequestTimeout, RequestRefused: no answer, or none in time.
        """
        payload = records.pack_value(value)
        receipt = self._write(table, key, payload, durability, consistency, ack, wait)
        self._words[_PUTS] += 1
        return receipt

    def delete(
        self,
        table: str,
        key: str,
        *,
        durability: str | None = None,
        consistency: str | None = None,
        ack: str | None = None,
        wait: bool = True,
    ) -> Receipt:
        """Delete one record, whether it is there or not; arguments and errors as `put`."""
        receipt = self._write(table, key, None, durability, consistency, ack, wait)
        self._words[_DELETES] += 1
        return receipt

    def _write(
        self,
        table: str,
        key: str,
        payload: bytes | None,
        durability: str | None,
        consistency: str | None,
        ack: str | None,
        wait: bool,
    ) -> Receipt:
        level = self._durability if durability is None else durability_number(durability)
        who = self._consistency if consistency is None else consistency_number(consistency)
        held = self._ack if ack is None else ack_number(ack)
        if who and level != messages.ACKNOWLEDGE_ON_DISK:
            written = self._primaries().write(
                table, records.key_bytes(key), payload, held, wait=wait
            )
            if written is not None and written.held:
                self._own.superseded(table, key)
                self._elsewhere.add(table, key, written.stamp, payload)
                mark.waiting("for the program's next call")
                return self._received(Receipt(written.node, True, written.held))
            if written is not None:
                who = messages.TAKEN_HERE
        if who or held:
            asked = [messages.WRITE, table, key, payload, level, who, held, 0]
            place, receipt = self._session.ask(asked, write=True, wait=wait)
            self._wrote_here(table, key, place, payload)
            mark.waiting("for the program's next call")
            return self._received(Receipt(*receipt))
        request = [messages.PUT, table, key, payload, level, 0]
        place = self._session.ask(request, write=True, wait=wait)
        self._wrote_here(table, key, place, payload)
        mark.waiting("for the program's next call")
        return self._queued_here

    def _wrote_here(self, table: str, key: str, place: int, payload: bytes | None) -> None:
        self._own.add(table, key, place, payload, self._session.words.applied_through)
        if self._elsewhere.kept:
            self._elsewhere.forget(table, key)

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
        level = self._durability if durability is None else durability_number(durability)
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
                if self._elsewhere.kept:
                    for key, _ in chunk[:count]:
                        self._elsewhere.forget(table, key)
                rest += [chunk[count:]] if count < len(chunk) else []
            left[:TOGETHER] = rest
        self._words[_PUTS] += len(packed)
        mark.waiting("for the program's next call")
        return len(packed)

    def add(
        self,
        table: str,
        key: str,
        field: str,
        number: int = 1,
        *,
        durability: str | None = None,
        wait: bool = True,
    ) -> None:
        """Add to a field of a record, whether it is there or not; concurrent adds all count.

        A put leaves the count alone: what it writes to the same field, if that is a whole number,
        is where the count starts from. Deleting the record sets it to zero.

        Args:
            number: what is added; may be negative.

        Raises:
            BadRecord: it, or what this daemon has added so far, does not fit 64 bits.
            RecordTooLarge: the record has too many counts.
            AddUnknown: the daemon was restarted meanwhile, and nobody knows whether it counted.
            The others as `put`.
        """
        self.add_many(table, ((key, number),), field, durability=durability, wait=wait)

    def add_many(
        self,
        table: str,
        items: Mapping[str, int] | Iterable[tuple[str, int]],
        field: str,
        *,
        durability: str | None = None,
        wait: bool = True,
    ) -> int:
        """Add to the same field of many records, and return how many; as `add`, but much cheaper.

        A key may come any number of times; each counts.
        """
        level = self._durability if durability is None else durability_number(durability)
        pairs = list(items.items() if isinstance(items, Mapping) else items)
        adds.send(self._session, table, field, pairs, level, wait=wait)
        self._words[_ADDS] += len(pairs)
        mark.waiting("for the program's next call")
        return len(pairs)

    def flush(self, durability: str | None = None) -> None:
        """Wait until everything that this client wrote is in the store.

        Args:
            durability: "commit" waits until it is on the disk.

        Raises:
            DaemonAway, RequestTimeout: no answer, or none in time.
            DiskFull, MapFull: the store takes no writes now; what was acknowledged waits.
            WritesLost: a daemon was killed with some of them in its queue; raised once.
        """
        level = self._durability if durability is None else durability_number(durability)
        self._come_here()
        self._session.ask([messages.FLUSH, self._own.last_place, level])
        self._session.check_lost()
        mark.waiting("for the program's next call")

    # ------------------------------------------------------------------ the cluster
    def verify(self) -> dict[str, Any]:
        """Compare the stores of all nodes that are heard; return what `node/verifying` found.

        Raises:
            UsageError: the node belongs to no cluster.
            ClusterError: another node did not answer.
            DaemonAway, RequestTimeout: no answer, or none in time.
        """
        found: dict[str, Any] = self._session.ask([messages.VERIFY])
        return found

    def forget(self, node: str) -> None:
        """Take a node that is not alive out of the cluster for good.

        Raises:
            UsageError: there is no such node, or it is alive, or there is no cluster.
            DaemonAway, RequestTimeout: no answer, or none in time.
        """
        self._session.ask([messages.FORGET, node])

    # ------------------------------------------------------------------ tables
    def create_table(self, name: str, *, group_by: str = "", indexes: Iterable[str] = ()) -> None:
        """Create a table; nothing happens when it is there with the same shape.

        Args:
            group_by: one character; records whose keys agree up to its first place are stored
                together, so that updates of neighbours cost one write.
            indexes: fields by whose value records can be found; of at most 400 bytes of UTF-8.

        Raises:
            TableExists: it is there with another shape.
            BadRecord: a name cannot be had.
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
        self._elsewhere.forget_table(name)
        mark.waiting("for the program's next call")


def connect(
    node: str | None = None,
    *,
    timeout_seconds: float = 5.0,
    durability: str = "second",
    process: str = "client",
    consistency: str = "eventual",
    ack: str = "primary",
) -> Client:
    """Connect to a node of this machine.

    Args:
        node: its name; without one the only node that is here.
        timeout_seconds: how long a call may take in all, reconnecting and waiting included.
        durability: what each write is promised, unless it says otherwise.
        process: what the console calls this process.
        consistency, ack: who stamps writes and answers reads, and how many nodes must hold a write
            (`isinglass.client.receipts`), unless a call says otherwise.

    Raises:
        DaemonAway: no daemon answers.
        RegionsTaken: 255 other processes are connected to the node.
        UsageError: no node was named and there are several.
    """
    return Client(node or _only_node(), timeout_seconds, durability, process, consistency, ack)


def _only_node() -> str:
    if chosen := os.environ.get("ISINGLASS_NODE"):
        return chosen
    names = layout.node_names()
    if not names:
        raise DaemonAway(
            unseen_nodes()
            or f"no node has run here ({layout.runtime_directory()} has none): start one with"
            " `isinglass daemon start`"
        )
    if len(names) > 1:
        raise UsageError(f"there are several nodes here, name one: {', '.join(names)}")
    return names[0]
