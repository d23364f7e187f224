"""View 7: the log of the rings, its filters and pages, and how an event leads to its instant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.playing import play, screen_text, until
from console.stage import SECOND, START_NS, Stage, filled_desk
from console.test_views import assert_exact
from isinglass_console.app import IsinglassApp
from isinglass_console.model.filter import Filter
from isinglass_console.model.log import LogEntry
from isinglass_console.model.log_page import ROWS_AFTER, ROWS_BEFORE, LogRequest, page_of_log
from isinglass_console.screens import log
from isinglass_console.screens.desk import LOG_TABLE, Desk
from isinglass_console.widgets.line import text_of


def entry(second: float, message: str, severity: int = 9, node: str = "alder") -> LogEntry:
    return LogEntry(START_NS + int(second * SECOND), node, "daemon", severity, "test", message)


MANY = [entry(at / 10, f"event {at}") for at in range(1000)]


@pytest.fixture
def desk(alder: Stage) -> Desk:
    """Twelve seconds, an event in the middle of each; the third warns, the sixth is an error."""
    made = filled_desk(alder)
    levels = {3: 13, 6: 17}
    made.hub.log.add(entry(at + 0.5, f"half past {at}", levels.get(at, 9)) for at in range(1, 13))
    made.hub.log.add([entry(7.6, "seen from birch", 13, "birch")])
    return made


def shown(desk: Desk, width: int = 120, height: int = 34) -> str:
    return text_of(log.build(desk.scene(width, height)).block.lines)


def test_a_page_is_the_newest_events_or_those_around_a_moment() -> None:
    newest = page_of_log(MANY, LogRequest())
    assert [each.message for each in newest.entries[-2:]] == ["event 998", "event 999"]
    assert (newest.more_before, newest.more_after) == (True, False)
    assert len(newest.entries) == ROWS_BEFORE
    around = page_of_log(MANY, LogRequest(at_ns=START_NS + 50 * SECOND))
    assert around.entries[ROWS_BEFORE - 1].message == "event 500"
    assert len(around.entries) == ROWS_BEFORE + ROWS_AFTER
    assert (around.more_before, around.more_after) == (True, True)
    before_all = page_of_log(MANY, LogRequest(at_ns=START_NS - SECOND))
    assert before_all.entries[0].message == "event 0"
    assert not before_all.more_before


def test_what_a_page_leaves_out() -> None:
    mixed = [entry(1, "a"), entry(2, "b", 13), entry(3, "c", 17, "birch"), entry(4, "d", 17)]
    for request, wanted in [
        (LogRequest(severity=13), "bcd"),
        (LogRequest(severity=17, node="alder"), "d"),
        (LogRequest(filter=Filter.parse("birch")), "c"),
        (LogRequest(filter=Filter.parse("!ERROR")), "ab"),
    ]:
        assert "".join(each.message for each in page_of_log(mixed, request).entries) == wanted


def test_the_log_follows_and_pauses_with_all_views(desk: Desk) -> None:
    assert "follows" in shown(desk)
    assert "▸14:03:12.500" in shown(desk)
    desk.pause()
    desk.step(-4)
    block = log.build(desk.scene(120, 34)).block
    text = text_of(block.lines)
    assert "at 14:03:08.000" in text
    assert "▸14:03:07.600" in text, "the last event that had happened"
    late = next(line for line in block.lines if "half past 9" in text_of([line]))
    assert {role.split("+")[0] for piece, role in late if piece.strip()} == {"stale"}
    desk.live()
    assert "▸14:03:12.500" in shown(desk)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 36), (200, 60), (60, 12), (33, 5)])
def test_no_line_of_the_log_is_too_long(desk: Desk, width: int, height: int) -> None:
    desk.hub.log.add([entry(12.9, "wide 漢字 " * 60, 17), entry(12.8, "x" * 500)])
    for zoomed in (False, True):
        desk.settings.zoomed = zoomed
        block = log.build(desk.scene(width, height)).block
        assert_exact(block, width)
        assert len(block.lines) <= height or height < 12


def test_severities_are_coloured_and_told_by_their_word(desk: Desk) -> None:
    block = log.build(desk.scene(120, 34)).block
    for message, role in [("half past 3", "warning"), ("half past 6", "critical")]:
        line = next(line for line in block.lines if message in text_of([line]))
        roles = {r for piece, r in line if message in piece}
        assert roles == {role}
    assert "WARN" in text_of(block.lines)
    assert "ERROR" in text_of(block.lines)


def test_an_event_of_another_day_has_its_date(desk: Desk) -> None:
    early = entry(-86_400, "yesterday's")
    desk.hub.log.add([early])
    row = next(line for line in shown(desk).split("\n") if "yesterday's" in line)
    assert row[1:12] == "09-20 14:03"


def test_moving_up_holds_the_log_and_its_end_lets_it_go(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("7")
        assert "follows" in screen_text(app)
        await pilot.press("k", "k")
        assert "▸14:03:10.500" in screen_text(app)
        app.desk.hub.log.add([entry(13.1, "while he reads")])
        app.paint()
        assert "▸14:03:10.500" in screen_text(app)
        assert "follows" not in screen_text(app)
        await pilot.press("G")
        assert "▸14:03:13.100" in screen_text(app)
        assert "follows" in screen_text(app)
        await pilot.press("g")
        assert "▸14:03:01.000" in screen_text(app)
        await pilot.press("L")
        assert "follows" in screen_text(app)

    play(app, script)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
def test_enter_shows_the_instant_of_an_event_in_every_view(
    app: IsinglassApp, size: tuple[int, int]
) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("7", "slash", *"half past 5", "enter", "enter")
        assert "PAUSED −00:06" in screen_text(app)
        assert "every view shows 14:03:05" in screen_text(app)
        assert "▸14:03:05.500" in screen_text(app)
        await pilot.press("escape", "escape")
        assert app.desk.settings.view == "log"
        assert "▸14:03:05.500" in screen_text(app)
        await pilot.press("1")
        assert "14:03:06 UTC" in screen_text(app), "the first frame that can show it"
        assert "half past 5" in screen_text(app)
        assert "half past 6" not in screen_text(app)
        await pilot.press("7", "]")
        assert "▸14:03:06.500" in screen_text(app), "the log goes with the cursor again"

    play(app, script, size)


def test_an_event_before_the_history_says_how_far_it_reaches(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        app.desk.hub.log.add([entry(-40, "long ago")])
        await pilot.press("7", "g", "enter")
        assert "14:02:20 is older than the other views reach: they show 14:03:01" in (
            screen_text(app)
        )
        assert "▸14:02:20.000" in screen_text(app)
        await pilot.press("1")
        assert "14:03:01 UTC" in screen_text(app)

    play(app, script, (160, 40))


def test_the_log_narrows_by_severity_and_by_node(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("v")
        assert app.desk.settings.view == "log"
        assert "WARN and worse" in screen_text(app)
        assert "half past 3" in screen_text(app)
        assert "half past 5" not in screen_text(app)
        await pilot.press("o")
        assert "of alder" in screen_text(app)
        assert "seen from birch" not in screen_text(app)
        await pilot.press("v")
        assert "half past 3" not in screen_text(app)
        assert "half past 6" in screen_text(app)
        await pilot.press("v", "o")
        assert "seen from birch" in screen_text(app)
        assert "half past 5" in screen_text(app)
        await pilot.press("slash", *"nowhere", "enter")
        assert "no event is like that" in screen_text(app)

    play(app, script)


def test_nothing_in_a_message_drives_the_terminal(desk: Desk) -> None:
    desk.hub.log.add([replace(entry(12.9, "x\x1b[2J\u202ey\n"), place=(1, 2, 3))])
    text = shown(desk)
    assert "\x1b" not in text
    assert "\u202e" not in text
    desk.select(LOG_TABLE, desk.hub.log.entries[-1].key)
    assert "\x1b" not in shown(desk)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
def test_the_log_looks_as_it_did(
    snap_compare: Callable[..., bool], app: IsinglassApp, size: tuple[int, int]
) -> None:
    assert snap_compare(app, press=["7", "k", "k"], terminal_size=size)


def test_a_monitor_that_is_not_there_is_a_sentence_also_without_any_node(
    home: Path, tmp_path: Path
) -> None:
    app = IsinglassApp(monitor="evening", interval_seconds=0.2, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await until(app, pilot, lambda: "No node on this machine yet" in screen_text(app))
        await pilot.press("7")
        await until(app, pilot, lambda: "There is no spool at" in screen_text(app))
        assert "no events yet" in screen_text(app)
        await pilot.press("8")
        await until(app, pilot, lambda: "is the monitor's name right" in screen_text(app))

    play(app, script, (240, 40))
