"""Counting records: any order, any company and any number of times, they end as the same bytes."""

from __future__ import annotations

import random
from functools import reduce
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass.errors import BadRecord, RecordTooLarge
from isinglass.store import adding, counters, records
from isinglass.store.counters import Contribution
from store.store_model import tombstone, value_record, version

Action = tuple[Any, ...]  # what is done, and what with
WRITERS = [counters.writer_of(origin, life) for origin, life in ((0, 1), (0, 2), (3, 1))]


class Node:
    """A node that puts, adds and deletes as the daemon does, by what it knows of one record."""

    def __init__(self, writer: bytes) -> None:
        self.writer = writer
        self.record: bytes | None = None

    def learn(self, record: bytes) -> None:
        self.record = counters.merged(self.record, record, records.NEVER)

    def mine(self, field: str) -> Contribution | None:
        if self.record is None:
            return None
        return counters.contents(self.record).fields.get(field, {}).get(self.writer)

    def made(self, action: Action, stamp: int) -> bytes:
        """Return the record of something that is done here, and know it."""
        origin = int.from_bytes(self.writer[:2], "big")
        if action[0] == "add":
            added = adding.next_addition(self.mine(action[1]), action[2], stamp)
            record = counters.addition(action[1], self.writer, added)
        elif action[0] == "put":
            record = value_record(stamp, origin, **action[1])
        elif self.record is not None and records.is_counting(self.record):
            record = counters.deletion(stamp, origin)
        else:
            record = tombstone(stamp, origin)
        self.learn(record)
        return record


FIELDS = st.sampled_from(["n", "m"])
ACTIONS = st.one_of(
    st.tuples(st.just("add"), FIELDS, st.integers(-3, 9)),
    st.tuples(st.just("add"), FIELDS, st.integers(-3, 9)),
    st.tuples(st.just("put"), st.dictionaries(FIELDS, st.integers(0, 5) | st.just("text"))),
    st.tuples(st.just("delete")),
    st.tuples(st.just("hear"), st.integers(0, 30)),
)
HISTORIES = st.lists(st.tuples(st.integers(0, 2), ACTIONS), max_size=25)


class Done(NamedTuple):
    """An update of a history, with what it did."""

    action: Action
    writer: bytes
    record: bytes


def played(history: list[tuple[int, Action]]) -> tuple[list[Node], list[Done]]:
    """Let three nodes do what a history says; they hear of some of each other's updates."""
    nodes, log = [Node(writer) for writer in WRITERS], []
    for number, (which, action) in enumerate(history):
        if action[0] != "hear":
            record = nodes[which].made(action, 10 + number)
            log.append(Done(action, nodes[which].writer, record))
        elif log:
            nodes[which].learn(log[action[1] % len(log)].record)
    return nodes, log


