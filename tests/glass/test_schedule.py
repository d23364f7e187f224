"""The sampling schedule: one instant a period, honest about what was late and missed."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from isinglass.glass.schedule import Schedule

START, PERIOD = 5_000, 1_000_000


def test_each_period_has_one_instant_within_it() -> None:
    schedule = Schedule(1000, START, random.Random(1).random)
    instants = [at for end in range(100) for at in schedule.instants(START + end * 10 * PERIOD - 1)]
    assert len(instants) == 990
    for period, instant in enumerate(instants):
        assert START + period * PERIOD <= instant < START + (period + 1) * PERIOD
    gaps = [after - before for before, after in pairwise(instants)]
    assert min(gaps) < PERIOD / 10 and max(gaps) > PERIOD * 1.5  # jittered, not a metronome


@given(
    ends=some.lists(some.integers(0, 10 * PERIOD), min_size=1, max_size=50),
    seed=some.integers(0, 2**32),
)
def test_no_period_is_planned_twice_or_left_out(ends: list[int], seed: int) -> None:
    schedule = Schedule(1000, START, random.Random(seed).random)
    periods: list[int] = []
    for end in ends:  # In any order: a window that ends before the last one plans nothing.
        periods += [(at - START) // PERIOD for at in schedule.instants(START + end)]
    assert periods == list(range(max(ends) // PERIOD + 1))


def test_after_a_long_stop_what_went_by_is_counted_and_not_listed() -> None:
    schedule = Schedule(1000, START, random.Random(1).random)
    assert len(schedule.instants(START + 10 * PERIOD - 1)) == 10
    schedule.pass_over(START + 10 * PERIOD)
    assert schedule.missed == 0
    night = 10**8
    schedule.pass_over(START + night * PERIOD)
    assert schedule.missed == night - 1 - 10
    periods = [(at - START) // PERIOD for at in schedule.instants(START + night * PERIOD)]
    assert periods == [night - 1, night]


def test_the_account() -> None:
    schedule = Schedule(100, START, random.random)
    assert schedule.on_time_share() == 1.0 and schedule.achieved_hz(START) == 0.0
    schedule.begin(START + 1)
    schedule.count(taken=90, late=5, missed=10)
    schedule.count(taken=10, late=0, missed=0)
    assert schedule.on_time_share() == 95 / 110
    assert schedule.achieved_hz(START + 1 + 1_000_000_000) == 100.0
