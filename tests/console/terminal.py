"""A real terminal for the console: a tmux server of its own, typed into as a person would."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from isinglass import clock

LIMIT_SECONDS = 40.0
LOOK_SECONDS = 0.1
FORGOTTEN = ("NO_COLOR", "LC_ALL", "COLUMNS", "LINES", "TMUX")


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment as a terminal of 16 million colours has it, and more."""
    kept = {key: value for key, value in os.environ.items() if key not in FORGOTTEN}
    return {**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", **more}


class Terminal:
    """One window of a tmux server that nobody else knows.

    Args:
        socket: where the server's socket is made; its path must be short.
        environment: what the command in the window gets.
    """

    def __init__(self, socket: Path, environment: Mapping[str, str]) -> None:
        self._socket = str(socket)
        # tmux runs commands through the login shell, which some accounts may not use.
        self.environment = {**environment, "SHELL": "/bin/sh"}

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, "-f", os.devnull, *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, check=True)
        return done.stdout.decode()

    def start(self, command: str, columns: int = 120, rows: int = 36) -> None:
        """Run a command in the window."""
        self._tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), command)

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def press(self, *keys: str) -> None:
        """Type keys, by tmux's names."""
        self._tmux("send-keys", *keys)

    def paste(self, text: str) -> None:
        """Paste a text, between the marks that a terminal puts around one."""
        self._tmux("set-buffer", "--", text)
        self._tmux("paste-buffer", "-p")

    def mouse(self, button: int, column: int, row: int) -> None:
        """Press and let go a mouse button (64 and 65 are the wheel) at a cell, counted from 0."""
        for letter in "M" if button >= 64 else "Mm":
            self._tmux("send-keys", "-l", f"\x1b[<{button};{column + 1};{row + 1}{letter}")

    def screen(self, *, colours: bool = False) -> str:
        """Return what the window shows; with colours as SGR sequences."""
        flags = ("-e", "-N") if colours else ()
        return self._tmux("capture-pane", "-p", *flags).rstrip("\n")

    def pid(self) -> int:
        """Return the process that runs in the window."""
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def wait_for(self, text: str, seconds: float = LIMIT_SECONDS) -> str:
        """Wait until the window shows a text; return the screen.

        Raises:
            TimeoutError: it never did; with the screen.
        """
        end, pause = clock.monotonic_ns() + int(seconds * 1e9), threading.Event()
        while text not in (screen := self.screen()):
            if clock.monotonic_ns() > end:
                raise TimeoutError(f"the screen never showed {text!r}:\n{screen}")
            pause.wait(LOOK_SECONDS)
        return screen

    def stop(self) -> None:
        """End the server and what runs in it."""
        subprocess.run(
            ["tmux", "-S", self._socket, "kill-server"], check=False, capture_output=True
        )
