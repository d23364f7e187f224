"""The law of flow control in simulated time: bounded, steady, busy, fair; and what others do."""

from __future__ import annotations

import math
import random

import pytest

from isinglass.wire.flow import HUNG_SECONDS, fair_share
from simulator.flow_simulation import STEP_SECONDS, Case, Free, Ours, StopGo, simulate, variation

SEEDS = range(100)


def random_case(seed: int) -> Case:
    """Return nodes, writers and ways by chance; the limit holds two seconds of the slowest's work.

    And eight times the way of a report, for a limit below what is under way cannot be held.
    """
    chance = random.Random(seed)
    count = chance.randint(1, 5)
    slowest = 10 ** chance.uniform(2.5, 5)
    speeds = [slowest * chance.uniform(1, 4) for _ in range(count)]
    speeds[chance.randrange(count)] = slowest
    demands = [slowest * 10 ** chance.uniform(-2, 1.5) for _ in range(count)]
    demands[chance.randrange(count)] += slowest * chance.uniform(6, 20)
    delay, step_at = chance.choice([0.0, 0.02, 0.05, 0.1, 0.2]), chance.choice([0.0, 0.0, 3.0])
    return Case(
        speeds,
        demands,
        limit=slowest * max(2.0, 8 * delay) * chance.uniform(1, 3),
        delay=delay,
        loss=chance.choice([0.0, 0.0, 0.1, 0.3]),
        merging=chance.choice([0.0, 0.0, 0.4, 0.8]),
        batch=chance.choice([0.01, 0.05, 0.1]),
        step_at=step_at,
        seconds=12 + 2 * step_at + 20 * delay,
        interval=chance.choice([1, 1, 2]),
        seed=seed,
    )


def fair(total: float, demands: list[float]) -> list[float]:
    """Return everybody's max-min fair share of a total."""
    level = fair_share(total, sorted(demands)[:-1])
    return [min(demand, level) for demand in demands]


@pytest.mark.parametrize("seed", SEEDS)
def test_backlogs_are_bounded_paces_steady_stores_busy_and_shares_fair(seed: int) -> None:
    case = random_case(seed)
    outcome = simulate(case)
    assert outcome.highest <= 0.75
    assert outcome.variation <= 0.15
    slowest = case.speeds.index(min(case.speeds))
    assert outcome.applied_rate(slowest) >= 0.95 * case.speeds[slowest]
    shares = outcome.shares()
    assert shares == pytest.approx(fair(math.fsum(shares), case.demands), rel=0.1)


PLAIN = Case([1500.0, 1500.0, 1500.0, 600.0], [1000.0] * 4)


def test_stop_and_go_swings_and_without_control_nothing_bounds_the_backlog() -> None:
    """In the same world, at the same target: so the bounds above say something."""
    ours, stop_go, free = (simulate(PLAIN, law) for law in (Ours, StopGo, Free))
    assert ours.highest <= 0.6
    assert stop_go.highest > ours.highest
    assert free.highest > 10
    assert stop_go.variation > 10 * ours.variation


def test_stop_and_go_overflows_where_demand_is_high_and_ours_does_not() -> None:
    flood = Case([1500.0, 1500.0, 600.0], [10_000.0] * 3)
    assert simulate(flood, StopGo).highest > 1.5
    assert simulate(flood).highest <= 0.75


def test_writers_below_the_capacity_are_not_held_up() -> None:
    outcome = simulate(Case([1500.0, 600.0], [250.0, 250.0]))
    assert outcome.shares() == pytest.approx([250, 250])
    assert outcome.limiters[-1] == ""


def test_small_writers_get_what_they_ask_for_and_the_large_one_the_rest() -> None:
    outcome = simulate(Case([1500.0, 1500.0, 1500.0, 600.0], [10.0, 20.0, 30.0, 4000.0]))
    shares = outcome.shares()
    assert shares[:3] == pytest.approx([10, 20, 30])
    assert shares[3] == pytest.approx(540, rel=0.05)
    assert outcome.limiters[-1] == "n3"


