"""The app through Textual's pilot: keys, mouse, prompts, on a staged node and on a live one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from at_work import working_node
from console.playing import body, main_screen, play, screen_text, until
from console.stage import SECOND, START_NS, Stage, filled_desk, stage
from isinglass.glass.snapshot import Verdict
from isinglass_console.app import IsinglassApp
from isinglass_console.screens.source_screen import SourceScreen
from isinglass_console.widgets.canvas import Canvas
from isinglass_console.widgets.line import text_of

SIZES = [(80, 24), (120, 36), (200, 60)]


def test_digits_show_views_and_absent_ones_say_so(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        for digit, word in [("2", "HOT LINES"), ("3", "MERGE RULE"), ("6", "LATENCY")]:
            await pilot.press(digit)
            assert word in screen_text(app)
        await pilot.press("p")
        assert "WHAT IT MEANS" in screen_text(app)
        await pilot.press("tab")
        assert "QUEUE MERGES" in screen_text(app)
        await pilot.press("shift+tab")
        assert app.desk.settings.view == "panels"
        await pilot.press("escape")
        assert app.desk.settings.view == "overview"

    play(app, script)


def test_rows_move_and_the_source_opens_and_goes_back(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("2", "G", "k", "g", "j", "enter")
        assert isinstance(app.screen, SourceScreen)
        first = app.screen.thread_key
        assert "same hash" in screen_text(app)
        await pilot.press("down")
        assert app.screen.thread_key != first
        await pilot.press("left", "left")
        assert "PAUSED −00:02" in screen_text(app)
        await pilot.press("L", "escape")
        assert not isinstance(app.screen, SourceScreen)
        assert "LIVE" in screen_text(app)

    play(app, script)


def test_the_filter_follows_each_letter_and_esc_gives_it_back(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("9", "slash", *"refus")
        assert "refused" in screen_text(app)
        assert "superseded" not in screen_text(app)
        await pilot.press("escape")
        assert "superseded" in screen_text(app)
        await pilot.press("slash", *"!queue", "enter")
        assert "superseded" not in screen_text(app)
        await pilot.press("escape")
        assert "superseded" in screen_text(app)
        await pilot.press("slash", *"[a", "enter")
        assert "plain text" in screen_text(app)

    play(app, script, (160, 60))


def test_columns_sort_by_key_and_by_click(app: IsinglassApp) -> None:
    def fields() -> list[str]:
        return [row.key for row in main_screen(app).page.rows]

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("9")
        declared = fields()
        await pilot.press(">", ">", ">")
        by_field = fields()
        assert by_field != declared
        assert "FIELD▴" in screen_text(app)
        await pilot.press("I")
        assert fields() == by_field[::-1] or "FIELD▾" in screen_text(app)
        header = body(app).lines[0]
        at = text_of([header]).index("RATE")
        await pilot.click("#body", offset=(at, 0))
        assert "RATE▴" in screen_text(app)
        await pilot.press("f")
        frozen = fields()
        await pilot.press("f")
        assert frozen == fields()

    play(app, script, (160, 60))


def test_the_mouse_selects_opens_and_scrolls(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        keys = app.screen.query_one("#keys", Canvas)
        at = text_of(keys.lines).index("panels")
        await pilot.click("#keys", offset=(at, 0))
        assert app.desk.settings.view == "panels"
        await pilot.click("#body", offset=(20, 5))
        chosen = app.desk.table("fields").selected
        assert chosen == main_screen(app).page.rows[4].key
        body(app).post_message(Canvas.Wheeled(body(app), 3))
        await pilot.pause()
        assert app.desk.table("fields").selected == main_screen(app).page.rows[7].key
        await pilot.press("2")
        await pilot.double_click("#body", offset=(20, 2))
        assert isinstance(app.screen, SourceScreen)

    play(app, script)


def test_time_stops_steps_and_goes_on(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("space")
        assert "PAUSED 00:00" in screen_text(app)
        await pilot.press("[", "[", "]")
        assert "PAUSED −00:01" in screen_text(app)
        await pilot.press("{")
        assert "PAUSED −00:11" in screen_text(app)
        await pilot.press("b", *"-5", "enter")
        assert "PAUSED −00:05" in screen_text(app)
        await pilot.press("b", *"soon", "enter")
        assert "is no time" in screen_text(app)
        await pilot.press("L")
        assert "PAUSED" not in screen_text(app)
        await pilot.press("=")
        assert "since the mark" in screen_text(app)

    play(app, script)


def test_tags_are_copied_and_zoom_shows_the_table_alone(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("2", "x", "x", "y")
        assert "copied 2 rows" in screen_text(app)
        assert "put" in app.clipboard
        assert "store/engine.py:8" in app.clipboard
        await pilot.press("z")
        assert "HOT LINES" not in screen_text(app)
        await pilot.press("z")
        assert "HOT LINES" in screen_text(app)

    play(app, script, (160, 40))


def test_help_shows_every_key_and_the_palette_runs_views(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("?")
        shown = text_of(app.screen.query_one("#body", Canvas).lines)
        assert "0 lines above" in shown
        await pilot.press("pagedown")
        shown += text_of(app.screen.query_one("#body", Canvas).lines)
        assert "0 below" in shown, "the last line is there"
        for word in ("one row down", "pause; again: live", "command palette", "critical"):
            assert word in shown
        await pilot.press("escape", ":")
        await pilot.pause()
        await pilot.press(*"View queue")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await until(app, pilot, lambda: app.desk.settings.view == "queue")

    play(app, script)


def test_only_rows_that_changed_are_painted(app: IsinglassApp, alder: Stage) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("6")
        await pilot.pause()
        canvas = body(app)
        before = canvas.painted_rows
        app.paint()
        assert canvas.painted_rows == before, "nothing changed, nothing is painted"
        app.desk.absorb([alder.reading(13)], START_NS + 13 * SECOND, 1.0)
        app.paint()
        painted = canvas.painted_rows - before
        assert 0 < painted < canvas.size.height

    play(app, script, (120, 24))


def test_a_terminal_that_is_resized_is_filled_again(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        for size in ((80, 24), (200, 60), (20, 4), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert body(app).size.width == size[0]
            lines = body(app).lines
            assert all(sum(len(text) for text, _ in line) == size[0] for line in lines)

    play(app, script)


def test_themes_change_the_colours(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        first = body(app).render_line(1)
        app.theme = "isinglass-light"
        await pilot.pause()
        assert body(app).render_line(1) != first
        assert body(app).render_line(1).text == first.text
        app.theme = "ansi-dark"
        await pilot.pause()
        styles = {str(segment.style) for segment in body(app).render_line(1)}
        assert not any("#" in style for style in styles), "the terminal's own colours alone"

    play(app, script)


def test_rows_are_those_that_textual_would_make(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        for theme in ("isinglass", "isinglass-light", "textual-dark", "ansi-dark"):
            app.theme = theme
            await pilot.pause()
            for canvas in app.screen.query(Canvas):
                whole = canvas.size.region
                for region in (whole, whole.shrink((0, 3, 0, 5))):
                    ours = canvas.render_lines(region)
                    theirs = Widget.render_lines(canvas, region)
                    assert [[*row] for row in ours] == [[*row] for row in theirs]

    play(app, script)


def test_no_color_has_none(alder: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = IsinglassApp(
        desk=filled_desk(alder, ticks=2),
        feeding=False,
        theme="ansi-dark",
        keymap_path=tmp_path / "none",
    )

    async def script(pilot: Pilot[int]) -> None:
        for line in app.screen._compositor.render_strips():
            for segment in line:
                colour = segment.style.color if segment.style else None
                assert colour is None or colour.is_default, segment

    play(app, script)


def test_without_a_node_it_waits_and_attaches(home: Path, tmp_path: Path) -> None:
    app = IsinglassApp(interval_seconds=0.2, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await until(app, pilot, lambda: "No node on this machine yet" in screen_text(app))
        assert "isinglass demo" in screen_text(app)
        with working_node("birch"):
            await until(app, pilot, lambda: "birch" in screen_text(app))
            await pilot.press("2")
            await until(app, pilot, lambda: "applying a batch" in screen_text(app))
            await until(app, pilot, lambda: "samples/s" in screen_text(app))
        await until(app, pilot, lambda: "KILLED" in screen_text(app))
        with working_node("birch"):
            await until(app, pilot, lambda: "RESTARTED" in screen_text(app))
        await pilot.press("q")

    play(app, script, (160, 40))
    assert app.feed is not None
    assert not app.feed.is_alive()


def test_when_readings_stop_nothing_looks_live(home: Path, tmp_path: Path) -> None:
    app = IsinglassApp(interval_seconds=0.2, keymap_path=tmp_path / "none")

    def broken() -> None:
        raise RuntimeError("a fault in the reader")

    async def script(pilot: Pilot[int]) -> None:
        await until(app, pilot, lambda: "LIVE" in screen_text(app))
        assert app.feed is not None
        app.feed._read_all = broken  # type: ignore[method-assign]
        await until(app, pilot, lambda: "NO READING FOR" in screen_text(app))
        assert "a fault in the reader" in screen_text(app)
        assert "LIVE" not in screen_text(app)
        del app.feed._read_all
        await until(app, pilot, lambda: "LIVE" in screen_text(app))

    play(app, script, (160, 40))


def test_what_cannot_be_read_says_why_in_every_view(home: Path, tmp_path: Path) -> None:
    odd = home / "odd" / "segment"
    odd.parent.mkdir()
    odd.write_bytes(b"ISINGLAS".ljust(300, b"x"))
    app = IsinglassApp(["nobody", "odd"], interval_seconds=0.2, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await until(app, pilot, lambda: "missing" in screen_text(app))
        for view in ("1", "2", "9"):
            await pilot.press(view)
            assert "isinglass daemon start nobody" in screen_text(app)
        await pilot.press("right")
        assert "300 of" in screen_text(app)
        await pilot.press("1")
        assert "✖ unreadable" in screen_text(app)

    play(app, script)


def test_two_nodes_stand_side_by_side(alder: Stage, tmp_path: Path) -> None:
    with stage("birch", tmp_path, pid=5000) as birch:
        desk = filled_desk(alder, birch)
    app = IsinglassApp(desk=desk, feeding=False, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        assert "2 nodes   2 up" in screen_text(app)
        await pilot.press("j")
        assert app.desk.settings.node == "birch"
        assert "PROBES  birch" in screen_text(app)
        await pilot.press("2", "left")
        assert app.desk.settings.node == "alder"
        await pilot.press("1", "l", "enter")
        assert app.desk.settings.view == "probes"
        assert app.desk.settings.node == "birch"

    play(app, script)


# ---------------------------------------------------------------------- pictures
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", ["1", "2", "3", "6", "9"])
def test_views_look_as_they_did(
    snap_compare: Callable[..., bool], app: IsinglassApp, view: str, size: tuple[int, int]
) -> None:
    assert snap_compare(app, press=[view], terminal_size=size)


@pytest.mark.parametrize("size", SIZES[:1] + SIZES[2:])
def test_the_killed_node_looks_as_it_did(
    snap_compare: Callable[..., bool], app: IsinglassApp, alder: Stage, size: tuple[int, int]
) -> None:
    for tick in range(13, 20):
        reading = alder.reading(tick, Verdict.KILLED, tick - 12 + 0.2)
        app.desk.absorb([reading], START_NS + tick * SECOND, 1.0)
    assert snap_compare(app, terminal_size=size)


# What the terminal is like: the environment, and what the command makes of it.
LOOKS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "no-colour": ({"NO_COLOR": "1"}, {"theme": "ansi-dark"}),
    "ascii": ({}, {"ascii_only": True}),
    "light": ({}, {"theme": "isinglass-light"}),
    "16-colours": ({}, {"theme": "ansi-dark"}),
}


@pytest.mark.parametrize("look", LOOKS)
def test_every_terminal_looks_as_it_did(
    snap_compare: Callable[..., bool],
    alder: Stage,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    look: str,
) -> None:
    environment, options = LOOKS[look]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app = IsinglassApp(
        desk=filled_desk(alder), feeding=False, keymap_path=tmp_path / "none", **options
    )
    assert snap_compare(app, terminal_size=(120, 36))


def test_the_source_looks_as_it_did(snap_compare: Callable[..., bool], app: IsinglassApp) -> None:
    assert snap_compare(app, press=["2", "g", "enter"], terminal_size=(100, 26))
