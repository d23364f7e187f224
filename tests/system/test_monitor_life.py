"""`isinglass monitor start|status|stop`, and a monitor behind the glass."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from cli.commands import isinglass
from cluster_daemons import ClusterDaemons, cluster
from monitor_process import monitor, settings_for
from waiting import wait_until

pytestmark = pytest.mark.slow


def flags(daemons: ClusterDaemons, *more: str) -> list[str]:
    words = []
    for name, value in settings_for(daemons).items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return [*words, *more]


def test_a_monitor_is_started_asked_and_stopped() -> None:
    with cluster(1) as daemons:
        assert "does not run" not in isinglass("monitor", "status", expect=3).stdout
        said = isinglass("monitor", "start", *flags(daemons)).stdout
        try:
            assert said.startswith("Monitor monitor listens (process ")
            again = isinglass("monitor", "start", *flags(daemons), expect=1)
            assert "is running already" in again.stderr
            other = isinglass("monitor", "run", *flags(daemons), expect=1)
            assert "--name" in other.stderr

            def heard() -> bool:
                found = json.loads(isinglass("monitor", "status", "--json").stdout)
                return {"alder", "monitor"} <= {sender["node"] for sender in found["senders"]}

            wait_until(heard, "the status names who is heard")
            shown = isinglass("monitor", "status").stdout
            assert "Monitor monitor runs (process " in shown
            assert "alder" in shown
            dumped = isinglass("dump", "monitor").stdout
            for panel in ("intake", "spool", "alder/daemon.", "monitor"):
                assert panel in dumped
            where = isinglass("ps", "monitor").stdout
            assert "receiver" in where
            assert "spooler" in where
        finally:
            ended = isinglass("monitor", "stop")
        assert "has ended" in ended.stdout
        assert "No monitor monitor runs" in isinglass("monitor", "stop").stdout
        pid = json.loads(isinglass("monitor", "start", *flags(daemons, "--json")).stdout)["pid"]
        ended = isinglass("monitor", "stop", "--json")
        assert json.loads(ended.stdout) == {"monitor": "monitor", "was_running": True, "pid": pid}
        last = isinglass("monitor", "status", expect=3).stdout
        assert "does not run; this is its last state" in last
        assert "the daemon serves" in isinglass("log", "--node", "alder").stdout


def test_a_node_is_no_monitor_and_a_monitor_no_node() -> None:
    with cluster(1) as daemons, monitor(daemons, "evening") as watching:
        for action in ("stop", "status"):
            said = isinglass("monitor", action, "--name", "alder", expect=2).stderr
            assert f"alder is a node, not a monitor: give `isinglass daemon {action} alder`" in said
            said = isinglass("daemon", action, "evening", expect=2).stderr
            line = f"isinglass monitor {action} --name evening"
            assert f"evening is a monitor, not a node: give `{line}`" in said
        assert watching.process.poll() is None
        isinglass("daemon", "status", "alder")


def test_several_monitors_live_on_one_machine() -> None:
    with (
        cluster(1) as daemons,
        monitor(daemons, "left") as left,
        monitor(daemons, "right") as right,
    ):
        for watching in (left, right):
            watching.wait_for("the daemon serves", "alder")
            watching.wait_for("the monitor listens", "left")
            watching.wait_for("the monitor listens", "right")
        assert "name one: left, right" in isinglass("log", expect=2).stderr
        assert "listens" in isinglass("log", "--monitor", "left", "--node", "right").stdout
        # A signal ends them whatever they do, and the spool is whole.
        left.process.send_signal(signal.SIGINT)
        assert left.gone() == 0
        assert right.stop() == 0


def test_what_a_monitor_cannot_be_is_said_before_anything_is_made(data_dir: Path) -> None:
    for words, said in (
        ((), "A monitor listens to a cluster: set `cluster`"),
        (("--cluster", "x"), "has no cluster_key_file"),
        (("--cluster", "x", "--insecure", "--keep-bytes", "much"), "--keep-bytes cannot be"),
        (("--cluster", "x", "--insecure", "--keep-days", "-1"), "'-1': it is days, from"),
        (("--cluster", "x", "--insecure", "--interface", "nowhere0"), "is not to be had"),
        (("--cluster", "x", "--insecure", "--alarms", "/nowhere.toml"), "/nowhere.toml"),
    ):
        done = isinglass("monitor", "start", *words, expect=None)
        assert done.returncode in (1, 2)
        assert said in done.stderr, done.stderr
    assert "no action 'begin'" in isinglass("monitor", "begin", expect=2).stderr


def test_retention_removes_whole_segments_while_events_come(data_dir: Path) -> None:
    with cluster(1) as daemons, monitor(daemons, keep_days=0.00003) as watching:
        watching.wait_for("the daemon serves", "alder")
        # The only segment is the one being written, however old what is in it may get.
        watching.wait_complete()
        assert watching.figure("spool", "segments") == 1
        assert watching.figure("spool", "removed") == 0
        assert watching.stop() == 0
        assert watching.entries()
