"""The processes of the demo as its stage has them: started, looked after, stopped, killed, ended.

A daemon that was stopped or killed on purpose is *away*: its clients may end meanwhile, and are
started again when it serves again. Any other end of a process ends the demo.

    running ──stop──▶ away ──go on──▶ coming back ──it serves──▶ running
            ──kill──▶      ──start──▶
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isinglass import clock
from isinglass.errors import IsinglassError
from isinglass.glass.reader import SegmentReader

END_LIMIT_SECONDS = 20.0
LAST_WORDS_BYTES = 2000
DAEMON, COUNTER, MONITOR = "daemon", "counter", "monitor"
SERVICES = (DAEMON, MONITOR)


class PlayerEnded(Exception):
    """A process of the demo ended by itself."""


@dataclass(slots=True)
class Player:
    """One process, and how to start it again."""

    role: str
    name: str
    node: str
    task: dict[str, Any]
    process: subprocess.Popen[str]


class Players:
    """All processes of a demo.

    Args:
        folder: for tasks and logs.
        settings: more environment for the daemons and the monitor.
    """

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self._folder, self._settings = folder, settings
        self._players: dict[str, Player] = {}
        self._away: set[str] = set()
        self._coming: set[str] = set()
        self._again: dict[str, int] = {}  # node: until when its daemon may end by itself

    def start(self, role: str, name: str, node: str, task: dict[str, Any]) -> None:
        """Start a process; a daemon has the name of its node."""
        path = self._folder / f"{name.replace(' ', '-')}.json"
        path.write_text(json.dumps({"node": node, "process": name, **task}))
        is_daemon, is_service = role == DAEMON, role in SERVICES
        module = "isinglass_console.demo_child"
        with open(path.with_suffix(".log"), "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, role, str(os.getpid()), path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **(self._settings if is_service else {})},
                # In a group of its own the kernel lets a stopped daemon go on when the stage dies
                # (POSIX, orphaned process groups), so that it ends, too.
                process_group=0 if is_daemon else None,
            )
        self._players[name] = Player(role, name, node, task, process)

    def names(self, node: str) -> set[str]:
        """Return what the processes of a node are called behind the glass."""
        return {
            DAEMON if player.role == DAEMON else player.name
            for player in self._players.values()
            if player.node == node
        }

    def pids(self) -> dict[str, int]:
        """Return the pid of each daemon by its node."""
        return {p.node: p.process.pid for p in self._players.values() if p.role == DAEMON}

    def counters(self) -> list[subprocess.Popen[str]]:
        """Return the processes that count."""
        return [p.process for p in self._players.values() if p.role == COUNTER]

    # ------------------------------------------------------------------ looking after
    def check(self) -> None:
        """Look whether all is well, and start clients again whose daemon came back.

        Raises:
            PlayerEnded: a process ended by itself.
        """
        self._start_again()
        for player in self._players.values():
            code = player.process.poll()
            as_it_should = code == 0 and player.role == COUNTER
            away = player.node in self._away
            daemon_starts = player.role == DAEMON and player.node in self._coming
            if code is not None and not as_it_should and (not away or daemon_starts):
                raise PlayerEnded(
                    f"{player.name} ended with code {code}: {self._last_words(player.name)}"
                )

    def _start_again(self) -> None:
        """Start daemons whose last life is over, and clients whose daemon serves again."""
        for node, limit_ns in list(self._again.items()):
            daemon = self._players[node]
            if daemon.process.poll() is not None:
                del self._again[node]
                self.start(DAEMON, node, node, daemon.task)
                self._coming.add(node)
            elif clock.monotonic_ns() > limit_ns:
                daemon.process.kill()
        for node in [node for node in self._coming if self._serves(node)]:
            self._coming.discard(node)
            self._away.discard(node)
            for player in self._clients(node):
                if player.process.poll() is not None:
                    self.start(player.role, player.name, node, player.task)

    def _clients(self, node: str) -> list[Player]:
        return [p for p in self._players.values() if p.node == node and p.role != DAEMON]

    def _serves(self, node: str) -> bool:
        """Return whether the daemon that was started last is the one behind the glass, ready."""
        try:
            with SegmentReader(node) as reader:
                snapshot = reader.snapshot()
        except IsinglassError:
            return False
        owner = snapshot.owner
        ours = owner is not None and owner.pid == self._players[node].process.pid
        return ours and snapshot.state == "ready"

    def _last_words(self, name: str) -> str:
        """Return the last line that a process wrote: of a traceback the one that says what."""
        log = self._folder / f"{name.replace(' ', '-')}.log"
        lines = log.read_text("utf-8", "replace")[-LAST_WORDS_BYTES:].strip().split("\n")
        return lines[-1].strip()

    # ------------------------------------------------------------------ deeds
    def obey(self, deed: str, node: str) -> None:
        """Stop, go on, kill or start the daemon of a node; what nobody knows is not done."""
        player = self._players.get(node)
        if player is None or player.role != DAEMON:
            return
        if deed == "stop":
            self._away.add(node)
            player.process.send_signal(signal.SIGSTOP)
        elif deed == "go on":
            player.process.send_signal(signal.SIGCONT)
            if player.process.poll() is None:
                self._coming.add(node)
        elif deed == "kill":
            self._away.add(node)
            self._coming.discard(node)
            player.process.kill()
            player.process.wait()
        elif deed == "start":
            self._away.add(node)
            self._coming.discard(node)
            ask_to_end(player.process)
            limit = int(END_LIMIT_SECONDS * clock.NANOSECONDS_PER_SECOND)
            self._again[node] = clock.monotonic_ns() + limit

    # ------------------------------------------------------------------ the end
    def end_clients(self) -> None:
        """End all processes but the daemons and the monitor."""
        self._end(lambda player: player.role not in SERVICES)

    def end_all(self) -> None:
        """End every process, then the daemons, and the monitor when it has heard their end."""
        self.end_clients()
        self._end(lambda player: player.role == DAEMON)
        self._end(lambda _: True)

    def _end(self, who: Callable[[Player], bool]) -> None:
        ending = {name: player for name, player in self._players.items() if who(player)}
        end([player.process for player in ending.values()])
        self._players = {n: p for n, p in self._players.items() if n not in ending}


def ask_to_end(child: subprocess.Popen[str]) -> None:
    """Send TERM; a stopped process gets it when it goes on."""
    child.terminate()
    child.send_signal(signal.SIGCONT)


def end(children: list[subprocess.Popen[str]]) -> None:
    """End processes, also stopped ones; by force when they take too long."""
    for child in children:
        ask_to_end(child)
    for child in children:
        try:
            child.wait(END_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout and not child.stdout.closed:
            child.stdout.close()
