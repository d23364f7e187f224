"""Which writes make the other nodes say at once that they hold them: those that wait for it."""

from __future__ import annotations

from typing import Any

import pytest

from isinglass.node.immediate import Immediate
from isinglass.node.intake import Intake
from isinglass.store.merge import UpdateQueue
from isinglass.store.panels import QueuePanel
from isinglass.store.tables import TableShape
from isinglass.wire import bodies
from isinglass.wire.messages import ACKNOWLEDGE_ON_DISK, DONE, IMMEDIATE, REFUSED
from isinglass.wire.primary_calls import ACK_MAJORITY, ACK_ONE, ACK_PRIMARY
from node.stored import Stored
from simulator.conftest import MakeCluster
from simulator.life import Life
from simulator.test_mended import VALUE, life_of, pass_time, sends_nothing


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

    def note(life: Life) -> None:
        to_all, to_one = life.multicast, life.unicast

        def multicast(kind: int, body: list[Any]) -> None:
            sent.append(kind)
            to_all(kind, body)

        def unicast(origin: int, kind: int, body: list[Any]) -> None:
            sent.append(kind)
            to_one(origin, kind, body)

        life.multicast, life.unicast = multicast, unicast  # type: ignore[method-assign]

    for host in cluster.hosts.values():
        note(life_of(host))
    held: list[int] = []
    alder = life_of(next(iter(cluster.hosts.values())))
    alder.write("plain", b"k", VALUE, ack, lambda _, receipt: held.append(receipt.held))
    pass_time(cluster, 0.09)
    assert len(held) == 1
    assert [k for k in sent if k in (bodies.UPDATES, bodies.URGENT)] == [kind]
    assert sent.count(bodies.ACK) == acknowledged


def test_what_only_the_primary_holds_is_not_called_on_the_own_disk(
    make_cluster: MakeCluster,
) -> None:
    """Birch has not heard of the table, as when its queue is full: it cannot put it in line."""
    cluster = make_cluster(skew=0)
    alder, birch, _ = cluster.hosts.values()
    life_of(alder).replica.publishing.flush = sends_nothing  # type: ignore[method-assign]
    life_of(alder).create_table("unheard of", TableShape())
    replica = life_of(birch).replica
    intake = Intake(UpdateQueue(QueuePanel("asking")), lambda many: many, Stored())
    intake.replica = replica
    primary_of = replica.primary.primary_of
    key = next(key for n in range(99) if primary_of("unheard of", key := b"%d" % n) == alder.origin)
    answers: dict[int, list[Any]] = {}
    for durability in (0, ACKNOWLEDGE_ON_DISK):
        Immediate(intake, "birch").write(
            durability, "unheard of", key, VALUE, durability, IMMEDIATE, ACK_PRIMARY,
            lambda answer: answers.update({answer[0]: answer}),
        )  # fmt: skip
    pass_time(cluster, 0.05)
    assert answers[0][1:] == [DONE, [0, ["alder", True, 1, 0.0]]]
    assert answers[ACKNOWLEDGE_ON_DISK][1:3] == [REFUSED, "StoreError"]
