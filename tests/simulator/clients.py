"""The clients of a simulated cluster: what they ask for, at random, and what they are told.

Keys come from a small hot set and a wider one; values are unique, so that a value names its write.
The table "immediate" is written and read at once and in no other way: its histories are what the
check of linearizability looks at. Nobody asks a node that is still joining.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import msgpack

from isinglass.errors import IsinglassError
from isinglass.node.primary import Receipt
from isinglass.store.tables import TableShape
from isinglass.wire.reports import JOINING
from simulator.cluster import Cluster, Operation
from simulator.host import Host
from simulator.world import MILLISECOND

SHAPES = {
    "plain": TableShape("", ()),
    "grouped": TableShape("/", ("city",)),
    "spare": TableShape("", ("city",)),
    "immediate": TableShape("", ()),
    "counts": TableShape("", ("n",)),
}
CITIES = ("Bern", "Chur", "Thun")


class Clients:
    """Everybody who uses the cluster.

    Args:
        chance: of these clients alone.
    """

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self._cluster, self._chance = cluster, chance
        self.hot = [b"hot/%d" % number for number in range(chance.choice((1, 3, 8)))]
        self.wide = [b"w%d/%d" % (number % 7, number) for number in range(chance.choice((20, 80)))]
        self.immediate_share = chance.choice((0.1, 0.3, 0.6))

    def schedule(self, first: int, last: int, count: int) -> None:
        """Let `count` operations happen between two times, some of them in bursts."""
        world = self._cluster.world
        while count > 0:
            burst = self._chance.choice((20, 40)) if self._chance.random() < 0.02 else 1
            at = self._chance.randrange(first, last)
            for number in range(burst):
                world.at(at + number * MILLISECOND // 4, self.act)
            count -= burst

    def act(self) -> None:
        """Do one operation on a node that answers."""
        able = [
            host
            for host in self._cluster.running()
            if host.life is not None and host.life.replica.phase != JOINING
        ]
        if not able:
            return
        host, draw = self._chance.choice(able), self._chance.random()
        try:
            if draw < 0.012:
                self._change_table(host)
            elif draw < self.immediate_share:
                self._immediate(host)
            else:
                self._eventual(host)
        except IsinglassError:
            pass  # refused, and the client was told

    # ------------------------------------------------------------------ operations
    def _change_table(self, host: Host) -> None:
        assert host.life is not None
        if self._chance.random() < 0.5:
            host.life.create_table("spare", SHAPES["spare"])
        else:
            host.life.drop_table("spare")

    def _begin(self, host: Host, kind: str, table: str, key: bytes) -> Operation:
        cluster = self._cluster
        number = len(cluster.operations)
        payload = None
        if kind == "put":
            filler = "x" * self._chance.choice((3_000, 20_000)) if self._rare() else "x"
            value = {"n": number, "city": self._chance.choice(CITIES), "filler": filler}
            payload = msgpack.packb(value)
        operation = Operation(number, kind, table, key, payload, host.origin, cluster.world.now)
        cluster.operations.append(operation)
        return operation

    def _rare(self) -> bool:
        return self._chance.random() < 0.02

    def _key(self) -> bytes:
        return self._chance.choice(self.hot if self._chance.random() < 0.4 else self.wide)

    def _eventual(self, host: Host) -> None:
        """Write through the local daemon alone."""
        assert host.life is not None
        kind = "delete" if self._chance.random() < 0.2 else "put"
        table = self._chance.choice(("plain", "grouped", "spare"))
        operation = self._begin(host, kind, table, self._key())
        record, _, _ = host.life.put(table, operation.key, operation.payload)
        operation.record = record
        operation.end, operation.owed = self._cluster.world.now, True

    def _immediate(self, host: Host) -> None:
        """Write or read through the primary."""
        assert host.life is not None
        kind = self._chance.choices(("put", "delete", "read"), (5, 1, 5))[0]
        key = self._chance.choice(self.hot)
        operation = self._begin(host, kind, "immediate", key)
        if kind == "read":
            host.life.read("immediate", key, lambda *answer: self._was_read(operation, *answer))
            return
        operation.ack = self._chance.randrange(3)
        host.life.write(
            "immediate", key, operation.payload, operation.ack, self._written_by(operation)
        )

    def _was_read(self, operation: Operation, value: bytes | None, receipt: Receipt) -> None:
        operation.end, operation.value = self._cluster.world.now, value
        operation.receipt = receipt

    def _written_by(self, operation: Operation) -> Callable[[int, Receipt], None]:
        def done(place: int, receipt: Receipt) -> None:
            cluster = self._cluster
            operation.end, operation.receipt = cluster.world.now, receipt
            if receipt.error is not None:
                return
            for stamped in reversed(cluster.hosts[receipt.by].stamped):
                if stamped.at < operation.start:
                    break
                if (stamped.key, stamped.payload) == (operation.key, operation.payload):
                    operation.record = stamped.record
                    break
            operation.owed = bool(operation.record) and cluster.anybody_has(operation)
            self._count_holders(operation, receipt)

        return done

    def _count_holders(self, operation: Operation, receipt: Receipt) -> None:
        """Hold a node to what it says of how many nodes have a write."""
        cluster = self._cluster
        if cluster.struck_at >= operation.start or not operation.record or not operation.payload:
            return  # a deletion has no value to know it by
        holders = sum(cluster.has(host, operation) for host in cluster.hosts.values())
        assert holders >= receipt.held, (
            f"{cluster.name_of(receipt.by)} said {receipt.held} nodes hold {operation.key!r},"
            f" {holders} do"
        )
