"""A terminal of a few cells, a key held down, names and times out of a clipboard: no traceback."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from console.playing import play, screen_text, until
from console.stage import SECOND, START_NS, Stage, filled_desk, run
from console.staged_cluster import ALL_TICKS, Frames, cluster, desk_of
from console.test_views import applier_key, assert_exact
from isinglass.errors import IsinglassError
from isinglass_console.app import IsinglassApp
from isinglass_console.model.frame import Condition, NodeFrame
from isinglass_console.recording_keys import ConsoleRecording
from isinglass_console.screens import source, words
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.main import MainScreen
from isinglass_console.screens.prompt import ConfirmScreen
from isinglass_console.screens.source_screen import SourceScreen
from isinglass_console.screens.status import key_line, status_line
from isinglass_console.screens.views import VIEWS, page_of
from isinglass_console.sources.files import SourceFiles
from isinglass_console.widgets.line import cells


@pytest.mark.parametrize("width", [1, 2, 3, 5, 9, 14, 22])
def test_every_view_is_built_however_small_the_terminal_is(frames: Frames, width: int) -> None:
    keys = ("alder", "birch killed", "cedar stalled")
    desk = desk_of(frames, *keys, ticks=ALL_TICKS)
    desk.settings.baseline = desk.number - 3
    for height in (1, 2, 4, 7, 25, 60):
        for columns in (False, True):
            desk.settings.columns = columns
            for view in VIEWS:
                desk.settings.view = view.name
                scene = desk.scene(width, height)
                block = page_of(scene, SourceFiles()).block.sized(height)
                assert len(block.lines) == height
                for line in block.lines:
                    assert sum(cells(text) for text, _ in line) == width, (view, line)
                assert status_line(scene).lines and key_line(scene, [("1", "a")], ["q"]).lines
        page, _ = source.build(
            desk.scene(width, height), applier_key(desk), source.Opened(), SourceFiles()
        )
        assert len(page.block.sized(height).lines) == height


ODD = """
import gc
from isinglass.glass.catalog import Panel

def odd(real, whole):
    for panel in [each for each in gc.get_objects() if isinstance(each, Panel)]:
        for name, field in vars(type(panel)).items():
            kind = getattr(field, "kind", "")
            if kind == "real":
                setattr(panel, name, real)
            elif kind in ("gauge", "counter", "timestamp"):
                setattr(panel, name, whole)
"""


@pytest.mark.parametrize(("real", "whole"), [(nan, 0), (inf, 2**63 - 9), (-1e308, 2**62)])
def test_figures_of_any_size_are_shown(tmp_path: Path, home: Path, real: float, whole: int) -> None:
    desk = Desk()
    with cluster(tmp_path, ("alder", "birch")) as nodes:
        for process in [each for node in nodes for each in (node.process, *node.clients)]:
            run(process, f"exec({ODD!r})")
            run(process, f"tick = lambda n, now_ns: odd(float('{real}'), {whole} + n)")
        for tick in range(1, 4):
            desk.absorb([node.reading(tick) for node in nodes], START_NS + tick * SECOND, 1.0)
    for width, height in ((80, 24), (160, 48)):
        for number, columns in ((2, False), (2, True), (1, False)):
            desk.go_to(desk.history.wall_ns(number))
            desk.settings.columns, desk.settings.baseline = columns, 0 if columns else None
            for view in VIEWS:
                desk.settings.view = view.name
                scene = desk.scene(width, height)
                assert_exact(page_of(scene, SourceFiles()).block, width)
                assert status_line(scene).lines


def test_a_key_that_is_held_down_answers_once(app: IsinglassApp) -> None:
    answers: list[bool | None] = []

    async def script(pilot: Pilot[int]) -> None:
        asked = ConfirmScreen("kill it?")
        await app.push_screen(asked, answers.append)
        for _ in range(3):
            asked.post_message(events.Key("y", "y"))
        await pilot.pause()
        assert answers == [True]
        assert isinstance(app.screen, MainScreen)

    play(app, script)


def test_the_source_of_a_thread_of_a_node_that_has_none_any_more(
    alder: Stage, app: IsinglassApp
) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("2", "enter")
        assert isinstance(app.screen, SourceScreen)
        reading = alder.reading(13)
        assert reading.snapshot is not None
        reading.snapshot.processes = ()
        app.desk.absorb([reading], START_NS + 13 * SECOND, 1.0)
        app.paint()
        await pilot.press("j", "k")
        assert "this thread was not there" in screen_text(app)

    play(app, script)


def test_a_clock_that_was_set_back_does_not_keep_a_restart_on_the_screen() -> None:
    node = NodeFrame("alder", Condition.ALIVE, restarted_wall_ns=5000 * SECOND)
    assert "RESTARTED" in words.life_sentence(node, 5003 * SECOND, 1.0)
    assert words.life_sentence(node, 1400 * SECOND, 1.0) == ""


@pytest.mark.parametrize(
    "name", ["~~~/saved", "a" * 300, "nowhere/saved"], ids=["nobody's", "long", "nowhere"]
)
def test_a_part_is_saved_into_no_such_file(
    alder: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    recording = ConsoleRecording(filled_desk(alder, ticks=3))
    with pytest.raises(IsinglassError):
        recording.save(f"-5m {name}")()
    recording.save("-5m saved")()
    with pytest.raises(IsinglassError, match="there already"):
        recording.save("-5m saved")()


def test_hot_lines_are_written_into_nobodys_home(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("2", "X", "ctrl+u", *"~~~/hot", "enter")
        await until(app, pilot, lambda: "nobody's home" in screen_text(app))

    play(app, script)
