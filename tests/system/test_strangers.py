"""What a user who may not look at a node and its monitor is told: the same sentence by all.

The user is root without its right to read what belongs to others, because Python itself may lie
where nobody else may read it; the node and the monitor are another user's.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.commands import COMMAND
from daemon_process import daemon
from monitor.spooled import event, fill, piece
from needs import needs

pytestmark = [pytest.mark.slow, pytest.mark.root]

OTHER_USER = 65534


def stranger(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user who may not read what is another's."""
    needs("setpriv")
    rights = "--bounding-set=-dac_override,-dac_read_search"
    line = ["setpriv", rights, COMMAND, *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def give_away(folder: Path) -> None:
    """Make a folder, and what is in it, another user's."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, OTHER_USER, OTHER_USER)


@pytest.fixture
def watched(runtime_dir: Path, data_dir: Path) -> Iterator[None]:
    """A node that runs, and what a monitor left, of another user."""
    runtime_dir.chmod(0o755)
    (runtime_dir / "monitor").mkdir(0o750)
    (runtime_dir / "monitor" / "daemon.lock").touch(0o640)
    with daemon("alder"):
        fill(data_dir / "monitor" / "spool", [piece(1, 1, [event(1)])])
        for folder in (data_dir / "monitor", data_dir / "monitor" / "spool"):
            folder.chmod(0o750)
        give_away(data_dir)
        give_away(runtime_dir / "monitor")
        give_away(runtime_dir / "alder")
        yield


AT_THE_NODE = (
    ("ps",),
    ("dump",),
    ("dump", "alder"),
    ("export",),
    ("record", "--seconds", "1"),
    ("relay", "--list"),
    ("get", "t", "k"),
    ("get", "t", "k", "--node", "alder"),
    ("put", "t", "k", "a=1"),
    ("verify",),
    ("daemon", "status", "alder"),
)
AT_THE_MONITOR = (
    ("log",),
    ("log", "--follow"),
    ("log", "--cursor-file", "/tmp/isinglass-nobody-cursor"),
    ("log", "--monitor", "monitor"),
    ("history", "alder"),
    ("incident", "-1m"),
    ("alarms",),
    ("alarms", "ack", "1"),
    ("monitor", "status"),
)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("about", [AT_THE_NODE, AT_THE_MONITOR], ids=["node", "monitor"])
def test_it_is_said_that_it_may_not_be_read(about: tuple[tuple[str, ...], ...]) -> None:
    for words in about:
        told = stranger(*words)
        assert "may not be read by this user: give the command as" in told.stderr, told
        assert (told.returncode, told.stdout, told.stderr.count("\n")) == (1, "", 1), told


def test_a_closed_runtime_directory_is_not_an_empty_one(runtime_dir: Path) -> None:
    assert "No node has run here" in stranger("ps").stderr
    assert stranger("relay", "--list").returncode == 0
    give_away(runtime_dir)
    for words in (("ps",), ("relay", "--list"), ("get", "t", "k")):
        assert f"{runtime_dir} may not be read by this user" in stranger(*words).stderr
