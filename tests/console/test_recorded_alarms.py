"""What was wrong while it was recorded is shown at each instant, and judged as it was then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest
from textual.pilot import Pilot

from alarm_stage import AlarmStage
from console.playing import play, screen_text, until
from console.stage import SECOND, START_NS, Stage
from console.test_alarm_view import played, states
from console.test_replay import shown
from isinglass.glass.severity import ERROR, WARNING
from isinglass_console.app import IsinglassApp
from isinglass_console.model.alarms import OWN, AlarmSheet, sheet_of
from isinglass_console.model.board import BUILT_IN, Board, Levels, Severity, Threshold
from isinglass_console.model.frame import Frame
from isinglass_console.model.log import LogEntry
from isinglass_console.recording.board_tables import BOARD_TABLES
from isinglass_console.recording.format import RecordingDamaged
from isinglass_console.recording.reading import Recording
from isinglass_console.recording.recorder import Recorder
from isinglass_console.recording.slicing import write_slice
from isinglass_console.screens.desk import Desk

TREMBLING = Levels(
    (*BUILT_IN.thresholds, Threshold("load", 0.5, 0.4, Severity.CRITICAL, "hot", "share", "load"))
)


def record(
    path: Path,
    frames: Sequence[tuple[Frame, list[LogEntry]]],
    sheets: Sequence[AlarmSheet | None] = (),
    **how: float,
) -> None:
    """Record frames, each with what a monitor said then."""
    recorder = Recorder(path, START_NS, durable=False, **how)
    for at, (frame, events) in enumerate(frames):
        recorder.take(frame, events, sheets[at] if sheets else None)
    recorder.close()


def seconds_of(
    stage: Stage, ticks: int, levels: Levels = BUILT_IN
) -> list[tuple[Frame, list[LogEntry]]]:
    """Return the frames of a node's first seconds, and what they added to the log."""
    desk, found = Desk(), []
    desk.hub.board = Board(levels)
    for tick in range(1, ticks + 1):
        frame = desk.absorb([stage.reading(tick)], START_NS + tick * SECOND, 1.0)
        found.append((frame, list(desk.hub.fresh)))
    return found


def sheets_of_a_monitor() -> list[AlarmSheet]:
    """Return what a real book of alarms said at each of twelve seconds."""
    found: list[AlarmSheet] = []

    def note(scene: AlarmStage) -> None:
        document = {**scene.book.document(), "written_wall_ns": scene.now.wall_ns}
        found.append(sheet_of("orchard", document, True))

    played(note)
    return found


def replay_at(desk: Desk, second: int) -> AlarmSheet:
    desk.go_to(START_NS + second * SECOND)
    sheet = desk.scene(120, 34).every_alarm
    assert sheet is not None
    return sheet


def test_a_monitors_alarms_are_what_they_were_at_each_instant(alder: Stage, tmp_path: Path) -> None:
    sheets = sheets_of_a_monitor()
    record(tmp_path / "a", seconds_of(alder, 12), sheets)
    desk = Desk(recorded=Recording(tmp_path / "a"))
    for second in (12, 3, 7, 1, 10, 9, 6, 12):
        then, now = sheets[second - 1], replay_at(desk, second)
        assert states(now) == states(then), f"second {second}"
        assert [alarm.steps for alarm in now.alarms] == [alarm.steps for alarm in then.alarms]
        assert now.monitor == "orchard" and now.holdings == then.holdings
    assert "2 raised" in shown(desk, "alarms", 120, 34)[0]
    assert "as told by orchard" in shown(desk, "alarms", 120, 34)[0]


def test_without_a_monitor_the_own_thresholds_tell(alder: Stage, tmp_path: Path) -> None:
    record(tmp_path / "a", seconds_of(alder, 12))
    desk = Desk(recorded=Recording(tmp_path / "a"))
    early, late = replay_at(desk, 2), replay_at(desk, 12)
    assert early.monitor == late.monitor == OWN
    assert "backlog" not in states(early) and states(late)["backlog"] == "firing"
    raised = next(alarm for alarm in late.raised if alarm.rule == "backlog")
    assert raised.node == "alder" and raised.raised_ns == START_NS + 8 * SECOND
    assert "76 %" in raised.value
    desk.go_to(START_NS + 3 * SECOND)
    assert "alder: backlog raised" in desk.next_trouble(WARNING, 1)
    assert desk.scene(120, 34).frame.wall_ns == raised.raised_ns
    assert any("backlog" in line and "firing" in line for line in shown(desk, "alarms", 120, 34))


def test_frames_are_judged_by_the_levels_of_then(alder: Stage, tmp_path: Path) -> None:
    frames = seconds_of(alder, 12, TREMBLING)
    record(tmp_path / "a", frames)
    record(tmp_path / "a", seconds_of(alder, 12))
    recording = Recording(tmp_path / "a")
    found = [recording.frame(number) for number in (0, 11, 12, 23)]
    assert [each.levels == TREMBLING for each in found if each] == [True, True, False, False]
    desk = Desk()
    for frame, _ in frames:
        desk.memory.append(frame)
    past = desk.memory.frame(0)
    assert past is not None and past.levels == TREMBLING, "the console's own memory, too"
    assert write_slice(tmp_path / "b", recording.frames(3, 14), [], recording.sheet) == 12
    cut = Recording(tmp_path / "b")
    found = [cut.frame(number) for number in (0, 11)]
    assert [each.levels == TREMBLING for each in found if each] == [True, False]
    then = recording.sheet(11)
    assert then is not None and replay_at(Desk(recorded=cut), 12).raised[0].node == "alder"


