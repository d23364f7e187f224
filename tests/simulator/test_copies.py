"""Copies beside writers: what a new node asks for, and what it leaves room for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isinglass.errors import StoreCorrupt
from isinglass.node import healing
from simulator.cluster import Cluster
from simulator.conftest import MakeCluster
from simulator.life import Life
from simulator.test_mended import life_of, pass_time
from simulator.world import SECOND

VALUE = b"\x81\xa1n\x01"


def write(cluster: Cluster, count: int, name: str) -> None:
    """Let the first node write so many records, ten a millisecond at most."""
    alder = life_of(cluster.hosts[1])
    for number in range(count):
        alder.put("plain", f"{name} {number}".encode(), VALUE)
        if number % 10 == 9:
            pass_time(cluster, 0.001)


def test_a_new_node_makes_nobody_digest_a_store(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has nothing to compare; live updates come to tables that it does not know meanwhile."""
    cluster = make_cluster()
    write(cluster, 100, "old")
    cedar = cluster.hosts[3]
    cedar.wipe()
    pass_time(cluster, 1)
    asked = []
    digests = Life.digests

    def slow(self: Life, horizon: int, done: Callable[[Any], None]) -> None:
        asked.append(self.host.name)
        self.later(5 * SECOND, lambda: digests(self, horizon, done))

    monkeypatch.setattr(Life, "digests", slow)
    cedar.start()
    pass_time(cluster, 3)
    assert life_of(cedar).replica.phase_name == "live"
    assert asked == []
    assert cedar.current("plain", b"old 99") is not None
    assert life_of(cedar).figures.cluster.heal_progress == 1.0


def test_a_node_whose_store_has_something_compares_it(make_cluster: MakeCluster) -> None:
    """What it has already is not fetched: only what it missed is."""
    cluster = make_cluster(journal_limit=100)
    write(cluster, 1000, "old")
    pass_time(cluster, 1)
    cedar = cluster.hosts[3]
    cedar.crash()
    write(cluster, 200, "missed")
    pass_time(cluster, 1)
    cedar.start()
    pass_time(cluster, 4)
    assert cedar.current("plain", b"missed 0") is not None
    copied = life_of(cedar).figures.cluster.copied
    assert 0 < copied < 600


def test_copied_records_leave_room_in_line_for_live_ones(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A joining node whose disk is slow still receives what is written meanwhile."""
    monkeypatch.setattr(healing, "IN_LINE", 100)
    cluster = make_cluster(queue_limit=400)
    write(cluster, 1000, "old")
    pass_time(cluster, 1)
    cedar = cluster.hosts[3]
    cedar.wipe()
    cedar.start()
    cedar.stalled_until = cluster.world.now + 10 * SECOND
    pass_time(cluster, 4)
    replica = life_of(cedar).replica
    assert replica.phase_name == "joining"
    write(cluster, 50, "live")
    pass_time(cluster, 0.1)
    assert cedar.current("plain", b"live 49") is not None
    pass_time(cluster, 12)
    assert life_of(cedar).replica.phase_name == "live"
    assert cedar.current("plain", b"old 999") is not None


def test_who_asks_a_node_whose_store_fails_is_told(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one who asks waits for hours, since a store may take as long to read."""
    cluster = make_cluster()
    alder = life_of(cluster.hosts[1])
    asked = []

    def damaged(_: Life) -> int:
        raise StoreCorrupt("a page is damaged")

    monkeypatch.setattr(Life, "record_count", damaged)
    monkeypatch.setattr(Life, "digests", lambda self, horizon, done: asked.append(done))
    with pytest.raises(StoreCorrupt):  # whoever hands a request over answers what it raises
        alder.replica.serve([healing.DIGESTS, 0, True], lambda _: None)
    assert asked == []
