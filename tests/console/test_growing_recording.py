"""A recording that another process writes is followed: its end moves on, and its end is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.playing import play, screen_text, until
from console.same import plain_frame
from glass.node_program import NODE
from isinglass_console.app import IsinglassApp
from isinglass_console.recording.format import CHAPTER_ROWS
from isinglass_console.recording.reading import Recording
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.status import status_line
from isinglass_console.widgets.line import text_of
from programs import hear, program, tell

RECORDER = """
import sys
from pathlib import Path
from isinglass.glass.reader import SegmentReader
from isinglass_console.model.frame import Condition
from isinglass_console.model.hub import Hub
from isinglass_console.model.log import LogEntry
from isinglass_console.model.reading import Reading
from isinglass_console.recording.recorder import Recorder

hub, recorder, number = Hub(), None, 0
for line in sys.stdin:
    word, _, told = line.strip().partition(" ")
    if word == "begin":
        recorder = Recorder(Path(sys.argv[1]), 0, float(told or 0), durable=False)
    elif word == "end":
        recorder.close()
    else:
        with SegmentReader("alder") as reader:
            snapshot = reader.snapshot()
        for _ in range(int(told)):
            number += 1
            event = LogEntry(number * 10**9, "alder", "daemon", 13, "f", f"second {number}")
            reading = Reading("alder", Condition.ALIVE, "", snapshot, events=(event,))
            frame = hub.take([reading], number * 10**9, 1.0)
            recorder.take(frame, hub.fresh)
    print("done", flush=True)
"""
Say = Callable[[str], None]


@contextmanager
def recorder(path: Path) -> Iterator[Say]:
    """Run another process that records what it is told: begin, take N, end."""
    line = [sys.executable, "-c", RECORDER, str(path)]
    with (
        program(NODE),
        subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):

        def say(what: str) -> None:
            tell(process, what)
            assert hear(process) == "done"

        try:
            yield say
        finally:
            process.kill()


@pytest.fixture
def say(tmp_path: Path, runtime_dir: Path) -> Iterator[Say]:
    """A recorder of `growing` that has taken five frames."""
    with recorder(tmp_path / "growing") as told:
        told("begin")
        told("take 5")
        yield told


def status(desk: Desk) -> str:
    return text_of(status_line(desk.scene(120, 1)).lines)


def same(recording: Recording, path: Path) -> None:
    """Check that what was followed is what a reader finds that comes now."""
    followed = [plain_frame(recording.frame(n)) for n in range(recording.oldest, recording.newest)]
    told = [entry.message for entry in recording.around(2**62).entries]
    recording.close()
    fresh = Recording(path)
    first, last = fresh.oldest, fresh.newest
    assert followed == [plain_frame(fresh.frame(n)) for n in range(first, last)]
    assert told == [entry.message for entry in fresh.around(2**62).entries]


def test_its_end_moves_on_over_chapters(say: Say, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "growing")
    assert recording.grows and recording.newest == 4
    assert recording.follow() is False, "nothing is new"
    for count in (1, 1, 20, CHAPTER_ROWS, 7, 3 * CHAPTER_ROWS):
        before = recording.newest
        frame = recording.frame(before)
        say(f"take {count}")
        assert recording.newest == before, "nothing moves by itself"
        assert recording.follow() is True
        assert recording.newest == before + count
        assert recording.wall_ns(recording.newest) == (recording.newest + 1) * 10**9
        newest, again = recording.frame(recording.newest), recording.frame(before)
        assert newest is not None and newest.wall_ns == recording.wall_ns(recording.newest)
        assert plain_frame(again) == plain_frame(frame)
        newest_event = recording.around(newest.wall_ns).until(newest.wall_ns)[-1]
        assert newest_event.message == f"second {recording.newest + 1}"
    same(recording, tmp_path / "growing")


def test_the_end_is_told_and_so_is_who_goes_on(say: Say, tmp_path: Path) -> None:
    path = tmp_path / "growing"
    desk = Desk(recorded=Recording(path))
    assert "REPLAY PAUSED −00:04" in status(desk)
    desk.live()
    assert "REPLAY FOLLOWS 00:00" in status(desk) and "LIVE" not in status(desk)
    say("take 3")
    assert desk.follow() and desk.number == 7
    desk.play(0)
    assert "REPLAY PAUSED 00:00" in status(desk), "the end is where it is held"
    say("take 2")
    assert desk.follow() and "REPLAY PAUSED −00:02" in status(desk)
    desk.play(0)
    assert desk.advance(60 * 10**9)
    assert "REPLAY FOLLOWS" in status(desk), "what is played comes to the end, and stays there"
    say("end")
    assert desk.follow() and "has ended" in desk.settings.notice
    assert "REPLAY END 00:00" in status(desk)
    assert not desk.follow()
    say("begin")
    say("take 1")
    assert desk.follow() and "L follows" in desk.settings.notice
    assert "REPLAY FOLLOWS" in status(desk) and desk.number == 10
    say("take 4")
    assert desk.follow() and desk.number == 14


def test_a_recorder_that_is_killed_has_ended(tmp_path: Path, runtime_dir: Path) -> None:
    path = tmp_path / "growing"
    with recorder(path) as say:
        say("begin")
        say("take 5")
        recording = Recording(path)
        assert recording.grows
    assert recording.follow() is True and not recording.grows
    assert recording.newest == 4
    assert not recording.follow()


def test_what_is_forgotten_meanwhile_is_passed_over(tmp_path: Path, runtime_dir: Path) -> None:
    path = tmp_path / "growing"
    with recorder(path) as say:
        say("begin 150")
        say(f"take {CHAPTER_ROWS + 5}")
        desk = Desk(recorded=Recording(path))
        recording = desk.recorded
        assert recording is not None
        say(f"take {4 * CHAPTER_ROWS}")
        assert desk.scene(80, 24).frame.nodes == ()
        assert "just forgotten" in desk.settings.notice
        assert desk.follow() and recording.oldest > 0
        assert desk.number == recording.oldest
        assert desk.scene(80, 24).frame.nodes != ()
        assert isinstance(recording, Recording)
        same(recording, path)


def test_a_second_recorder_is_refused_while_it_is_looked_at(say: Say, tmp_path: Path) -> None:
    """A reader asks who writes, and holds no lock that a recorder could meet."""
    recording = Recording(tmp_path / "growing")
    for _ in range(50):
        recording.follow()
    say("end")
    recording.follow()
    say("begin")
    say("take 1")
    assert recording.follow() and recording.grows


def test_the_console_follows_it(say: Say, tmp_path: Path) -> None:
    desk = Desk(recorded=Recording(tmp_path / "growing"))
    app = IsinglassApp(desk=desk, feeding=False, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("L")
        assert "REPLAY FOLLOWS" in screen_text(app)
        say("take 6")
        await until(app, pilot, lambda: "00:00:11 UTC" in screen_text(app))
        await pilot.press("[")
        await until(app, pilot, lambda: "REPLAY PAUSED −00:01" in screen_text(app))
        say("take 4")
        await until(app, pilot, lambda: "REPLAY PAUSED −00:05" in screen_text(app))
        await pilot.press("L")
        say("end")
        await until(app, pilot, lambda: "its recorder has ended" in screen_text(app))
        assert "REPLAY END" in screen_text(app)

    play(app, script)
