"""The thread that applies, at work between a real queue and a real store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from isinglass import clock
from isinglass.errors import StoreError
from isinglass.node.applier import Applier
from isinglass.node.intake import Intake
from isinglass.node.panels import ApplierPanel
from isinglass.node.recovery import Recovery
from isinglass.store import records
from isinglass.store.database import Store
from isinglass.store.merge import UpdateQueue
from isinglass.store.panels import QueuePanel
from isinglass.store.tables import TableShape

LIMIT_NS = 15_000_000_000
VALUE = records.pack_value({"n": 1})


@pytest.fixture
def at_work(data_dir: Path) -> Iterator[tuple[Intake, Applier]]:
    """The way into a queue, with a table "t", and the thread that empties it into a store."""
    stamps, reported = count(1000), list[Exception]()
    with Store.open(data_dir / "store", durability="none") as store:
        made = Intake(
            UpdateQueue(QueuePanel()), lambda many: min(list(islice(stamps, many))), store
        )
        made.create_table("t", TableShape())
        applier = Applier(
            made,
            store,
            Recovery([data_dir], store, lambda _: None, lambda _: None),
            ApplierPanel(),
            batch_limit=100,
            gather_seconds=0.0,
            report=reported.append,
            event=lambda *_, **__: None,
        )
        applier.start()
        applied = threading.Event()
        made.await_place(0, False, lambda _: applied.set())
        assert applied.wait(LIMIT_NS / 1e9)
        yield made, applier
        applier.stop(10)
        assert reported == []


@pytest.fixture
def intake(at_work: tuple[Intake, Applier]) -> Intake:
    """The way into the queue alone."""
    return at_work[0]


def test_trouble_that_is_told_when_it_is_over_does_not_stay(intake: Intake) -> None:
    """As when a foreign program lets the store go just as the timer tells of it."""
    intake.failed(StoreError("a foreign program holds the store: end it"))
    until_ns = clock.monotonic_ns() + LIMIT_NS
    while intake.trouble is not None:
        assert clock.monotonic_ns() < until_ns
        clock.sleep(0.005)
    assert intake.offer("t", [(b"k", VALUE)])[1] == 1


def test_what_is_asked_for_is_done_between_two_batches(at_work: tuple[Intake, Applier]) -> None:
    """Two writers at once would put older notes over newer ones."""
    intake, applier = at_work
    seen: list[tuple[str, object]] = []
    done = threading.Semaphore(0)

    def look() -> None:
        seen.append((threading.current_thread().name, bool(intake.shelf.in_hand)))
        done.release()

    for number in range(200):
        intake.offer("t", [(b"k%d" % number, VALUE)])
        applier.between(look)
        applier.between(look)
        if number % 10 == 0:
            assert done.acquire(timeout=LIMIT_NS / 1e9)
    assert set(seen) == {("applier", False)}
    assert len(seen) <= 200 * 2
