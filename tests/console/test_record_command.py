"""`isinglass record`, `snapshot`, and `dump` and `ps` of a recording: as a script uses them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.commands import isinglass, on_terminal, start
from glass.node_program import NODE
from isinglass import clock
from isinglass_console.recording.reading import Recording
from programs import hear, program, tell

WAIT_SECONDS = 30.0
BEHIND_NOHUP = """
import signal, sys
from isinglass_console.cli import main
signal.signal(signal.SIGHUP, signal.SIG_IGN)
sys.exit(main())
"""


def wait_for(path: Path, frames: int) -> None:
    """Wait until another process has recorded so many frames."""
    end_ns = clock.monotonic_ns() + int(WAIT_SECONDS * 1e9)
    while True:
        assert clock.monotonic_ns() < end_ns
        done = isinglass("snapshot", str(path), "-o", f"{path}.look", expect=None)
        if done.returncode == 0:
            Path(f"{path}.look").unlink()
            if int(done.stdout.split()[0].replace(",", "")) >= frames:
                return
        clock.sleep(0.1)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_records_until_it_is_told_to_end(tmp_path: Path, ending: signal.Signals) -> None:
    path = tmp_path / "night"
    with program(NODE) as node:
        recorder = start("record", "alder", "-o", str(path), "--interval", "0.1")
        wait_for(path, 3)
        tell(node, "joined.event(13, 'queue', 'while it recorded')")
        assert hear(node) == "done"
        wait_for(path, 8)
        recorder.send_signal(ending)
        _, told = recorder.communicate(timeout=WAIT_SECONDS)
    assert recorder.returncode == 0
    assert "frames" in told and str(path) in told and "Traceback" not in told
    assert [each.name for each in tmp_path.iterdir() if "night" in each.name] == ["night"]
    recording = Recording(path)
    assert recording.newest >= 7
    messages = [entry.message for entry in recording.around(2**62).entries]
    assert messages.count("while it recorded") == 1


def test_any_number_of_signals_ends_it(tmp_path: Path) -> None:
    """A signal may come while the one before is being taken, and while a frame is announced."""
    with program(NODE):
        recorder = start("record", "alder", "-o", str(tmp_path / "a"), "--interval", "0.1")
        wait_for(tmp_path / "a", 2)
        for _ in range(300):
            recorder.send_signal(signal.SIGTERM)
        try:
            _, told = recorder.communicate(timeout=WAIT_SECONDS)
        finally:
            recorder.kill()
    assert recorder.returncode in (0, -signal.SIGTERM), told  # the last ones may come after the end


def test_it_ends_by_itself_and_a_terminal_sees_how_far_it_is(tmp_path: Path) -> None:
    path = tmp_path / "short"
    with program(NODE):
        line = ("record", "-o", str(path), "--interval", "0.1", "--seconds", "1")
        code, shown = on_terminal(*line)
        assert code == 0 and "frames of 1 node," in shown
        isinglass(*line)
    newest = Recording(path).newest
    assert 10 <= newest <= 24, "the second goes on behind the first"


def test_who_is_not_there_is_told_once(tmp_path: Path, home: Path) -> None:
    line = ("--interval", "0.1", "--seconds", "0.6", "-o", str(tmp_path / "a"))
    told = isinglass("record", "nobody", "--monitor", "none", *line, expect=1).stderr
    assert told.count("isinglass: nobody: ") == told.count("isinglass: monitor: ") == 1
    assert "nothing was read of any node" in told
    assert [each for each in tmp_path.iterdir() if each.is_file()] == []


def test_a_monitor_that_is_not_there_is_told_once_beside_a_node_of_that_name(
    tmp_path: Path,
) -> None:
    source = """
    from isinglass.glass import segment
    segment.open_or_create("monitor")
    print("ready", flush=True)
    input()
    """
    line = ("--interval", "0.1", "--seconds", "0.8", "-o", str(tmp_path / "a"))
    with program(source):
        told = isinglass("record", "--monitor", "none", *line).stderr
    assert told.count("isinglass: monitor: ") == 1


def test_a_recording_that_was_there_stays_when_nothing_is_read(recorded: Path) -> None:
    line = ("--interval", "0.1", "--seconds", "0.6", "-o", str(recorded))
    isinglass("record", "nobody", *line, expect=1)
    assert Recording(recorded).newest >= 0


def test_nodes_and_monitor_are_reached_by_the_command_that_is_named(tmp_path: Path) -> None:
    ssh, asked = tmp_path / "ssh", tmp_path / "asked"
    ssh.write_text(f'#!/bin/sh\necho "$@" >> {asked}\nexit 1\n')
    ssh.chmod(0o755)
    far = ("ssh://far.invalid/alder", "--monitor", "ssh://far.invalid/", "--ssh-command", str(ssh))
    line = ("record", *far, "--seconds", "1", "-o", str(tmp_path / "a"))
    told = isinglass(*line, expect=1).stderr
    words = asked.read_text().splitlines()
    assert any("isinglass relay" in each for each in words)
    assert any("isinglass monitor relay" in each for each in words)
    assert "isinglass: alder: LINK DOWN" in told and "isinglass: monitor: far.invalid" in told


def test_who_must_not_hear_a_hangup_records_on(tmp_path: Path) -> None:
    """As `nohup` has it."""
    path = tmp_path / "night"
    with program(NODE):
        line = [sys.executable, "-c", BEHIND_NOHUP, "record", "alder", "-o", str(path), "-i", "0.1"]
        recorder = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
        wait_for(path, 2)
        recorder.send_signal(signal.SIGHUP)
        wait_for(path, 8)
        recorder.terminate()
        _, told = recorder.communicate(timeout=WAIT_SECONDS)
    assert recorder.returncode == 0, told


def test_wrong_command_lines_are_one_sentence(tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    assert "No node has run here" in isinglass("record", "-o", path, expect=1).stderr
    assert not Path(path).exists()
    assert "no recording" in isinglass("snapshot", path, expect=1).stderr
    code, shown = on_terminal("console", "--replay", path)
    assert code == 1 and "no recording" in shown
    assert "--replay FILE" in isinglass("dump", "--at", "-5m", expect=2).stderr
    with program(NODE):
        assert "such as 1h" in isinglass("record", "-o", path, "--keep", "much", expect=2).stderr
        assert "0.05 to 3600" in isinglass("record", "-o", path, "-i", "7200", expect=2).stderr
        code, shown = on_terminal("console", "-i", "0.0001")
        assert code == 2 and "0.05 to 3600" in shown
        folder = isinglass("record", "-o", "/proc/nowhere/file", expect=1).stderr
        assert "/proc/nowhere/file" in folder and len(folder.splitlines()) == 1


@pytest.fixture
def recorded(tmp_path: Path, home: Path) -> Path:
    """A recording of a node that has been killed, so that nothing of it moves any more."""
    path = tmp_path / "dead.recording"
    with program(NODE) as node:
        node.kill()
        node.wait()
        isinglass("record", "alder", "-o", str(path), "--interval", "0.1", "--seconds", "0.5")
    return path


AGES = {"taken_wall_ns", "heartbeat_age_seconds", "stood_seconds"}


def without_ages(value: object) -> object:
    """Return a document without what is another each time one looks."""
    if isinstance(value, dict):
        return {key: without_ages(each) for key, each in value.items() if key not in AGES}
    return [without_ages(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("command", ["dump", "ps"])
def test_a_recording_prints_what_the_node_prints(recorded: Path, command: str) -> None:
    live = isinglass(command, "alder", "--json", expect=1)
    replayed = isinglass(command, "alder", "--json", "--replay", str(recorded), expect=1)
    assert without_ages(json.loads(replayed.stdout)) == without_ages(json.loads(live.stdout))
    assert "as it was recorded at" in replayed.stderr
    shown = isinglass(command, f"--replay={recorded}", expect=1).stdout
    assert "KILLED" in shown and "alder" in shown
    other = isinglass(command, "birch", "--replay", str(recorded), expect=2)
    assert "The recording has alder" in other.stderr


def test_the_moment_and_the_slice_are_those_that_were_asked_for(tmp_path: Path) -> None:
    path, target = tmp_path / "a.recording", tmp_path / "part"
    with program(NODE) as node:
        for value in (7, 8, 9):
            tell(node, f"panel.length = {value}")
            assert hear(node) == "done"
            isinglass("record", "alder", "-o", str(path), "--interval", "0.1", "--seconds", "0.4")
    recording = Recording(path)
    walls = [recording.wall_ns(number) for number in range(recording.newest + 1)]
    recording.close()
    assert length_in(path) == 9
    assert length_in(path, "--at", "-1h") == 7
    middle = (walls[-1] - walls[len(walls) // 2]) / 1e9
    assert length_in(path, "--at", f"-{middle:.3f}s") == 8
    done = isinglass("snapshot", str(path), "--since", f"-{middle:.3f}s", "-o", str(target))
    assert int(done.stdout.split()[0]) in range(len(walls) // 2 - 1, len(walls) // 2 + 3)
    assert length_in(target, "--at", "-1h") == 8 and length_in(target) == 9
    isinglass("snapshot", str(path))
    assert (tmp_path / "a-slice.recording").exists()


def length_in(path: Path, *moment: str) -> int:
    """Return a figure of the node, as a dump of a recording prints it."""
    done: subprocess.CompletedProcess[str] = isinglass(
        "dump", "alder", "--replay", str(path), "--json", "--level", "debug", *moment, expect=None
    )
    (node,) = json.loads(done.stdout)["nodes"]
    panel = node["processes"][0]["panels"][0]
    return int(next(each["value"] for each in panel["fields"] if each["field"] == "length"))
