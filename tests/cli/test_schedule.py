"""The sampling schedule: one instant a period, honest about what was late and missed."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as some

from isinglass.cli.schedule import Schedule

START, PERIOD = 5_000, 1_000_000


def test_each_period_has_one_instant_within_it() -> None:
    schedule = Schedule(1000, START, random.Random(1).random)
    now, gaps = START, []
    for period in range(1000):
        due = schedule.next_due_ns(now)
        assert START + period * PERIOD <= due < START + (period + 1) * PERIOD
        schedule.took(due)
        gaps.append(due - now)
        now = due
    assert (schedule.taken, schedule.late, schedule.missed) == (1000, 0, 0)
    assert schedule.on_time_share() == 1.0
    assert min(gaps) < PERIOD / 10 and max(gaps) > PERIOD * 1.5  # jittered, not a metronome
    assert 995 <= schedule.achieved_hz(START + 1000 * PERIOD) <= 1005


def test_late_and_missed_are_told_apart() -> None:
    schedule = Schedule(1000, START, lambda: 0.0)
    assert schedule.next_due_ns(START) == START
    schedule.took(START + PERIOD - 1)  # within its period: on time
    assert schedule.next_due_ns(START + PERIOD - 1) == START + PERIOD
    schedule.took(START + 4 * PERIOD)  # three periods behind its instant: late
    assert (schedule.taken, schedule.late, schedule.missed) == (2, 1, 0)
    assert schedule.next_due_ns(START + 4 * PERIOD) == START + 4 * PERIOD
    assert schedule.missed == 2  # periods 2 and 3 went by without a sample
    schedule.took(START + 4 * PERIOD)
    assert schedule.on_time_share() == 2 / 5


@given(
    delays=some.lists(some.integers(0, 10 * PERIOD), min_size=1, max_size=50),
    seed=some.integers(0, 2**32),
)
def test_every_period_is_either_taken_or_missed(delays: list[int], seed: int) -> None:
    schedule = Schedule(1000, START, random.Random(seed).random)
    now = START
    for delay in delays:
        due = schedule.next_due_ns(now)
        now = max(now, due) + delay
        schedule.took(now)
    last_due_period = (due - START) // PERIOD
    assert schedule.taken + schedule.missed == last_due_period + 1
    assert schedule.late <= schedule.taken == len(delays)
