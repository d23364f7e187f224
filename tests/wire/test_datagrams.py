"""Datagrams: round trips, every reason of refusal, lives and replays, arbitrary bytes."""

from __future__ import annotations

import gc
import random
import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass.wire import bodies, datagrams, reports
from isinglass.wire.bodies import (
    ACK,
    NACK,
    PART,
    REASONS,
    REPAIR,
    STATE,
    UPDATES,
    URGENT,
    VOID,
    BadDatagram,
)
from isinglass.wire.datagrams import (
    BODY_LIMIT,
    PROBATION_NS,
    TO_ONE,
    Identity,
    Opener,
    Sealer,
)
from isinglass.wire.packing import PartBuffer
from isinglass.wire.replay import WINDOW, ReplayWindow
from isinglass.wire.reports import LEAVING, LIVE, Echo, Load, Progress, Report
from isinglass.wire.seals import DATAGRAM_LIMIT

KEY = b"k" * 32
VERSION = bytes(10)
VALUE = VERSION + b"\0\x80"
SECOND_NS = 1_000_000_000
HEARTBEAT = Report(
    "oak", "127.0.0.1", 7371, 7372, LIVE, 77, 1_700_000_000_000, 0, Load(0.5, 1, 5e3, 2e4, 1e4, 9),
    8, (Echo(3, 5, 6),), {(3, 9): Progress(4, 3, 2, 2, 1)}, {3: 7}, {4: 1},
)  # fmt: skip
GOOD: list[tuple[int, Any]] = [
    (UPDATES, [1, "t", [b"a", VALUE, b"b", VALUE], "u", [b"", VERSION + b"\x80"]]),
    (PART, [3, 9, [4], 77, 0, 2, b"part"]),
    (STATE, HEARTBEAT.body()),
    (NACK, [7, 3, 9, [1, 1, 3, 8]]),
    (REPAIR, [3, 9, [1, 5], "t", b"a", VALUE, [6], "t", b"b", VALUE]),
    (VOID, [3, 9, 1, 5]),
    (ACK, [3, 9, 0]),
    (URGENT, [1, "t", [b"a", VALUE]]),
]


def sealer(origin: int = 3, incarnation: int = 9, key: bytes = KEY, cluster: str = "c") -> Sealer:
    return Sealer(Identity(cluster, key, origin, incarnation))


def opener(key: bytes = KEY) -> Opener:
    return Opener("c", key, 1, 5)


def reason(receiver: Opener, data: bytes) -> str:
    """Return why a datagram is refused."""
    with pytest.raises(BadDatagram) as caught:
        receiver.open(data)
    assert caught.value.reason in REASONS
    return caught.value.reason


@pytest.mark.parametrize(("kind", "body"), GOOD)
@pytest.mark.parametrize("flag", [0, TO_ONE])
@pytest.mark.parametrize("key", [KEY, b""])
def test_every_kind_comes_as_it_was_sent(kind: int, body: Any, flag: int, key: bytes) -> None:
    sender, receiver = sealer(key=key), opener(key)
    for counter, given_body in enumerate((body, msgpack.packb(body)), 1):
        found = receiver.open(sender.seal(kind | flag, given_body, 123))
        assert found == (kind, 3, 9, counter, 123, body)
    assert {number for number, _ in GOOD} == set(bodies.KINDS)


