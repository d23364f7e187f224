"""Stored records: bytes there and back, the order of versions, keys, groups."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass.errors import BadRecord, RecordTooLarge
from isinglass.store import records

STAMPS = st.integers(0, (1 << 64) - 1)
ORIGINS = st.integers(0, records.ORIGIN_LIMIT - 1)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.text(),
    st.binary(),
    st.floats(allow_nan=False),
)
VALUES = st.dictionaries(
    st.text(max_size=8), st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3)), max_size=5
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(TEXT, VALUES, STAMPS, ORIGINS)
def test_a_record_comes_back_as_it_went_in(
    key: str, value: dict[str, Any], stamp: int, origin: int
) -> None:
    stored = records.encode(stamp, origin, records.pack_value(value))
    assert records.decode(records.key_bytes(key), stored) == (key, value, stamp, origin)
    assert not records.is_tombstone(stored)
    assert records.version_stamp(stored) == stamp


@given(STAMPS, ORIGINS)
def test_a_tombstone_is_nothing_to_a_reader(stamp: int, origin: int) -> None:
    stored = records.encode(stamp, origin, None)
    assert records.is_tombstone(stored)
    assert records.decode(b"k", stored) is None


@given(STAMPS, ORIGINS, STAMPS, ORIGINS, st.none() | st.just(b"\x80"), st.none() | st.just(b"\x80"))
def test_bytes_order_records_as_their_versions(
    stamp: int, origin: int, other: int, from_origin: int, one: bytes | None, two: bytes | None
) -> None:
    first = records.encode(stamp, origin, one)
    second = records.encode(other, from_origin, two)
    if (stamp, origin) != (other, from_origin):
        assert (first < second) == ((stamp, origin) < (other, from_origin))
    bound = records.older_bound(records.version_bytes(stamp, origin))
    assert (second < bound) == ((other, from_origin) <= (stamp, origin))


@given(st.lists(TEXT, max_size=20), st.sampled_from(["/", "é", "a", "\U0001f525"]))
def test_groups_keep_the_order_of_keys(keys: list[str], separator: str) -> None:
    ordered = sorted(map(records.key_bytes, keys))
    assert ordered == [records.key_bytes(key) for key in sorted(keys)]
    split = separator.encode()
    groups = [records.group_of(key, split) for key in ordered]
    assert groups == sorted(groups)
    assert all(key.startswith(group) for key, group in zip(ordered, groups, strict=True))
    for key, group in zip(ordered, groups, strict=True):
        assert (group == key) or group.endswith(split)
        assert group.count(split) == (key.count(split) > 0)


def test_without_a_separator_each_key_is_a_group() -> None:
    assert records.group_of(b"a/b", b"") == b"a/b"


@given(TEXT, st.lists(TEXT, max_size=10))
def test_after_prefix_is_just_above_all_that_start_with_it(prefix: str, others: list[str]) -> None:
    above = records.after_prefix(prefix)
    for other in [*others, prefix, *(prefix + other for other in others)]:
        inside = other.startswith(prefix)
        assert inside == (prefix <= other and (above is None or other < above))


def test_nothing_is_above_the_last_character() -> None:
    assert records.after_prefix("\U0010ffff") is None
    assert records.after_prefix("\ud7ff") == "\ue000"


@pytest.mark.parametrize("key", ["", "\ud800"])
def test_keys_that_are_none(key: str) -> None:
    with pytest.raises(BadRecord):
        records.key_bytes(key)


def test_keys_have_a_limit() -> None:
    assert records.key_bytes("é" * 200)
    with pytest.raises(RecordTooLarge, match="401"):
        records.key_bytes("é" * 200 + "a")
    with pytest.raises(BadRecord):
        records.check_key(b"\xff")


@pytest.mark.parametrize("value", [[1], {1: 2}, {"a": object()}, {"a": 1 << 64}, "text", None])
def test_values_that_are_no_records(value: object) -> None:
    with pytest.raises(BadRecord):
        records.pack_value(value)  # type: ignore[arg-type]


def test_values_have_a_limit() -> None:
    with pytest.raises(RecordTooLarge):
        records.pack_value({"a": "x" * records.VALUE_LIMIT_BYTES})
    with pytest.raises(RecordTooLarge):
        records.unpack_value(bytes(records.VALUE_LIMIT_BYTES + 1))


def test_a_value_nested_without_end_is_refused() -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(BadRecord):
        records.pack_value({"a": deep})


@given(st.binary(max_size=40))
def test_foreign_bytes_are_a_value_or_refused(payload: bytes) -> None:
    try:
        value = records.unpack_value(payload)
    except BadRecord:
        return
    assert isinstance(value, dict)
    assert all(isinstance(name, str) for name in value)


@pytest.mark.parametrize(
    "payload", [b"", b"\xc0", b"\x81\x01\x02", msgpack.packb([1]), b"\x80\x80", b"\x81\xa1a"]
)
def test_what_is_no_map_with_text_keys_is_refused(payload: bytes) -> None:
    with pytest.raises(BadRecord):
        records.unpack_value(payload)


def test_a_record_that_is_cut_short_is_told() -> None:
    stored = records.encode(1, 1, records.pack_value({"a": 1}))
    with pytest.raises(BadRecord):
        records.decode(b"k", stored[:9])
    with pytest.raises(BadRecord):
        records.decode(b"k", stored[:-1])
