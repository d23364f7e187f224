"""A monitor of another host: log, alarms and statistics come over SSH; orders go if they may."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from cli.commands import isinglass
from cluster_daemons import NAMES, ClusterDaemons, cluster
from console.playing import play, screen_text, until
from isinglass_console.app import IsinglassApp
from monitor_process import SILENT_RULE, MonitorProcess, monitor
from remote_hosts import RemoteHosts
from waiting import wait_until

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

FAR = "ssh://far/"
Stage = tuple[ClusterDaemons, MonitorProcess]


@pytest.fixture
def stage(data_dir: Path, tmp_path: Path) -> Iterator[Stage]:
    """Two nodes and their monitor, which knows both."""
    file = tmp_path / "alarms.toml"
    file.write_text(SILENT_RULE)
    with ExitStack() as stack:
        daemons = stack.enter_context(cluster(2))
        watching = stack.enter_context(monitor(daemons, alarms=file))
        for name in NAMES[:2]:
            wait_until(partial(_is_known, name), f"{name} is known")
        yield daemons, watching


def _is_known(name: str) -> bool:
    return isinglass("history", name, "node.up", expect=None).returncode == 0


def add_far(hosts: RemoteHosts) -> object:
    return hosts.add("far", environment={"ISINGLASS_DATA_DIR": os.environ["ISINGLASS_DATA_DIR"]})


def test_its_log_and_alarms_are_on_the_screen(
    stage: Stage, hosts: RemoteHosts, tmp_path: Path
) -> None:
    daemons, _ = stage
    alder, birch = NAMES[:2]
    add_far(hosts)
    far = hosts.servers["far"]
    nodes = [alder, birch]
    app = IsinglassApp(nodes, interval_seconds=0.2, monitor=FAR, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await until(app, pilot, lambda: "8 alarms" in screen_text(app))
        await pilot.press("7")
        isinglass("note", "a remark from here", "--node", alder)
        await until(app, pilot, lambda: "a remark from here" in screen_text(app))
        assert "the spool of monitor at far" in screen_text(app)
        await pilot.press("8")
        assert "as told by monitor at far" in screen_text(app)
        daemons[birch].kill()
        await until(app, pilot, lambda: "✖ firing" in screen_text(app))
        await pilot.press("a", "y")
        await until(app, pilot, lambda: "✖ acknowledged" in screen_text(app))
        far.cut()
        far.close()
        await until(app, pilot, lambda: "far cannot be reached" in screen_text(app))
        assert "as told by monitor at far" not in screen_text(app)
        assert "✖ acknowledged" in screen_text(app), "what was known last stays"
        sheet = app.desk.told.sheet
        assert sheet is not None and not sheet.runs, "and is recorded as that"
        far.start_again()
        await until(app, pilot, lambda: "as told by monitor at far" in screen_text(app))
        assert app.desk.told.sheet is not None and app.desk.told.sheet.runs

    play(app, script)
    assert app.monitor_feed is not None and not app.monitor_feed.is_alive()
    wait_until(lambda: not far.sessions(), "the relay has ended with the console")


def test_a_key_that_reads_a_monitor_and_nothing_else(stage: Stage, hosts: RemoteHosts) -> None:
    daemons, _ = stage
    alder, birch = NAMES[:2]
    add_far(hosts)
    hosts.servers["far"].authorize('restrict,command="isinglass monitor relay monitor"')
    daemons[birch].kill()
    wait_until(lambda: '"firing"' in isinglass("alarms", "--json", "--name", FAR).stdout, "raised")
    document = json.loads(isinglass("alarms", "list", "--json", "--name", FAR).stdout)
    assert document["monitor_runs"] is True
    (alarm,) = [one for one in document["alarms"] if one["number"]]
    assert (alarm["rule"], alarm["node"]) == ("node-silent", birch)

    here, there = ({*isinglass("log", "--json", *more).stdout.splitlines()} for more in ((), TO))
    assert here and here <= there
    newest = isinglass("log", "--monitor", FAR, "--lines", "3", "--show-cursor").stdout.splitlines()
    assert len(newest) == 4
    cursor = newest[-1].partition("cursor: ")[2]
    isinglass("note", "after the cursor", "--node", alder)
    after = ("log", "--monitor", FAR, "--after", cursor)
    wait_until(lambda: "after the cursor" in isinglass(*after).stdout, "it came in")

    fields = isinglass("history", alder, "--name", FAR).stdout.splitlines()
    assert "queue.length" in fields
    shown = isinglass("history", alder, "node.up", "--name", FAR, "--json")
    assert json.loads(shown.stdout)["trends"][0]["points"]

    refused = isinglass("alarms", "ack", str(alarm["number"]), "--name", FAR, expect=1)
    assert "give the order on that host, with `isinglass alarms`" in refused.stderr
    other = isinglass("log", "--monitor", f"{FAR}evening", expect=1)
    assert "This key shows monitor alone, not evening." in other.stderr
    said = isinglass("ps", FAR, expect=1).stderr
    assert "This key is for `isinglass monitor relay` alone" in said


TO = ("--monitor", FAR)


def test_a_host_without_isinglass_or_without_a_monitor_says_so(
    hosts: RemoteHosts, data_dir: Path, home: Path
) -> None:
    hosts.add("far", with_isinglass=False)
    said = isinglass("alarms", "--name", FAR, expect=1).stderr
    assert "far does not answer `isinglass monitor relay --orders`: " in said
    assert "not found" in said
    hosts.add("other", environment={"ISINGLASS_DATA_DIR": str(data_dir)})
    said = isinglass("log", "--monitor", "ssh://other/", expect=1).stderr
    assert "No monitor has run there: start one with `isinglass monitor start`." in said
    said = isinglass("log", "--monitor", "ssh://other/evening", expect=1).stderr
    assert "is the monitor's name right" in said
