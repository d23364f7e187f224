"""Which writes make the other nodes say at once that they hold them: those that wait for it."""

from __future__ import annotations

import pytest

from isinglass.node.primary import ACK_MAJORITY, ACK_ONE, ACK_PRIMARY
from isinglass.wire import bodies
from simulator.conftest import MakeCluster
from simulator.test_mended import VALUE, life_of, pass_time


@pytest.mark.parametrize(
    ("ack", "kind", "acknowledged"),
    [
        (ACK_PRIMARY, bodies.UPDATES, 0),
        (ACK_ONE, bodies.URGENT, 2),
        (ACK_MAJORITY, bodies.URGENT, 2),
    ],
)
def test_others_acknowledge_what_a_client_waits_for(
    make_cluster: MakeCluster, ack: int, kind: int, acknowledged: int
) -> None:
    cluster = make_cluster(skew=0)
    pass_time(cluster, 2)
    sent: list[int] = []
    for host in cluster.hosts.values():
        life = life_of(host)

        def multicast(kind: int, body: object, send=life.multicast) -> None:  # type: ignore[no-untyped-def]
            sent.append(kind)
            send(kind, body)

        def unicast(origin: int, kind: int, body: object, send=life.unicast) -> None:  # type: ignore[no-untyped-def]
            sent.append(kind)
            send(origin, kind, body)

        life.multicast, life.unicast = multicast, unicast  # type: ignore[method-assign]
    held: list[int] = []
    alder = life_of(next(iter(cluster.hosts.values())))
    alder.write("plain", b"k", VALUE, ack, lambda _, receipt: held.append(receipt.held))
    pass_time(cluster, 0.09)
    assert len(held) == 1
    assert [k for k in sent if k in (bodies.UPDATES, bodies.URGENT)] == [kind]
    assert sent.count(bodies.ACK) == acknowledged
