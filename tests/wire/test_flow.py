"""The parts of flow control: what a node measures of itself, what it computes from reports."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass.wire import flow
from isinglass.wire.backlog import Limits, ReportTimer, Retirement, backlog
from isinglass.wire.flow import Governor, Report, fair_share
from isinglass.wire.limiters import KEPT_NS, KEPT_SPELLS, Limiters, Spell, Swing

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
LIMITS = Limits(1000, 100_000, 10.0)


def report(node: str, now_ns: int, share: float = 0.0, **given: Any) -> Report:
    """Return a report of a node with a limit of 1,000 updates that retires 100 a second."""
    plain = Report(node, now_ns, now_ns, share, "entries", 1000.0, 100.0, 0.0, now_ns)
    return plain._replace(**given)


# ---------------------------------------------------------------- what a node measures of itself
@pytest.mark.parametrize(
    ("entries", "size_bytes", "oldest", "drain", "expected"),
    [
        (0, 0, 0.0, 0.0, (0.0, "entries", 1000.0)),
        (500, 5000, 0.0, 0.0, (0.5, "entries", 1000.0)),
        (100, 50_000, 0.0, 0.0, (0.5, "bytes", 200.0)),
        (100, 1000, 0.0, 20.0, (0.5, "age", 200.0)),  # five seconds of work
        (100, 1000, 8.0, 1000.0, (0.8, "age", 1000.0)),  # and one that has waited for eight
        (2000, 0, 0.0, 0.0, (2.0, "entries", 1000.0)),
    ],
)
def test_the_worst_limit_is_the_backlog(
    entries: int, size_bytes: int, oldest: float, drain: float, expected: tuple[float, str, float]
) -> None:
    assert backlog(LIMITS, entries, size_bytes, oldest, drain) == pytest.approx(expected)


@given(
    st.integers(0, 10**6), st.integers(0, 10**9), st.floats(0, 1e4), st.floats(0, 1e6),
    st.integers(1, 10**6), st.integers(1, 10**9), st.floats(0.01, 1e4),
)  # fmt: skip
def test_no_share_of_a_limit_is_above_the_backlog(
    entries: int, size: int, oldest: float, drain: float, most: int, most_bytes: int, age: float
) -> None:
    found = backlog(Limits(most, most_bytes, age), entries, size, oldest, drain)
    assert found.limit >= 1
    assert found.share >= oldest / age * (1 - 1e-9)
    if found.limit > 1:
        assert found.share >= entries / most * (1 - 1e-9)
        assert not entries or found.share >= size / most_bytes * (1 - 1e-9)


def test_a_speed_is_taken_by_the_second_of_work_and_kept_while_idle() -> None:
    retirement = Retirement()
    assert retirement.rate == 0.0
    retirement.observe(SECOND // 10, 100, 100, 0, True)  # 0.1 s of work in who knows how long
    assert retirement.rate == pytest.approx(1000)
    for _ in range(50):
        retirement.observe(SECOND // 10, 100, 100, 0, True)
    assert retirement.rate == retirement.drain == pytest.approx(1000)


def test_merged_updates_are_retired_by_the_one_they_went_into() -> None:
    retirement = Retirement()
    retirement.observe(SECOND, 250, 1000, 750, True)
    assert retirement.drain == pytest.approx(250)
    assert retirement.rate == pytest.approx(1000)
    flooded = Retirement()
    flooded.observe(SECOND, 250, 10_000, 7500, True)  # ten times as many came; it is no faster
    assert flooded.rate == pytest.approx(1000)


def test_a_small_batch_says_nothing_of_how_long_a_backlog_takes() -> None:
    retirement = Retirement()
    retirement.observe(SECOND // 10, 1, 1, 0, False)
    assert (retirement.rate, retirement.drain) == pytest.approx((10, 0))
    retirement.observe(SECOND // 5, 1, 1, 0, True)  # still at work on the next
    retirement.observe(SECOND // 5 * 2, 301, 301, 0, True)
    assert retirement.drain == pytest.approx(1000)


def test_everything_merging_away_is_no_infinite_speed() -> None:
    retirement = Retirement()
    retirement.observe(SECOND, 1, 1000, 1000, True)
    assert retirement.rate == pytest.approx(50)


@given(st.lists(st.floats(0.02, 0.5), min_size=10, max_size=50), st.integers(1000, 10**5))
def test_how_long_the_windows_are_does_not_change_the_speed(
    windows: list[float], speed: int
) -> None:
    retirement, work, applied = Retirement(), 0.0, 0.0
    for seconds in windows:
        work, applied = work + seconds, applied + seconds * speed
        retirement.observe(int(work * SECOND), int(applied), int(applied), 0, True)
    assert retirement.rate == pytest.approx(speed, rel=0.05)


def test_a_hang_lowers_the_speed_and_work_brings_it_back() -> None:
    retirement = Retirement()
    for tenths in range(1, 31):
        retirement.observe(tenths * SECOND // 10, tenths * 100, tenths * 100, 0, True)
    for tenths in range(31, 61):
        retirement.observe(tenths * SECOND // 10, 3000, 3000, 0, True)
    assert retirement.rate < 100
    for tenths in range(61, 91):
        retirement.observe(tenths * SECOND // 10, tenths * 100 - 3000, tenths * 100 - 3000, 0, True)
    assert retirement.rate == pytest.approx(1000, rel=0.1)


def test_reports_are_due_by_time_and_by_a_step_but_not_too_close() -> None:
    timer = ReportTimer()
    assert timer.due(0, 0.0)
    assert not timer.due(99 * MILLISECOND, 0.04)
    assert timer.due(100 * MILLISECOND, 0.04)
    assert not timer.due(105 * MILLISECOND, 0.5)
    assert timer.due(110 * MILLISECOND, 0.5)
    assert timer.due(120 * MILLISECOND, 0.44)
    assert not timer.due(150 * MILLISECOND, 0.40)


# ---------------------------------------------------------------- shares
def test_nobody_gets_more_than_asked_for_and_the_rest_is_shared_equally() -> None:
    assert fair_share(100, []) == 100
    assert fair_share(100, [10, 20]) == 70
    assert fair_share(90, [10, 500]) == 40
    assert fair_share(90, [500, 500]) == 30
    assert fair_share(math.inf, [5]) == math.inf
    assert fair_share(0.0, [5]) == 0


@given(st.floats(0, 1e6), st.lists(st.floats(0, 1e6), max_size=8))
def test_shares_add_up_and_nobody_with_a_larger_one_could_give(
    total: float, demands: list[float]
) -> None:
    level = fair_share(total, demands)
    others = [min(demand, level) for demand in demands]
    assert level + math.fsum(others) == pytest.approx(total, rel=1e-6, abs=1e-6)
    assert level >= total / (len(demands) + 1) * (1 - 1e-9)


# ---------------------------------------------------------------- the law
def governor(*nodes: str) -> Governor:
    """Return a governor that heard an idle report of each node, and is past its start."""
    made = Governor("a", -60 * SECOND)
    for node in nodes:
        made.take(report(node, 0))
    return made


def test_the_pace_is_the_slowest_nodes_speed_corrected_towards_the_target() -> None:
    made = governor("a", "b")
    made.take(report("b", SECOND // 10, 0.75, retired=50.0, demand=1000.0))
    made.turn(SECOND // 10, 0)
    assert made.cluster_rate == 0  # 50 + (0.5 - 0.75) * 1000 / 0.5 is below zero
    made.take(report("b", SECOND // 5, 0.5, retired=50.0, demand=1000.0))
    assert made.turn(SECOND // 5, 0) == pytest.approx(25)
    assert (made.limiters.node, made.limiters.limited_by) == ("b", "entries")


def test_before_anything_is_heard_nothing_may_be_written() -> None:
    assert Governor("a", 0).turn(0, 0) == 0.0


def test_a_start_is_slow_unless_the_node_is_alone() -> None:
    paces = {}
    for alone in (False, True):
        made = Governor("a", 0, alone=alone)
        made.take(report("a", 0))
        paces[alone] = made.turn(0, 0)
    assert paces[True] == pytest.approx(1100)  # 100 + 0.5 * 1000 / 0.5
    assert paces[False] == pytest.approx(1100 / 16)


def test_more_than_an_equal_share_grows_with_what_was_used() -> None:
    made = governor("a", "b")
    assert made.turn(0, 0) == pytest.approx(550)
    now, admitted = 0, 0.0
    for _ in range(10):
        now += SECOND // 10
        admitted += 55
        made.take(report("a", now))
        made.take(report("b", now))
        made.turn(now, int(admitted))
    assert 550 < made.allowed <= 1100


def test_the_settling_time_is_at_least_three_loops() -> None:
    made = Governor("a", 0)
    for tenth in range(50):
        now = tenth * SECOND // 10
        made.take(report("a", now))
        late = now + SECOND // 5  # the sender's clock may be anything
        made.take(report("b", now + 77 * SECOND, received_ns=late, round_trip=0.4))
        made.turn(late, 0)
    assert made.report_age == pytest.approx(0.25, abs=0.02)
    assert made.settling == pytest.approx(3 * 0.45, rel=0.05)


def test_lost_reports_make_the_age_longer() -> None:
    ages = []
    for every in (1, 3):
        made = Governor("a", 0)
        for tenth in range(0, 90, every):
            made.take(report("b", tenth * SECOND // 10))
        made.turn(89 * SECOND // 10, 0)
        ages.append(made.report_age)
    assert ages[1] > 2 * ages[0]


def test_an_overtaken_report_is_dropped() -> None:
    made = governor("a")
    made.take(report("a", SECOND, 0.4))
    made.take(report("a", SECOND // 2, 0.9))
    assert made.peers["a"].report.backlog == 0.4


def test_a_node_that_left_is_forgotten() -> None:
    made = governor("a", "b")
    made.take(report("b", SECOND // 10, 0.9))
    made.turn(SECOND // 10, 0)
    assert made.cluster_rate < 100
    made.forget("b")
    made.forget("b")
    made.turn(SECOND // 10, 0)
    assert made.cluster_rate > 100


def hear(made: Governor, node: str, seconds: range, share: float, *, moves: bool) -> None:
    """Report once a tenth of a second; count progress, or none since the first of these."""
    for tenth in range(seconds.start * 10, seconds.stop * 10):
        now = tenth * SECOND // 10
        progress = now if moves else seconds.start * SECOND
        made.take(report(node, now, share, progress=progress))
        made.take(report("a", now))
        made.turn(now, 0)


def test_no_progress_for_five_seconds_is_lagging_and_steady_progress_ends_it() -> None:
    made = governor("a", "b")
    hear(made, "b", range(1, 3), 0.5, moves=True)
    hear(made, "b", range(3, 8), 0.9, moves=False)
    assert made.lagging == []
    hear(made, "b", range(8, 9), 0.9, moves=False)
    assert made.lagging == []  # it moved once more at second eight
    hear(made, "b", range(9, 15), 0.9, moves=False)
    assert made.lagging == ["b"]
    assert made.cluster_rate > 100
    hear(made, "b", range(20, 24), 0.9, moves=True)
    assert made.lagging == ["b"]
    hear(made, "b", range(24, 27), 0.9, moves=True)
    assert made.lagging == []
    assert made.peers["b"].phase == flow.CATCHING_UP
    assert made.cluster_rate == pytest.approx(50)  # half its speed
    hear(made, "b", range(27, 28), 0.5, moves=True)
    assert made.peers["b"].phase == flow.COUNTING


def test_an_idle_node_is_not_hung() -> None:
    made = governor("a", "b")
    hear(made, "b", range(1, 30), 0.0, moves=False)
    hear(made, "b", range(30, 33), 0.1, moves=False)
    assert made.lagging == []


def test_a_silent_node_holds_nobody_up_for_long() -> None:
    made = governor("a", "b")
    made.take(report("b", SECOND, 0.9))
    for second in range(1, 8):
        made.take(report("a", second * SECOND))
        made.turn(second * SECOND, 0)
        assert made.lagging == (["b"] if second >= 6 else [])


@pytest.mark.parametrize("state", ["joining", "healing"])
def test_only_live_nodes_count(state: str) -> None:
    made = governor("a")
    made.take(report("b", 0, 0.99, state=state))
    made.turn(0, 0)
    assert made.cluster_rate == pytest.approx(1100)


def test_when_every_node_lags_only_the_queues_limit() -> None:
    made = Governor("a", 0, alone=True)
    for second in range(8):
        made.take(report("a", second * SECOND, 0.9, progress=0))
        made.turn(second * SECOND, 0)
    assert made.lagging == ["a"]
    assert made.allowed == math.inf
    assert made.swing >= 0


def test_the_trend_tells_when_a_node_is_full_or_drained() -> None:
    made = governor("a")
    for tenth in range(1, 40):
        made.take(report("a", tenth * SECOND // 10, tenth * 0.01))
    assert made.trend("a") == pytest.approx(0.1, rel=0.05)
    assert made.full_in("a") == pytest.approx(6.1, rel=0.1)
    assert made.drained_in("a") == math.inf
    for tenth in range(40, 78):
        made.take(report("a", tenth * SECOND // 10, (78 - tenth) * 0.01))
    assert made.full_in("a") == math.inf
    assert made.drained_in("a") == pytest.approx(0.1, rel=0.2)
    assert made.full_in("nobody") == made.drained_in("nobody") == math.inf
    assert made.trend("nobody") == 0


shares = st.floats(0, 3)
rates = st.floats(0, 1e7)
# node, share, limit, retired, demand, progress, how much later it comes, round trip
Told = tuple[str, float, float, float, float, int, int, float]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), shares, st.floats(1, 1e7), rates, rates,
                  st.integers(0, 3), st.integers(0, 10**10), st.floats(0, 2)),
        max_size=60,
    )
)  # fmt: skip
def test_any_reports_give_a_pace(reports: list[Told]) -> None:
    made, now = Governor("a", 0), 0
    for node, share, limit, retired, demand, progress, later, round_trip in reports:
        now += later
        made.take(
            Report(node, now, now, share, "bytes", limit, retired, demand, progress, "live",
                   round_trip)
        )  # fmt: skip
        allowed = made.turn(now, now // 1000)
        assert allowed >= 0
        assert allowed <= max(made.cluster_rate, 0)
        assert made.settling >= 3 * made.report_age * (1 - 1e-9)
        assert made.swing >= 0


# ---------------------------------------------------------------- who limited, how much it swung
SLOW = ("b", "entries", 100.0)


def test_a_limiter_is_known_with_its_limit_and_since_when() -> None:
    limiters = Limiters()
    limiters.turn(1, *SLOW, 90.0)
    assert limiters.node == ""
    limiters.turn(2, *SLOW, 110.0)
    assert (limiters.node, limiters.limited_by, limiters.since_ns) == ("b", "entries", 2)
    limiters.turn(3, *SLOW, 95.0)
    assert limiters.node == "b"  # not clearly less
    limiters.turn(4, *SLOW, 80.0)
    assert limiters.node == ""
    assert list(limiters.spells) == [Spell("b", "entries", 2, 4)]


def test_a_spell_that_goes_on_at_once_is_one_spell() -> None:
    limiters = Limiters()
    for now, demand in ((1, 200.0), (2, 0.0), (3, 200.0), (4, 0.0)):
        limiters.turn(now, *SLOW, demand)
    assert list(limiters.spells) == [Spell("b", "entries", 1, 4)]


def test_the_history_is_bounded_in_time_and_number() -> None:
    limiters = Limiters()
    for spell in range(KEPT_SPELLS + 100):
        limiters.turn(spell * 5 * SECOND, *SLOW, 200.0)
        limiters.turn((spell * 5 + 2) * SECOND, *SLOW, 0.0)
    assert len(limiters.spells) == KEPT_SPELLS
    limiters.turn(KEPT_NS + 10**6 * SECOND, "", "", 0.0, 0.0)
    assert not limiters.spells


def test_the_swing_is_the_spread_over_the_mean_of_ten_seconds() -> None:
    swing = Swing()
    assert swing.share == 0.0
    for tenth in range(300):
        swing.note(tenth * SECOND // 10, 1000.0 if tenth < 150 else 100.0 + tenth % 2 * 200)
    assert swing.share == pytest.approx(0.5, rel=0.05)
