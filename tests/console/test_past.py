"""Trends from before the console began: out of a monitor's statistics, in front of its own."""

from __future__ import annotations

from math import isnan, nan
from pathlib import Path

import pytest

from isinglass.errors import StoreError
from isinglass_console.model.frame import Condition
from isinglass_console.model.hub import Hub
from isinglass_console.model.reading import Reading
from isinglass_console.model.series import CAPACITY, SeriesBook
from isinglass_console.model.told import Told
from isinglass_console.screens.desk import Desk
from isinglass_console.sources.statistics import pasts
from isinglass_monitor.statistics_store import DIRECTORY, StatisticsFile

NOW = 1_790_000_000
SECOND = 10**9


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A hundred seconds of two nodes; birch was silent in the last fifty."""
    file = StatisticsFile(tmp_path / DIRECTORY, writes=True)
    for second in range(NOW - 100, NOW):
        at = second - NOW + 100
        figures = {"alder": {"applier.writes": at * 20.0, "peer.birch.lag_seconds": at / 10}}
        figures["alder"] |= {"queue.offered": at * 40.0, "queue.superseded": at * 10.0}
        figures["alder"]["queue.rolled"] = at * 2.0
        if at < 50:
            figures["birch"] = {"applier.writes": at * 10.0, "flow.allowed": 800.0}
        file.write(second, figures)
    file.close()
    return tmp_path


def statistics_in(data: Path) -> StatisticsFile:
    return StatisticsFile(data / DIRECTORY, writes=False)


def test_each_node_has_its_figures_and_what_others_measured(data: Path) -> None:
    alder, birch = pasts(statistics_in(data), NOW)
    assert set(alder["alder", "applied_rate"].values()) == {20.0}
    assert len(alder["alder", "applied_rate"]) == 99
    assert alder["alder", "merged_share"][NOW - 1] == pytest.approx(0.3)
    assert alder["alder", "lag_seconds"] == {}
    assert birch["birch", "pace"] == dict.fromkeys(range(NOW - 100, NOW - 50), 800.0)
    assert max(birch["birch", "applied_rate"]) == NOW - 51
    assert birch["birch", "lag_seconds"][NOW - 1] == pytest.approx(9.9)


def test_without_statistics_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        statistics_in(tmp_path)


def test_what_was_before_stands_before_the_first_frame() -> None:
    book = SeriesBook()
    book.remember("a", [nan, 1.0, 2.0, 3.0])
    assert book.tail("a", 3, -1) == [1.0, 2.0, 3.0]
    book.put(0, [("a", 4.0)])
    book.put(1, [("a", 5.0)])
    assert book.tail("a", 4, 1) == [2.0, 3.0, 4.0, 5.0]
    assert book.tail("a", 2, 1) == [4.0, 5.0]
    longer = book.tail("a", 9, 1)
    assert len(longer) == 9
    assert longer[-5:] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert all(isnan(value) for value in longer[:4])
    for number in range(2, CAPACITY + 3):
        book.put(number, [("a", float(number))])
    assert book.tail("a", 2, CAPACITY + 2) == [CAPACITY + 1.0, CAPACITY + 2.0]


@pytest.mark.parametrize("early", [False, True])
def test_a_desk_shows_the_trend_of_a_node_that_is_silent(data: Path, early: bool) -> None:
    """Also when the monitor told it before there was any frame."""
    past = {key: values for part in pasts(statistics_in(data), NOW) for key, values in part.items()}
    desk = Desk()
    told = Told("orchard", past=past)
    if early:
        desk.hear(told)
    for second in range(3):
        missing = [Reading("birch", Condition.MISSING), Reading("alder", Condition.MISSING)]
        desk.absorb(missing, (NOW + second) * SECOND, 1.0)
    desk.hear(told)
    node = desk.scene(80, 24).frame.node("birch")
    assert node is not None
    trend = desk.scene(80, 24).trend(node, "pace", 60)
    assert trend[:7] == [800.0] * 7
    assert all(isnan(value) for value in trend[7:])


def test_the_seconds_are_those_of_the_frames_that_would_have_been() -> None:
    hub = Hub()
    hub.take([Reading("alder", Condition.MISSING)], NOW * SECOND, 2.0)
    hub.remember({("alder", "pace"): {NOW - 4: 4.0, NOW - 3: 3.0, NOW - 2: 2.0, NOW - 1: 1.0}})
    assert hub.series.tail(("alder", "pace"), 3, 0)[:2] == [4.0, 2.0]
