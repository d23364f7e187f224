"""The own ring as it grows, and what is answered from a ring: every event once, or counted."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from isinglass.emit.answers import ASKS_A_SECOND, EVENTS_AN_ANSWER, Allowance, answer
from isinglass.emit.rings import OwnRing, runs
from isinglass.glass.events import EVENTS
from isinglass.glass.layout import RegionWord
from isinglass.glass.region import OWN
from isinglass.glass.schema import place_text
from isinglass.wire.event_bodies import WireEvent


def event(number: int) -> WireEvent:
    return WireEvent(number, 9, "f", f"event {number}", "", "")


def emit(count: int, size: int = 20) -> None:
    for _ in range(count):
        number = OWN.words[RegionWord.EVENT_COUNT] + 1
        EVENTS.emit(9, "f", f"event {number} " + "x" * size, {"number": number})


def test_the_own_ring_gives_each_event_once_in_order_also_round_its_end() -> None:
    EVENTS.restart()
    ring, dice, found = OwnRing(), random.Random(4), []
    for _ in range(300):
        emit(dice.randrange(40), dice.choice((1, 50, 900, 3000)))
        before = ring.told
        taken = ring.take()
        assert [number for number, _ in taken] == list(range(before + 1, ring.told + 1))
        found += taken
    assert len(found) == OWN.words[RegionWord.EVENT_COUNT] == ring.told
    assert all(told.message.startswith(f"event {number} ") for number, told in found)
    assert not ring.take()


def test_what_was_overwritten_before_it_was_taken_is_a_gap_in_the_numbers() -> None:
    EVENTS.restart()
    ring = OwnRing()
    emit(20)
    assert len(ring.take()) == 20
    emit(5000)
    taken = ring.take()
    assert taken[0][0] == ring.oldest() > 21
    assert taken[-1][0] == ring.told == 5020
    assert len(taken) == 5020 - taken[0][0] + 1
    assert [number for number, _ in ring.everything()] == [number for number, _ in taken]


def test_a_ring_that_was_emptied_begins_another_stream() -> None:
    stream = OWN.words[RegionWord.STREAM]
    emit(3)
    EVENTS.restart()
    ring = OwnRing()
    assert OWN.words[RegionWord.STREAM] != stream
    assert (ring.told, ring.oldest(), ring.take()) == (0, 1, [])
    emit(1)
    assert [number for number, _ in ring.take()] == [1]


def test_a_flag_or_a_message_that_is_too_long_is_cut() -> None:
    EVENTS.restart()
    EVENTS.emit(9, "ä" * 100, "m" * 10_000, {"key": "v" * 10_000, "tab\t": "a\tb\nc"})
    ((_, told),) = OwnRing().take()
    assert told.flag == "ä" * 32
    assert told.message.endswith("m…")
    assert told.fields.startswith("key=vvv")
    assert len(told.message) + len(told.fields) < 4100
    EVENTS.emit(9, "f", "m", {"tab\t": "a\tb\nc", "n": 3})
    *_, (_, told) = OwnRing().take()
    assert told.fields == "tab =a b c\tn=3"


def test_a_handler_that_logs_while_its_thread_does_waits_for_nothing() -> None:
    """As a signal's handler or a finalizer may, between any two steps of the same thread."""
    EVENTS.restart()

    class Nosy(str):
        __slots__ = ()

        def __format__(self, spec: str) -> str:
            emit(1)
            return "x"

    with EVENTS._lock:
        emit(1)
    EVENTS.emit(9, "f", "outer", {"key": Nosy()})
    assert [told.message for _, told in OwnRing().take()][-1] == "outer"


def test_runs_are_consecutive() -> None:
    numbers = [1, 2, 5, 6, 7, 9]
    assert [(first, len(events)) for first, events in runs((n, event(n)) for n in numbers)] == [
        (1, 2), (5, 3), (9, 1),
    ]  # fmt: skip
    assert place_text("/usr/lib/shop/orders/take.py", 7) == "shop/orders/take.py:7"
    assert place_text("", 0) == ""


@given(
    st.integers(1, 60), st.integers(0, 60), st.sets(st.integers(1, 60)),
    st.sets(st.integers(1, 90), min_size=2),
)  # fmt: skip
def test_what_is_asked_for_comes_again_or_is_gone_or_is_to_come(
    oldest: int, newest: int, holes: set[int], edges: set[int]
) -> None:
    ordered = sorted(edges)
    ranges = ordered[: len(ordered) // 2 * 2]
    had = [n for n in range(oldest, newest + 1) if n not in holes]
    found = answer(((n, event(n)) for n in had), newest, ranges)
    asked = {n for a, b in zip(ranges[::2], ranges[1::2], strict=True) for n in range(a, b + 1)}
    gone = [n for first, last in found.gone for n in range(first, last + 1)]
    assert [n for n, _ in found.again] == sorted(asked & set(had))
    assert gone == sorted(n for n in asked if n <= newest and n not in had)


def test_answers_are_bounded() -> None:
    found = answer(((n, event(n)) for n in range(1, 5001)), 5000, [1, 5000])
    assert len(found.again) == EVENTS_AN_ANSWER
    allowance = Allowance()
    assert sum(allowance.take(5) for _ in range(1000)) == ASKS_A_SECOND
    assert allowance.take(2_000_000_000)
