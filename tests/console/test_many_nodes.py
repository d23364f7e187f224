"""View 5 of more nodes than a small terminal has lines for: what is below is scrolled, not lost."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from console.playing import body, play, screen_text
from console.staged_cluster import MANY, NAMES, Frames, desk_of
from console.test_views import assert_exact
from isinglass_console.app import IsinglassApp
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.lag import LONGEST, TABLE
from isinglass_console.screens.scene import Page
from isinglass_console.screens.views import page_of
from isinglass_console.sources.files import SourceFiles
from isinglass_console.widgets.canvas import Canvas
from isinglass_console.widgets.line import text_of

SMALL = (80, 24)


@pytest.fixture
def desk(many_frames: Frames) -> Desk:
    desk = desk_of(many_frames, *MANY, ticks=2, view="lag")
    desk.select(TABLE, "cedar")
    return desk


def page(desk: Desk, width: int, height: int) -> Page:
    return page_of(desk.scene(width, height), SourceFiles())


@pytest.mark.parametrize("width", [60, 80, 109, 120, 200])
@pytest.mark.parametrize("height", [12, 22, 34])
def test_every_line_is_there_somewhere(desk: Desk, width: int, height: int) -> None:
    whole = page(desk, width, LONGEST)
    assert not whole.hidden
    seen, hits = set[str](), set[str]()
    for _ in range(LONGEST):
        shown = page(desk, width, height)
        assert_exact(shown.block, width)
        assert len(shown.block.lines) == height
        seen |= set(text_of(shown.block.lines).split("\n"))
        for hit in shown.block.hits:
            line = text_of([shown.block.lines[hit.y]])
            assert not hit.kind.startswith("row") or hit.value in line, "a click misses its row"
            if hit.kind.startswith("row:peer"):
                hits.add(hit.value)
        if desk.settings.scrolled.get(TABLE, 0) >= shown.hidden:
            break
        desk.scroll(TABLE, shown.hidden, shown.window)
    for name in MANY:
        desk.select(TABLE, name)  # the table of lags follows what is selected
        seen |= set(text_of(page(desk, width, height).block.lines).split("\n"))
    desk.select(TABLE, "cedar")
    below = text_of(whole.block.lines).split("\n")[len(MANY) + 2 :]
    wanted = [line for line in below if line and not re.fullmatch("[─┬┴┼]+", line)]
    # the trends stand below all that where there is room, and are no figures of their own
    wanted = wanted[
        : next((n for n, line in enumerate(wanted) if line.startswith(" BEHIND")), None)
    ]
    assert [line for line in wanted if line not in seen] == []
    assert hits == set(MANY) - {"cedar"}


def test_a_page_that_fits_is_not_scrolled(frames: Frames) -> None:
    desk = desk_of(frames, *NAMES, view="lag")
    desk.settings.scrolled[TABLE] = 5
    shown = page(desk, 120, 34)
    assert not shown.hidden and "PgDn" not in text_of(shown.block.lines)
    assert "REPAIRS" in text_of(shown.block.lines)


def test_keys_and_wheel_scroll_what_is_below_the_lags(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        first = screen_text(app)
        assert "REPAIRS" in first and "PEERS" not in first
        assert re.search(r" 0 lines above, \d+ below: PgUp, PgDn", first)
        await pilot.press("pagedown")
        assert "PEERS" in screen_text(app) and " LAG  all keep up" in screen_text(app)
        await pilot.press("pagedown", "pagedown")
        assert "NETWORK" in screen_text(app)
        assert "bad tag" in text_of(body(app).lines[-1:]), "the last line is the last one there is"
        assert app.desk.settings.node == "cedar", "the selection stays"
        await pilot.press("j")
        assert app.desk.settings.node == "damson"
        await pilot.press("pageup", "pageup", "pageup")
        assert " 0 lines above" in screen_text(app)
        body(app).post_message(Canvas.Wheeled(body(app), 3))
        await pilot.pause()
        assert " 3 lines above" in screen_text(app)
        await pilot.press("z", "pagedown")
        assert app.desk.settings.node == "gorse", "the table alone is moved in, as any table"

    play(app, script, SMALL)


def test_scrolled_it_looks_as_it_did(snap_compare: Callable[..., bool], app: IsinglassApp) -> None:
    assert snap_compare(app, press=["pagedown"], terminal_size=SMALL)