def test_merged_updates_count_as_retired_so_writers_may_be_faster_than_the_disk() -> None:
    outcome = simulate(Case([1500.0, 600.0], [4000.0, 4000.0], merging=0.8))
    assert outcome.applied_rate(1) == pytest.approx(600, rel=0.05)
    # At half of the limit 0.8 * 0.5 / 0.7 of the arrivals merge.
    assert math.fsum(outcome.shares()) == pytest.approx(600 / (1 - 0.8 * 0.5 / 0.7), rel=0.1)
    assert outcome.highest <= 0.75


@pytest.mark.parametrize("factor", [0.2, 0.5])
def test_a_node_that_becomes_slow_slows_the_writers_in_time(factor: float) -> None:
    case = Case([1500.0] * 3, [5000.0] * 3, limit=4000, slowdown=(1, 5.0, factor), seconds=24)
    outcome = simulate(case)
    assert outcome.highest <= 0.75
    assert math.fsum(outcome.shares()) == pytest.approx(1500 * factor, rel=0.05)
    assert outcome.variation <= 0.15


def test_a_short_hang_stops_the_writers_before_the_node_is_full() -> None:
    case = Case([1500.0, 600.0], [1000.0] * 2, hang=(1, 6.0, 6.0 + HUNG_SECONDS * 0.8), seconds=24)
    outcome = simulate(case)
    assert outcome.highest <= 0.75
    assert min(outcome.rates[at(9.0) : at(10.0)]) == pytest.approx(0, abs=60)
    assert not any(map(len, outcome.lagging))
    assert math.fsum(outcome.shares()) == pytest.approx(600, rel=0.05)


def test_a_hung_node_leaves_the_minimum_and_comes_back_by_catching_up() -> None:
    case = Case([1500.0, 1500.0, 600.0], [1000.0] * 3, hang=(2, 6.0, 20.0), seconds=60)
    outcome = simulate(case)
    lagging = [bool(names) for names in outcome.lagging]
    left, back = lagging.index(True), len(lagging) - lagging[::-1].index(True)
    assert at(6 + HUNG_SECONDS) <= left <= at(7.5 + HUNG_SECONDS)
    assert at(20 + HUNG_SECONDS) <= back <= at(22 + HUNG_SECONDS)
    assert all(lagging[left:back])  # once out and once in
    # The others go on at their own speed, and at half the node's at least while it catches up.
    assert mean(outcome.rates[left + at(3) : at(20)]) == pytest.approx(1500, rel=0.1)
    assert min(outcome.rates[back:]) >= 250
    assert mean(outcome.rates[at(50) :]) == pytest.approx(600, rel=0.05)
    assert variation(outcome.rates[at(50) :]) <= 0.15
    assert max(outcome.backlogs[:left]) <= 0.75


def test_a_joining_node_holds_nobody_up() -> None:
    outcome = simulate(Case([1500.0, 1500.0, 100.0], [1000.0] * 3, joining=frozenset({2})))
    assert math.fsum(outcome.shares()) == pytest.approx(1500, rel=0.05)


@pytest.mark.parametrize("delay", [0.1, 0.5])
def test_the_settling_time_follows_the_delay(delay: float) -> None:
    case = Case([1500.0, 600.0], [1000.0] * 2, delay=delay, limit=6000, seconds=20)
    # Two ways (a tenth longer on average), and half of the 0.1 s between reports.
    assert simulate(case).settling == pytest.approx(3 * (2.2 * delay + 0.05), rel=0.2)


def test_a_simulation_is_the_same_each_time() -> None:
    case = random_case(3)
    assert simulate(case) == simulate(case)


def at(seconds: float) -> int:
    """Return the sample of a moment."""
    return int(seconds / STEP_SECONDS)


def mean(samples: list[float]) -> float:
    return math.fsum(samples) / len(samples)
