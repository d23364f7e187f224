"""Datagrams of events: round trips, every reason of refusal, cutting, replays, arbitrary bytes."""

from __future__ import annotations

import random
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass.wire import event_bodies, events
from isinglass.wire.bodies import BadDatagram
from isinglass.wire.events import (
    AGAIN,
    ASK,
    BODY_LIMIT,
    DATAGRAM_LIMIT,
    EVENTS,
    FIGURES,
    GONE,
    REASONS,
    STATUS,
    EventOpener,
    EventSealer,
    WireEvent,
    pack_again,
    pack_events,
    pack_figures,
)

KEY = b"k" * 32
EVENT = [1 << 40, 9, "queue", "batch applied", "count=3\ttable=t", "store/apply.py:77"]
GOOD: list[tuple[int, Any]] = [
    (EVENTS, ["oak", "daemon", 1, [EVENT, EVENT]]),
    (STATUS, ["oak", "daemon", 77, "daemon", "10.0.0.1", 7372, 9, 3, 0, 12, 0]),
    (STATUS, ["oak", "put", 77, "client", "10.0.0.1", 7372, 0, 1, 0, 12, 1]),
    (FIGURES, ["oak", 1_700_000_000, 0, 1, [["queue", "", {"entries": 3, "p": 0.5, "t": "x"}]]]),
    (ASK, [7, [1, 1, 3, 9]]),
    (AGAIN, [7, "oak", "daemon", [[3, *EVENT], [9, *EVENT]]]),
    (GONE, [7, 1, 2]),
]
BROKEN: list[tuple[int, Any]] = [
    (0, []),
    (7, []),
    (EVENTS, {}),
    (EVENTS, []),
    (EVENTS, ["oak", "daemon", 1, []]),
    (EVENTS, ["oak", "daemon", 0, [EVENT]]),
    (EVENTS, ["oak", "daemon", True, [EVENT]]),
    (EVENTS, ["oak", "daemon", (1 << 63) - 1, [EVENT]]),
    (EVENTS, ["Oak", "daemon", 1, [EVENT]]),
    (EVENTS, [b"oak", "daemon", 1, [EVENT]]),
    (EVENTS, ["oak", "d" * 65, 1, [EVENT]]),
    (EVENTS, ["oak", "daemon", 1, [EVENT[:5]]]),
    (EVENTS, ["oak", "daemon", 1, [[*EVENT, ""]]]),
    (EVENTS, ["oak", "daemon", 1, ["abcdef"]]),
    *((EVENTS, ["oak", "daemon", 1, [[*EVENT[:place], wrong, *EVENT[place + 1:]]]])
      for place, wrong in ((0, -1), (0, "1"), (1, 0), (1, 25), (1, True), (2, "f" * 65), (2, b"f"),
                           (3, b"m"), (3, None), (4, 3), (5, "w" * 257), (5, b"w"))),
    *((STATUS, [*GOOD[1][1][:place], wrong, *GOOD[1][1][place + 1:]])
      for place, wrong in ((0, ""), (1, 3), (2, 0), (2, 1 << 31), (3, "r" * 65), (4, "oak"), (4, 1),
                           (4, "::1"), (5, 0), (5, 1 << 16), (6, -1), (7, 0), (7, 11), (8, -1),
                           (9, 0.5), (10, 2), (10, False))),
    (STATUS, GOOD[1][1][:-1]),
    (FIGURES, ["oak", 1, 0, 1, [["queue", "", {"entries": float("nan")}]]]),
    (FIGURES, ["oak", 1, 0, 1, [["queue", "", {"entries": float("inf")}]]]),
    (FIGURES, ["oak", 1, 0, 1, [["queue", "", {"entries": None}]]]),
    (FIGURES, ["oak", 1, 0, 1, [["queue", "", {"entries": True}]]]),
    (FIGURES, ["oak", 1, 0, 1, [["queue", "", {"entries": "x" * 257}]]]),
    (FIGURES, ["oak", 1, 0, 1, [["queue", "", {3: 3}]]]),
    (FIGURES, ["oak", 1, 0, 1, [["queue", {}]]]),
    (FIGURES, ["oak", 1, 1, 1, []]),
    (FIGURES, ["oak", 1, 0, 0, []]),
    (FIGURES, ["oak", 1, 0, 257, []]),
    (FIGURES, ["oak", -1, 0, 1, []]),
    (ASK, [0, [1, 1]]),
    (ASK, [7, []]),
    (ASK, [7, [1]]),
    (ASK, [7, [2, 1]]),
    (ASK, [7, [0, 1]]),
    (ASK, [7, [1, 3, 3, 4]]),
    (ASK, [7, [1, True]]),
    (ASK, [7, [1, 1 << 63]]),
    (AGAIN, [7, "oak", "daemon", []]),
    (AGAIN, [7, "oak", "daemon", [[9, *EVENT], [9, *EVENT]]]),
    (AGAIN, [7, "oak", "daemon", [EVENT]]),
    (AGAIN, [0, "oak", "daemon", [[9, *EVENT]]]),
    (GONE, [7, 0, 1]),
    (GONE, [7, 2, 1]),
    (GONE, [0, 1, 1]),
    (GONE, [7, 1]),
]  # fmt: skip