BROKEN: list[tuple[int, Any]] = [
    (0, []),
    (8, []),
    (UPDATES, []),
    (UPDATES, [1]),
    (UPDATES, {}),
    (UPDATES, [0, "t", [b"a", VALUE]]),
    (UPDATES, [True, "t", [b"a", VALUE]]),
    (UPDATES, [1 << 63, "t", [b"a", VALUE]]),
    (UPDATES, [1, "t", []]),
    (UPDATES, [1, "t", [b"a"]]),
    (UPDATES, [1, "t", [b"a", "text"]]),
    (UPDATES, [1, "t", ["a", VALUE]]),
    (UPDATES, [1, "t", [b"a", VALUE[:10]]]),
    (UPDATES, [1, "t", [b"a" * 401, VALUE]]),
    (UPDATES, [1, "t", [b"\xff", VALUE]]),
    (UPDATES, [1, "t", [b"", VALUE]]),
    (UPDATES, [1, "", [b"a", VALUE]]),
    (UPDATES, [1, "\n", [b"a", VALUE]]),
    (UPDATES, [1, b"t", [b"a", VALUE]]),
    (UPDATES, [1, "t", [b"a", VALUE], "u"]),
    (UPDATES, [1, "t", [msgpack.ExtType(1, b"a"), VALUE]]),
    (PART, [3, 9, [4], 77, 2, 2, b"x"]),
    (PART, [3, 9, [4], 77, 0, 0, b"x"]),
    (PART, [3, 9, [4], 77, 0, 257, b"x"]),
    (PART, [3, 9, [], 77, 0, 2, b"x"]),
    (PART, [3, 9, [4], 1 << 32, 0, 2, b"x"]),
    (PART, [3, 9, [4], 77, 0, 2, b""]),
    (PART, [3, 9, 4, 77, 0, 2, b"x"]),
    (STATE, {}),
    (STATE, []),
    (STATE, HEARTBEAT._replace(phase=4).body()),
    (STATE, HEARTBEAT._replace(view=-1).body()),
    (STATE, HEARTBEAT._replace(view=True).body()),
    (STATE, HEARTBEAT._replace(name="").body()),
    (STATE, HEARTBEAT._replace(name="n" * 49).body()),
    (STATE, HEARTBEAT._replace(address="oak.example.org").body()),
    (STATE, HEARTBEAT._replace(address="127.1").body()),
    (STATE, HEARTBEAT._replace(datagram_port=65_536).body()),
    (STATE, HEARTBEAT._replace(load=Load(backlog=float("nan"))).body()),
    (STATE, HEARTBEAT._replace(load=Load(demand=float("inf"))).body()),
    (STATE, HEARTBEAT._replace(load=Load(retired=-1.0)).body()),
    (STATE, HEARTBEAT._replace(echoes=(Echo(65_536, 1, 1),)).body()),
    (STATE, HEARTBEAT._replace(vector={(3, 9): (1, 2)}).body()),  # type: ignore[dict-item]
    (NACK, [7, 3, 9, []]),
    (NACK, [7, 3, 9, [2, 1]]),
    (NACK, [7, 3, 9, [1, 2, 2, 3]]),
    (NACK, [7, 3, 9, [1, 2, 3]]),
    (NACK, [7, 3, 9, [0, 2]]),
    (NACK, [7, 3, 9, [1, True]]),
    (NACK, [7, 0, 9, [1, 1]]),
    (NACK, [7, 65536, 9, [1, 1]]),
    (NACK, [7, 3, -1, [1, 1]]),
    (NACK, [7, 3, 9]),
    (NACK, [0, 3, 9, [1, 1]]),
    (REPAIR, [3, 9]),
    (REPAIR, [3, 9, [1], "t", b"a"]),
    (REPAIR, [3, 9, [2, 1], "t", b"a", VALUE]),
    (REPAIR, [3, 9, list(range(1, 66)), "t", b"a", VALUE]),
    (REPAIR, [3, 9, [1], "t", "a", VALUE]),
    (REPAIR, [3, 9, [1], "t", b"", VALUE]),
    (VOID, [3, 9, 2, 1]),
    (VOID, [3, 9, 0, 1]),
    (ACK, [3, 9, -1]),
    (ACK, [3, 9, 1.0]),
    (ACK, [3, 9, 1, 1]),
    (ACK, None),
]


@pytest.mark.parametrize(("kind", "body"), BROKEN)
def test_a_body_that_breaks_its_kinds_rules_is_malformed(kind: int, body: Any) -> None:
    assert reason(opener(), sealer().seal(kind, msgpack.packb(body), 0)) == "malformed"


@pytest.mark.parametrize("packed", [b"", b"\xc1", b"\x93\x01", b"\x90\x90", b"\x91" * 1300])
def test_a_body_that_is_not_msgpack_is_malformed(packed: bytes) -> None:
    for kind in bodies.KINDS:
        assert reason(opener(), sealer().seal(kind, packed, 0)) == "malformed"


