"""Intervals beside a set of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isinglass_monitor.spool.interval_set import Intervals

INTERVAL = st.tuples(st.integers(1, 40), st.integers(0, 8)).map(lambda p: (p[0], p[0] + p[1]))
STEPS = st.lists(st.tuples(st.sampled_from(("add", "remove")), INTERVAL), max_size=30)


def numbers(first: int, last: int) -> set[int]:
    return set(range(first, last + 1))


def parts(found: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in found for number in numbers(first, last)}


@given(STEPS, INTERVAL)
def test_intervals_are_a_set(
    steps: list[tuple[str, tuple[int, int]]], asked: tuple[int, int]
) -> None:
    held, model = Intervals(), set[int]()
    for step, (first, last) in steps:
        before = len(model)
        if step == "add":
            model |= numbers(first, last)
            assert held.add(first, last) == len(model) - before
        else:
            model -= numbers(first, last)
            assert held.remove(first, last) == before - len(model)
        assert held.count == len(model)
        assert held.highest == max(model, default=0)
        assert parts(list(held)) == model
        edges = [edge for interval in held for edge in interval]
        assert edges == sorted(edges)
        # Intervals that touch are one.
        assert all(b + 1 < c for (_, b), (c, _) in zip(list(held), list(held)[1:], strict=False))
    assert parts(held.inside(*asked)) == model & numbers(*asked)
    assert parts(held.outside(*asked)) == numbers(*asked) - model


def test_the_lowest_goes_first() -> None:
    held = Intervals([(1, 3), (7, 9)])
    assert held.drop_lowest() == (1, 3)
    assert list(held) == [(7, 9)]
    assert held.count == 3
