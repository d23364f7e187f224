"""What a node answers that is asked for updates it cannot send again."""

from __future__ import annotations

import random
from typing import Any

import msgpack
import pytest

from isinglass.node.figures import Figures
from isinglass.node.repairs import Repairs
from isinglass.node.vectors import Vectors
from isinglass.wire import bodies
from isinglass.wire.journal import Journal
from isinglass.wire.membership import Membership

OWN, OTHER = (1, 10), (2, 20)


class Sent:
    """Takes down what is sent to one node."""

    def __init__(self) -> None:
        self.found: list[tuple[int, int, Any]] = []

    def unicast(self, origin: int, kind: int, body: Any) -> None:
        self.found.append((origin, kind, bodies.parse(kind, msgpack.packb(body))))


@pytest.mark.parametrize(("floor", "last"), [(0, 9), (1, 9), (6, 5), (30, 29)])
def test_what_is_below_the_floor_of_the_journal_or_in_none_is_refused(
    floor: int, last: int
) -> None:
    journal, sent = Journal(100), Sent()
    if floor:
        journal.open(OTHER, floor)
    vectors = Vectors(OWN, {}, Membership())
    if floor > 1:
        vectors.inbox(OTHER)
    repairs = Repairs(vectors, journal, Membership(), None, sent, Figures(), random.Random(1))  # type: ignore[arg-type]
    repairs.serve(3, OTHER, [5, 6, 8, 9], 0)
    assert sent.found == [(3, bodies.VOID, [*OTHER, 5, last])]


def test_a_stream_that_is_let_go_is_neither_asked_for_nor_adopted() -> None:
    """Its gap was closed by what others said, before the next look (seed 1161 of the simulator)."""
    vectors, members = Vectors(OWN, {}, Membership()), Membership()
    repairs = Repairs(vectors, Journal(100), members, None, Sent(), Figures(), random.Random(1))  # type: ignore[arg-type]
    inbox = vectors.inbox(OTHER)
    assert inbox is not None
    inbox.add(5, 6, 1)
    now_ns = 0
    for _ in range(1000):
        now_ns = repairs.look(now_ns)
        if repairs.orphaned:
            break
    assert repairs.orphaned == {OTHER}
    del vectors.inboxes[OTHER]
    repairs.done(OTHER)
    assert not repairs.orphaned
    assert not repairs.out_of_reach
    repairs.look(now_ns)