def test_what_is_not_for_this_node_has_its_reason() -> None:
    good = sealer().seal(ACK, [3, 9, 1], 0)
    assert reason(opener(), b"") == "malformed"
    assert reason(opener(), good[:53]) == "malformed"
    assert reason(opener(), good + bytes(DATAGRAM_LIMIT)) == "malformed"
    assert reason(opener(), b"XG" + good[2:]) == "malformed"
    assert reason(opener(), b"IG\2" + good[3:]) == "wrong_version"
    assert reason(opener(), sealer(cluster="d").seal(ACK, [3, 9, 1], 0)) == "wrong_cluster"
    assert reason(opener(), sealer(key=b"j" * 32).seal(ACK, [3, 9, 1], 0)) == "bad_tag"
    assert reason(opener(b""), good) == "bad_tag"
    assert reason(opener(), sealer(origin=0).seal(ACK, [3, 9, 1], 0)) == "malformed"


def test_any_changed_bit_is_noticed() -> None:
    good = sealer().seal(ACK, [3, 9, 1], 77)
    receiver = opener()
    for bit in range(len(good) * 8):
        changed = bytearray(good)
        changed[bit >> 3] ^= 1 << (bit & 7)
        assert reason(receiver, bytes(changed)) != "replayed"
    assert receiver.open(good)


def test_a_body_over_the_limit_is_not_sealed() -> None:
    assert len(sealer().seal(ACK, bytes(BODY_LIMIT), 0)) == DATAGRAM_LIMIT
    with pytest.raises(ValueError, match="too long"):
        sealer().seal(ACK, bytes(BODY_LIMIT + 1), 0)


def test_own_datagrams_that_come_back_are_nothing() -> None:
    own = sealer(origin=1, incarnation=5).seal(ACK, [3, 9, 1], 0)
    receiver = opener()
    assert [receiver.open(own) for _ in range(3)] == [None] * 3


def test_each_datagram_is_taken_once_also_out_of_order() -> None:
    sender, receiver = sealer(), opener()
    sent = [sender.seal(ACK, [3, 9, 1], 0) for _ in range(WINDOW + 2)]
    random.Random(4).shuffle(sent)
    first = sent.pop()
    assert receiver.open(first)
    assert reason(receiver, first) == "replayed"
    for data in sent:
        try:
            assert receiver.open(data)
        except BadDatagram as error:
            assert error.reason == "replayed"  # below the window
    assert {reason(receiver, data) for data in sent} == {"replayed"}


def test_a_datagram_to_one_may_be_far_ahead_of_those_to_all() -> None:
    sender, receiver = sealer(), opener()
    to_all = [sender.seal(ACK, [3, 9, 1], 0) for _ in range(5000)]
    assert receiver.open(sender.seal(ACK | TO_ONE, [3, 9, 1], 0))
    assert all(map(receiver.open, to_all))


def test_the_network_s_losses_show_by_the_gaps() -> None:
    sender, receiver = sealer(), opener()
    sent = [sender.seal(ACK, [3, 9, 1], 0) for _ in range(100)]
    assert receiver.lost(3) == 0
    for data in sent[10:40] + sent[50:60] + sent[45:48]:
        receiver.open(data)
    assert receiver.lost(3) == 7
    assert receiver.open(sealer(incarnation=10).seal(ACK, [3, 9, 1], 0), PROBATION_NS)
    assert receiver.lost(3) == 0


@settings(max_examples=200)
@given(st.lists(st.integers(1, 3000), max_size=300))
def test_the_window_takes_each_number_once(numbers: list[int]) -> None:
    window, seen, highest = ReplayWindow(), set[int](), 0
    for number in numbers:
        expected = number not in seen and number > highest - WINDOW
        assert window.take(number) == expected
        if expected:
            seen.add(number)
        highest = max(highest, number)
    if seen:
        assert window.missing == highest - min(seen) + 1 - len(seen)


def test_an_earlier_life_is_dropped_and_a_later_one_starts_afresh() -> None:
    receiver = opener()
    old, new = sealer(incarnation=9), sealer(incarnation=10)
    assert receiver.open(old.seal(ACK, [3, 9, 1], 0))
    assert receiver.open(new.seal(ACK, [3, 9, 1], 0), PROBATION_NS)
    assert reason(receiver, old.seal(ACK, [3, 9, 1], 0)) == "old_life"
    assert receiver.open(new.seal(ACK, [3, 9, 1], 0))


