"""Clients that count, in a simulated cluster: every add that is still anywhere counts exactly once.

They have a table and a chance of their own, so that they change nothing in what the other clients
do. An add is owed as any write is; beyond that the counts themselves are looked at, from outside:
what a life of a node is known for is what it was asked to add, up to some moment, and no more.
"""

from __future__ import annotations

import random

from isinglass.errors import IsinglassError
from isinglass.store import counters
from isinglass.wire.reports import JOINING
from simulator.cluster import Cluster, Operation

TABLE, FIELD = "counts", "n"
KEYS = (b"one", b"two", b"three")


class Adders:
    """Clients that add to a few records through every node."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster, self._chance = cluster, random.Random(seed)
        self.asked: dict[tuple[bytes, bytes], dict[int, int]] = {}
        """By key and writer: the stamp of each add, and all that was added through it."""

    def schedule(self, first: int, last: int) -> None:
        """Let some adds happen between two times."""
        for _ in range(self._chance.choice((0, 20, 60))):
            self._cluster.world.at(self._chance.randrange(first, last), self._act)

    def _act(self) -> None:
        able = [
            host
            for host in self._cluster.running()
            if host.life is not None and host.life.replica.phase != JOINING
        ]
        if not able:
            return
        host, key = self._chance.choice(able), self._chance.choice(KEYS)
        number, now = self._chance.randrange(-2, 9), self._cluster.world.now
        assert host.life is not None
        try:
            record = host.life.add(TABLE, key, FIELD, number)
        except IsinglassError:
            return  # refused, and the client was told
        [(writer, added)] = counters.contents(record).fields[FIELD].items()
        through = self.asked.setdefault((key, writer), {})
        through[added.latest] = max(through.items(), default=(0, 0))[1] + number
        operations = self._cluster.operations
        operations.append(
            Operation(
                len(operations), "add", TABLE, key, None, host.origin, now,
                end=now, record=record, owed=True,
            )
        )  # fmt: skip

    def counts_are_what_was_added(self) -> None:
        """Every store has of each writer what it was asked to add up to its newest add there."""
        for host in self._cluster.members():
            for key in KEYS:
                record = host.store.stored(TABLE, key)
                if record is None:
                    continue
                for writer, added in counters.contents(record).fields[FIELD].items():
                    expected = self.asked[key, writer][added.latest]
                    assert added.total == expected, (
                        f"{host.name} counts {added.total} of {writer.hex()} in {key!r},"
                        f" {expected} were added"
                    )
