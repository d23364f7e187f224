"""The way into the queue: stamps grow, waiters are told once, trouble refuses, drops make room."""

from __future__ import annotations

from itertools import count, islice

import pytest

from isinglass.errors import IsinglassError, LockTimeout, MapFull, TableMissing
from isinglass.node import intake as intake_module
from isinglass.node.intake import Intake
from isinglass.store import records
from isinglass.store.merge import UpdateQueue
from isinglass.store.panels import QueuePanel
from isinglass.store.tables import TableShape

VALUE = records.pack_value({"n": 1})


class Stored:
    """What the store has, as the intake sees it."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, bytes], bytes] = {}

    def look_up(self, table: str, key: bytes) -> bytes | None:
        return self.records.get((table, key))


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def intake(stored: Stored) -> Intake:
    """An intake with a table "t" and room for ten updates; stamps are 1000, 1001, ..."""
    stamps = count(1000)
    queue = UpdateQueue(QueuePanel(), limit_entries=10)
    made = Intake(queue, lambda many: min(list(islice(stamps, many))), stored.look_up)
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
    record = batch.steps[0].records[b"a"]  # type: ignore[union-attr]
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
    assert [key for step in steps for key in step.records] == [b"a", b"b"]  # type: ignore[union-attr]
    assert intake.take(100) is None