def test_a_later_life_is_believed_when_the_earlier_one_is_silent_or_has_left() -> None:
    start, late = 100 * SECOND_NS, 100 * SECOND_NS + PROBATION_NS
    receiver, old, new = opener(), sealer(incarnation=9), sealer(incarnation=10)
    assert receiver.open(old.seal(ACK, [3, 9, 1], 0), start)
    for early in (start, late - 1):  # a listener takes in several with one look at the clock
        with pytest.raises(BadDatagram) as caught:
            receiver.open(new.seal(ACK, [3, 9, 1], 0), early)
        assert (caught.value.reason, caught.value.origin) == ("duplicate_node", 3)
        assert caught.value.number == 10
    assert receiver.open(new.seal(ACK, [3, 9, 1], 0), late)
    assert receiver.open(new.seal(STATE, HEARTBEAT._replace(phase=LEAVING).body(), 0), late)
    assert receiver.open(sealer(incarnation=11).seal(ACK, [3, 9, 1], 0), late + 1)


def test_another_node_with_this_one_s_number_is_told_from_an_own_earlier_life() -> None:
    receiver = opener()
    earlier, later = sealer(1, 4), sealer(1, 6)
    recorded = [earlier.seal(ACK, [3, 9, 1], place * 100_000_000) for place in range(10)]
    assert {reason(receiver, data) for data in recorded} == {"old_life"}
    assert {reason(receiver, data) for data in recorded} == {"replayed"}
    assert reason(receiver, earlier.seal(ACK, [3, 9, 1], SECOND_NS)) == "duplicate_node"
    assert reason(receiver, later.seal(ACK, [3, 9, 1], 0)) == "duplicate_node"


def test_senders_beyond_the_limit_push_out_the_one_known_longest() -> None:
    receiver = opener()
    for origin in range(2, 2 + 2 * datagrams.SENDERS_LIMIT):
        assert receiver.open(sealer(origin).seal(ACK, [3, 9, 1], 0))
    assert len(receiver._senders) == datagrams.SENDERS_LIMIT


def test_names_have_numbers_that_differ() -> None:
    names = [f"node{place}" for place in range(200)]
    numbers = [datagrams.origin_number(name) for name in names]
    assert all(1 <= number < 65_536 for number in numbers)
    assert len(set(numbers)) > 195
    assert datagrams.cluster_number("c") != datagrams.cluster_number("d")


def mutated(generator: random.Random, valid: bytes) -> bytes:
    """Return bytes that are noise, or valid ones changed, shortened, or joined with others."""
    raw = bytearray(valid if generator.random() < 0.8 else generator.randbytes(60))
    for _ in range(generator.randrange(4)):
        raw[generator.randrange(len(raw))] = generator.randrange(256)
    if generator.random() < 0.2:
        del raw[generator.randrange(len(raw)) :]
    if generator.random() < 0.2:
        raw += generator.randbytes(generator.randrange(20))
    return bytes(raw)


def traced_bytes() -> int:
    """Return what is allocated now, but for the names that are remembered, 1,024 at most."""
    for remembered in (bodies._is_table_name, reports._is_address):
        remembered.cache_clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.slow
def test_arbitrary_input_is_a_datagram_or_has_a_reason_and_keeps_no_memory() -> None:
    generator = random.Random(7)
    receiver, parts = opener(), PartBuffer()
    senders = [sealer(origin, origin % 7) for origin in range(1, 600)]
    packed = [(kind, msgpack.packb(body)) for kind, body in GOOD]
    sealed = [sealer().seal(kind, body, 0) for kind, body in packed]
    counts = dict.fromkeys([*REASONS, "taken"], 0)
    tracemalloc.start()
    try:
        for place in range(100_000):
            if place == 50_000:
                before = traced_bytes()
            if generator.random() < 0.5:
                data = mutated(generator, generator.choice(sealed))
            else:
                kind, body = generator.choice(packed)
                sent_ns = generator.randrange(2 * SECOND_NS)
                flags = generator.choice((0, 0, TO_ONE, generator.randrange(256)))
                sender = generator.choice(senders)
                data = sender.seal(kind ^ flags, mutated(generator, body), sent_ns)
            try:
                found = receiver.open(data)
                if found and found.kind == PART:
                    parts.add(found.body)
                counts["taken"] += 1
            except BadDatagram as error:
                counts[error.reason] += 1
        grown = traced_bytes() - before
    finally:
        tracemalloc.stop()
    assert min(counts.values()) > 0, counts
    assert counts["taken"] > 5_000, counts
    assert len(receiver._senders) <= datagrams.SENDERS_LIMIT
    assert grown < 200_000, f"{grown:,} bytes more after the second half"
