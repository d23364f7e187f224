"""What the sans-IO node asks of the world around it: to send, to call, to read and fill the store.

The daemon answers these with sockets, threads and LMDB, the simulator with a seeded scheduler and a
store in memory; the protocol between them is the same code. Nothing here waits: what takes time
calls `done` later, on the thread that holds the node's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Item = tuple[str, bytes, bytes]
"""Table, key and stored record; an empty key means the table itself (see `shelf`)."""
Answered = Callable[[list[Any] | None], None]
"""Called with an answer, or None when there was none."""


class Self(NamedTuple):
    """Who a node is, and where it answers."""

    name: str
    origin: int
    incarnation: int
    address: str = ""
    datagram_port: int = 0
    stream_port: int = 0


class Stored(Protocol):
    """What the node's own store has, tombstones included, also of tables that are dropped."""

    def stored(self, table: str, key: bytes) -> bytes | None:
        """Return the stored record of a key, or None."""

    def stored_all(self, table: str, keys: Iterable[bytes]) -> Mapping[bytes, bytes]:
        """Return the stored records of keys, of one snapshot, as far as there are any."""


class Outside(Protocol):
    """Sockets and clocks of a node."""

    def multicast(self, kind: int, body: list[Any] | bytes) -> None:
        """Send a datagram to every member; it may be lost. The body may be packed already."""

    def unicast(self, origin: int, kind: int, body: list[Any] | bytes) -> None:
        """Send a datagram to one member; it may be lost."""

    def call(self, origin: int, request: list[Any], done: Answered) -> None:
        """Ask one member over a stream; `done` gets its answer, or None when there was none."""

    def observe(self, stamp: int) -> None:
        """Make every later stamp of this node greater than one that was seen."""

    def wall_ms(self) -> int:
        """Return the wall time, for clock offsets."""

    def digests(self, horizon: int, done: Callable[[list[int] | None], None]) -> None:
        """Read the own store in the background: the digest of each bucket.

        Deletions that are not newer than the stamp `horizon` do not count.
        """

    def record_count(self) -> int:
        """Return how many records the own store has, deleted ones included."""

    def records(
        self, buckets: list[int], cursor: list[Any], done: Callable[[list[Any] | None], None]
    ) -> None:
        """Read the own store in the background: `[[table, key, record, ...], next cursor]`.

        An empty cursor starts; an empty next cursor says that all was read.
        """


class Shelf(Protocol):
    """The records of a node: what is in its store, and what is in line before it."""

    @property
    def last_place(self) -> int:
        """The place of the newest update in line."""

    @property
    def applied_through(self) -> int:
        """Every update up to this place is in the store."""

    def offer(self, table: str, key: bytes, record: bytes) -> int:
        """Put an update of another node in line; return its place, or 0 when there is no room.

        Raises:
            TableMissing: the table was never heard of.
        """

    def offer_run(self, table: str, pairs: Sequence[bytes]) -> tuple[int, int]:
        """Put updates of another node in line, the first ones that there is room for.

        Args:
            pairs: keys and records in turn.

        Returns:
            The place of the last one that entered, and how many did.

        Raises:
            TableMissing: the table was never heard of.
        """

    def current(self, table: str, key: bytes) -> bytes | None:
        """Return the record that says what a name is now, or None when there is none."""

    def told_by(self, table: str, key: bytes) -> tuple[str, bytes]:
        """Return whose present state tells of a name: its table's, when a drop took it away."""

    def tables(self) -> list[Item]:
        """Return what says which tables there are, and were."""
