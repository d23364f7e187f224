"""Index keys: values sort as bytes the way they sort as values, and lead back to their record."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isinglass.errors import BadRecord
from isinglass.store import index
from isinglass.store.index import Bounds, IndexedField, encode_value
from store.store_model import tombstone, value_record

FIELD = IndexedField("f", b"\0\0\0\7")
NUMBERS = st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False)
SHORT = st.text(max_size=10) | st.text("\0\1\2a", max_size=30)
BINARY = st.binary(max_size=10) | st.binary(max_size=10).map(lambda raw: raw.replace(b"a", b"\0"))
VALUES = st.none() | st.booleans() | NUMBERS | SHORT | BINARY
LONG = st.tuples(st.sampled_from([94, 95, 96, 97, 150]), SHORT).map(lambda t: "m" * t[0] + t[1])


def rank(value: object) -> tuple[int, object]:
    """Return the order that index keys must have, in Python's own comparison."""
    kinds = {type(None): 0, bool: 1, int: 2, float: 2, str: 3, bytes: 4}
    kind = kinds[type(value)]
    if isinstance(value, str):
        return kind, value.encode("utf-8", "surrogatepass")
    return kind, 0 if value is None else value


@given(VALUES, VALUES)
@example(2**53, 2**53 + 1)
@example(2**63, float(2**63))
@example(2**64 - 1, float(2**64))
@example(-(2**63), -(2**63) + 1)
@example(2, 2.5)
@example(0.0, -0.0)
@example(-1.5, -1)
@example("a", "a\0")
@example("a\0", "a\1")
@example(sys.float_info.min, 0)
@example(math.inf, 2**64 - 1)
def test_encoded_values_sort_as_values(one: object, two: object) -> None:
    first, second = encode_value(one), encode_value(two)
    assert first is not None
    assert second is not None
    key = b"k"
    if rank(one) == rank(two):
        assert first == second
    else:
        assert (first + index.END + key < second + index.END + key) == (rank(one) < rank(two))


@given(LONG, LONG)
def test_cut_text_never_sorts_the_wrong_way(one: str, two: str) -> None:
    first, second = encode_value(one), encode_value(two)
    assert first is not None
    assert second is not None
    if one < two:
        assert first <= second


def test_nan_comes_before_all_numbers() -> None:
    nan, low = encode_value(math.nan), encode_value(-math.inf)
    assert nan is not None
    assert low is not None
    assert nan < low


@pytest.mark.parametrize("value", [[1], {}, 1 << 64, -(1 << 63) - 1, (1,), object()])
def test_other_values_are_in_no_index(value: object) -> None:
    assert encode_value(value) is None
    with pytest.raises(BadRecord):
        Bounds(FIELD, equal=value)


@given(VALUES | LONG, st.binary(min_size=1, max_size=400))
def test_an_index_key_leads_to_its_record(value: object, key: bytes) -> None:
    [entry] = index.entries(key, value_record(1, f=value), [FIELD])
    assert entry is not None
    assert index.record_key(entry) == key
    assert len(entry) <= 511  # LMDB's limit


def test_deleted_records_and_missing_fields_are_in_no_index() -> None:
    assert index.entries(b"k", tombstone(1), [FIELD]) == [None]
    assert index.entries(b"k", value_record(1, g=1), [FIELD]) == [None]
    assert index.entries(b"k", value_record(1, f=[1]), [FIELD]) == [None]


@given(st.lists(VALUES | LONG, max_size=30), VALUES | LONG, VALUES | LONG)
def test_bounds_admit_what_they_say(values: list[object], start: object, stop: object) -> None:
    def found(bounds: Bounds) -> list[tuple[int, object]]:
        inside = []
        for number, value in enumerate(values):
            [entry] = index.entries(b"%d" % number, value_record(1, f=value), [FIELD])
            assert entry is not None
            if bounds.low <= entry < bounds.high and (bounds.exact or bounds.admits({"f": value})):
                inside.append(rank(value))
        return sorted(inside, key=repr)

    def wanted(accepts: Callable[[tuple[int, object]], bool]) -> list[tuple[int, object]]:
        return sorted((rank(v) for v in values if accepts(rank(v))), key=repr)

    low, high = rank(start), rank(stop)
    assert found(Bounds(FIELD)) == wanted(lambda place: True)
    assert found(Bounds(FIELD, equal=start)) == wanted(lambda place: place == low)
    assert found(Bounds(FIELD, start=start)) == wanted(
        lambda place: place[0] == low[0] and place >= low
    )
    assert found(Bounds(FIELD, stop=stop)) == wanted(
        lambda place: place[0] == high[0] and place < high
    )
    assert found(Bounds(FIELD, start=start, stop=stop)) == wanted(lambda place: low <= place < high)


@pytest.mark.parametrize("value", [{}, {"f": [1]}, {"f": {}}, {"f": "text"}, {"f": 1}, {"f": None}])
def test_a_record_that_no_longer_fits_is_not_admitted(value: dict[str, object]) -> None:
    """As when its primary has another value of it: perhaps of another kind, or of none."""
    for bounds in (Bounds(FIELD, start=5), Bounds(FIELD, equal=7), Bounds(FIELD, start=5, stop=9)):
        assert bounds.admits({"f": 7})
        assert not bounds.admits(value)


def test_an_open_end_stays_within_the_kind_of_the_other() -> None:
    below, above = Bounds(FIELD, stop=5), Bounds(FIELD, start=5)
    admitted = [(below.admits({"f": value}), above.admits({"f": value})) for value in (4, 5, "a")]
    assert admitted == [(True, False), (False, True), (False, False)]
    assert not below.admits({"f": None})
