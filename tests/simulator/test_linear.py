"""The checker of histories says the same as trying every order does."""

from __future__ import annotations

from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass.store.records import encode
from simulator.cluster import Operation
from simulator.linear import is_linearizable

VALUES = st.sampled_from([None, b"1", b"2"])


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    start = draw(st.integers(0, 8))
    end = draw(st.one_of(st.just(0), st.integers(start + 1, 10)))
    value = draw(VALUES)
    if draw(st.booleans()):
        record = encode(1, 1, value) if draw(st.booleans()) or value is not None else None
        return Operation(0, "read", "t", b"k", None, 1, start, end=end, value=record)
    return Operation(0, "write", "t", b"k", value, 1, start, end=end)


def fits(order: tuple[Operation, ...]) -> bool:
    """Tell whether operations may have happened in this order."""
    value: bytes | None = None
    for place, operation in enumerate(order):
        if any(later.end and later.end < operation.start for later in order[place:]):
            return False
        if operation.kind == "write":
            value = operation.payload
        elif (operation.value[11:] or None if operation.value else None) != value:
            return False
    return True


@pytest.mark.slow
@settings(max_examples=1500)
@given(st.lists(operations(), max_size=4))
def test_the_checker_agrees_with_trying_every_order(history: list[Operation]) -> None:
    answered = [o for o in history if o.end]
    silent = [o for o in history if not o.end and o.kind == "write"]
    chosen = [
        [*answered, *some] for n in range(len(silent) + 1) for some in combinations(silent, n)
    ]
    possible = any(fits(order) for some in chosen for order in permutations(some))
    assert is_linearizable(history) == possible
