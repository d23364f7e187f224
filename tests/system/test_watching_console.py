"""The console on a real cluster with a real monitor: its log and its alarms, through the pilot."""

from __future__ import annotations

from math import isfinite
from pathlib import Path

import pytest
from textual.pilot import Pilot

from cli.commands import isinglass
from cluster_daemons import NAMES, cluster
from console.playing import play, screen_text, until
from isinglass_console.app import IsinglassApp
from monitor_process import SILENT_RULE, monitor, wait_for_points

pytestmark = pytest.mark.slow


def test_the_log_is_followed_and_an_event_leads_to_its_instant(tmp_path: Path) -> None:
    with cluster(2) as daemons, monitor(daemons):
        alder, birch = NAMES[:2]
        wait_for_points(birch, "flow.allowed", 3)  # from before the console
        app = IsinglassApp([alder, birch], interval_seconds=0.2, keymap_path=tmp_path / "none")

        async def script(pilot: Pilot[int]) -> None:
            await pilot.press("7")
            await until(app, pilot, lambda: (birch, "pace") in app.desk.told.past)
            trend = app.desk.hub.series.tail((birch, "pace"), 10, 0)
            assert any(isfinite(value) for value in trend[:-1])
            await until(app, pilot, lambda: "the spool of monitor" in screen_text(app))
            await until(app, pilot, lambda: "follows" in screen_text(app))
            await pilot.press("l", "m", *"the first remark", "enter")
            await until(app, pilot, lambda: f"Noted at node {birch}." in screen_text(app))
            await until(app, pilot, lambda: "the first remark" in screen_text(app))
            seen = app.desk.history.newest
            await until(app, pilot, lambda: app.desk.history.newest > seen + 1)
            isinglass("note", "the second remark", "--node", alder)
            await until(app, pilot, lambda: "the second remark" in screen_text(app))
            await pilot.press("slash", *"first remark", "enter")
            await until(app, pilot, lambda: "second remark" not in screen_text(app))
            await pilot.press("enter")
            assert "every view shows" in screen_text(app)
            assert app.desk.settings.node == birch
            held = app.desk.scene(120, 30).frame.wall_ns
            await pilot.press("escape", "1", "escape")
            assert "the first remark" in screen_text(app)
            assert "the second remark" not in screen_text(app)
            assert app.desk.scene(120, 30).frame.wall_ns == held
            await pilot.press("L", "7", "o")
            await until(app, pilot, lambda: "the first remark" in screen_text(app))
            assert "the second remark" not in screen_text(app)

        play(app, script)
        assert app.monitor_feed is not None
        assert not app.monitor_feed.is_alive()


def test_an_alarm_is_shown_acknowledged_silenced_and_leads_to_its_instant(tmp_path: Path) -> None:
    file = tmp_path / "alarms.toml"
    file.write_text(SILENT_RULE)
    with cluster(2) as daemons, monitor(daemons, alarms=file):
        alder, birch = NAMES[:2]
        app = IsinglassApp([alder, birch], interval_seconds=0.2, keymap_path=tmp_path / "none")

        async def script(pilot: Pilot[int]) -> None:
            await until(app, pilot, lambda: "8 alarms" in screen_text(app))
            await pilot.press("8")
            assert "no alarm is raised" in screen_text(app)
            daemons[birch].kill()
            await until(app, pilot, lambda: "✖ firing" in screen_text(app))
            assert "1 alarm" in screen_text(app)
            await pilot.press("a", "y")
            await until(app, pilot, lambda: "✖ acknowledged" in screen_text(app))
            await pilot.press("s", *"1h known", "enter")
            await pilot.pause()
            await pilot.press("y")
            await until(app, pilot, lambda: "SILENCES AND ANNOUNCEMENTS" in screen_text(app))
            await pilot.press("enter")
            assert "PAUSED" in screen_text(app)
            assert app.desk.settings.node == birch
            await until(app, pilot, lambda: "✖ firing" in screen_text(app))
            await pilot.press("1", "L", "7", "slash", *"alarm", "enter")
            await until(app, pilot, lambda: "acknowledged: node-silent birch" in screen_text(app))
            daemons[birch].start()
            await pilot.press("escape", "8")
            await until(app, pilot, lambda: "· cleared" in screen_text(app))

        play(app, script, (160, 40))