def test_the_next_recorder_ends_what_nobody_tells_any_more(alder: Stage, tmp_path: Path) -> None:
    frames = seconds_of(alder, 12)
    record(tmp_path / "a", frames)
    quiet = [(replace(frame, wall_ns=frame.wall_ns + 60 * SECOND), e) for frame, e in frames[:3]]
    record(tmp_path / "a", quiet)
    desk = Desk(recorded=Recording(tmp_path / "a"))
    assert states(replay_at(desk, 12))["backlog"] == "firing"
    assert states(replay_at(desk, 62))["backlog"] == "cleared"


def test_what_is_forgotten_takes_its_alarms_along(alder: Stage, tmp_path: Path) -> None:
    frames = seconds_of(alder, 12, TREMBLING)
    hours = [
        (replace(frame, wall_ns=frame.wall_ns + turn * 12 * SECOND), events)
        for turn in range(60)
        for frame, events in frames
    ]
    record(tmp_path / "a", hours, keep_seconds=130)
    recording = Recording(tmp_path / "a")
    assert recording.oldest > 0
    frame = recording.frame(recording.oldest)
    assert frame is not None and frame.levels == TREMBLING
    assert recording.sheet(recording.oldest) is not None
    oldest_ns = recording.wall_ns(recording.oldest)
    assert all(not each.ended_ns or each.ended_ns >= oldest_ns for each in recording.alarms)
    assert 20 < len(recording.alarms) < 60


def without_board(path: Path) -> None:
    """Make of a recording one of before there were alarms in it."""
    with lmdb.open(str(path), subdir=False, max_dbs=12, lock=False) as environment:
        for table in BOARD_TABLES:
            handle = environment.open_db(table.encode())
            with environment.begin(write=True) as transaction:
                transaction.drop(handle)


def test_an_older_recording_opens_and_says_what_it_lacks(alder: Stage, tmp_path: Path) -> None:
    record(tmp_path / "a", seconds_of(alder, 12, TREMBLING))
    without_board(tmp_path / "a")
    recording = Recording(tmp_path / "a")
    frame = recording.frame(5)
    assert frame is not None and frame.levels == BUILT_IN
    assert recording.sheet(5) is None
    desk = Desk(recorded=recording)
    app = IsinglassApp(desk=desk, feeding=False, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await until(app, pilot, lambda: "REPLAY" in screen_text(app))
        await pilot.press("8")
        assert "has no alarms" in screen_text(app)

    play(app, script)
    recording.close()
    record(tmp_path / "a", seconds_of(alder, 12))
    desk = Desk(recorded=Recording(tmp_path / "a"))
    assert desk.recorded is not None
    assert desk.recorded.sheet(5) is None and desk.recorded.sheet(20) is not None


def test_damaged_alarms_are_told(alder: Stage, tmp_path: Path) -> None:
    record(tmp_path / "a", seconds_of(alder, 12))
    with lmdb.open(str(tmp_path / "a"), subdir=False, max_dbs=12, lock=False) as environment:
        handle = environment.open_db(b"board")
        with environment.begin(handle, write=True) as transaction:
            transaction.put(bytes(8), b"none")
    with pytest.raises(RecordingDamaged, match="alarms"):
        Recording(tmp_path / "a")


def test_keys_find_events_in_any_chapter(alder: Stage, tmp_path: Path) -> None:
    frames = seconds_of(alder, 12)
    long = []
    for number in range(400):
        frame, at_ns = frames[5][0], START_NS + number * SECOND
        bad = {10: ERROR, 390: ERROR, 200: WARNING}.get(number)
        told = [LogEntry(at_ns - 5, "alder", "daemon", bad, "f", f"at {number}")] if bad else []
        long.append((replace(frame, wall_ns=at_ns, nodes=()), told))
    record(tmp_path / "a", long)
    desk = Desk(recorded=Recording(tmp_path / "a"))
    desk.go_to(START_NS + 50 * SECOND)
    assert "at 390" in desk.next_trouble(ERROR, 1)
    assert "at 200" in desk.next_trouble(WARNING, -1)
    assert "at 390" in desk.next_trouble(WARNING, 1)
    assert "at 10" in desk.next_trouble(ERROR, -1)
    assert "no error is known before" in desk.next_trouble(ERROR, -1)


def test_a_recording_takes_no_orders(alder: Stage, tmp_path: Path) -> None:
    record(tmp_path / "a", seconds_of(alder, 12), sheets_of_a_monitor())
    desk = Desk(recorded=Recording(tmp_path / "a"))
    app = IsinglassApp(desk=desk, feeding=False, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("L", "8")
        await until(app, pilot, lambda: "queue-long" in screen_text(app))
        await pilot.press("a")
        assert "a recording takes no orders" in screen_text(app)

    play(app, script)
