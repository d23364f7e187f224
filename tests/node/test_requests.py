"""What each request of a client is answered, and when; no socket, and nobody empties the queue."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import pytest

from isinglass.node.intake import Intake
from isinglass.node.panels import PortPanel
from isinglass.node.requests import Requests
from isinglass.store import counters, records
from isinglass.store.counters import Contribution
from isinglass.store.merge import UpdateQueue
from isinglass.store.panels import QueuePanel
from isinglass.store.tables import TableShape
from isinglass.wire import messages
from isinglass.wire.admission import Admission
from isinglass.wire.messages import ACKNOWLEDGE_ON_DISK, DONE, IMMEDIATE, REFUSED
from node.stored import Stored

VALUE = records.pack_value({"n": 1})
FIRST_STAMP, ROOM = 1000, 10


class Asked:
    """The requests of one client, what the store has, and the answers that came later."""

    def __init__(self) -> None:
        self.stored = Stored()
        self.later: list[list[Any]] = []
        self.panel = PortPanel()
        stamps = count(FIRST_STAMP)
        self.intake = Intake(
            UpdateQueue(QueuePanel(), limit_entries=ROOM),
            lambda many: min(list(islice(stamps, many))),
            self.stored,
        )
        self.intake.create_table("t", TableShape())
        self.apply()
        self._requests = Requests(self.intake, self.panel, Admission(0), "oak", lambda: None)

    def ask(self, operation: int, *arguments: Any) -> list[Any] | None:
        """Return the answer that comes at once, or None."""
        return self._requests.handlers[operation]([7, operation, *arguments], self.later.append)

    def apply(self) -> None:
        """Put what is queued into the store, and tell who waits for that."""
        while (batch := self.intake.take(ROOM)) is not None:
            self.intake.applied(batch, 0)
        for waiter in self.intake.reached():
            waiter.done(None)


@pytest.fixture
def asked() -> Iterator[Asked]:
    made = Asked()
    yield made
    made.panel.release()


def test_a_repeated_write_that_was_done_waits_for_the_disk_as_the_first_one(asked: Asked) -> None:
    on_disk = ("t", "k", VALUE, ACKNOWLEDGE_ON_DISK, IMMEDIATE, 0)
    assert asked.ask(messages.WRITE, *on_disk, 0) is None
    assert asked.ask(messages.WRITE, *on_disk, FIRST_STAMP) is None, "it is only queued"
    assert asked.later == []
    asked.apply()
    assert [answer[1] for answer in asked.later] == [DONE, DONE]
    assert asked.panel.repeated == 1


def test_an_immediate_write_counts_once_it_is_queued(asked: Asked) -> None:
    for number in range(ROOM + 3):
        asked.ask(messages.WRITE, "t", str(number), VALUE, 0, IMMEDIATE, 0, 0)
    assert (asked.panel.updates, asked.panel.waits) == (ROOM, 3)


def test_a_count_that_no_answer_can_carry_is_refused_with_the_way_to_read_it(asked: Asked) -> None:
    highest = Contribution(1, 1, (1 << 63) - 1)
    record = b""
    for life in range(3):
        added = counters.addition("n", counters.writer_of(1, life), highest)
        record = counters.join(record, added) if record else added
    asked.stored.records["t", b"k"] = record
    assert asked.ask(messages.READ, "t", "k") is None
    (answer,) = asked.later
    assert answer[:3] == [7, REFUSED, "BadRecord"]
    assert "eventual" in answer[3]
