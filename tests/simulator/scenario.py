"""A run of a simulated cluster, from a seed: hosts, faults and clients; then rest, and the checks.

    0 s      hosts start, tables are made
    2.5 s    clients and faults, some seconds of them
    end      all faults are over: links mended, hosts up; the cluster must become one again in time
    rest     deletions must be forgotten; everything is compared

A fifth of all runs is calm: no fault that changes who is a primary, clocks that differ, and the
histories of the clients must be linearizable.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from simulator import checks
from simulator.adders import Adders
from simulator.clients import SHAPES, Clients
from simulator.cluster import NAMES, Cluster
from simulator.faults import FAULTS, forget_everywhere
from simulator.host import DURABILITIES
from simulator.world import MILLISECOND, SECOND, Network, Weather, World

QUIET_START = 5 * SECOND // 2
SETTLE_LIMIT = 30 * SECOND
FORGET_LIMIT = 10 * SECOND
LOOK_EVERY = 250 * MILLISECOND


class Scenario:
    """One run.

    Args:
        seed: everything follows from it.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.chance = seed, random.Random(seed)
        self.world = World(seed + 1)
        self.cluster = Cluster(self.world, Network(self.world))
        self.calm = self.chance.random() < 0.2
        self.watch = checks.Watch(self.cluster)
        self._make_hosts()
        self.clients = Clients(self.cluster, self.chance)
        self.adders = Adders(self.cluster, seed + 2)

    def _make_hosts(self) -> None:
        chance = self.chance
        count = chance.choices((3, 4, 5, 6, 7), (55, 25, 12, 5, 3))[0]
        durability = chance.choice(DURABILITIES)
        journal = chance.choice((30, 200, 50_000, 50_000))
        queue = chance.choice((25, 200, 2_000, 2_000))
        skewed = chance.random() < 0.5
        for name in NAMES[:count]:
            host = self.cluster.add(name)
            host.durability, host.journal_limit, host.queue_limit = durability, journal, queue
            host.disk_delay = chance.choice((1, 4, 20)) * MILLISECOND
            if skewed:
                host.skew = chance.randrange(-3 * SECOND, 3 * SECOND)

    # ------------------------------------------------------------------ the run
    def run(self) -> None:
        """Run it.

        Raises:
            AssertionError: the cluster did what it must not.
        """
        try:
            self._start()
            self._trouble()
            self._rest()
            self._compare()
        finally:
            for host in self.cluster.hosts.values():
                if host.life is not None:
                    host.life.end()

    def _start(self) -> None:
        world, chance = self.world, self.chance
        self.late = []
        for host in self.cluster.hosts.values():
            if not self.calm and chance.random() < 0.1 and host.origin > 2:
                self.late.append(host)
            else:
                world.after(chance.choice((0, chance.randrange(SECOND))), host.start)
        world.after(2 * SECOND, self._make_tables)
        world.run_until(world.now + QUIET_START)
        self.watch.begin()

    def _make_tables(self) -> None:
        host = self.chance.choice(self.cluster.running())
        for table, shape in SHAPES.items():
            if host.life is not None:
                host.life.create_table(table, shape)

    def _trouble(self) -> None:
        world, chance = self.world, self.chance
        length = chance.randrange(3 * SECOND // 2, 9 * SECOND // 2)
        self.end = end = world.now + length
        self.clients.schedule(world.now, end, chance.choice((60, 150, 300)))
        self.adders.schedule(world.now, end)
        if self.calm:
            self.cluster.network.weather = Weather(loss=chance.choice((0.0, 0.05)), duplication=0.1)
        else:
            for _ in range(chance.choice((1, 2, 4, 8))):
                self._schedule_fault(world.now, end)
            for host in self.late:
                world.at(world.now + chance.randrange(length), host.start)
        self._run_watching(end)
        self.watch.end()

    def _schedule_fault(self, first: int, end: int) -> None:
        fault = self.chance.choices(*zip(*FAULTS, strict=True))[0]
        at = self.chance.randrange(first, end)
        over = self.chance.randrange(at, end)
        self.world.at(at, lambda: fault(self.cluster, self.chance, over))

    def _run_watching(self, end: int) -> None:
        while self.world.now < end:
            self.world.run_until(min(self.world.now + LOOK_EVERY, end))
            self.watch.look()

    def _rest(self) -> None:
        """Mend everything, and wait until the cluster is one again."""
        cluster, world = self.cluster, self.world
        cluster.network.heal()
        cluster.network.weather = Weather()
        for host in cluster.members():
            host.stopped_until = host.stalled_until = 0
            host.start()
        cluster.told("all faults are over")

        def forget() -> None:
            forget_everywhere(cluster)

        for number in range(8):
            world.after(number * SECOND // 2, forget)
        self._wait("become one again", checks.differences, SETTLE_LIMIT)
        self._wait("forget what was deleted", checks.deletions_left, FORGET_LIMIT)

    def _wait(self, what: str, left: Callable[[Cluster], list[str]], limit: int) -> None:
        deadline = self.world.now + limit
        while found := left(self.cluster):
            assert self.world.now < deadline, f"did not {what}: " + "; ".join(found[:5])
            self.world.run_until(self.world.now + LOOK_EVERY)
            self.watch.look()

    def _compare(self) -> None:
        checks.stores_are_equal(self.cluster)
        checks.nothing_owed_is_lost(self.cluster)
        checks.nothing_deleted_is_back(self.cluster)
        checks.nothing_is_stamped_late(self.cluster)
        self.adders.counts_are_what_was_added()
        if self.calm and self.watch.view_held:
            checks.histories_are_linearizable(self.cluster)
