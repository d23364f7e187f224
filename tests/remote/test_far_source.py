"""The heat stands beside the source text of a node of another host, and says what that is worth."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from at_work import WORKING_NODE
from cli.commands import COMMAND
from console.terminal import Terminal
from remote_hosts import RemoteHosts
from waiting import wait_until

pytestmark = [pytest.mark.terminal, pytest.mark.sshd, pytest.mark.hosts, pytest.mark.slow]

LINE = 'mark("applying a batch")'
MARKED = re.compile(r"^. +37  +mark\(.applying a batch.\) .*\d+ % .*[▏▎▍▌▋▊▉█]", re.MULTILINE)


@contextmanager
def far_node(program: Path) -> Iterator[None]:
    """Run a node whose program lies in a folder that only its own host has."""
    command = [sys.executable, str(program), "birch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield
        finally:
            process.kill()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    folder = tmp_path / "of_that_host"
    folder.mkdir()
    return Path(shutil.copy(WORKING_NODE, folder))


def watch(terminal: Terminal, hidden: Path) -> None:
    """Open the source of the applier in a console on a machine that has nothing in that folder."""
    console = f"{COMMAND} console ssh://far/birch --interval 0.5"
    terminal.start(f"exec unshare -m sh -c 'mount -t tmpfs none {hidden} && exec {console}'")
    terminal.wait_for("serving")
    terminal.press("2")
    terminal.wait_for("NOW AT")
    terminal.press("/", *"applier", "Enter")
    terminal.wait_for("/applier  Esc clears")
    terminal.press("Enter")


def test_the_text_comes_over_the_link(
    home: Path, hosts: RemoteHosts, terminal: Terminal, program: Path
) -> None:
    hosts.add("far")
    with far_node(program):
        watch(terminal, program.parent)
        screen = terminal.wait_for("the file the process runs, from birch: same hash")
        assert LINE in screen
        wait_until(lambda: bool(MARKED.search(terminal.screen())), "heat beside the text")


def test_a_file_that_was_changed_there_is_shown_with_a_remark(
    home: Path, hosts: RemoteHosts, terminal: Terminal, program: Path
) -> None:
    hosts.add("far")
    with far_node(program):
        program.write_text(program.read_text().replace("# ", "#  ") + "\n# edited since\n")
        watch(terminal, program.parent)
        screen = terminal.wait_for("NOT what the process runs: changed since at birch")
        assert LINE in screen


def test_a_key_that_shows_no_source(
    home: Path, hosts: RemoteHosts, terminal: Terminal, program: Path
) -> None:
    far = hosts.add("far")
    far.authorize('restrict,command="isinglass relay birch --no-source"')
    with far_node(program):
        watch(terminal, program.parent)
        screen = terminal.wait_for("far hands out no source")
        assert LINE not in screen
