"""The console in a real terminal on nodes here and behind a jump host and a forced command."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable

import pytest

from cli.commands import COMMAND
from console.terminal import Terminal
from isinglass import clock
from remote_hosts import RemoteHosts

pytestmark = [pytest.mark.terminal, pytest.mark.sshd, pytest.mark.slow]

LIMIT_SECONDS = 40.0
Node = subprocess.Popen[str]


def row_of(screen: str, node: str) -> str:
    """Return the overview's row of a node: its name stands behind the cursor."""
    return next((row for row in screen.split("\n") if row[1:].startswith(f"{node} ")), "")


def wait_for_row(terminal: Terminal, node: str, *words: str) -> str:
    """Wait until the row of a node shows words; return the screen."""
    end_ns, pause = clock.monotonic_ns() + int(LIMIT_SECONDS * 1e9), threading.Event()
    while True:
        screen = terminal.screen()
        if all(word in row_of(screen, node) for word in words):
            return screen
        assert clock.monotonic_ns() < end_ns, screen
        pause.wait(0.1)


def test_a_node_behind_a_jump_host_beside_one_here(
    start_node: Callable[[str], Node], hosts: RemoteHosts, terminal: Terminal
) -> None:
    start_node("alder")
    start_node("birch")
    hosts.add("gate")
    far = hosts.add("far", jump="gate")
    far.authorize('restrict,command="isinglass relay birch"')
    terminal.start(f"exec {COMMAND} console alder ssh://far/birch --interval 0.5")
    wait_for_row(terminal, "birch", "serving")
    wait_for_row(terminal, "alder", "serving")
    sessions = far.sessions()
    far.close()
    for session in sessions:
        session.kill()
    screen = wait_for_row(terminal, "birch", "link down")
    assert "serving" in row_of(screen, "alder"), "what is here goes on"
    terminal.press("j")
    terminal.wait_for("LINK DOWN since")
    assert "serving" not in row_of(terminal.screen(), "birch")
    far.change_host_key()
    terminal.wait_for("the key of [127.0.0.1]:")
    assert "link down" in row_of(terminal.screen(), "birch")


def test_threads_and_events_of_another_host_are_on_the_screen(
    start_node: Callable[[str], Node], hosts: RemoteHosts, terminal: Terminal
) -> None:
    start_node("birch")
    hosts.add("far")
    terminal.start(f"exec {COMMAND} console ssh://far/ --interval 0.5")
    wait_for_row(terminal, "birch", "serving")
    terminal.press("2")
    terminal.wait_for("NOW AT")
    terminal.wait_for("working_node.py:")
    terminal.press("7")
    terminal.wait_for("commit took 1 204 ms")