def sealer(stream: int = 7, key: bytes = KEY, cluster: str = "c") -> EventSealer:
    return EventSealer(cluster, key, stream)


def opener(key: bytes = KEY) -> EventOpener:
    return EventOpener("c", key)


def reason(receiver: EventOpener, data: bytes) -> str:
    """Return why a datagram is refused."""
    with pytest.raises(BadDatagram) as caught:
        receiver.open(data)
    assert caught.value.reason in REASONS
    return caught.value.reason


@pytest.mark.parametrize(("kind", "body"), GOOD)
@pytest.mark.parametrize("key", [KEY, b""])
def test_every_kind_comes_as_it_was_sent(kind: int, body: Any, key: bytes) -> None:
    sender, receiver = sealer(key=key), opener(key)
    for counter, given_body in enumerate((body, msgpack.packb(body)), 1):
        found = receiver.open(sender.seal(kind, given_body, 123))
        assert found == (kind, 7, counter, 123, body)
    assert {number for number, _ in GOOD} == set(event_bodies.CHECKS)


@pytest.mark.parametrize(("kind", "body"), BROKEN)
def test_a_body_that_breaks_its_kinds_rules_is_refused(kind: int, body: Any) -> None:
    assert reason(opener(), sealer().seal(kind, body, 1)) == "malformed"


def test_what_is_not_genuine_is_refused_with_its_reason() -> None:
    data = sealer().seal(*GOOD[0], 1)
    receiver = opener()
    assert reason(receiver, b"IG" + data[2:]) == "malformed"
    assert reason(receiver, data[:2] + b"\x02" + data[3:]) == "wrong_version"
    assert reason(receiver, sealer(cluster="d").seal(*GOOD[0], 1)) == "wrong_cluster"
    assert reason(receiver, sealer(key=b"other").seal(*GOOD[0], 1)) == "bad_tag"
    assert reason(receiver, sealer(key=b"").seal(*GOOD[0], 1)) == "bad_tag"
    assert reason(receiver, sealer(stream=0).seal(*GOOD[0], 1)) == "malformed"
    assert reason(receiver, data + bytes(DATAGRAM_LIMIT)) == "malformed"
    for place in range(12, len(data)):
        assert reason(receiver, data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :])
    receiver.open(data)
    assert reason(receiver, data) == "replayed"


def test_a_body_that_is_too_long_is_not_sealed() -> None:
    assert len(sealer().seal(EVENTS, bytes(BODY_LIMIT), 1)) == DATAGRAM_LIMIT
    with pytest.raises(ValueError, match="too long"):
        sealer().seal(EVENTS, bytes(BODY_LIMIT + 1), 1)


def test_datagrams_to_all_and_to_one_are_numbered_apart_and_gaps_are_counted() -> None:
    sender, receiver = sealer(), opener()
    sealed = [sender.seal(*GOOD[0], 1) for _ in range(10)]
    first_answer = receiver.open(sender.seal(*GOOD[-1], 1))
    assert first_answer.counter == 1
    for data in (sealed[0], sealed[9], sealed[4]):
        receiver.open(data)
    assert receiver.lost(7) == 7
    assert receiver.lost(8) == 0


def test_streams_not_heard_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "STREAMS_LIMIT", 3)
    receiver = opener()
    data = {stream: sealer(stream).seal(*GOOD[0], 1) for stream in range(1, 5)}
    later = EventSealer("c", KEY, 1)
    later.seal(*GOOD[0], 1)
    for stream in (1, 2, 3):
        receiver.open(data[stream])
    receiver.open(later.seal(*GOOD[0], 1))
    receiver.open(data[4])
    assert reason(receiver, data[1]) == "replayed"
    receiver.open(data[2])


