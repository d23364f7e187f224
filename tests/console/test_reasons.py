"""Why: when a lag ends, why merging changed, at which line the limiting store stands."""

from __future__ import annotations

import re
from math import isnan, nan

import pytest

from console.staged_cluster import ALL_TICKS, NAMES, Frames, desk_of
from console.test_cluster_views import page, part
from isinglass_console.model.catching_up import Course, catch_up
from isinglass_console.model.merge_causes import Cause, merge_change
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.status import status_line
from isinglass_console.widgets.line import text_of


@pytest.mark.parametrize(
    ("seconds", "updates", "course", "left", "rate"),
    [
        ([14, 14, 14, 14], [9000, 8000, 7000, 6000], Course.NEARER, 6.0, 1000.0),
        ([1, 2, 3, 3, 2], [1000, 9000, 8000, 7000, 6000], Course.NEARER, 6.0, 1000.0),
        ([4, 4, 4, 4, 4], [800, 900, 800, 900, 800], Course.STEADY, nan, nan),
        ([2, 2, 2, 2, 2], [3000, 1500, 700, 500, 650], Course.STEADY, nan, nan),
        ([1, 2, 3, 4], [0, 1000, 2000, 3000], Course.FURTHER, nan, -1000.0),
        ([4, 4, 4, 4], [3000, 3000, 3000, 3000], Course.STEADY, nan, nan),
        ([0.1, 0.1], [90, 100], Course.EVEN, 0.0, nan),
        ([nan, nan], [nan, nan], Course.UNKNOWN, nan, nan),
        ([3.0], [9000], Course.UNKNOWN, nan, nan),
        ([nan, 3, 3], [nan, 9000, 6000], Course.NEARER, 2.0, 3000.0),
    ],
)
def test_where_a_lag_goes(
    seconds: list[float], updates: list[float], course: Course, left: float, rate: float
) -> None:
    found = catch_up(seconds, updates, 1.0)
    assert found.course == course
    assert found.seconds == pytest.approx(left, nan_ok=True)
    assert found.rate == pytest.approx(rate, nan_ok=True)


def test_a_frame_every_half_second_halves_the_time() -> None:
    assert catch_up([9.0, 9.0], [2000.0, 1000.0], 0.5).seconds == pytest.approx(0.5)


def trend(before: float, now: float) -> list[float]:
    return [before] * 60 + [now] * 5


@pytest.mark.parametrize(
    ("merged", "offered", "length", "cause"),
    [
        ((0.4, 0.38), (2000, 2000), (50, 50), Cause.NONE),
        ((0.4, 0.1), (2000, 20_000), (50, 900), Cause.FLOOD),
        ((0.4, 0.1), (2000, 2000), (50, 5), Cause.WAITS),
        ((0.4, 0.1), (2000, 2000), (50, 50), Cause.KEYS),
        ((0.1, 0.4), (2000, 2000), (5, 50), Cause.WAITS),
        ((0.1, 0.4), (2000, 20_000), (50, 60), Cause.KEYS),
        ((0.4, 0.1), (2000, 2000), (0, 0), Cause.KEYS),
    ],
)
def test_why_merging_changed(
    merged: tuple[float, float],
    offered: tuple[float, float],
    length: tuple[float, float],
    cause: Cause,
) -> None:
    found = merge_change(trend(*merged), trend(*offered), trend(*length))
    assert found.cause == cause
    assert (found.before.merged, found.now.merged) == pytest.approx(merged)


def test_a_flood_says_how_much_of_it_merges() -> None:
    found = merge_change(trend(0.5, 0.1), trend(2000, 20_000), trend(50, 900))
    assert found.added == pytest.approx(1000 / 18_000)


def test_before_there_was_a_minute_nothing_is_compared() -> None:
    unknown = [nan] * 60
    found = merge_change([*unknown, *[0.4] * 5], [*unknown, *[9.0] * 5], [*unknown, *[5.0] * 5])
    assert found.cause == Cause.NONE
    assert isnan(found.before.merged)
    assert found.now.merged == pytest.approx(0.4)


@pytest.fixture
def desk(frames: Frames) -> Desk:
    return desk_of(frames, *NAMES)


def test_the_line_of_the_limiting_store_stands_beside_its_name(desk: Desk) -> None:
    shown = part(page(desk, "overview"), "FLOW CONTROL")
    stands = "cedar ○ store/engine.py:10  80 %  fsync"
    assert "limited by   cedar, by entries, for 42 s" in shown
    assert f"applier      {stands}" in shown, "also while alder is selected"
    flow = page(desk, "flow")
    assert "why        too many updates wait at it; it applies 1 120 /s of 9 340 /s offered" in flow
    assert f"applier    {stands}" in flow
    assert f"applier {stands}" in page(desk, "overview", 80, 22)


def test_the_furthest_behind_is_told_with_where_its_lag_goes(desk: Desk) -> None:
    wanted = "cedar is 1.8 s behind birch (3 390 updates); no end in sight"
    assert wanted in page(desk, "lag")
    assert wanted in page(desk, "lag", 80, 22)
    assert "cedar is 1.8 s behind birch; no end in sight" in page(desk, "overview")


def test_nobody_behind_is_said_too(frames: Frames) -> None:
    desk = desk_of(frames, *NAMES, ticks=2)
    assert "all keep up; furthest behind is cedar, 300 ms" in page(desk, "lag")


@pytest.mark.parametrize("width", [104, 120, 160])
def test_the_sentence_about_a_death_is_whole_where_there_is_room(
    frames: Frames, width: int
) -> None:
    desk = desk_of(frames, "alder killed", "birch", "cedar", ticks=ALL_TICKS)
    shown = text_of(status_line(desk.scene(width, 1)).lines)
    assert re.search(r"alder ✖ KILLED [\d:]{8}, last seen \S+ \S+ before ", shown)
    assert ("isinglass" in shown) == (width >= 120)


def test_who_is_down_is_not_said_to_catch_up(frames: Frames) -> None:
    desk = desk_of(frames, "alder", "birch", "cedar killed", ticks=ALL_TICKS)
    desk.select("nodes", "alder")
    assert "cedar is 1.8 s behind birch (3 390 updates); catches up once it runs again" in page(
        desk, "lag"
    )
