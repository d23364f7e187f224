"""Reading for others in the background: all of it, and gently while clients are served."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from isinglass.node import ending
from isinglass.node.store_work import PIECE_BYTES, StoreWork
from isinglass.store.buckets import COUNT
from isinglass.store.changes import CreateTable, Writes
from isinglass.store.database import Store
from isinglass.store.records import encode, version_bytes
from isinglass.store.tables import TableShape

RECORDS = 6000  # two answers of 64 KiB
Start = Callable[[Callable[[], int]], StoreWork]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path, durability="none") as store:
        store.apply([CreateTable("t", TableShape(""), version_bytes(1, 1))])
        found = {b"key %d" % n: encode(2 + n, 1, b"\x81\xa1n\x01") for n in range(RECORDS)}
        store.apply([Writes("t", found)])
        yield store


@pytest.fixture
def start(store: Store) -> Iterator[Start]:
    works: list[StoreWork] = []
    reported: list[Exception] = []

    def started(served: Callable[[], int]) -> StoreWork:
        work = StoreWork(store, lambda done, result: done(result), served, reported.append)
        works.append(work)
        work.start()
        return work

    yield started
    for work in works:
        work.stop()
        ending.join(work.thread)
    assert reported == []


def copied_seconds(work: StoreWork) -> float:
    """Return how long the first answer of a copy takes."""
    answers: queue.Queue[Any] = queue.Queue()
    since = time.monotonic()
    work.records(list(range(COUNT)), [], answers.put)
    assert answers.get(timeout=60)[0]
    return time.monotonic() - since


def test_reading_takes_its_time_while_clients_are_served(start: Start) -> None:
    requests = count(1)
    quiet = min(copied_seconds(start(lambda: 0)) for _ in range(3))
    assert copied_seconds(start(lambda: next(requests))) > 4 * quiet


def test_digests_are_those_of_the_whole_store(start: Start, store: Store) -> None:
    answers: queue.Queue[list[int]] = queue.Queue()
    start(lambda: 0).digests(0, answers.put)
    *_, whole = store.bucket_digests()
    assert answers.get(timeout=60) == whole


def test_records_come_in_answers_that_are_packed_in_no_time(start: Start) -> None:
    work, answers = start(lambda: 0), queue.Queue[list[Any]]()
    keys: list[bytes] = []
    cursor: list[Any] = []
    pieces = 0
    while cursor or not pieces:
        work.records(list(range(COUNT)), cursor, answers.put)
        items, cursor = answers.get(timeout=60)
        keys += [key for _, key, _ in items]
        assert sum(len(key) + len(record) for _, key, record in items) < 2 * PIECE_BYTES
        pieces += 1
    assert pieces > 1
    assert keys == sorted(b"key %d" % n for n in range(RECORDS))
