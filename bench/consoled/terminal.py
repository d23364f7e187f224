"""Programs in terminals: in tmux for their steady cost, on a bare pseudo-terminal for moments.

In tmux each program has a server of its own; it settles, is measured by the kernel's account of all
its processes, and every byte that it sends is counted. On the pseudo-terminal the bytes themselves
say when something has been painted.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import tempfile
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from isinglass import clock

WIDTH, HEIGHT = 160, 48
QUIET_SECONDS = 0.25
BURST_SECONDS = 0.05  # what comes within that of the bytes before belongs to them
PAGE_BYTES = 1000  # a page is 20 kB, a status row 350 bytes
LIMIT_SECONDS = 30.0
PAGE_SECONDS = 2.0  # after a key, for the page that it brings


class Cost(NamedTuple):
    """What a program takes: percent of a core, MiB resident, KiB a second to its terminal."""

    cpu: float
    memory: float
    sent: float


class Terminal:
    """A tmux server of its own with one program in it."""

    def __init__(self, directory: Path, command: str, environment: dict[str, str]) -> None:
        # A socket for each: the last server may still be on its way out.
        self._tmux = ["tmux", "-S", f"{directory}/tmux", "-f", "/dev/null"]
        self._bytes = directory / "bytes"
        size = ["-x", str(WIDTH), "-y", str(HEIGHT)]
        subprocess.run(
            [*self._tmux, "new-session", "-d", *size, command], env=environment, check=True
        )
        subprocess.run([*self._tmux, "pipe-pane", f"cat > {self._bytes}"], check=True)
        self.pid = int(self._ask("list-panes", "-F", "#{pane_pid}"))

    def _ask(self, *words: str) -> str:
        return subprocess.run(
            [*self._tmux, *words], capture_output=True, text=True, check=True
        ).stdout

    def press(self, key: str) -> None:
        """Press a key."""
        self._ask("send-keys", key)

    def sent_bytes(self) -> int:
        """Return how much the program has written to the terminal."""
        return self._bytes.stat().st_size

    def screen(self) -> str:
        """Return what the terminal shows."""
        return self._ask("capture-pane", "-p")

    def close(self) -> None:
        """End the program and its tmux server."""
        subprocess.run([*self._tmux, "kill-server"], check=False)


def _family(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _cpu_seconds(pid: int) -> float:
    times = [process.cpu_times() for process in _family(pid)]
    return float(sum(each.user + each.system for each in times))


def steady_cost(command: str, environment: dict[str, str], settle: float, seconds: float) -> Cost:
    """Run one program in a terminal, let it settle, and measure it."""
    return steady_costs(command, environment, settle, seconds, ("",))[0]


def steady_costs(
    command: str,
    environment: dict[str, str],
    settle: float,
    seconds: float,
    keys: Sequence[str],
) -> list[Cost]:
    """Run one program, let it settle, and measure it after each of some keys; "": after none."""
    with tempfile.TemporaryDirectory() as directory:
        terminal = Terminal(Path(directory), command, environment)
        try:
            clock.sleep(settle)
            found = []
            for key in keys:
                if key:
                    terminal.press(key)
                    clock.sleep(PAGE_SECONDS)
                found.append(_measured(terminal, command, seconds))
            return found
        finally:
            terminal.close()


def _measured(terminal: Terminal, command: str, seconds: float) -> Cost:
    began, cpu = clock.monotonic_ns(), _cpu_seconds(terminal.pid)
    sent = terminal.sent_bytes()
    clock.sleep(seconds)
    passed = (clock.monotonic_ns() - began) / 1e9
    memory = sum(process.memory_info().rss for process in _family(terminal.pid))
    if len(terminal.screen().split()) < 20:
        raise SystemExit(f"{command} shows nothing: {terminal.screen()}")
    cpu_share = (_cpu_seconds(terminal.pid) - cpu) / passed
    sent_each_second = (terminal.sent_bytes() - sent) / passed
    return Cost(100 * cpu_share, memory / 2**20, sent_each_second / 1024)


def _patience(came: int) -> float:
    return LIMIT_SECONDS if came < PAGE_BYTES else BURST_SECONDS


class Pty:
    """A program on a bare pseudo-terminal, whose bytes are looked at as they come."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self.started_ns = clock.monotonic_ns()
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            os.execvpe(command[0], list(command), environment)
        size = struct.pack("HHHH", HEIGHT, WIDTH, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def wait_for(self, text: bytes) -> float:
        """Return how many seconds after the start a text was painted."""
        seen = b""
        while text not in seen:
            if not select.select([self._master], [], [], LIMIT_SECONDS)[0]:
                raise SystemExit(f"{text!r} was not painted within {LIMIT_SECONDS:g} s")
            seen = seen[-len(text) :] + os.read(self._master, 1 << 16)
        return (clock.monotonic_ns() - self.started_ns) / 1e9

    def press(self, key: bytes) -> float:
        """Press a key that changes the page; return how many seconds later it was all there.

        The status row counts the seconds since the pause; it is less than a page, and does not
        count for one.
        """
        self.rest()
        pressed_ns, came = clock.monotonic_ns(), 0
        os.write(self._master, key)
        last_ns = pressed_ns
        while select.select([self._master], [], [], _patience(came))[0]:
            came += len(os.read(self._master, 1 << 16))
            last_ns = clock.monotonic_ns()
        if came < PAGE_BYTES:
            raise SystemExit(f"the key {key!r} changed no page within {LIMIT_SECONDS:g} s")
        return (last_ns - pressed_ns) / 1e9

    def rest(self) -> None:
        """Read until nothing comes."""
        while select.select([self._master], [], [], QUIET_SECONDS)[0]:
            os.read(self._master, 1 << 16)

    def close(self, key: bytes) -> None:
        """End the program by a key."""
        os.write(self._master, key)
        try:
            while os.read(self._master, 1 << 16):
                pass
        except OSError:  # the other end is closed
            pass
        os.close(self._master)
        os.waitpid(self._pid, 0)
