"""The load meter: exact shares, whatever the rhythm of waiting and working."""

from __future__ import annotations

import math
import random

import pytest

from isinglass.node.load import WINDOWS_SECONDS, LoadMeter

SECOND = 1_000_000_000


def run(meter: LoadMeter, start_ns: int, seconds: float, share: float, slice_ns: int) -> int:
    """Alternate work and waiting for `seconds`; return the time at the end."""
    now = start_ns
    for _ in range(int(seconds * SECOND / slice_ns)):
        meter.work(now)
        meter.wait(now + int(slice_ns * share))
        now += slice_ns
    meter.account(now)
    return now


def test_a_thread_that_only_works_has_load_one_and_one_that_only_waits_zero() -> None:
    meter = LoadMeter(0)
    meter.work(0)
    meter.account(3600 * SECOND)
    assert meter.averages == pytest.approx([1.0, 1.0, 1.0])
    meter.wait(3600 * SECOND)
    meter.account(7200 * SECOND)
    assert meter.averages == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)


@pytest.mark.parametrize("share", [0.1, 0.37, 0.9])
def test_a_steady_share_is_what_every_average_tends_to(share: float) -> None:
    meter = LoadMeter(0)
    run(meter, 0, 600, share, SECOND // 100)
    assert meter.averages == pytest.approx([share] * 3, abs=0.01)
    assert meter.working_ns / (meter.working_ns + meter.waiting_ns) == pytest.approx(share, 1e-3)


def test_each_average_follows_a_step_with_its_own_window() -> None:
    meter = LoadMeter(0)
    meter.work(0)
    meter.account(SECOND)
    expected = [1 - math.exp(-1 / window) for window in WINDOWS_SECONDS]
    assert meter.averages == pytest.approx(expected)


def test_how_often_the_averages_are_brought_up_to_date_changes_nothing() -> None:
    generator = random.Random(7)
    often, seldom = LoadMeter(0), LoadMeter(0)
    now, working = 0, False
    for _ in range(200):
        length = generator.randrange(1, SECOND)
        for step in range(0, length, max(1, length // 7)):
            often.account(now + step)
        now += length
        working = not working
        for meter in (often, seldom):
            (meter.work if working else meter.wait)(now)
    assert often.averages == pytest.approx(seldom.averages)
    assert often.working_ns == seldom.working_ns


def test_a_clock_that_stands_still_or_steps_back_is_harmless() -> None:
    meter = LoadMeter(10 * SECOND)
    meter.work(10 * SECOND)
    meter.wait(9 * SECOND)
    assert meter.working_ns == 0
    assert meter.averages == [0.0, 0.0, 0.0]
