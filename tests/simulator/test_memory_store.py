"""The store in memory is the twin of the one on disk, whatever is done to both."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass.errors import TableMissing
from isinglass.store import buckets, pieces, records
from isinglass.store.changes import Step
from isinglass.store.database import Store
from simulator.memory_store import MemoryStore
from store.steps import KEYS, STEPS, TABLES, fresh_store
from store.store_model import create, drop, value_record, writes

Batch = tuple[list[Step], dict[bytes, bytes]]
NOTES = st.dictionaries(st.sampled_from([b"", b"a", b"b"]), st.sampled_from([b"", b"1", b"2"]))


def everything(store: Store | MemoryStore, limit_bytes: int) -> list[pieces.Item]:
    """Return all records, read as buckets in pieces."""
    found: list[pieces.Item] = []
    place: pieces.Place | None = pieces.START
    while place is not None:
        items, place = store.bucket_records(frozenset(range(buckets.COUNT)), place, limit_bytes)
        found += items
    return found


def digests(store: Store | MemoryStore) -> list[int]:
    """Return the digests of a whole store."""
    *_, whole = store.bucket_digests()
    return whole


def found_in(store: Store | MemoryStore, table: str, key: bytes) -> object:
    """Return what a look-up says, an error by its text."""
    try:
        return store.look_up(table, key)
    except TableMissing as error:
        return str(error)


def same(twin: MemoryStore, store: Store) -> None:
    """Fail unless the two hold and answer the same."""
    assert twin.table_states() == sorted(store.table_states())
    assert twin.notes() == store.notes()
    assert digests(twin) == digests(store)
    held = everything(store, 1 << 20)
    assert everything(twin, 1 << 20) == everything(twin, 1) == held
    assert twin.newest_stamp() <= store.newest_stamp()


@pytest.mark.slow
@settings(max_examples=150)
@given(st.lists(st.tuples(st.lists(STEPS, max_size=4), NOTES), max_size=6), TABLES, KEYS)
def test_the_twin_is_the_store(batches: list[Batch], table: str, key: bytes) -> None:
    twin = MemoryStore()
    with fresh_store() as store:
        first: Batch = ([create("a", 1)], {})
        for number, (steps, notes) in enumerate([first, *batches]):
            done = store.apply(steps, notes=notes)
            assert twin.apply(steps, notes=notes).unknown == done.unknown
            if number == 2:
                twin.crash(keep_applied=True)
        same(twin, store)
        assert found_in(twin, table, key) == found_in(store, table, key)


@settings(max_examples=50)
@given(st.lists(STEPS, max_size=5), st.lists(STEPS, max_size=5))
def test_a_power_loss_takes_back_what_was_not_flushed(
    flushed: list[Step], lost: list[Step]
) -> None:
    twin = MemoryStore()
    with fresh_store() as store:
        store.apply(flushed, notes={b"a": b"1"})
        twin.apply(flushed, sync=True, notes={b"a": b"1"})
        twin.apply(lost, notes={b"a": b"2"})
        twin.crash(keep_applied=False)
        same(twin, store)
        store.apply(lost)
        twin.apply(lost)
        same(twin, store)


def test_a_batch_does_not_change_with_what_it_was_made_of() -> None:
    twin = MemoryStore()
    members = {b"k": value_record(5)}
    twin.apply([create("a", 1), writes("a", k=value_record(5))._replace(records=members)])
    members[b"k"] = value_record(6)
    twin.flush()
    twin.crash(keep_applied=False)
    assert twin.look_up("a", b"k") == value_record(5)
    twin.apply([drop("a", 7)])
    with pytest.raises(TableMissing):
        twin.look_up("a", b"k")
    assert twin.newest_stamp() == 7
    assert records.version_stamp(records.NEVER) == 0
