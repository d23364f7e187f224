"""All copies that one system keeps, and how far behind they are: seen from outside, by marks.

A mark is a record with a number. A run is over when every copy shows the marks that were written
behind it; a lag is the time from the acknowledgement of a mark at the first node until a copy at
another one shows it. Copies are read as clients of that node would read them: our stores from the
node's LMDB, redis's by GET from the replica. etcd's answer comes when most members have it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, Protocol

import isinglass
from isinglass import clock
from replicated.servers import Cluster, cpu_seconds, wait_until
from replicated.workload import TABLE
from replicated.writers import Done, Order, Writers

DRAIN_SECONDS = 60.0
PROBE_SECONDS, PROBE_LOOK_SECONDS = 0.02, 0.001
SETTLE_SECONDS = 0.1
MICROSECONDS = 1e6
_numbers = itertools.count(1)


class Copies(Protocol):
    """The copies of one system.

    pids: of its servers.
    """

    pids: Sequence[int]

    def mark(self, number: int) -> None:
        """Write a mark behind all that was written, everywhere."""

    def probe(self, number: int) -> None:
        """Write a mark at the first node alone."""

    def marked(self) -> int:
        """Return the newest number that every copy has of every mark."""

    def probed(self) -> list[int]:
        """Return the newest number that each other copy has of the first node's mark."""


class OurCopies:
    """The stores of a cluster, each read through a client of its node."""

    def __init__(self, cluster: Cluster, clients: Sequence[isinglass.Client]) -> None:
        self.cluster, self.pids, self._clients = cluster, cluster.pids, clients

    def mark(self, number: int) -> None:
        for place, client in enumerate(self._clients):
            client.put(TABLE, f"mark {place}", {"number": number})
        for client in self._clients:
            client.flush()  # a client reads its own writes before the store has them

    def fill(self, items: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Write records at the first node, and wait until every store has them."""
        self._clients[0].put_many(TABLE, items)
        number = next(_numbers)
        self.mark(number)
        wait_until(lambda: self.marked() >= number, "every store is filled", DRAIN_SECONDS)

    def merged(self) -> tuple[float, float]:
        """Return how many updates of all queues were merged away, and how many were offered."""
        total = self.cluster.total
        merged = sum(total("queue", rule) for rule in ("superseded", "stale", "dropped", "rolled"))
        return merged, total("queue", "offered")

    def probe(self, number: int) -> None:
        self._clients[0].put(TABLE, "mark 0", {"number": number})

    def marked(self) -> int:
        return min(
            _number(client, place)
            for client in self._clients
            for place in range(len(self._clients))
        )

    def probed(self) -> list[int]:
        return [_number(client, 0) for client in self._clients[1:]]


def _number(client: isinglass.Client, place: int) -> int:
    value = client.get(TABLE, f"mark {place}")
    return value["number"] if value else 0


@contextmanager
def our_copies(cluster: Cluster) -> Iterator[OurCopies]:
    """Make the table, and open every store, for a block."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(isinglass.connect(name, timeout_seconds=DRAIN_SECONDS))
            for name in cluster.names
        ]
        clients[0].create_table(TABLE)

        def is_everywhere() -> bool:
            return all(TABLE in client.tables() for client in clients)

        wait_until(is_everywhere, "the table is everywhere", DRAIN_SECONDS)
        yield OurCopies(cluster, clients)


class RedisCopies:
    """A server of redis and its replicas."""

    def __init__(self, ports: Sequence[int], pids: Sequence[int]) -> None:
        import redis

        self.pids = pids
        self._first, *self._replicas = (redis.Redis(port=port) for port in ports)

    def mark(self, number: int) -> None:
        self._first.set("mark", number)

    probe = mark

    def marked(self) -> int:
        return min(self.probed())

    def probed(self) -> list[int]:
        return [int(replica.get("mark") or 0) for replica in self._replicas]


class EtcdCopies:
    """A cluster of etcd, which answers when more than half of its members have a write."""

    def __init__(self, pids: Sequence[int]) -> None:
        self.pids, self._number = pids, 0

    def mark(self, number: int) -> None:
        self._number = number

    probe = mark

    def marked(self) -> int:
        return self._number

    def probed(self) -> list[int]:
        return [self._number]


class Run(NamedTuple):
    """What one run did: updates a second into every copy, and the servers' processor time."""

    each_second: float
    cpu_microseconds: float  # of one update, of all servers together
    done: Done


def run(copies: Copies, writers: Writers, order: Order) -> Run:
    """Write, and wait until every copy has it all.

    Raises:
        Late: it does not end in time.
    """
    before = cpu_seconds(copies.pids)
    done = writers.work(order)
    number = next(_numbers)
    copies.mark(number)
    wait_until(lambda: copies.marked() >= number, "every copy has everything", DRAIN_SECONDS)
    ended = clock.monotonic_ns()
    clock.sleep(SETTLE_SECONDS)
    spent = cpu_seconds(copies.pids) - before
    each_second = done.updates * 1e9 / (ended - done.started_ns)
    return Run(each_second, spent * MICROSECONDS / max(done.updates, 1), done)


def lags(copies: Copies, writers: Writers, order: Order) -> list[float]:
    """Return how many seconds copies were behind while the writers did an order."""
    found: list[float] = []

    def probe() -> None:
        number = next(_numbers)
        copies.probe(number)
        acknowledged = clock.monotonic_ns()
        waiting = set(range(len(copies.probed())))

        def all_have_it() -> bool:
            seen = copies.probed()
            for place in [place for place in waiting if seen[place] >= number]:
                waiting.discard(place)
                found.append((clock.monotonic_ns() - acknowledged) / 1e9)
            return not waiting

        wait_until(all_have_it, "every copy has a mark", DRAIN_SECONDS, PROBE_LOOK_SECONDS)
        clock.sleep(PROBE_SECONDS)

    writers.work(order, probe)
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values is; not a number when there is none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")
