"""Small clusters for tests of single faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from simulator.clients import SHAPES
from simulator.cluster import NAMES, Cluster
from simulator.world import SECOND, Network, World

MakeCluster = Callable[..., Cluster]


@pytest.fixture
def make_cluster() -> Iterator[MakeCluster]:
    """Return a function that starts a cluster, and ends it after the test."""
    made: list[Cluster] = []

    def make(count: int = 3, *, seed: int = 1, **settings: object) -> Cluster:
        world = World(seed)
        cluster = Cluster(world, Network(world))
        made.append(cluster)
        for name in NAMES[:count]:
            host = cluster.add(name)
            for setting, value in settings.items():
                setattr(host, setting, value)
            host.start()
        world.run_until(world.now + 2 * SECOND)
        life = cluster.hosts[1].life
        assert life is not None
        for table, shape in SHAPES.items():
            life.create_table(table, shape)
        world.run_until(world.now + SECOND)
        return cluster

    yield make
    for cluster in made:
        for host in cluster.hosts.values():
            if host.life is not None:
                host.life.end()
