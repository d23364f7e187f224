"""The states of one alarm: for any run of looks, it fires only for what held, and not too often."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass_monitor.alarms.states import (
    ACKNOWLEDGED,
    CLEARING,
    FIRING,
    FLAP_WINDOW_SECONDS,
    OK,
    PENDING,
    RAISED,
    UNWATCHED_SECONDS,
    AlarmState,
    Timing,
    most_firings,
)

SECOND = 10**9
LOOKS = st.lists(
    st.tuples(
        st.floats(0.1, 12),  # seconds since the last look
        st.sampled_from((True, False, None)),  # holds
        st.booleans(),  # clears, where it does not hold
        st.booleans(),  # somebody acknowledges after it
    ),
    max_size=60,
)
TIMINGS = st.builds(Timing, st.floats(0, 20), st.floats(0, 20))


def run(looks: Sequence[tuple[float, bool | None, bool]], timing: Timing) -> list[str]:
    machine, now, states = AlarmState(), 0, []
    for seconds, holds, clears in looks:
        now += round(seconds * SECOND)
        states.append(machine.step(now, holds, clears, timing))
    return states


def test_a_condition_that_holds_long_enough_fires_and_clears() -> None:
    looks = [(1, True, False)] * 4 + [(1, False, True)] * 4
    states = run(looks, Timing(2, 2))
    assert states == [PENDING, PENDING, FIRING, FIRING, CLEARING, CLEARING, OK, OK]


def test_a_rule_without_duration_fires_at_once() -> None:
    assert run([(1, True, False)], Timing(0, 0)) == [FIRING]


def test_what_holds_too_short_does_not_fire() -> None:
    assert run([(1, True, False)] * 2 + [(1, False, True)], Timing(2, 0))[-1] == OK


def test_between_the_two_levels_the_state_stays() -> None:
    looks = [(1, True, False)] * 2 + [(1, False, False)] * 5
    assert run(looks, Timing(1, 0))[-5:] == [FIRING] * 5


def test_unknown_neither_raises_nor_clears() -> None:
    assert run([(1, True, False), (1, None, False)], Timing(3, 0)) == [PENDING, OK]
    assert run([(1, True, False)] * 2 + [(1, None, True)] * 9, Timing(1, 0))[-1] == FIRING


def test_what_comes_back_while_clearing_is_the_same_alarm() -> None:
    machine, timing = AlarmState(), Timing(0, 5)
    assert machine.step(SECOND, True, False, timing) == FIRING
    assert machine.acknowledge(SECOND)
    assert machine.state == ACKNOWLEDGED
    assert machine.step(2 * SECOND, False, True, timing) == CLEARING
    assert machine.step(3 * SECOND, True, False, timing) == ACKNOWLEDGED
    assert len(machine.fired_ns) == 1


def test_an_acknowledgement_ends_with_its_alarm() -> None:
    machine, timing = AlarmState(), Timing(0, 1)
    assert not machine.acknowledge(0)
    machine.step(SECOND, True, False, timing)
    machine.acknowledge(SECOND)
    for second in range(2, 5):
        machine.step(second * SECOND, False, True, timing)
    assert machine.state == OK
    assert machine.step(10 * SECOND, True, False, timing) == FIRING


def test_time_that_nobody_watched_does_not_count() -> None:
    states = run([(1, True, False), (600, True, False), (2, True, False)], Timing(3, 0))
    assert states == [PENDING, PENDING, PENDING]


@settings(max_examples=300)
@given(LOOKS, TIMINGS)
def test_it_never_fires_without_its_condition_having_held(
    looks: list[tuple[float, bool | None, bool, bool]], timing: Timing
) -> None:
    machine, now, held = AlarmState(), 0, None
    for seconds, holds, clears, acknowledges in looks:
        step = round(seconds * SECOND)
        now += step
        watched = step if seconds <= UNWATCHED_SECONDS else 0
        held = None if not holds else 0 if held is None else held + watched
        before = machine.state
        machine.step(now, holds, bool(clears and holds is False), timing)
        if machine.state in RAISED and before not in RAISED:
            assert held is not None
            assert held >= round(timing.raise_seconds * SECOND)
        if acknowledges:
            assert machine.acknowledge(now) == (machine.state in RAISED)


@settings(max_examples=300)
@given(LOOKS, TIMINGS)
def test_it_never_ends_without_having_been_clear(
    looks: list[tuple[float, bool | None, bool, bool]], timing: Timing
) -> None:
    machine, now, clear = AlarmState(), 0, None
    for seconds, holds, clears, _ in looks:
        step = round(seconds * SECOND)
        now += step
        clears = bool(clears and holds is False)
        watched = step if seconds <= UNWATCHED_SECONDS else 0
        clear = None if not clears else 0 if clear is None else clear + watched
        before = machine.state
        machine.step(now, holds, clears, timing)
        if before in RAISED and machine.state == OK:
            assert clear is not None
            assert clear >= round(timing.clear_seconds * SECOND)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=400),
    st.sampled_from((0.0, 1.0, 5.0, 60.0, 400.0)),
)
def test_flapping_is_bounded(runs: list[tuple[bool, int]], clear_seconds: float) -> None:
    timing = Timing(0, clear_seconds)
    machine, now, fired = AlarmState(), 0, []
    for holds, seconds in runs:
        for _ in range(seconds):
            now += SECOND
            before = machine.state
            machine.step(now, holds, not holds, timing)
            if machine.state == FIRING and before not in RAISED:
                fired.append(now)
    for at in fired:
        within = [t for t in fired if at <= t < at + FLAP_WINDOW_SECONDS * SECOND]
        assert len(within) <= most_firings(timing)


def test_the_bound_of_flapping_is_a_small_one() -> None:
    assert most_firings(Timing(0, 0)) <= 12
    assert most_firings(Timing(0, 60)) <= 6


def test_what_is_raised_outlives_the_monitor() -> None:
    machine, timing = AlarmState(), Timing(0, 1)
    machine.step(SECOND, True, False, timing)
    machine.acknowledge(SECOND)
    later = AlarmState()
    later.restore(machine.document(), 500 * SECOND)
    assert later.state == ACKNOWLEDGED
    pending = AlarmState()
    pending.step(SECOND, True, False, Timing(9, 0))
    later = AlarmState()
    later.restore(pending.document(), 500 * SECOND)
    assert later.state == OK