texts = st.text(max_size=60) | st.text(min_size=500, max_size=3000)
any_text = st.text(st.characters(exclude_categories=()), max_size=30)
event_strategy = st.builds(
    WireEvent,
    st.integers(0, (1 << 64) - 1),
    st.integers(0, 255),
    texts | any_text,
    texts | any_text,
    texts | any_text,
    texts | any_text,
)


def told_whole(event: WireEvent) -> bool:
    """Tell whether an event needs no change to be told."""
    try:
        size = len(msgpack.packb(event))
    except UnicodeEncodeError:
        return False
    return size < 1200 and len(event.flag) <= 64 and len(event.where) <= 256 and event.severity != 0


@settings(max_examples=100)
@given(st.lists(event_strategy, min_size=1, max_size=8), st.integers(1, (1 << 62)))
def test_packed_events_come_in_order_and_whole_or_marked(
    given_events: list[WireEvent], first: int
) -> None:
    sender, receiver = sealer(), opener()
    found: list[WireEvent] = []
    for body in pack_events("oak", "p" * 64, first, given_events):
        told = receiver.open(sender.seal(EVENTS, body, 1)).body
        assert told[:3] == ["oak", "p" * 64, first + len(found)]
        found += (WireEvent(*event) for event in told[3])
    assert len(found) == len(given_events)
    for event, told in zip(given_events, found, strict=True):
        assert told.stamp == event.stamp
        if told_whole(event) and event.severity < 25:
            assert told == event
        elif len(told.message.encode()) < len(event.message.encode("utf-8", "replace")):
            assert told.message.endswith("…")
            assert told.fields.endswith("truncated=1")


@settings(max_examples=100)
@given(st.dictionaries(st.integers(1, 1 << 62), event_strategy, min_size=1, max_size=6))
def test_repeated_events_come_with_their_numbers(by_number: dict[int, WireEvent]) -> None:
    sender, receiver = sealer(), opener()
    numbers = sorted(by_number)
    found = []
    for body in pack_again(
        1 << 63, "oak", "x", [(number, by_number[number]) for number in numbers]
    ):
        told = receiver.open(sender.seal(AGAIN, body, 1)).body
        assert told[:3] == [1 << 63, "oak", "x"]
        found += [event[0] for event in told[3]]
    assert found == numbers


figures = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=64),
    st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | any_text | texts,
    max_size=60,
)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.text("abc", max_size=64), any_text, figures), max_size=12))
def test_figures_come_in_parts_that_say_how_many(rows: list[Any]) -> None:
    sender, receiver = sealer(), opener()
    packed = pack_figures("oak", 1_700_000_000, rows)
    names = set()
    for place, body in enumerate(packed):
        told = receiver.open(sender.seal(FIGURES, body, 1)).body
        assert told[:4] == ["oak", 1_700_000_000, place, len(packed)]
        names |= {(panel, name) for panel, _, part in told[4] for name in part}
    assert names == {
        (panel, name)
        for panel, _, part in rows
        for name, value in part.items()
        if not isinstance(value, float) or value - value == 0
    }


@settings(max_examples=300)
@given(st.integers(0, 8), st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(-9, 9), inner),
    max_leaves=20,
))  # fmt: skip
def test_arbitrary_bodies_are_refused_or_pass_their_check(kind: int, body: Any) -> None:
    receiver = opener()
    packed = msgpack.packb(body)
    if len(packed) > BODY_LIMIT:
        return
    try:
        receiver.open(sealer().seal(kind, packed, 1))
    except BadDatagram as error:
        assert error.reason == "malformed"


@settings(max_examples=300)
@given(st.binary(max_size=1500))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    reason(opener(), data)


def test_mutated_bodies_are_refused_or_pass_their_check() -> None:
    dice = random.Random(4)
    for _ in range(5000):
        kind, body = dice.choice(GOOD)
        packed = bytearray(msgpack.packb(body))
        for _ in range(dice.randrange(1, 4)):
            packed[dice.randrange(len(packed))] = dice.randrange(256)
        try:
            opener().open(sealer().seal(kind, bytes(packed), 1))
        except BadDatagram as error:
            assert error.reason == "malformed"
