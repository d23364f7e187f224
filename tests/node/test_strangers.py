"""What a daemon does about datagrams that are none for it: when it tells, and when it ends."""

from __future__ import annotations

import pytest

from isinglass.errors import ClusterError, DuplicateNode, WrongClusterKey, WrongClusterVersion
from isinglass.node.cluster_panels import NetworkPanel
from isinglass.node.strangers import (
    STRANGERS_ENOUGH,
    TOLD_SECONDS,
    TWIN_SECONDS,
    YOUNG_SECONDS,
    Strangers,
)
from isinglass.wire.bodies import BadDatagram
from isinglass.wire.datagrams import Identity

SECOND = 10**9
LATE = int((YOUNG_SECONDS + 1) * SECOND)
OWN = Identity("demo", b"k", 7, 100)


class Node:
    """Strangers of a node that started at time 0, with what they did."""

    def __init__(self) -> None:
        self.told: list[Exception] = []
        self.ended: list[Exception] = []
        self.panel = NetworkPanel()
        self.strangers = Strangers(
            OWN, "oak", self.panel, report=self.told.append, fail=self.ended.append
        )

    def hear(self, reason: str, now_ns: int, origin: int = 0, number: int = 0) -> None:
        self.strangers.take(BadDatagram(reason, origin, number), now_ns)


@pytest.mark.parametrize(
    ("reason", "kind"), [("bad_tag", WrongClusterKey), ("wrong_version", WrongClusterVersion)]
)
def test_who_hears_nobody_but_strangers_ends(reason: str, kind: type[ClusterError]) -> None:
    node = Node()
    for number in range(STRANGERS_ENOUGH):
        assert node.ended == []
        node.hear(reason, number, number=9)
    (error,) = node.ended
    assert type(error) is kind
    assert getattr(node.panel, reason) == STRANGERS_ENOUGH


def test_who_hears_a_member_too_goes_on_and_tells_it_now_and_then() -> None:
    node = Node()
    node.panel.received = 1
    for tenth in range(100):
        node.hear("bad_tag", tenth * SECOND // 10)
    assert node.ended == []
    assert len(node.told) == 1
    node.hear("bad_tag", int(TOLD_SECONDS * SECOND))
    assert len(node.told) == 2


def test_a_daemon_that_has_run_for_a_while_is_ended_by_nobody() -> None:
    node = Node()
    for number in range(1000):
        node.hear("bad_tag", LATE + number)
        node.hear("duplicate_node", LATE + number, OWN.origin, 50)
        node.hear("duplicate_node", LATE + number * SECOND, OWN.origin, 200)
    assert node.ended == []


def test_of_two_with_one_name_the_later_one_ends() -> None:
    later = Node()
    later.hear("duplicate_node", SECOND, OWN.origin, 50)
    (error,) = later.ended
    assert type(error) is DuplicateNode
    assert "oak" in str(error)
    earlier = Node()
    for tenth in range(20):
        earlier.hear("duplicate_node", tenth * SECOND // 10, OWN.origin, 200)
    assert earlier.ended == []


def test_a_twin_of_a_later_life_that_stays_was_there_before_with_another_clock() -> None:
    node = Node()
    node.hear("duplicate_node", SECOND, OWN.origin, 200)
    node.hear("duplicate_node", 2 * SECOND, OWN.origin, 300)
    node.hear("duplicate_node", int((TWIN_SECONDS + 1.5) * SECOND), OWN.origin, 300)
    assert node.ended == []  # the first one has gone, and the second one may still go
    node.hear("duplicate_node", int((TWIN_SECONDS + 2.5) * SECOND), OWN.origin, 300)
    assert len(node.ended) == 1


def test_two_others_of_one_number_are_told_of_and_end_nobody_else() -> None:
    node = Node()
    node.hear("duplicate_node", SECOND, 8, 50)
    assert node.ended == []
    assert "number 8" in str(node.told[0])


def test_what_shows_no_mistake_is_only_counted() -> None:
    node = Node()
    for reason in ("malformed", "replayed", "old_life"):
        node.hear(reason, 1)
        assert getattr(node.panel, reason) == 1
    assert node.told == node.ended == []
