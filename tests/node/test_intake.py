"""The way into the queue: stamps grow, waiters are told once, trouble refuses, drops make room."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Sequence
from itertools import count, islice
from typing import Any

import pytest

from isinglass.errors import BadRecord, DiskFull, IsinglassError, LockTimeout, MapFull, TableMissing
from isinglass.node import intake as intake_module
from isinglass.node.intake import Intake
from isinglass.store import adding, counters, records
from isinglass.store.changes import DropTable, Step, Writes
from isinglass.store.merge import UpdateQueue
from isinglass.store.panels import QueuePanel
from isinglass.store.tables import TableShape
from node.stored import Stored

VALUE = records.pack_value({"n": 1})


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def intake(stored: Stored) -> Intake:
    """An intake with a table "t" and room for ten updates; stamps are 1000, 1001, ..."""
    stamps = count(1000)
    queue = UpdateQueue(QueuePanel(), limit_entries=10)
    made = Intake(queue, lambda many: min(list(islice(stamps, many))), stored)
    made.create_table("t", TableShape())
    drain(made)
    return made


def drain(intake: Intake) -> list[bytes]:
    """Apply what waits; return the keys."""
    keys = []
    while batch := intake.take(100):
        keys += [key for step in batch.steps for key in getattr(step, "records", ())]
        intake.applied(batch, 0)
    return keys


def test_what_is_offered_is_taken_once_and_work_tells_when(intake: Intake) -> None:
    assert not intake.work.is_set()
    place, entered = intake.offer("t", [(b"a", VALUE), (b"b", None)])
    assert (entered, intake.work.is_set()) == (2, True)
    assert drain(intake) == [b"a", b"b"]
    assert not intake.work.is_set()
    assert intake.offer("t", [(b"c", VALUE)])[0] > place


def test_only_as_many_enter_as_there_is_room_for(intake: Intake) -> None:
    items = [(b"key %d" % number, VALUE) for number in range(15)]
    assert intake.offer("t", items)[1] == 10
    assert intake.offer("t", items[10:]) == (0, 0)
    drain(intake)
    assert intake.offer("t", items[10:])[1] == 5


def test_a_waiter_is_told_once_its_place_is_in_the_store(intake: Intake) -> None:
    told: list[IsinglassError | None] = []
    place, _ = intake.offer("t", [(b"a", VALUE)])
    intake.await_place(place, True, told.append)
    assert intake.hurry.is_set()
    assert intake.reached() == []
    drain(intake)
    (waiter,) = intake.reached()
    assert (waiter.place, waiter.durable) == (place, True)
    assert not intake.hurry.is_set()
    assert intake.reached() == []


def test_one_who_waits_for_everything_waits_for_the_newest_place(intake: Intake) -> None:
    place, _ = intake.offer("t", [(b"a", VALUE)])
    intake.await_place(0, False, lambda error: None)
    drain(intake)
    assert [waiter.place for waiter in intake.reached()] == [place]


def test_refusing_leaves_nothing_behind(intake: Intake) -> None:
    """An error that is raised again and again would keep where each time was, and what with."""
    trouble = DiskFull("the disk has no room")
    intake.failed(trouble)
    refusing: list[Callable[[], object]] = [
        lambda: intake.offer("t", [(b"k", VALUE)]),
        lambda: intake.add("t", "n", [(b"k", 1)]),
        lambda: intake.create_table("u", TableShape()),
    ]
    for refused in refusing * 100:
        with pytest.raises(DiskFull):
            refused()
    kept = sum(1 for _ in traceback.walk_tb(trouble.__traceback__))
    assert kept < 20


def test_trouble_refuses_offers_keeps_the_batch_and_ends_with_it(intake: Intake) -> None:
    intake.offer("t", [(b"a", VALUE)])
    batch = intake.take(100)
    assert batch is not None
    intake.await_place(0, True, lambda error: None)
    assert len(intake.failed(MapFull("the map is full"))) == 1
    with pytest.raises(MapFull):
        intake.offer("t", [(b"b", VALUE)])
    with pytest.raises(MapFull):
        intake.create_table("u", TableShape())
    assert intake.take(100) is batch
    intake.applied(batch, 0)
    assert intake.offer("t", [(b"b", VALUE)])[1] == 1


def test_a_drop_goes_before_the_batch_that_has_no_room(intake: Intake) -> None:
    told: list[IsinglassError | None] = []
    intake.offer("t", [(b"a", VALUE)])
    intake.take(100)
    intake.failed(MapFull("the map is full"))
    assert intake.drop_table("t", told.append)
    ((drop, done),) = intake.take_rescues()
    assert drop.table == "t"
    done(None)
    assert told == [None]
    assert intake.take_rescues() == []
    with pytest.raises(TableMissing):
        intake.drop_table("none", told.append)


def test_a_repeated_write_is_recognised_wherever_the_first_one_is(
    intake: Intake, stored: Stored
) -> None:
    since = 2000  # above every stamp so far
    assert not intake.newer_than("t", b"a", since)
    for _ in range(1100):
        intake.offer("t", [(b"a", VALUE)])
    assert intake.newer_than("t", b"a", since)  # waits in the queue
    assert not intake.newer_than("t", b"b", since)
    assert not intake.newer_than("t", b"a", 1 << 40)
    batch = intake.take(100)
    assert batch is not None
    assert intake.newer_than("t", b"a", since)  # in the batch in hand
    record = records_of(batch.steps)[b"a"]
    intake.applied(batch, 0)
    assert not intake.newer_than("t", b"a", since)
    stored.records["t", b"a"] = record
    assert intake.newer_than("t", b"a", since)  # in the store


def test_a_lock_that_is_not_given_back_is_an_error_within_a_limit(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "LOCK_LIMIT_SECONDS", 0.02)
    with intake, pytest.raises(LockTimeout, match="isinglass ps"):
        intake.offer("t", [(b"a", VALUE)])
    assert intake.offer("t", [(b"a", VALUE)])[1] == 1


def test_everything_can_be_taken_for_the_end_also_what_is_in_hand(intake: Intake) -> None:
    intake.offer("t", [(b"a", VALUE)])
    intake.take(100)
    intake.offer("t", [(b"b", VALUE)])
    steps = intake.take_everything()
    assert list(records_of(steps)) == [b"a", b"b"]
    assert intake.take(100) is None


def counted(intake: Intake, stored: Stored, key: bytes) -> dict[str, Any]:
    """Return a record as a reader would have it, once everything is applied."""
    while batch := intake.take(1):
        apply(intake, stored)
        assert intake.take(1) is not batch
    record = stored.records.get(("t", key))
    found = None if record is None else records.decode(key, record)
    return {} if found is None else found.value


def records_of(steps: Sequence[Step]) -> dict[bytes, bytes]:
    """Return all records that are written."""
    writes = (step for step in steps if isinstance(step, Writes))
    return {key: record for step in writes for key, record in step.records.items()}


def apply(intake: Intake, stored: Stored) -> None:
    """Apply one update."""
    batch = intake.take(1)
    assert batch is not None
    for step in batch.steps:
        for key, record in records_of([step]).items():
            joined = counters.merged(stored.records.get(("t", key)), record, records.NEVER)
            if joined is not None:
                stored.records["t", key] = joined
        if isinstance(step, DropTable):
            stored.records.clear()
    intake.applied(batch, 0)


@pytest.mark.parametrize("merging", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_adds_are_exact_wherever_the_earlier_ones_are(
    stored: Stored, seed: int, merging: bool
) -> None:
    """Queued, in a sealed lane, in the batch in hand, stored; deleted and dropped in between."""
    stamps = count(1000)
    queue = UpdateQueue(QueuePanel(), limit_entries=10, merging=merging)
    intake = Intake(queue, lambda many: min(list(islice(stamps, many))), stored)
    intake.create_table("t", TableShape())
    generator, total, shapes = random.Random(seed), 0, 0
    kinds = ["add"] * 6 + ["take", "apply", "apply", "delete", "put", "shape"]
    for _ in range(400):
        action = generator.choice(kinds)
        if action == "add" and intake.add("t", "n", [(b"k", 3), (b"k", -1)])[1] == 2:
            total += 2
        elif action == "take":
            intake.take(1)
        elif action == "apply" and intake.take(1):
            apply(intake, stored)
        elif action == "delete" and intake.offer("t", [(b"k", None)])[1]:
            total = 0
        elif action == "put":
            intake.offer("t", [(b"k", VALUE)])
        elif action == "shape":
            intake.drop_table("t", lambda error: None)
            shapes += 1
            intake.create_table("t", TableShape("", (f"i{shapes}",)))
            total = 0
        if queue.length > 6:
            counted(intake, stored, b"k")
        assert len(list(queue.waiting("t", b"k"))) <= min(queue.length, 2)
    ended = counted(intake, stored, b"k").get("n", 0)
    assert not queue._lanes["t"].before
    assert ended - total in (0, 1)  # a put starts it from 1


def test_a_put_is_not_taken_for_done_because_somebody_added(intake: Intake) -> None:
    since = 2000
    for _ in range(1100):
        intake.offer("t", [(b"x", VALUE)])
    intake.add("t", "n", [(b"a", 1)])
    assert not intake.newer_than("t", b"a", since)
    intake.offer("t", [(b"a", VALUE)])
    assert intake.newer_than("t", b"a", since)


def test_an_add_that_cannot_be_counted_stops_the_ones_after_it(intake: Intake) -> None:
    items = [(b"a", 1), (b"b", adding.HIGHEST), (b"b", 1), (b"c", 1)]
    assert intake.add("t", "n", items)[1] == 2
    with pytest.raises(BadRecord, match="64 bits"):
        intake.add("t", "n", items[2:])
    with pytest.raises(TableMissing):
        intake.add("none", "n", items)
    many = [(b"%d" % number, 1) for number in range(20)]
    assert intake.add("t", "n", many)[1] == 8
    assert intake.add("t", "n", many[8:]) == (0, 0)


def test_an_add_after_a_deletion_from_a_clock_that_is_ahead_counts(
    intake: Intake, stored: Stored
) -> None:
    stored.records["t", b"k"] = counters.deletion(1 << 50, 3)
    intake.add("t", "n", [(b"k", 2)])
    assert counted(intake, stored, b"k") == {"n": 2}
    intake.offer("t", [(b"k", None)])
    assert counted(intake, stored, b"k") == {}


def test_an_older_own_count_that_comes_back_from_another_node_hides_no_newer_one(
    intake: Intake, stored: Stored
) -> None:
    intake.add("t", "n", [(b"k", 1)])
    batch = intake.take(100)
    assert batch is not None
    old = records_of(batch.steps)[b"k"]
    stored.records["t", b"k"] = old
    intake.applied(batch, 0)
    intake.add("t", "n", [(b"k", 1)])
    intake.take(100)
    with intake:
        intake.shelf.offer("t", b"k", old)
    intake.add("t", "n", [(b"k", 1)])
    assert counted(intake, stored, b"k") == {"n": 3}
    with intake, pytest.raises(BadRecord):
        intake.shelf.offer("t", b"k", old[:-1])
