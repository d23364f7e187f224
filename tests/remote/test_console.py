"""The console in a real terminal on nodes here and behind a jump host and a forced command."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from cli.commands import COMMAND
from console.terminal import Terminal
from daemon_process import daemon
from isinglass import clock
from remote_hosts import RemoteHosts
from waiting import wait_until

pytestmark = [pytest.mark.terminal, pytest.mark.sshd, pytest.mark.slow]

LIMIT_SECONDS = 40.0
TORN_SECONDS = 2.0  # for the rest of a frame that a look at the screen fell into
LIVE = "· serving"
# How wide the columns are that are looked at; those of rates end where their titles do.
COLUMNS = {"NODE": 9, "STATE": 12, "APPLIED/s": 9, "ALARMS": 32, "OFFERED/s": 9}
RATES = ("APPLIED/s", "OFFERED/s")
# The glyphs of states in which figures are old; a live node may have troubles of its own.
GLYPHS_OF_OLD = {"stopped": "~", "killed": "✖", "link down": "~", "connecting": "?"}
AGED = re.compile(r"not moved for|shown as .* ago|last seen .* before")
Node = subprocess.Popen[str]
T = TypeVar("T")


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


class Scoreboard:
    """The first table of a console, as a terminal shows it: a row a node, below its titles.

    All the while each node must have its row, and no row may look live that is not.

    Args:
        nodes: the nodes in the order of their rows.
    """

    def __init__(self, terminal: Terminal, nodes: Sequence[str]) -> None:
        self._terminal, self._nodes = terminal, nodes
        self._wait(self._cells, "the rows of all nodes")

    def wait(self, **states: str) -> None:
        """Wait until nodes are in these states, with rates when they are live and none else."""

        def all_so() -> bool:
            cells = self._wait(self._cells, "no row that looks live and is not", TORN_SECONDS)
            return all(
                cells[node]["STATE"] == state
                and all((cells[node][title] == "--") == (state != LIVE) for title in RATES)
                for node, state in states.items()
            )

        self._wait(all_so, str(states))

    def _wait(self, look: Callable[[], T], what: str, seconds: float = LIMIT_SECONDS) -> T:
        try:
            return wait_until(look, what, seconds)
        except AssertionError as late:
            raise AssertionError(f"{what}:\n{self._terminal.screen()}") from late

    def _cells(self) -> dict[str, dict[str, str]]:
        """Return what stands below each title in each node's row; nothing if a row is wrong."""
        _, titles, *rows = [*self._terminal.screen().split("\n"), ""]
        if not all(title in titles for title in COLUMNS) or len(rows) < len(self._nodes):
            return {}
        found = {
            node: {title: row[_place(titles, title)].strip() for title in COLUMNS}
            for node, row in zip(self._nodes, rows, strict=False)
        }
        return found if all(_is_right(node, row) for node, row in found.items()) else {}


def _place(titles: str, title: str) -> slice:
    """Return where the cells of a column stand, in a table with these titles."""
    width, begin = COLUMNS[title], titles.index(title)
    end = begin + len(title)
    return slice(end - width, end) if title in RATES else slice(begin, begin + width)


def _is_right(node: str, row: dict[str, str]) -> bool:
    """Tell whether a row is the node's, and says of old figures that they are old."""
    glyph, _, word = row["STATE"].partition(" ")
    old = GLYPHS_OF_OLD.get(word, "")
    says_so = glyph == old and bool(AGED.search(row["ALARMS"]) or row["APPLIED/s"] == "--")
    return row["NODE"] == node and (says_so or not old)


def test_two_daemons_here_and_one_behind_a_jump_host_go_and_come_back(
    hosts: RemoteHosts, terminal: Terminal
) -> None:
    hosts.add("gate")
    far = hosts.add("far", jump="gate")
    far.authorize('restrict,command="isinglass relay cedar"')
    with daemon("alder") as alder, daemon("birch") as birch, daemon("cedar"):
        addresses = "alder birch ssh://far/cedar"
        terminal.start(f"exec {COMMAND} console {addresses} --interval 0.5", 160, 40)
        board = Scoreboard(terminal, ["alder", "birch", "cedar"])
        board.wait(alder=LIVE, birch=LIVE, cedar=LIVE)
        with alder.stopped():
            board.wait(alder="~ stopped", birch=LIVE, cedar=LIVE)
            birch.kill()
            board.wait(alder="~ stopped", birch="✖ killed", cedar=LIVE)
            birch.start()
            board.wait(alder="~ stopped", birch=LIVE, cedar=LIVE)
            sessions = far.sessions()
            far.close()
            for session in sessions:
                session.kill()
            board.wait(alder="~ stopped", birch=LIVE, cedar="~ link down")
            terminal.press("G")
            terminal.wait_for("LINK DOWN since")
            far.start_again()
            board.wait(alder="~ stopped", birch=LIVE, cedar=LIVE)
        board.wait(alder=LIVE, birch=LIVE, cedar=LIVE)
        far.change_host_key()
        terminal.wait_for("the key of [127.0.0.1]:")
        board.wait(alder=LIVE, birch=LIVE, cedar="~ link down")


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
