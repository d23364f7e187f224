"""What is not done twice, or before somebody looks: pages, rows, divided samples, modules."""

from __future__ import annotations

import subprocess
import sys

import pytest
from textual.pilot import Pilot

from console.playing import play, until
from console.stage import MODULE, SECOND, START_NS, WORK, Stage
from isinglass.glass.panel_views import PanelView
from isinglass.glass.schedstat import Usage
from isinglass_console.app import IsinglassApp
from isinglass_console.model import frame_codec
from isinglass_console.model.heat import Tally, Window, hottest, hottest_line, window
from isinglass_console.model.table import Late
from isinglass_console.model.told import Told
from isinglass_console.screens import panels
from isinglass_console.screens.desk import Desk
from isinglass_console.sources.monitor import MonitorFeed

LATER = ("isinglass_monitor.watch", "isinglass.remote.links", "isinglass_console.recording.file")


def test_what_a_monitor_tells_waits_for_the_next_frame(app: IsinglassApp, alder: Stage) -> None:
    async def script(pilot: Pilot[int]) -> None:
        main = app._main
        assert main is not None
        app.monitor_feed = MonitorFeed("", lambda: None)
        told = 0

        async def hears() -> bool:
            """Tell something, and return whether another page was built for it."""
            nonlocal told
            before, told = main.page, told + 1
            assert app.monitor_feed is not None
            app.monitor_feed.told = Told("", f"sentence {told}")
            app.post_message(app.MonitorArrived())
            await until(app, pilot, lambda: app.desk.told.sentence == f"sentence {told}")
            await pilot.pause()
            return main.page is not before

        assert not await hears()
        await pilot.press("7")
        assert await hears(), "the log is what it tells"
        await pilot.press("1", "space")
        assert await hears(), "no frame comes to a screen that is paused"
        await pilot.press("L")
        assert not await hears()
        app.desk.silent_seconds = 5.0
        assert await hears(), "no frame comes when nothing is read"
        before = main.page
        app.desk.absorb([alder.reading(20)], START_NS + 20 * SECOND, 1.0)
        app.paint()
        assert main.page is not before

    play(app, script)


def test_fields_that_are_not_on_the_screen_are_not_read(
    app: IsinglassApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    field = PanelView.field

    def reading(self: PanelView, name: str) -> object:
        read.append(name)
        return field(self, name)

    monkeypatch.setattr(PanelView, "field", reading)
    scene = app.desk.scene(120, 10)
    rows = panels.build(scene).rows
    assert len(rows) > 3 * len(read) > 0
    seen = len(read)
    assert all(row.cells["value"] for row in rows)
    assert len(read) > seen


def test_late_values_are_made_once() -> None:
    made: list[int] = []

    def make() -> dict[str, int]:
        made.append(1)
        return {"a": 1, "b": 2}

    late = Late(make)
    assert not made
    assert (late["a"], late.get("c"), len(late), list(late)) == (1, None, 2, ["a", "b"])
    assert made == [1]


def test_samples_are_divided_for_the_thread_that_is_asked_for() -> None:
    first, second = (0, 1, 0), (0, 1, 1)
    word = MODULE << 16 | WORK
    tallies = [Tally(taken=10, seconds=1.0) for _ in range(3)]
    for tally in tallies:
        for key in (first, second):
            tally.put(key, {word: 10}, {word}, Usage(250_000_000, 0))
    whole = window(tallies)
    assert [line.share for line in hottest(whole, first)] == [1.0]
    assert hottest(whole, first)[0].running == pytest.approx(0.25)
    assert all(set(tally._lines) == {first} for tally in tallies)
    whole.move([tallies[0], *tallies])
    assert sum(share.samples for share in whole.lines(first).values()) == 40


def test_the_hottest_line_alone_is_the_first_of_all() -> None:
    thread, words = (0, 1, 0), [MODULE << 16 | line for line in (WORK, WORK + 1, WORK + 2)]
    tallies = [Tally(taken=10, seconds=1.0) for _ in range(4)]
    for tally, counts in zip(tallies, ((7, 3, 0), (1, 4, 2), (0, 1, 9), (3, 3, 3)), strict=True):
        seen = {word: count for word, count in zip(words, counts, strict=True) if count}
        tally.put(thread, seen, {words[0]}, Usage(250_000_000, 0))
    sums: list[Tally | Window] = [*tallies, window(tallies[:2]), window(tallies)]
    for each in sums:
        first = hottest(each, thread)[0]
        assert hottest_line(each, thread) == (first.word, first.share)
    assert hottest_line(window(tallies), (0, 1, 1)) is None


def test_the_first_page_loads_no_monitor_no_links_no_files() -> None:
    line = f"import sys, isinglass_console.app; print([m for m in {LATER!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]", "the first page waits for what it does not show"


def test_at_ten_frames_a_second_no_frame_of_the_window_is_unpacked(
    alder: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(0.1)
    for tick in range(150):
        desk.absorb([alder.reading(tick % 12)], START_NS + tick * SECOND // 10, 0.1)
    unpacked: list[bytes] = []
    unpack = frame_codec._fields

    def unpacking(row: bytes) -> list[object]:
        unpacked.append(row)
        return unpack(row)

    monkeypatch.setattr(frame_codec, "_fields", unpacking)
    scene = desk.scene(120, 36)
    assert scene.node is not None
    assert scene.heat(scene.node).taken == 100 * alder.reading(0).tally.taken
    assert not unpacked