@settings(max_examples=400)
@given(HISTORIES, st.randoms(use_true_random=False))
def test_all_nodes_end_with_the_same_bytes(
    history: list[tuple[int, Action]], shuffler: random.Random
) -> None:
    nodes, log = played(history)
    if not log:
        return
    for node in nodes:
        again = [*log, *shuffler.sample(log, len(log) // 2)]
        shuffler.shuffle(again)
        for done in again:
            node.learn(done.record)
    whole = reduce(counters.join, (done.record for done in log))
    assert [node.record for node in nodes] == [whole] * 3
    counters.check_record(whole)
    assert whole[:10] <= max(done.record[:10] for done in log)


@settings(max_examples=400)
@given(HISTORIES, st.integers(0, 40))
def test_what_is_left_is_what_the_deletions_and_drops_did_not_know(
    history: list[tuple[int, Action]], floor_stamp: int
) -> None:
    _, log = played(history)
    floor = version(floor_stamp)
    held: bytes | None = None
    for done in log:
        held = counters.merged(held, done.record, floor)
    resets = [done.record[:10] for done in log if done.record[records.FLAGS] == 3]
    limit = max([floor, *resets])
    bases = [d.record for d in log if d.record[records.FLAGS] < 2 and d.record[:10] > limit]
    value: dict[str, object] = {}
    if bases and not records.is_tombstone(max(bases)):
        value = records.stored_value(max(bases))
    counted: dict[str, int] = {}
    for action, writer, record in log:
        if action[0] != "add":
            continue
        [(field, by_writer)] = counters.contents(record).fields.items()
        if counters.version_of(by_writer[writer].epoch, writer) > limit:
            counted[field] = counted.get(field, 0) + action[2]
    for field, total in counted.items():
        start = value.get(field)
        value[field] = total + start if isinstance(start, int) else total
    if held is None:
        assert value == {}
        return
    counters.check_record(held)
    shown = records.decode(b"k", held)
    assert (shown.value if shown else {}) == value
    assert (shown is None) == records.is_tombstone(held)


@settings(max_examples=300)
@given(HISTORIES, st.randoms(use_true_random=False))
def test_join_is_a_least_upper_bound(
    history: list[tuple[int, Action]], shuffler: random.Random
) -> None:
    _, log = played(history)
    if not log:
        return
    a, b, c = (
        reduce(counters.join, (done.record for done in shuffler.choices(log, k=3)))
        for _ in range(3)
    )
    join = counters.join
    assert join(a, b) == join(b, a)
    assert join(a, join(b, c)) == join(join(a, b), c)
    assert join(a, a) == a
    assert join(join(a, b), a) == join(a, b)


def test_two_plain_records_are_compared_as_ever() -> None:
    old, new = value_record(1, n=1), value_record(2)
    assert counters.join(old, new) is new
    assert counters.join(new, tombstone(2)) == tombstone(2)


def add(node: Node, number: int, stamp: int) -> bytes:
    """Return an add to the field "n"."""
    return node.made(("add", "n", number), stamp)


def test_a_deleted_counter_starts_at_zero_and_no_late_repeat_brings_it_back() -> None:
    here, there = Node(WRITERS[0]), Node(WRITERS[2])
    first, second = add(here, 5, 1), add(there, 7, 2)
    here.learn(second)
    there.learn(first)
    deleted = here.made(("delete",), 3)
    assert here.record is not None
    assert records.decode(b"k", here.record) is None
    newer = value_record(4, a=1)
    for late in (first, second, newer, first):
        here.learn(late)
    assert records.stored_value(here.record) == {"a": 1}, "also with a put in between"
    add(here, 1, 5)
    assert records.stored_value(here.record) == {"a": 1, "n": 1}
    on_its_way = add(there, 1, 6)  # in an epoch that the deletion knew of
    here.learn(on_its_way)
    assert records.stored_value(here.record) == {"a": 1, "n": 1}
    there.learn(deleted)
    here.learn(add(there, 2, 7))
    assert records.stored_value(here.record) == {"a": 1, "n": 3}


def test_a_put_does_not_touch_counters_and_a_number_is_where_they_start() -> None:
    node = Node(WRITERS[0])
    add(node, 2, 1)
    node.made(("put", {"n": 10, "name": "x"}), 2)
    add(node, -5, 3)
    assert records.stored_value(node.record or b"") == {"n": 7, "name": "x"}
    node.made(("put", {"n": "ten"}), 4)
    assert records.stored_value(node.record or b"") == {"n": -3}
    assert records.written_stamp(node.record or b"") == 4


def test_another_life_counts_on_beside_the_first_one() -> None:
    first, second, other = Node(WRITERS[0]), Node(WRITERS[1]), Node(WRITERS[2])
    for stamp in (1, 2, 3):
        other.learn(add(first, 1, stamp))
        if stamp < 3:  # the third one is lost with the queue of the first life
            second.record = first.record
    other.learn(add(second, 1, 9))
    assert records.stored_value(other.record or b"")["n"] == 4


def test_a_clock_that_stands_makes_no_add_a_repeat() -> None:
    one = adding.next_addition(None, 1, 10)
    two = adding.next_addition(one, 1, 10)
    assert two > one
    assert two.total == 2


def test_totals_end_at_64_bits_and_records_at_their_limit() -> None:
    most = adding.next_addition(None, adding.HIGHEST, 1)
    with pytest.raises(BadRecord, match="64 bits"):
        adding.next_addition(most, 1, 2)
    assert adding.next_addition(most, -1, 2).total == adding.HIGHEST - 1
    node = Node(WRITERS[0])
    large = value_record(1, text="x" * (records.VALUE_LIMIT_BYTES - 30))
    with pytest.raises(RecordTooLarge, match="fewer fields"):
        adding.check_size([large], add(node, 1, 2))
    adding.check_size([large, large], value_record(1))  # together they are one of them


@pytest.mark.parametrize(("kind", "wrong"), [
    ("field", ""), ("field", 3), ("field", "\ud800"), ("field", "x" * 401),
    ("number", True), ("number", 1.0), ("number", 1 << 63), ("number", None),
])  # fmt: skip
def test_what_cannot_be_counted_is_refused(kind: str, wrong: object) -> None:
    with pytest.raises(BadRecord):
        (adding.check_field if kind == "field" else adding.check_number)(wrong)


@settings(max_examples=500)
@given(st.binary(max_size=40), st.sampled_from([0, 1, 2, 3, 4, 255]), st.integers(0, 60))
def test_no_bytes_do_harm(noise: bytes, flags: int, place: int) -> None:
    node = Node(WRITERS[0])
    whole = counters.join(add(node, 2, 1), value_record(2, a=1))
    for damaged in (
        whole[:place] + noise + whole[place + len(noise) :],
        bytes(10) + bytes([flags]) + noise,
        noise,
    ):
        try:
            counters.check_record(damaged)
        except (BadRecord, RecordTooLarge):
            continue
        assert counters.join(damaged, whole) == counters.join(whole, damaged)
        records.decode(b"k", damaged)
