"""What a node says to its clients of the primaries, and what it takes from other nodes' clients."""

from __future__ import annotations

from typing import Any

import pytest

from isinglass.errors import BadRecord, RecordTooLarge, UsageError
from isinglass.node.guests import Guests
from isinglass.wire.calls import Request
from isinglass.wire.datagrams import Identity
from isinglass.wire.handshake import guest_key
from isinglass.wire.placement import placement_of
from isinglass.wire.primary_calls import ACK_MAJORITY, READ, WRITE
from simulator.conftest import MakeCluster
from simulator.life import CLUSTER, KEY
from simulator.test_mended import VALUE, life_of, pass_time

ADDRESSES = {2: ("10.0.0.2", 4002), 3: ("10.0.0.3", 4003)}


@pytest.fixture
def guests(make_cluster: MakeCluster) -> Guests:
    """The guests of alder; a connection's number is how many seconds it must wait."""
    cluster = make_cluster()
    pass_time(cluster, 1)
    replica = life_of(cluster.hosts[1]).replica
    identity = Identity(CLUSTER, KEY, *replica.own)
    return Guests(identity, replica, ADDRESSES.get, lambda connection: float(connection))


def test_an_introduction_says_what_a_client_needs_to_find_the_same_primaries(
    guests: Guests,
) -> None:
    said = guests.introduction()
    assert said is not None
    cluster, node, origin, incarnation, key, patience_ns, members = said
    assert (cluster, node, origin) == (CLUSTER, "alder", 1)
    assert key == guest_key(KEY, origin, incarnation)
    assert patience_ns > 0
    assert members == [
        [1, "alder", "", 0],
        [2, "birch", *ADDRESSES[2]],
        [3, "cedar", *ADDRESSES[3]],
    ]
    placement = placement_of(tuple((number, name) for number, name, *_ in members))
    assert set(placement.primaries) == {1, 2, 3}


def test_a_node_that_may_be_out_of_its_cluster_introduces_nobody(make_cluster: MakeCluster) -> None:
    replica = life_of(make_cluster(count=1).hosts[1]).replica
    replica.hushed = True
    identity = Identity(CLUSTER, KEY, *replica.own)
    assert Guests(identity, replica, ADDRESSES.get, lambda _: 0.0).introduction() is None


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["t", b"", VALUE, 0, 2, 1], BadRecord),
        (["t", b"\xff", VALUE, 0, 2, 1], BadRecord),
        (["t", b"k" * 1000, VALUE, 0, 2, 1], RecordTooLarge),
        (["t", b"k", b"no map", 0, 2, 1], BadRecord),
        (["t", b"k", b"\xc1", 0, 2, 1], BadRecord),
        (["t", b"k", VALUE, ACK_MAJORITY + 1, 2, 1], UsageError),
        (["t", b"k", VALUE, -1, 2, 1], UsageError),
    ],
)
def test_what_no_client_may_write_no_guest_may(
    guests: Guests, arguments: list[Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        guests.admit(0, Request(1, WRITE, arguments))


def test_writes_of_guests_wait_for_the_pace_of_the_node_and_reads_do_not(guests: Guests) -> None:
    assert guests.admit(2, Request(1, WRITE, ["t", b"k", VALUE, 0, 2, 1])) == 2.0
    assert guests.admit(2, Request(1, WRITE, ["t", b"k", None, 0, 2, 1])) == 2.0
    assert guests.admit(0, Request(1, WRITE, ["t", b"k", VALUE, 0, 2, 1])) == 0.0
    assert guests.admit(2, Request(1, READ, ["t", b"k", True])) == 0.0
    with pytest.raises(BadRecord):
        guests.admit(2, Request(1, READ, ["t", b"", True]))
