"""A recording on the screen: every view shows of each moment what it showed when that was now."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from at_work import working_node
from console.playing import play, screen_text, until
from console.stage import SECOND, START_NS, Stage, stage
from console.staged_cluster import NAMES, Frames
from isinglass_console.app import IsinglassApp
from isinglass_console.model.frame import Frame
from isinglass_console.model.player import Player, next_speed
from isinglass_console.recording.reading import Recording
from isinglass_console.recording.recorder import Recorder
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.status import status_line
from isinglass_console.screens.views import VIEWS, shown_view
from isinglass_console.sources.files import SourceFiles
from isinglass_console.widgets.line import text_of


def recorded(path: Path, *stages: Stage, ticks: int, from_tick: int = 1) -> Desk:
    """Fill a desk second by second, record each of its frames, and return the desk."""
    desk = Desk()
    recorder = Recorder(path, START_NS, durable=False)
    for tick in range(from_tick, from_tick + ticks):
        readings = [each.reading(tick) for each in stages]
        frame = desk.absorb(readings, START_NS + tick * SECOND, 1.0)
        recorder.take(frame, desk.hub.fresh)
    recorder.close()
    return desk


def shown(desk: Desk, view: str, width: int, height: int) -> list[str]:
    desk.settings.view = view
    scene = desk.scene(width, height)
    return text_of(shown_view(scene).build(scene, SourceFiles()).block.lines).split("\n")


def status(desk: Desk) -> str:
    return text_of(status_line(desk.scene(120, 1)).lines)


@pytest.mark.parametrize("size", [(80, 22), (120, 34), (200, 58)])
def test_every_view_shows_what_it_showed_live(
    frames: Frames, tmp_path: Path, size: tuple[int, int]
) -> None:
    live, path = Desk(), tmp_path / "cluster"
    recorder = Recorder(path, START_NS, durable=False)
    killed = (NAMES[0], f"{NAMES[1]} killed", f"{NAMES[2]} stalled")
    then: dict[tuple[int, str], list[str]] = {}
    for tick in range(1, len(frames[NAMES[0]]) + 1):
        readings = [frames[key][tick - 1] for key in killed]
        frame = live.absorb(readings, START_NS + tick * SECOND, 1.0)
        recorder.take(frame, live.hub.fresh)
        # Held as the replay is: what is live shows the log to its end, and ages as of now.
        live.pause()
        for view in VIEWS:
            then[frame.number, view.name] = shown(live, view.name, *size)
        live.live()
    recorder.close()
    replay = Desk(recorded=Recording(path))
    for number in range(live.history.newest, -1, -1):
        for desk in (live, replay):
            desk.go_to(live.history.wall_ns(number))
        # The log shows what came later, too, dim.
        then[number, "log"] = shown(live, "log", *size)
        for view in VIEWS:
            if view.name != "alarms":
                assert shown(replay, view.name, *size) == then[number, view.name], view.name


def test_the_status_row_never_calls_a_recording_live(alder: Stage, tmp_path: Path) -> None:
    recorded(tmp_path / "one", alder, ticks=30)
    desk = Desk(recorded=Recording(tmp_path / "one"))
    assert "REPLAY PAUSED −00:29" in status(desk)
    desk.live()
    assert "REPLAY END" in status(desk) and "LIVE" not in status(desk)
    desk.step(-4)
    assert desk.change_speed(2, 0) == "replay at 4 times the speed"
    assert desk.play(0) == ""
    assert "REPLAY ×4 −00:04" in status(desk)
    assert desk.advance(SECOND // 8) is False
    assert desk.advance(SECOND // 4 + 1) is True
    assert "REPLAY ×4 −00:03" in status(desk)
    desk.change_speed(-1, SECOND // 4 + 1)
    assert desk.advance(SECOND * 3 // 4 + 2) is True
    assert "REPLAY ×2 −00:02" in status(desk)
    assert desk.advance(60 * SECOND) is True
    assert "REPLAY END 00:00" in status(desk)
    assert desk.player is None and desk.advance(61 * SECOND) is False
    desk.play(0)
    assert "REPLAY ×2 −00:29" in status(desk), "at its end it begins again"


def test_the_past_of_the_console_is_played_until_it_is_now(alder: Stage, tmp_path: Path) -> None:
    desk = recorded(tmp_path / "one", alder, ticks=20)
    assert "go back" in desk.play(0)
    desk.step(-10)
    desk.play(0)
    desk.advance(5 * SECOND)
    assert "REPLAY ×1 −00:05" in status(desk)
    desk.absorb([alder.reading(21)], START_NS + 21 * SECOND, 1.0)
    assert "REPLAY ×1 −00:06" in status(desk), "what is played stands where it was"
    desk.advance(11 * SECOND)
    assert "LIVE" in status(desk)


def test_a_time_without_frames_is_skipped(alder: Stage, tmp_path: Path) -> None:
    recorded(tmp_path / "one", alder, ticks=3)
    recorded(tmp_path / "one", alder, ticks=3, from_tick=4000)
    timeline = Recording(tmp_path / "one")
    player = Player(1.0, timeline.wall_ns(2), 0)
    player, number = player.number(timeline, 2, 1.0, SECOND)
    assert number == 3 and player.moment(SECOND) == timeline.wall_ns(3)
    assert [next_speed(1.0, 1), next_speed(60.0, 1), next_speed(0.1, -1)] == [2.0, 60.0, 0.1]


def empty(path: Path, seconds: list[int], interval_seconds: float) -> Desk:
    """Return a desk that replays frames of these seconds, without nodes."""
    recorder = Recorder(path, START_NS, durable=False)
    for second in seconds:
        recorder.take(Frame(0, START_NS + second * SECOND, interval_seconds), [])
    recorder.close()
    return Desk(recorded=Recording(path))


def test_frames_that_are_far_apart_are_played_at_their_speed(tmp_path: Path) -> None:
    desk = empty(tmp_path / "slow", [20 * number for number in range(9)], 20.0)
    desk.play(0)
    seen = [(desk.advance(second * SECOND), desk.number)[1] for second in range(0, 60, 5)]
    assert seen == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]


def test_where_the_clock_was_set_back_every_frame_is_played(tmp_path: Path) -> None:
    desk = empty(tmp_path / "back", [*range(100, 200), *range(130, 260)], 1.0)
    desk.play(0)
    seen = [(desk.advance(second * SECOND), desk.number)[1] for second in range(220)]
    assert seen == [*range(99), *range(100, 221)]


def test_a_baseline_and_the_heat_reach_back_in_a_recording(alder: Stage, tmp_path: Path) -> None:
    live = recorded(tmp_path / "one", alder, ticks=75)
    replay = Desk(recorded=Recording(tmp_path / "one"))
    for desk in (live, replay):
        desk.go_to(START_NS + 10 * SECOND)
        desk.toggle_baseline()
        desk.go_to(START_NS + 70 * SECOND)
        assert "Δ since the mark" in status(desk)
    for view in ("queue", "probes", "panels", "overview"):
        assert shown(replay, view, 120, 34) == shown(live, view, 120, 34)
    assert "560 400" in "\n".join(shown(replay, "queue", 120, 34)), "60 s of 9 340"


# ------------------------------------------------------------------ in the app
def test_keys_play_pause_step_and_leave(alder: Stage, tmp_path: Path) -> None:
    recorded(tmp_path / "one", alder, ticks=20)
    desk = Desk(recorded=Recording(tmp_path / "one"))
    app = IsinglassApp(desk=desk, feeding=False, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await until(app, pilot, lambda: "REPLAY ×1 −00:18" in screen_text(app))
        await pilot.press("space")
        assert "REPLAY PAUSED" in screen_text(app)
        await pilot.press("G", "}", "[")
        assert "−00:0" in screen_text(app)
        await pilot.press("b", *"-15", "enter")
        assert "REPLAY PAUSED −00:15" in screen_text(app)
        await pilot.press(")", ")", ")", "space")
        assert "REPLAY ×8" in screen_text(app)
        await until(app, pilot, lambda: "REPLAY END 00:00" in screen_text(app))
        await pilot.press("R")
        assert "a recording already" in screen_text(app)
        await pilot.press("O", "enter")
        assert "isinglass snapshot" in screen_text(app)

    play(app, script)


def test_the_console_records_and_saves_what_it_shows(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with working_node("alder"):
        app = IsinglassApp(["alder"], interval_seconds=0.1, keymap_path=tmp_path / "none")

        async def script(pilot: Pilot[int]) -> None:
            await until(app, pilot, lambda: app.desk.history.newest > 3)
            await pilot.press("R")
            assert "● REC" in screen_text(app)
            first = app.desk.history.newest
            await pilot.press("space")
            await until(app, pilot, lambda: app.desk.history.newest > first + 5)
            assert "PAUSED" in screen_text(app)
            await pilot.press("R")
            assert "recorded" in screen_text(app) and "● REC" not in screen_text(app)
            await pilot.press("O", "ctrl+u", *f"-1m {tmp_path}/saved", "enter")
            await until(app, pilot, lambda: "saved" in screen_text(app).split("\n")[-1])

        play(app, script)
        history = app.desk.memory
        (path,) = (tmp_path / "isinglass" / "recordings").iterdir()
        recording, saved = Recording(path), Recording(tmp_path / "saved")
        assert recording.newest >= 5, "it went on while the screen was paused"
        for each in (recording, saved):
            for number in (each.oldest, each.newest):
                frame = each.frame(number)
                same = history.frame(history.number_at(each.wall_ns(number)))
                assert frame is not None and same is not None
                assert frame.nodes[0].figures == same.nodes[0].figures
        assert saved.oldest == 0 and saved.wall_ns(0) == history.wall_ns(0)


def test_a_folder_that_cannot_be_made_is_a_sentence(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "isinglass").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with stage("alder", tmp_path / "source"):
        app = IsinglassApp(["alder"], keymap_path=tmp_path / "none")

        async def script(pilot: Pilot[int]) -> None:
            await until(app, pilot, lambda: app.desk.history.newest >= 0)
            await pilot.press("R")
            assert "cannot be made" in screen_text(app)
            assert "● REC" not in screen_text(app)

        play(app, script)
