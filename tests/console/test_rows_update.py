"""Rows go to the terminal at once where canvases are all there is to see, else in Textual's way."""

from __future__ import annotations

import pytest
from rich.console import RenderableType
from textual.pilot import Pilot
from textual.screen import Screen

from console.playing import body, play
from console.stage import SECOND, START_NS, Stage, filled_desk
from isinglass_console.app import IsinglassApp
from isinglass_console.widgets.rows_update import RowsUpdate


class Watched:
    """An app, and what it drew."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage, self.tick = stage, 12
        self.app = IsinglassApp(desk=filled_desk(stage, ticks=2), feeding=False)
        self.drawn: list[object] = []
        draw = self.app._display

        def display(screen: Screen[object], renderable: RenderableType | None) -> None:
            self.drawn.append(renderable)
            draw(screen, renderable)

        monkeypatch.setattr(self.app, "_display", display)

    def next_frame(self) -> list[RowsUpdate]:
        """Take one more frame; return what was drawn of it before anything else could run."""
        self.tick += 1
        self.drawn.clear()
        reading = self.stage.reading(self.tick)
        self.app.desk.absorb([reading], START_NS + self.tick * SECOND, 1.0)
        self.app.paint()
        return [each for each in self.drawn if isinstance(each, RowsUpdate)]


@pytest.fixture
def watched(alder: Stage, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(alder, monkeypatch)


def test_changed_rows_are_drawn_at_once_at_their_places(watched: Watched) -> None:
    app = watched.app

    async def script(pilot: Pilot[int]) -> None:
        await pilot.pause()
        (update,) = watched.next_frame()
        written = update.render_segments(app.console)
        canvas = body(app)
        places = {y: f"\x1b[{canvas.region.y + y + 1};1H" for y in range(canvas.size.height)}
        moved = [y for y, place in places.items() if place in written]
        assert 0 < len(moved) < canvas.size.height
        for y in moved:
            assert places[y] + canvas.render_line(y).render(app.console) in written

    play(app, script, (120, 24))


def test_under_a_prompt_rows_are_repainted_with_what_lies_over_them(watched: Watched) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("slash")
        await pilot.pause()
        assert not watched.next_frame()
        await pilot.press("escape")
        await pilot.pause()
        assert watched.next_frame()

    play(watched.app, script, (120, 24))


def test_in_the_terminals_own_colours_textual_keeps_the_rows(watched: Watched) -> None:
    app = watched.app

    async def script(pilot: Pilot[int]) -> None:
        app.theme = "ansi-dark"
        await pilot.pause()
        before = [str(row) for row in body(app).render_lines(body(app).size.region)]
        assert not watched.next_frame()
        await pilot.pause()
        after = [str(row) for row in body(app).render_lines(body(app).size.region)]
        assert after != before

    play(app, script, (120, 24))
