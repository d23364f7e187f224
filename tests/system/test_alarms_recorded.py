"""A real monitor's alarms in a recording of a real cluster, made without a terminal."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from cli.commands import start
from cluster_daemons import NAMES, cluster
from isinglass.errors import IsinglassError
from isinglass_console.recording.reading import Recording
from isinglass_console.screens.desk import Desk
from monitor_process import SILENT_RULE, monitor
from waiting import wait_until

pytestmark = pytest.mark.slow
WAIT_SECONDS = 60.0


def followed(recording: Recording) -> list[tuple[str, str]]:
    """Return rule and state of the alarms that are recorded by now."""
    recording.follow()
    return [(alarm.rule, alarm.state) for alarm in recording.alarms]


def test_a_monitors_alarms_are_recorded_and_replayed(tmp_path: Path) -> None:
    rules, path = tmp_path / "alarms.toml", tmp_path / "night"
    rules.write_text(SILENT_RULE)
    with cluster(2) as daemons, monitor(daemons, alarms=rules):
        alder, birch = NAMES[:2]
        line = ("record", alder, birch, "-o", str(path), "--interval", "0.2")
        recorder = start(*line)
        try:
            wait_until(lambda: path.exists() and path.stat().st_size > 0, "a recording")
            wait_until(lambda: opens(path), "a frame in it")
            recording = Recording(path)
            assert recording.grows
            wait_until(lambda: told_by(recording) == "monitor", "the monitor is heard")
            daemons[birch].kill()
            wait_until(lambda: ("node-silent", "firing") in followed(recording), "an alarm")
            daemons[birch].start()
            wait_until(lambda: ("node-silent", "cleared") in followed(recording), "its end")
        finally:
            recorder.send_signal(signal.SIGTERM)
            recorder.communicate(timeout=WAIT_SECONDS)
    assert recorder.returncode == 0
    assert recording.follow() and not recording.grows
    (alarm,) = (one for one in recording.alarms if one.rule == "node-silent")
    desk = Desk(recorded=recording)
    states = {}
    moments = (("raised", alarm.raised_ns, 0), ("before", alarm.raised_ns, -1))
    for name, wall_ns, step in (*moments, ("over", alarm.ended_ns, 0)):
        desk.jump(wall_ns)
        desk.step(step)
        sheet = desk.scene(120, 34).sheet
        assert sheet is not None and sheet.monitor == "monitor"
        states[name] = [one.state for one in sheet.alarms if one.number == alarm.number]
    assert states == {"before": [], "raised": ["firing"], "over": ["cleared"]}


def opens(path: Path) -> bool:
    """Return whether another process has recorded a frame."""
    try:
        Recording(path).close()
    except IsinglassError:
        return False
    return True


def told_by(recording: Recording) -> str:
    """Return who tells the alarms at the end of a recording."""
    recording.follow()
    sheet = recording.sheet(recording.newest)
    return sheet.monitor if sheet is not None else ""
