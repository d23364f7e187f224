"""Reading with the client library: the own store at once, or each record's primary when asked.

Local reads go straight to LMDB; a client always sees its own writes. An immediate read asks the
record's primary (`primaries`), or the daemon to ask it; a scan finds the keys in the own store, and
then asks for each record, VERIFIED_TOGETHER at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any, Self

from isinglass import clock
from isinglass.client.local import LocalStore
from isinglass.client.panels import ClientPanel
from isinglass.client.receipts import (
    Answer,
    Receipt,
    ack_number,
    consistency_number,
    durability_number,
)
from isinglass.client.session import Session
from isinglass.client.stamped_elsewhere import Elsewhere, Stamped
from isinglass.errors import UsageError
from isinglass.glass.probe import mark
from isinglass.store import records
from isinglass.store.index import Bounds, IndexedField
from isinglass.store.tables import TableInfo
from isinglass.wire import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.client.primaries import Primaries

Value = dict[str, Any]
VERIFIED_TOGETHER = 64
_GETS = ClientPanel.gets.index
_SCANNED = ClientPanel.scanned.index


class Reading:
    """The reading half of a client, with what both halves stand on."""

    def __init__(
        self,
        node: str,
        timeout_seconds: float = 5.0,
        durability: str = "second",
        process: str = "client",
        consistency: str = "eventual",
        ack: str = "primary",
    ) -> None:
        self._durability = durability_number(durability)
        self._consistency = consistency_number(consistency)
        self._ack = ack_number(ack)
        self._session = Session(node, process, timeout_seconds)
        self._own = self._session.own
        self._words = self._session.panel.words
        self._queued_here = Receipt(node, False)
        try:
            self._local = LocalStore(self._session)
        except BaseException:
            self._session.close()
            raise
        self._elsewhere = Elsewhere(self._local.shows)
        self._asked_directly: Primaries | None = None

    @property
    def node(self) -> str:
        """The node's name."""
        return self._session.node

    def close(self) -> None:
        """Let go of the connections, the store and the region; may be called twice."""
        if self._asked_directly is not None:
            self._asked_directly.close()
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

    def _primaries(self) -> Primaries:
        if self._asked_directly is None:
            # Only who writes or reads immediately needs what talks to other nodes.
            from isinglass.client.primaries import Primaries

            self._asked_directly = Primaries(self._session)
        return self._asked_directly

    def _received(self, receipt: Receipt) -> Receipt:
        """Count what a receipt says."""
        if receipt.primary:
            self._session.panel.by_primary += 1
        else:
            self._session.panel.by_others += 1
        return receipt

    def tables(self) -> dict[str, TableInfo]:
        """Return the tables by name, with their rows, sizes and indexes."""
        return {info.name: info for info in self._local.tables()}

    # ------------------------------------------------------------------ reading
    def read(self, table: str, key: str) -> Answer:
        """Return a record as its primary has it now, with the receipt of who answered.

        Raises:
            TableMissing: there is no such table.
            DaemonAway, RequestTimeout: the own daemon did not answer.
        """
        self._words[_GETS] += 1
        found = self._primaries().read(table, records.key_bytes(key))
        if found is None:
            return self._answer(self._session.ask_all([[messages.READ, table, key]])[0])
        record, payload = found.record, None
        if record is not None and not records.is_tombstone(record):
            payload = records.packed_value(record)
        return self._answer([payload, [found.node, True, 1, 0.0]])

    def _answer(self, result: list[Any]) -> Answer:
        payload, receipt = result
        mark.waiting("for the program's next call")
        value = None if payload is None else records.unpack_value(payload)
        return Answer(value, self._received(Receipt(*receipt)))

    def get(self, table: str, key: str, *, consistency: str | None = None) -> Value | None:
        """Return a record's value, or None when there is no such record.

        Args:
            consistency: "immediate" asks the record's primary, as `read` does; "eventual" looks
                into this node's store, with no trip to anybody.

        Raises:
            TableMissing: there is no such table.
            DaemonAway, RequestTimeout: an immediate read had no answer.
        """
        if self._is_immediate(consistency):
            return self.read(table, key).value
        self._words[_GETS] += 1
        stamped = self._elsewhere.waiting(table, key) if self._elsewhere.kept else None
        if stamped is not None and (table, key) not in self._own.counted:
            return self._from_elsewhere(table, key, stamped)
        if self._own.kept or self._own.counted:
            through = self._session.words.applied_through
            waiting = self._own.waiting(table, key, through)
            if self._own.counts(table, key, through) or (
                waiting is not None and self._local.counts(table, key)
            ):
                self._catch_up()
            elif waiting is not None and not self._session.words.outlived():
                self._session.panel.own_gets += 1
                return None if waiting[1] is None else records.unpack_value(waiting[1])
            # So that the next read does not even look.
            self._own.settle(through)
        return self._local.get_value(table, key)

    def _from_elsewhere(self, table: str, key: str, stamped: Stamped) -> Value | None:
        """Return a record that another node stamped for this client, and the store has not yet."""
        if self._local.shows(table, key, stamped.stamp) is None or self._local.counts(table, key):
            return self.read(table, key).value  # deleted and forgotten by now, or counted, too
        self._session.panel.own_gets += 1
        return None if stamped.payload is None else records.unpack_value(stamped.payload)

    def scan(
        self,
        table: str,
        start: str | None = None,
        stop: str | None = None,
        *,
        prefix: str | None = None,
        limit: int | None = None,
        reverse: bool = False,
        consistency: str | None = None,
    ) -> Iterator[tuple[str, Value]]:
        """Yield (key, value) of the records with start <= key < stop, in the order of keys.

        The table is read in pieces, each as it is at that moment; writers are never held up.

        Args:
            prefix: only keys that start with it, instead of `start` and `stop`.
            limit: at most so many.
            reverse: from the last key to the first.
            consistency: "immediate" asks each record's primary; what is deleted there is left out.

        Raises:
            TableMissing: there is no such table.
            DaemonAway, RequestTimeout: own writes were not applied in time.
        """
        if prefix is not None:
            if start is not None or stop is not None:
                raise UsageError("scan by a prefix, or from start to stop, not both")
            start, stop = prefix, records.after_prefix(prefix)
        self._catch_up()
        if self._is_immediate(consistency):
            found = self._local.scan(table, start, stop, None, reverse)
            yield from islice(self._verified(table, found, lambda _: True), limit)
        else:
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
        consistency: str | None = None,
    ) -> Iterator[tuple[str, Value]]:
        """Yield (key, value) of the records whose indexed field has a value, or is in a range.

        Args:
            value: the field equals it; or
            start, stop: start <= field < stop; either may be left out.
            limit, reverse: as `scan`, in the order of the field's values.
            consistency: as `scan`; what no longer matches at its primary is left out, too.

        Raises:
            TableMissing, IndexMissing: there is no such table, or no index on that field.
            DaemonAway, RequestTimeout: own writes were not applied in time.
        """
        self._catch_up()
        if self._is_immediate(consistency):
            bounds = Bounds(IndexedField(field, b""), equal=value, start=start, stop=stop)
            found = self._local.find(table, field, value, start, stop, None, reverse)
            yield from islice(self._verified(table, found, bounds.admits), limit)
        else:
            found = self._local.find(table, field, value, start, stop, limit, reverse)
            yield from self._counted(found)

    def _is_immediate(self, consistency: str | None) -> bool:
        return bool(self._consistency if consistency is None else consistency_number(consistency))

    def _verified(
        self,
        table: str,
        found: Iterable[records.Record],
        holds: Callable[[Value], bool],
    ) -> Iterator[tuple[str, Value]]:
        """Yield records as their primaries have them, as far as they are there and match."""
        self._session.panel.scans += 1
        records_left = iter(found)
        while keys := [record.key for record in islice(records_left, VERIFIED_TOGETHER)]:
            requests = [[messages.READ, table, key] for key in keys]
            answers = self._session.ask_all(requests)
            for key, result in zip(keys, answers, strict=True):
                value = self._answer(result).value
                if value is not None and holds(value):
                    self._words[_SCANNED] += 1
                    yield key, value

    def _counted(self, found: Iterable[records.Record]) -> Iterator[tuple[str, Value]]:
        self._session.panel.scans += 1
        for record in found:
            self._words[_SCANNED] += 1
            yield record.key, record.value

    def _catch_up(self) -> None:
        """Wait until the store shows this client's own writes."""
        self._come_here()
        if not self._own.settle(self._session.words.applied_through):
            self._session.panel.catching_up += 1
            self._session.ask([messages.FLUSH, self._own.last_place, 0])
            self._own.settle(self._session.words.applied_through)
            mark.waiting("for the program's next call")

    def _come_here(self) -> None:
        """Wait until the store shows what other nodes stamped for this client."""
        if self._elsewhere.kept:
            limit_ns = int(self._session.timeout_seconds * clock.NANOSECONDS_PER_SECOND)
            self._elsewhere.await_all(
                clock.monotonic_ns() + limit_ns,
                lambda table, key: self.read(table, key).value is None,
            )
