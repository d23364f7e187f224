"""What a host showed last is still there when the host is gone."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from relay_client import ISINGLASS
from remote_hosts import RemoteHosts

pytestmark = pytest.mark.sshd

LIMIT_SECONDS = 60.0
Node = subprocess.Popen[str]


def isinglass(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ISINGLASS, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )


def test_the_last_state_of_a_host_that_died(
    start_node: Callable[[str], Node], hosts: RemoteHosts, tmp_path: Path, home: Path
) -> None:
    alder = start_node("alder")
    far = hosts.add("far")
    file = tmp_path / "far.recording"
    line = [ISINGLASS, "mirror", "ssh://far/alder", "--interval", "0.2", "-o", str(file)]
    with subprocess.Popen([*line, "--seconds", "8"], stderr=subprocess.PIPE, text=True) as mirror:
        isinglass("watch", "ssh://far/alder", "--until", "queue.offered > 2000", "--quiet")
        sessions = far.sessions()
        far.close()
        for session in sessions:
            session.kill()
        alder.send_signal(signal.SIGKILL)
        alder.wait()
        (home / "alder" / "segment").unlink()
        assert mirror.stderr is not None
        said = mirror.stderr.read()
    assert mirror.returncode == 0, said
    assert isinglass("dump", "alder").returncode == 1, "the host's own glass is gone"
    done = isinglass("dump", "alder", "--replay", str(file), "--json")
    shown = json.loads(done.stdout)["nodes"][0]
    assert shown["node"] == "alder"
    queue = next(
        panel
        for process in shown["processes"]
        for panel in process["panels"]
        if panel["name"] == "queue"
    )
    offered = next(field for field in queue["fields"] if field["name"] == "offered")
    assert offered["value"] > 1000


def test_a_mirror_is_of_other_hosts() -> None:
    done = isinglass("mirror", "alder")
    assert (done.returncode, "not alder" in done.stderr) == (2, True)
