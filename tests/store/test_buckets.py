"""Buckets: spread, digests that find what differs, pieces of bounded size, notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass.store import buckets, pieces
from isinglass.store.changes import Writes
from isinglass.store.database import Store
from store.store_model import create, drop, tombstone, value_record, writes

ALL = frozenset(range(buckets.COUNT))
Held = dict[tuple[bytes, bytes], bytes]
HELD = st.dictionaries(
    st.tuples(st.sampled_from([b"a", b"ab"]), st.sampled_from([b"b", b"bc", b"c", b""])),
    st.sampled_from([value_record(1), value_record(2), tombstone(1)]),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store", durability="none") as made:
        yield made


def digests_of(held: Held) -> list[int]:
    """Return the digests of records by table and key."""
    digests = [0] * buckets.COUNT
    for (table, key), record in held.items():
        buckets.count_in(digests, table, key, record)
    return digests


def test_keys_in_a_row_spread_over_the_buckets() -> None:
    held = [0] * buckets.COUNT
    for number in range(20 * buckets.COUNT):
        held[buckets.bucket_of(b"table", b"customer %d" % number)] += 1
    assert min(held) >= 1
    assert max(held) <= 60, "20 are the mean; a random function has up to about 42"


@given(HELD, HELD)
def test_digests_differ_exactly_where_the_records_do(one: Held, other: Held) -> None:
    found = {
        number
        for number, (a, b) in enumerate(zip(digests_of(one), digests_of(other), strict=True))
        if a != b
    }
    differing = {where for where in one.keys() | other.keys() if one.get(where) != other.get(where)}
    assert found == {buckets.bucket_of(*where) for where in differing}


def test_pieces_are_short_and_make_a_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {b"%05d" % number: value_record(5, n="x" * 40) for number in range(1000)}
    store.apply([create("t", 1), create("empty", 1), create("u", 1, "/"), Writes("t", rows)])
    store.apply([Writes("u", {b"g/1": value_record(5), b"g/2": tombstone(6)}), drop("empty", 9)])
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 0.0)
    assert sum(1 for _ in store.bucket_digests()) >= 1000 // pieces.CHUNK
    *_, digests = store.bucket_digests()
    place: pieces.Place | None = pieces.START
    found: list[pieces.Item] = []
    while place is not None:
        items, place = store.bucket_records(ALL, place, 1)
        assert len(items) <= pieces.CHUNK
        found += items
    assert [key for table, key, _ in found if table == "t"] == sorted(rows)
    assert digests == digests_of({(t.encode(), key): record for t, key, record in found})
    some = {buckets.bucket_of(b"t", b"00007"), buckets.bucket_of(b"u", b"g/2")}
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 600.0)  # all in one, however busy the machine is
    items, place = store.bucket_records(some)
    assert place is None
    assert {("t", b"00007"), ("u", b"g/2")} <= {item[:2] for item in items}
    assert len(items) < 20


def test_a_table_that_moves_between_two_pieces_is_read_on(store: Store) -> None:
    store.apply([create("t", 1), writes("t", a=value_record(5), b=value_record(5))])
    items, place = store.bucket_records(ALL, limit_bytes=1 << 20)
    assert [item[1] for item in items] == [b"a", b"b"]
    assert place is None
    store.apply([create("t", 2, "/", "n")])
    items, _ = store.bucket_records(ALL, ("t", b"b"))
    assert items == [("t", b"b", value_record(5))]
    store.apply([drop("t", 9)])
    assert store.bucket_records(ALL, ("t", b"b")) == ([], None)


def test_notes_are_written_with_the_batch_or_not_at_all(store: Store, tmp_path: Path) -> None:
    store.apply([create("t", 1)], notes={b"": b"nobody", b"vector 2": b"17"})
    assert store.notes() == {b"": b"nobody", b"vector 2": b"17"}
    broken = Writes("t", {b"x" * 600: value_record(5)})  # a key that LMDB does not take
    with pytest.raises(Exception, match="cannot be used"):
        store.apply([broken], notes={b"vector 2": b"18"})
    assert store.notes()[b"vector 2"] == b"17"
    store.apply([], notes={b"": b"", b"vector 2": b"19"})
    store.close()
    with Store.open(tmp_path / "store") as again:
        assert again.notes() == {b"vector 2": b"19"}
        assert again.verify().problems == []
