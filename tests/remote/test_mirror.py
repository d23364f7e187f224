"""What a host showed last is still there when the host is gone."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from cli.commands import COMMAND, isinglass
from isinglass_console.recording.reading import Recording
from remote_hosts import RemoteHosts
from waiting import wait_until

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

Node = subprocess.Popen[str]


def recorded(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Dump the end of a recording."""
    return isinglass("dump", "alder", "--replay", str(file), *options, expect=None)


def shown(file: Path) -> int:
    """Return how many updates the end of a recording has seen offered; 0 without a node in it."""
    done = recorded(file, "--json")
    if not done.stdout:
        return 0
    (node,) = json.loads(done.stdout)["nodes"]
    panels = [panel for process in node["processes"] for panel in process["panels"]]
    queue = next(panel for panel in panels if panel["panel"] == "queue")
    return int(next(field["value"] for field in queue["fields"] if field["field"] == "offered"))


def test_the_last_state_of_a_host_that_died(
    start_node: Callable[[str], Node], hosts: RemoteHosts, tmp_path: Path, home: Path
) -> None:
    alder = start_node("alder")
    far = hosts.add("far")
    file = tmp_path / "far.recording"
    line = [COMMAND, "mirror", "ssh://far/alder", "--interval", "0.2", "-o", str(file)]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as mirror:
        try:
            wait_until(lambda: shown(file) > 1000, "a thousand updates in the recording")
        except BaseException:
            mirror.kill()
            raise
        sessions = far.sessions()
        far.close()
        for session in sessions:
            session.kill()
        alder.send_signal(signal.SIGKILL)
        alder.wait()
        (home / "alder" / "segment").unlink()
        mirror.terminate()
        assert mirror.stderr is not None
        said = mirror.stderr.read()
    assert mirror.returncode == 0, said
    isinglass("dump", "alder", expect=1)  # the host's own glass is gone
    assert shown(file) > 1000


def test_the_copy_is_younger_than_a_second(
    start_node: Callable[[str], Node], hosts: RemoteHosts, tmp_path: Path
) -> None:
    """At the interval that is the default: the age that each frame has when the next one comes."""
    start_node("alder")
    hosts.add("far")
    file = tmp_path / "far.recording"
    isinglass("mirror", "ssh://far/alder", "--seconds", "15", "-o", str(file))
    recording = Recording(file)
    came = []  # when each frame was here, and when it was taken
    offered: object = None
    for frame in recording.frames(recording.oldest, recording.newest):
        node = frame.node("alder")
        queue = node.snapshot.panel("queue") if node and node.snapshot else None
        # one that shows again what the one before did is no newer than that
        if queue is not None and node and node.snapshot and queue["offered"] != offered:
            offered = queue["offered"]
            came.append((frame.wall_ns, node.snapshot.taken_wall_ns))
    recording.close()
    ages = sorted((after[0] - before[1]) / 1e9 for before, after in pairwise(came))
    assert len(ages) > 10
    assert ages[0] > 0.4
    # a machine that is busy with other tests stands still at times, and so does the recorder
    assert ages[len(ages) * 9 // 10] < 1.0


def test_a_mirror_is_of_other_hosts() -> None:
    assert "not alder" in isinglass("mirror", "alder", expect=2).stderr
