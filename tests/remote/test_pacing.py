"""Frames are asked for so early that they are there in time, and not earlier."""

from __future__ import annotations

from isinglass.remote.looks import LookTimes
from isinglass.remote.pacing import RoundTrip

MILLISECOND = 1_000_000
SECOND = 1000 * MILLISECOND


def steady(round_trip_ms: int, times: int = 50) -> RoundTrip:
    trip = RoundTrip()
    for _ in range(times):
        trip.saw(round_trip_ms * MILLISECOND)
    return trip


def test_the_lead_is_the_round_trip_and_a_little() -> None:
    lead = SECOND - steady(40).delay_ns(SECOND)
    assert 40 * MILLISECOND < lead < 60 * MILLISECOND


def test_a_slow_link_is_asked_well_within_each_interval() -> None:
    assert steady(500).delay_ns(SECOND // 10) >= SECOND // 10 // 5 - 1


def test_a_minute_without_a_link_is_forgotten_after_a_few_frames() -> None:
    trip = steady(10)
    trip.saw(60 * SECOND)
    for _ in range(5):
        trip.saw(10 * MILLISECOND)
    assert SECOND - trip.delay_ns(SECOND) < 100 * MILLISECOND


def test_the_newest_instant_that_passed_is_looked_for_and_the_others_are_missed() -> None:
    times = LookTimes(100, 0, lambda: 0.5)
    assert times.due_ns == 5 * MILLISECOND
    assert times.take(4 * MILLISECOND) is None
    assert times.take(5 * MILLISECOND) == (False, 0)
    assert times.take(47 * MILLISECOND) == (False, 3)
    assert times.take(64 * MILLISECOND) == (False, 0)
    assert times.due_ns == 65 * MILLISECOND


def test_a_second_that_passed_at_once_is_a_second_of_missed_instants() -> None:
    times = LookTimes(1000, 0, lambda: 0.0)
    late, missed = times.take(SECOND) or (True, 0)
    assert (late, missed) == (False, 1000)


def test_one_look_a_second_has_an_instant() -> None:
    times = LookTimes(1, 0, lambda: 0.25)
    assert times.due_ns == SECOND // 4
    assert times.take(3 * SECOND) == (False, 2)
