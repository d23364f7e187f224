"""Packing of updates: all come back in order, no body is too long, parts in any order."""

from __future__ import annotations

import random
import zlib
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass.wire import packing
from isinglass.wire.bodies import (
    PART,
    REPAIR,
    UPDATES,
    BadDatagram,
    Update,
    parse,
    repairs_of,
    runs_of,
    update_count,
)
from isinglass.wire.datagrams import BODY_LIMIT
from isinglass.wire.packing import Outgoing, Packer, PartBuffer, part_bodies, repair_bodies

VERSION = bytes(10)
TABLES = st.sampled_from(["orders", "o", "größe", "x" * 120, "y" * 40])
KEYS = st.text(min_size=1, max_size=100).map(lambda text: text.encode(errors="ignore") or b"k")
SIZES = st.one_of(st.integers(0, 100), st.integers(200, 270), st.integers(0, 4000))
RECORDS = SIZES.map(lambda size: VERSION + b"\0" + b"v" * size)
TABLE_CHANGES = st.sampled_from([VERSION + b"\x80", VERSION + b"\x80\x92\xa0\x90"])
CHANGES = st.one_of(
    st.tuples(TABLES, KEYS, RECORDS),
    st.tuples(TABLES, KEYS, RECORDS),
    st.tuples(TABLES, st.just(b""), TABLE_CHANGES),
)
Change = tuple[str, bytes, bytes]


def unpacked(sent: list[Outgoing]) -> list[tuple[int, str, bytes, bytes]]:
    """Return what a receiver makes of bodies that come in order."""
    buffer = PartBuffer()
    found: list[tuple[int, str, bytes, bytes]] = []
    for kind, packed, updates in sent:
        assert len(packed) <= BODY_LIMIT
        body = parse(kind, packed)
        if kind == UPDATES:
            assert updates == update_count(body)
            for number, table, pairs in runs_of(body):
                changes = zip(pairs[::2], pairs[1::2], strict=True)
                found += ((n, table, *change) for n, change in enumerate(changes, number))
        elif whole := buffer.add(body):
            origin, incarnation, ((sequence,), table, key, record) = whole
            assert (origin, incarnation, updates) == (3, 9, 1)
            found.append((sequence, table, key, record))
    assert not len(buffer)
    return found


@settings(max_examples=300)
@given(st.lists(CHANGES, max_size=120), st.integers(1, 2**62), st.randoms(use_true_random=False))
def test_every_update_comes_back_under_its_number(
    changes: list[Change], first: int, generator: random.Random
) -> None:
    packer, sent = Packer(3, 9, first), []
    for place, change in enumerate(changes):
        assert packer.next_sequence == first + place
        packer.add(change[0], change[1:])
        assert packer.waiting
        if generator.random() < 0.05:
            full = generator.random() < 0.5
            sent += packer.take(full=full)
            assert not packer.ready and (full or not packer.waiting)
    sent += packer.take()
    assert packer.take() == []
    assert unpacked(sent) == [(first + n, *change) for n, change in enumerate(changes)]


@settings(max_examples=100)
@given(st.integers(1, 400), st.integers(0, 1300), TABLES)
def test_a_datagram_under_load_is_nearly_full(key: int, value: int, table: str) -> None:
    packer = Packer(3, 9)
    change = (table, b"k" * key, VERSION + b"\0" + b"v" * value)
    for _ in range(300):
        packer.add(change[0], change[1:])
    sent = [len(packed) for kind, packed, _ in packer.take() if kind == UPDATES]
    largest = key + value + 11 + 6
    assert all(size > BODY_LIMIT - largest - len(table.encode()) - 40 - 600 // (key + 11)
               for size in sent[:-1])  # fmt: skip


def test_the_packer_says_how_many_bodies_are_full() -> None:
    packer = Packer(3, 9)
    while not packer.ready:
        packer.add("t", (b"key", VERSION + b"\0" + b"v" * 60))
    assert packer.next_sequence > 15
    (full,) = packer.take(full=True)
    assert (full.updates, packer.ready, packer.waiting) == (packer.next_sequence - 2, 0, True)
    assert [body.updates for body in packer.take()] == [1]


