"""The real demo, recorded without a terminal by a recorder that is killed, and replayed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from textual.pilot import Pilot

from cli.commands import COMMAND, isinglass
from console.playing import play, screen_text, until
from console.terminal import Terminal, environment
from isinglass import clock
from isinglass_console.app import IsinglassApp
from isinglass_console.recording.reading import Recording
from isinglass_console.screens.desk import Desk
from system.test_demo import demo, runtime_of, wait_until_nothing_is_left

pytestmark = [pytest.mark.terminal, pytest.mark.slow]
FRAMES = 25
WAIT_SECONDS = 60.0


@pytest.fixture
def killed(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording of three nodes at work, whose recorder was killed."""
    path = tmp_path / "demo.recording"
    process = demo("--headless", "--seconds", "600", name=str(tmp_path))
    try:
        monkeypatch.setenv("ISINGLASS_RUNTIME_DIR", str(runtime_of(str(tmp_path))))
        nodes = ("alder", "birch", "cedar")
        line = [COMMAND, "record", *nodes, "-o", str(path), "--interval", "0.2"]
        recorder = subprocess.Popen(line, stderr=subprocess.PIPE)
        end_ns = clock.monotonic_ns() + int(WAIT_SECONDS * 1e9)
        while frames_in(path) < FRAMES:
            assert clock.monotonic_ns() < end_ns and recorder.poll() is None
            clock.sleep(0.2)
        recorder.kill()
        recorder.communicate()
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)
    wait_until_nothing_is_left(str(tmp_path), data_dir)
    return path


COUNT = """
import sys
from pathlib import Path
from isinglass_console.recording.reading import Recording
print(Recording(Path(sys.argv[1])).newest + 1)
"""


def frames_in(path: Path) -> int:
    """Return how many frames another process sees in a recording that is being made."""
    line = [sys.executable, "-c", COUNT, str(path)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else 0


def test_the_demo_is_replayed_as_it_was(killed: Path, tmp_path: Path, runtime_dir: Path) -> None:
    recording = Recording(killed)
    number = recording.newest - 4
    desk = Desk(recorded=recording)
    app = IsinglassApp(desk=desk, feeding=False, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await until(app, pilot, lambda: "REPLAY" in screen_text(app))
        await pilot.press("space")
        desk.step(number - desk.number)
        for digit, words in (("1", "PROBES"), ("2", "NOW AT"), ("4", "allowed"), ("5", "from")):
            await pilot.press(digit)
            shown = screen_text(app)
            assert words in shown and "3 up" in shown and "REPLAY PAUSED" in shown
        await pilot.press("3")
        assert "MERGE RULE" in screen_text(app)

    play(app, script)
    frame = recording.frame(number)
    assert frame is not None and [node.name for node in frame.nodes] == ["alder", "birch", "cedar"]
    recording.close()
    in_a_terminal(killed, runtime_dir)


def in_a_terminal(path: Path, runtime_dir: Path) -> None:
    """Play the recording in a real terminal, at a speed, to its end, and leave."""
    terminal = Terminal(runtime_dir / "tmux", environment())
    try:
        terminal.start(f"exec {COMMAND} console --replay {path} --speed 0.25", 80, 24)
        screen = terminal.wait_for("REPLAY ×0.25")
        assert "3 up" in screen.split("\n")[0]
        terminal.press("Space")
        terminal.wait_for("REPLAY PAUSED")
        terminal.press(")", ")", ")", ")", "Space")
        terminal.wait_for("REPLAY END 00:00")
        terminal.press("[", "[")
        row = terminal.wait_for("REPLAY PAUSED").split("\n")[0]
        assert "LIVE" not in row
        terminal.press("q")
    finally:
        terminal.stop()
    assert not os.path.exists(f"{path}-slice")
    assert isinglass("snapshot", str(path), "--since", "-1s", "-o", f"{path}-slice").stdout
