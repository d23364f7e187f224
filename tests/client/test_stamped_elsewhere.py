"""What a client wrote at other nodes, against a real store that learns of it later, or never."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass import clock
from isinglass.client.stamped_elsewhere import PRUNE_AT, Elsewhere
from isinglass.errors import RequestTimeout
from isinglass.store.changes import CreateTable, Writes
from isinglass.store.database import Store
from isinglass.store.records import encode, version_bytes, written_stamp
from isinglass.store.tables import TableShape

VALUE = b"\x81\xa1n\x01"


class OwnStore:
    """A node's store, and what a client asks of it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        store.apply([CreateTable("t", TableShape(""), version_bytes(1, 1))])

    def learn(self, key: str, stamp: int, payload: bytes | None) -> None:
        """Take in what another node stamped."""
        self.store.apply([Writes("t", {key.encode(): encode(stamp, 2, payload)})])

    def shows(self, table: str, key: str, stamp: int) -> bool | None:
        """See `LocalStore.shows`."""
        record = self.store.stored(table, key.encode())
        return None if record is None else written_stamp(record) >= stamp


@pytest.fixture
def own(data_dir: Path) -> Iterator[OwnStore]:
    with Store.open(data_dir / "store", durability="none") as store:
        yield OwnStore(store)


def soon(seconds: float) -> int:
    return clock.monotonic_ns() + int(seconds * 1e9)


def test_a_write_is_kept_until_the_store_shows_it_or_a_newer_one(own: OwnStore) -> None:
    elsewhere = Elsewhere(own.shows)
    elsewhere.add("t", "a", 10, VALUE)
    elsewhere.add("t", "b", 11, None)
    own.learn("a", 9, VALUE)
    kept = elsewhere.waiting("t", "a"), elsewhere.waiting("t", "b")
    assert [found and (found.stamp, found.payload) for found in kept] == [(10, VALUE), (11, None)]
    own.learn("a", 10, VALUE)
    own.learn("b", 12, VALUE)
    assert elsewhere.waiting("t", "a") is None
    assert elsewhere.waiting("t", "b") is None
    assert not elsewhere.kept


def test_what_is_written_again_takes_the_place_of_what_was(own: OwnStore) -> None:
    elsewhere = Elsewhere(own.shows)
    elsewhere.add("t", "a", 10, VALUE)
    elsewhere.add("t", "a", 20, None)
    own.learn("a", 10, VALUE)
    found = elsewhere.waiting("t", "a")
    assert found is not None and found.payload is None
    elsewhere.forget("t", "a")
    assert not elsewhere.kept
    elsewhere.add("t", "a", 30, VALUE)
    elsewhere.add("u", "a", 31, VALUE)
    elsewhere.forget_table("t")
    assert list(elsewhere.kept) == [("u", "a")]


def test_waiting_ends_when_the_store_has_learned_of_all(own: OwnStore) -> None:
    elsewhere = Elsewhere(own.shows)
    for number in range(50):
        elsewhere.add("t", str(number), 100 + number, VALUE)

    def learn_all() -> None:
        for number in range(50):
            own.learn(str(number), 100 + number, VALUE)

    learning = threading.Thread(target=learn_all)
    learning.start()
    elsewhere.await_all(soon(30), lambda *_: False)
    learning.join()
    assert not elsewhere.kept


def test_what_was_deleted_and_forgotten_is_not_waited_for(own: OwnStore) -> None:
    elsewhere = Elsewhere(own.shows)
    elsewhere.add("t", "gone", 10, VALUE)
    elsewhere.add("t", "here", 11, VALUE)
    own.learn("here", 11, VALUE)
    asked: list[tuple[str, str]] = []

    def is_gone(table: str, key: str) -> bool:
        asked.append((table, key))
        return True

    elsewhere.await_all(soon(30), is_gone)
    assert asked == [("t", "gone")]
    assert not elsewhere.kept


def test_waiting_has_an_end(own: OwnStore) -> None:
    elsewhere = Elsewhere(own.shows)
    elsewhere.add("t", "a", 10, VALUE)
    with pytest.raises(RequestTimeout, match="1 records"):
        elsewhere.await_all(soon(0.05), lambda *_: False)
    assert elsewhere.waiting("t", "a") is not None


@given(st.lists(st.integers(0, 300), min_size=1, max_size=300))
def test_as_many_are_kept_as_the_store_does_not_show(writes: list[int]) -> None:
    """A store that shows each write once three more were made: so few are kept."""
    shown = 0
    elsewhere = Elsewhere(lambda table, key, stamp: stamp <= shown)
    for stamp, key in enumerate(writes, 1):
        shown = stamp - 3
        elsewhere.add("t", str(key), stamp, VALUE)
        assert len(elsewhere.kept) <= PRUNE_AT
        if stamp % 7:
            continue
        last = {key: stamp for stamp, key in enumerate(writes[:stamp], 1)}
        for number in set(writes[:stamp]):
            found = elsewhere.waiting("t", str(number))
            if last[number] > shown:
                assert found is not None and found.stamp == last[number]
            else:
                assert found is None