def test_an_update_too_large_for_parts_gets_no_number() -> None:
    packer = Packer(3, 9)
    packer.add("t", (b"a", VERSION + b"\0"))
    with pytest.raises(ValueError, match="parts"):
        packer.add("t", (b"b", bytes(1_000_000)))
    packer.add("t", (b"c", VERSION + b"\0"))
    assert [(n, key) for n, _, key, _ in unpacked(packer.take())] == [(1, b"a"), (2, b"c")]


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sets(st.integers(1, 2**63 - 1), min_size=1), CHANGES), max_size=20),
    st.integers(0, 300),
)
def test_repairs_come_back_whatever_their_size(
    given_: list[tuple[set[int], Change]], many: int
) -> None:
    repairs = [Update(sorted(numbers), *change) for numbers, change in given_]
    repairs += [Update(list(range(1, many + 1)), "t", b"k", VERSION + b"\0")] * (many > 0)
    buffer = PartBuffer()
    found: list[Update] = []
    for kind, packed, _ in repair_bodies((3, 9), repairs):
        assert len(packed) <= BODY_LIMIT
        body = parse(kind, packed)
        assert body[:2] == [3, 9]
        if kind == REPAIR:
            found += repairs_of(body)
        elif whole := buffer.add(body):
            found.append(whole[2])
    pairs = [(n, tuple(rest)) for numbers, *rest in found for n in numbers]
    assert sorted(pairs) == sorted((n, tuple(rest)) for numbers, *rest in repairs for n in numbers)
    assert not len(buffer)


@pytest.mark.parametrize("size", range(1200, 1420))
def test_a_repair_near_the_limit_comes_back(size: int) -> None:
    for sequences in ([7], list(range(1, 65))):
        update = Update(
            sequences, "t", b"k", VERSION + b"\0" + bytes(size - 64 * (sequences != [7]))
        )
        buffer = PartBuffer()
        found: list[Update] = []
        for kind, packed, _ in repair_bodies((3, 9), [update]):
            assert len(packed) <= BODY_LIMIT
            body = parse(kind, packed)
            whole = buffer.add(body) if kind == PART else None
            found += [whole[2]] if whole else repairs_of(body) if kind == REPAIR else []
        assert found == [update]


def parts_of(record: bytes, sequence: int = 1) -> list[list[Any]]:
    return [
        parse(PART, packed)
        for _, packed, _ in part_bodies((3, 9), Update([sequence], "t", b"k", record))
    ]


def test_parts_may_come_in_any_order_and_twice() -> None:
    record = random.Random(1).randbytes(65_536)
    parts = parts_of(record) * 2
    random.Random(2).shuffle(parts)
    buffer = PartBuffer()
    whole = [found for part in parts if (found := buffer.add(part))]
    assert whole[0] == (3, 9, Update([1], "t", b"k", record))


def test_parts_of_two_states_of_a_record_never_mix() -> None:
    old, new = parts_of(b"a" * 5000), parts_of(b"b" * 5000)
    buffer = PartBuffer()
    assert [buffer.add(part) for part in (*old[:2], *new[2:])] == [None] * len(old)
    buffer.add(new[0])
    whole = buffer.add(new[1])
    assert whole and whole[2].record == b"b" * 5000


def test_parts_that_make_no_update_are_malformed() -> None:
    for whole, check in [
        (b"no", zlib.crc32(b"other")),
        (b"\xc1\xc1", zlib.crc32(b"\xc1\xc1")),
        (junk := msgpack.packb(["t", b"k"]), zlib.crc32(junk)),
        (junk := msgpack.packb(["t", "k", b"x" * 11]), zlib.crc32(junk)),
        (junk := msgpack.packb(["t", b"k", b"x" * 10]), zlib.crc32(junk)),
    ]:
        buffer = PartBuffer()
        assert buffer.add([3, 9, [1], check, 0, 2, whole[:1]]) is None
        with pytest.raises(BadDatagram, match="malformed"):
            buffer.add([3, 9, [1], check, 1, 2, whole[1:]])
        assert (len(buffer), buffer.size_bytes) == (0, 0)


def test_what_is_never_whole_makes_room_for_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = PartBuffer()
    for sequence in range(1, 1000):
        buffer.add(parts_of(b"x" * 5000, sequence)[0])
    assert len(buffer) == packing.UNFINISHED_LIMIT
    monkeypatch.setattr(packing, "UNFINISHED_BYTES_LIMIT", 20_000)
    for part in parts_of(b"y" * 15_000)[:-1]:
        assert buffer.add(part) is None
        assert buffer.size_bytes <= max(20_000, 64 * 1300)
    whole = buffer.add(parts_of(b"y" * 15_000)[-1])
    assert whole and whole[2].record == b"y" * 15_000
    assert buffer.size_bytes == sum(
        len(data) for kept in buffer._unfinished.values() for data in kept.values()
    )
