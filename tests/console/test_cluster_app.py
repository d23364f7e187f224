"""Views of a cluster through Textual's pilot, as pictures, and painted line by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Label

from console.playing import body, play, screen_text
from console.staged_cluster import ALL_TICKS, NAMES, Frames, desk_of
from console.test_app import SIZES
from isinglass.errors import UsageError
from isinglass_console.app import IsinglassApp
from isinglass_console.screens.desk import Desk
from isinglass_console.widgets.line import text_of


@pytest.fixture
def desk(frames: Frames) -> Desk:
    return desk_of(frames, *NAMES)


def test_a_node_that_is_chosen_in_one_view_is_chosen_in_all(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("4", "j", "j")
        assert app.desk.settings.node == "cedar"
        assert "as cedar sees it" in screen_text(app)
        await pilot.press("5")
        assert "▸▲ cedar" in screen_text(app)
        assert "PEERS  of cedar" in screen_text(app)
        await pilot.press("k", "1")
        assert "PROBES  birch" in screen_text(app)
        await pilot.press("5", "enter")
        assert app.desk.settings.view == "probes"
        assert app.desk.settings.node == "birch"

    play(app, script)


def test_from_flow_enter_leads_to_the_thread_that_limits(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("2", "G", "4", "j", "j", "enter")
        row = next(line for line in screen_text(app).split("\n") if line.startswith("▸"))
        assert "applier" in row
        await pilot.press("enter")
        assert "cedar  daemon 6000  applier" in screen_text(app)

    play(app, script)


def test_a_moment_that_is_held_says_how_to_go_on_and_back_to_now(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        assert "L live" not in screen_text(app)
        await pilot.press("space")
        assert "[ ] step" in screen_text(app) and "L live" in screen_text(app)
        await pilot.press("L")
        assert "L live" not in screen_text(app)

    play(app, script)


def test_writers_stand_alone_sort_and_are_copied(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("4", "z")
        assert "OUTLOOK" not in screen_text(app)
        await pilot.press(">", "I", "g", "x", "y")
        assert "CLIENT▾" in screen_text(app)
        assert "counter 3\tcedar\t6001\t1 000" in app.clipboard
        await pilot.press("slash", *"birch", "enter")
        assert "counter 3" not in screen_text(app)
        await pilot.press("escape", "z")
        assert "OUTLOOK" in screen_text(app)

    play(app, script)


def test_the_lag_sorts_by_an_origin_and_filters(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("5")
        at = text_of([body(app).lines[1]]).index("from birch")
        await pilot.click("#body", offset=(at, 1))
        assert "from birch▴" in screen_text(app)
        shown = screen_text(app)
        assert shown.index("· alder") < shown.index("▲ cedar")
        await pilot.press("I")
        shown = screen_text(app)
        assert shown.index("▲ cedar") < shown.index("· alder")
        await pilot.press("slash", *"cedar", "enter")
        assert "· alder" not in screen_text(app)

    play(app, script)


def test_lines_of_the_canvas_are_what_the_model_says(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("5")
        line = body(app).render_line(4)
        assert "▲ cedar" in line.text
        assert "▲ 1.8 s (3 390)" in line.text
        assert len(line.text) == 120
        warned = [segment for segment in line if "3 390" in segment.text]
        plain = [segment for segment in body(app).render_line(2) if "20 ms" in segment.text]
        assert warned[0].style != plain[0].style
        await pilot.press("4")
        assert "limited by cedar, by entries, for 42 s" in body(app).render_line(1).text

    play(app, script)


def test_help_names_the_views_of_a_cluster(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("?")
        shown = text_of(body(app).lines)
        assert "who limits the cluster" in shown
        assert "who is behind whom" in shown

    play(app, script, (160, 48))


class Noted:
    """Hands that note what they were told to do; there is no birch to be done anything to."""

    nodes = ("alder", "cedar")
    trouble = ""

    def __init__(self) -> None:
        self.deeds: list[tuple[str, str]] = []

    def do(self, deed: str, node: str) -> None:
        if node == "cedar" and deed == "kill":
            raise UsageError("cedar cannot be killed")
        self.deeds.append((deed, node))


def with_hands(frames: Frames, folder: Path, hands: Noted, *keys: str) -> IsinglassApp:
    desk = desk_of(frames, *keys, ticks=ALL_TICKS)
    return IsinglassApp(desk=desk, feeding=False, keymap_path=folder / "none", hands=hands)


def test_a_deed_is_asked_back(frames: Frames, tmp_path: Path) -> None:
    hands = Noted()
    app = with_hands(frames, tmp_path, hands, *NAMES)

    async def script(pilot: Pilot[int]) -> None:
        assert "Z stop  K kill  U start" in screen_text(app)
        await pilot.press("K")
        assert "kill alder (kill -9)?" in str(app.screen.query_one(Label).content)
        await pilot.press("escape")
        await pilot.press("K", "n", "K", "escape")
        assert hands.deeds == []
        assert "alder was left as it is" in screen_text(app)
        await pilot.press("K", "y")
        assert hands.deeds == [("kill", "alder")]
        assert "alder was killed; U starts it again" in screen_text(app)
        await pilot.press("Z", "y", "U", "y")
        assert hands.deeds[1:] == [("stop", "alder"), ("start", "alder")]

    play(app, script, (160, 48))


def test_what_cannot_be_done_is_a_sentence(frames: Frames, tmp_path: Path) -> None:
    hands = Noted()
    app = with_hands(frames, tmp_path, hands, *NAMES)

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("j", "K")
        assert "only nodes that `isinglass demo` started" in screen_text(app)
        await pilot.press("j", "K", "y")
        assert "cedar cannot be killed" in screen_text(app)
        assert hands.deeds == []

    play(app, script, (160, 48))


def test_what_harms_nobody_is_done_at_once(frames: Frames, tmp_path: Path) -> None:
    hands = Noted()
    app = with_hands(frames, tmp_path, hands, "alder stalled", "birch", "cedar killed")

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("Z")
        await pilot.press("G", "U")
        assert hands.deeds == [("go on", "alder"), ("start", "cedar")]

    play(app, script, (160, 48))


def test_deeds_are_offered_only_in_a_demo(
    app: IsinglassApp, frames: Frames, tmp_path: Path
) -> None:
    demo = with_hands(frames, tmp_path, Noted(), *NAMES)
    for each, offered in ((app, False), (demo, True)):

        async def script(
            pilot: Pilot[int], each: IsinglassApp = each, offered: bool = offered
        ) -> None:
            titles = [command.title for command in each.get_system_commands(each.screen)]
            assert ("Kill the node (kill -9)" in titles) == offered
            await pilot.press("?")
            assert ("kill -9" in text_of(body(each).lines)) == offered
            await pilot.press("escape", "K")
            if not offered:
                assert "only nodes that `isinglass demo` started" in screen_text(each)

        play(each, script, (160, 48))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", ["1", "4", "5"])
def test_views_of_a_cluster_look_as_they_did(
    snap_compare: Callable[..., bool], app: IsinglassApp, view: str, size: tuple[int, int]
) -> None:
    assert snap_compare(app, press=[view, "h"], terminal_size=size)


def test_a_killed_member_looks_as_it_did(
    snap_compare: Callable[..., bool], frames: Frames, tmp_path: Path
) -> None:
    desk = desk_of(frames, "alder killed", "birch", "cedar", ticks=ALL_TICKS)
    app = IsinglassApp(desk=desk, feeding=False, keymap_path=tmp_path / "none")
    assert snap_compare(app, press=["5"], terminal_size=(120, 36))
