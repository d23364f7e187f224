"""The queue: every rule and its counter, limits, and places."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from isinglass.errors import TableExists, TableMissing
from isinglass.store import records
from isinglass.store.changes import Step, Writes
from isinglass.store.line import TABLE_CHANGE_BYTES
from isinglass.store.merge import REFUSED, UpdateQueue
from isinglass.store.panels import QueuePanel
from isinglass.store.tables import TableShape, TableState
from store.store_model import identity_holds, value_record, version

PLAIN, GROUPED, INDEXED = TableShape(), TableShape("/"), TableShape("", ("n",))
SECOND = 1_000_000_000


@pytest.fixture
def panel() -> Iterator[QueuePanel]:
    made = QueuePanel()
    yield made
    made.release()


@pytest.fixture
def queue(panel: QueuePanel) -> UpdateQueue:
    made = UpdateQueue(panel)
    made.define(
        TableState(name, shape, records.version_bytes(1, 0), records.NEVER)
        for name, shape in (("plain", PLAIN), ("grouped", GROUPED))
    )
    return made


def finish(queue: UpdateQueue, limit: int = 1000) -> list[Step]:
    """Take and apply one batch; return its steps."""
    batch = queue.take(limit)
    assert batch is not None
    queue.applied(batch, 10, 0)
    return batch.steps


def test_a_newer_update_keeps_the_older_ones_place(queue: UpdateQueue, panel: QueuePanel) -> None:
    assert queue.offer("plain", b"a", value_record(10), 0) == 1
    assert queue.offer("plain", b"b", value_record(11), 0) == 2
    assert queue.offer("plain", b"a", value_record(12, n=1), 0) == 3
    assert (panel.superseded, panel.offered, panel.length) == (1, 3, 2)
    batch = queue.take(1)
    assert batch is not None
    assert batch.steps == [Writes("plain", {b"a": value_record(12, n=1)})]
    assert queue.applied_through == 0
    assert queue.applied(batch, 0, 0) == 1
    assert finish(queue) == [Writes("plain", {b"b": value_record(11)})]
    assert queue.applied_through == 3 == panel.applied_through
    assert identity_holds(queue, panel)


def test_an_older_or_equal_update_is_stale(queue: UpdateQueue, panel: QueuePanel) -> None:
    queue.offer("plain", b"a", value_record(10), 0)
    assert queue.offer("plain", b"a", value_record(9), 0) == 2
    assert queue.offer("plain", b"a", value_record(10), 0) == 3
    assert panel.stale == 2
    assert finish(queue) == [Writes("plain", {b"a": value_record(10)})]
    assert queue.applied_through == 3


def test_a_stale_update_with_nothing_in_line_is_applied_at_once(
    queue: UpdateQueue, panel: QueuePanel
) -> None:
    queue.offer_drop("plain", version(20), 0)
    queue.offer_create("plain", PLAIN, version(30), 0)
    finish(queue)
    assert panel.applied_through == 2
    assert queue.offer("plain", b"a", value_record(10), 0) == 3
    assert queue.take(10) is None
    assert panel.applied_through == queue.applied_through == 3


def test_what_waits_can_be_looked_up(queue: UpdateQueue) -> None:
    queue.offer("plain", b"a", value_record(10), 0)
    queue.offer("grouped", b"g/1", value_record(11), 0)
    assert [*queue.waiting("plain", b"a")] == [value_record(10)]
    assert [*queue.waiting("grouped", b"g/1")] == [value_record(11)]
    assert not [*queue.waiting("grouped", b"g/2"), *queue.waiting("none", b"a")]
    finish(queue)
    assert not [*queue.waiting("plain", b"a")]


def test_a_drop_removes_older_updates_of_its_table_alone(
    queue: UpdateQueue, panel: QueuePanel
) -> None:
    queue.offer("plain", b"old", value_record(10), 0)
    queue.offer("plain", b"new", value_record(30), 0)
    queue.offer("grouped", b"g/1", value_record(10), 0)
    queue.offer_drop("plain", version(20), 0)
    assert (panel.dropped, queue.length) == (1, 3)
    assert queue.applied_through == 0
    with pytest.raises(TableMissing):
        queue.offer("plain", b"x", value_record(40), 0)
    assert queue.shape_of("plain") is None
    queue.offer_create("plain", PLAIN, version(35), 0)
    assert queue.offer("plain", b"late", value_record(15), 0) == 6
    assert panel.stale == 1
    steps = finish(queue)
    names = [type(step).__name__ for step in steps]
    assert names == ["DropTable", "Writes", "Writes", "CreateTable"], "the drop took its place"
    assert steps[1] == Writes("plain", {b"new": value_record(30)})
    assert identity_holds(queue, panel)


def test_a_group_is_one_write_taken_whole(queue: UpdateQueue, panel: QueuePanel) -> None:
    queue.offer("grouped", b"g/1", value_record(10), 0)
    queue.offer("grouped", b"h/1", value_record(11), 0)
    queue.offer("grouped", b"g/2", value_record(12), 0)
    batch = queue.take(1)
    assert batch is not None
    assert batch.steps == [
        Writes("grouped", {}, {b"g/": {b"g/1": value_record(10), b"g/2": value_record(12)}}, b"/")
    ]
    assert (batch.updates, batch.writes) == (2, 1)
    queue.applied(batch, 0, 0)
    assert (panel.rolled, panel.written, queue.applied_through) == (1, 1, 1)
    assert identity_holds(queue, panel)


def test_a_batch_in_flight_never_changes(queue: UpdateQueue, panel: QueuePanel) -> None:
    queue.offer("plain", b"a", value_record(10), 0)
    batch = queue.take(10)
    assert batch is not None
    queue.offer("plain", b"a", value_record(11), 0)
    queue.offer_drop("plain", version(20), 0)
    assert batch.steps == [Writes("plain", {b"a": value_record(10)})]
    assert queue.take(10) is batch, "what could not be applied comes again"
    assert queue.applied_through == 0
    queue.applied(batch, 0, 0)
    assert queue.applied_through == 1, "the drop has the place of what it removed"
    with pytest.raises(ValueError, match="taken last"):
        queue.applied(batch, 0, 0)


def test_limits_refuse_what_grows_and_nothing_else(panel: QueuePanel) -> None:
    small = value_record(1)
    queue = UpdateQueue(panel, limit_entries=2, limit_bytes=4 * TABLE_CHANGE_BYTES)
    queue.define([TableState("t", PLAIN, version(1), records.NEVER)])
    assert queue.offer("t", b"a", small, 0)
    assert queue.offer("t", b"b", small, 0)
    assert queue.offer("t", b"c", small, 0) == REFUSED
    assert queue.offer_drop("t", version(9), 0) == REFUSED
    assert queue.offer_create("u", PLAIN, version(9), 0) == REFUSED
    assert queue.shape_of("u") is None
    assert queue.offer("t", b"a", value_record(2, n=1), 0), "replacing is no growth"
    assert queue.offer("t", b"b", value_record(2, n="x" * 2000), 0) == REFUSED
    assert panel.refused == 4
    assert panel.offered == queue.last_place == 3
    batch = queue.take(10)
    assert batch is not None
    assert queue.offer("t", b"c", small, 0) == REFUSED, "what is in flight counts"
    queue.applied(batch, 0, 0)
    assert queue.offer("t", b"c", small, 0)
    assert (panel.length_max, queue.length) == (2, 1)


def test_age_and_shares(queue: UpdateQueue, panel: QueuePanel) -> None:
    queue.offer("plain", b"a", value_record(10), 1 * SECOND)
    queue.offer("plain", b"b", value_record(11), 2 * SECOND)
    queue.offer("plain", b"a", value_record(12), 3 * SECOND)
    queue.publish(4 * SECOND)
    assert panel.oldest == 3.0
    batch = queue.take(10)
    assert batch is not None
    queue.publish(5 * SECOND)
    assert panel.oldest == 4.0
    assert panel.in_flight == 2
    queue.applied(batch, batch.size_bytes, 6 * SECOND)
    assert panel.oldest == 0.0
    assert panel.avoided == pytest.approx(1 / 3)
    assert panel.write_amplification == pytest.approx(2 / 3)
    assert (panel.size, panel.length) == (0, 0)


def test_tables_that_are_not_there(queue: UpdateQueue) -> None:
    with pytest.raises(TableMissing):
        queue.offer("none", b"a", value_record(1), 0)
    with pytest.raises(TableMissing):
        queue.offer_drop("none", version(1), 0)
    with pytest.raises(TableExists):
        queue.offer_create("plain", GROUPED, version(9), 0)
    assert queue.offer_create("plain", PLAIN, version(9), 0), "the same again is no harm"


def test_a_foreign_record_may_overtake_the_creation_that_shows_it(
    queue: UpdateQueue, panel: QueuePanel
) -> None:
    queue.offer_drop("plain", version(20), 0)
    with pytest.raises(TableMissing):
        queue.offer("plain", b"a", value_record(30), 0)
    assert queue.offer("plain", b"a", value_record(30), 0, True) == 2
    assert queue.offer("plain", b"b", value_record(19), 0, True) == 3
    assert panel.stale == 1
    queue.offer_create("plain", PLAIN, version(29), 0, foreign=True)
    assert [*queue.waiting("plain", b"a")] == [value_record(30)]
    assert Writes("plain", {b"a": value_record(30)}) in finish(queue)
    with pytest.raises(TableMissing):
        queue.offer("none", b"a", value_record(30), 0, True)


def test_the_newest_foreign_creation_decides_on_the_shape(queue: UpdateQueue) -> None:
    queue.offer_create("plain", GROUPED, version(9), 0, foreign=True)
    assert queue.shape_of("plain") == GROUPED
    queue.offer_create("plain", INDEXED, version(8), 0, foreign=True)
    assert queue.shape_of("plain") == GROUPED
    queue.offer_create("plain", INDEXED, version(9), 0, foreign=True)
    assert queue.shape_of("plain") == max(GROUPED, INDEXED)


def test_a_foreign_drop_is_remembered_before_its_table_is_known(queue: UpdateQueue) -> None:
    assert queue.offer_drop("new", version(20), 0, foreign=True)
    queue.offer_create("new", PLAIN, version(10), 0, foreign=True)
    assert queue.shape_of("new") is None
    queue.offer_create("new", PLAIN, version(21), 0, foreign=True)
    assert queue.shape_of("new") == PLAIN
    assert queue.offer("new", b"a", value_record(19), 0), "it is stale, and that is no error"
    assert not [*queue.waiting("new", b"a")]


def test_a_batch_says_through_which_place_it_brings_the_store(queue: UpdateQueue) -> None:
    for number in range(3):
        queue.offer("plain", b"%d" % number, value_record(10), 0)
    queue.offer("plain", b"1", value_record(11), 0)
    batch = queue.take(2)
    assert batch is not None
    assert (batch.first_place, batch.through) == (1, 2)
    queue.offer("plain", b"later", value_record(12), 0)
    assert queue.applied(batch, 0, 0) == 2
    batch = queue.take(2)
    assert batch is not None
    assert (batch.first_place, batch.through) == (3, 5)


def test_an_older_create_shows_nothing(queue: UpdateQueue) -> None:
    queue.offer_drop("plain", version(20), 0)
    queue.offer_create("plain", PLAIN, version(19), 0)
    assert queue.shape_of("plain") is None
