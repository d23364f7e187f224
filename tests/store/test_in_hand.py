"""The batch in hand: what is found in it says what going through all of it would say."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass.store.changes import Step, Writes
from isinglass.store.counters import join
from isinglass.store.in_hand import FEW_STEPS, InHand
from store.steps import RECORDS
from store.store_model import create, drop

KEYS = [b"a", b"a/1", b"a/2", b"b/1", b"c"]
TABLES = ["orders", "people"]
found = st.dictionaries(st.sampled_from(KEYS), RECORDS, max_size=4)


@st.composite
def writes(draw: st.DrawFn) -> Writes:
    table, records = draw(st.sampled_from(TABLES)), draw(found)
    if draw(st.booleans()):
        return Writes(table, records)
    groups: dict[bytes, dict[bytes, bytes]] = {}
    for key, record in records.items():
        head, separator, _ = key.partition(b"/")
        groups.setdefault(head + separator, {})[key] = record
    return Writes(table, {}, groups, b"/")


changes = st.sampled_from([create("orders", 1), drop("people", 2)])
steps = st.lists(st.one_of(writes(), changes), max_size=3 * FEW_STEPS)


def whole(records: Iterable[bytes]) -> bytes | None:
    """Return what records say together."""
    together = [*records]
    return reduce(join, together) if together else None


@given(steps)
def test_it_says_what_going_through_all_of_it_would(steps: list[Step]) -> None:
    in_hand = InHand(steps)
    assert bool(in_hand) == bool(steps)
    for table in TABLES:
        for key in KEYS:
            expected = [
                part[key]
                for step in steps
                if isinstance(step, Writes) and step.table == table
                for part in (step.records, *step.groups.values())
                if key in part
            ]
            found = in_hand.find(table, key)
            assert len(found) <= FEW_STEPS
            assert whole(found) == whole(expected)


@pytest.mark.parametrize("separator", [b"", b"/"])
def test_a_question_does_not_go_through_the_batch(separator: bytes) -> None:
    """Each of thousands of adds asks, while the interpreter's lock keeps everybody else waiting."""

    class Counted(dict[bytes, object]):
        gone_through = 0

        def __iter__(self):  # type: ignore[no-untyped-def]
            Counted.gone_through += 1
            return super().__iter__()

        def values(self):  # type: ignore[no-untyped-def]
            Counted.gone_through += 1
            return super().values()

        def items(self):  # type: ignore[no-untyped-def]
            Counted.gone_through += 1
            return super().items()

    groups = Counted({b"a/": {b"a/1": b"record"}}) if separator else Counted()
    records = Counted() if separator else Counted({b"a/1": b"record"})
    in_hand = InHand([Writes("orders", records, groups, separator)])  # type: ignore[arg-type]
    for _ in range(3):
        assert [*in_hand.find("orders", b"a/1")] == [b"record"]
        assert not [*in_hand.find("orders", b"z/1")]
    assert not Counted.gone_through
