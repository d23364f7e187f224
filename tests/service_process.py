"""A real service for a test, as its command runs it: started, stopped, killed, started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

WAIT_SECONDS = 30.0


class ServiceProcess:
    """A command of `isinglass` that runs until it is told to end, always with the same settings.

    Args:
        words: the command.
        ready: what its first line says when it serves.
        settings: True stands for a switch without a value.
        within: a command that runs the command that follows it somewhere: in a namespace.
    """

    def __init__(
        self,
        words: Sequence[str],
        ready: str,
        settings: Mapping[str, object],
        within: Sequence[str] = (),
    ) -> None:
        self._words, self._ready, self.within = words, ready, within
        self.flags = [
            word
            for name, value in settings.items()
            for word in (f"--{name.replace('_', '-')}", *([] if value is True else [str(value)]))
        ]
        self.process: subprocess.Popen[str]

    def start(self, **environment: str) -> Self:
        """Start it; return when it serves."""
        self.launch(**environment)
        line, rest = self.first_words()
        assert self._ready in line, line + rest
        return self

    def launch(self, **environment: str) -> None:
        """Start it, and wait for nothing."""
        command = [sys.executable, "-m", "isinglass_console.cli", *self._words, *self.flags]
        self.process = subprocess.Popen(
            [*self.within, *command],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def first_words(self) -> tuple[str, str]:
        """Return the first line that it prints, and all others when that says that it failed."""
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        return line, "" if self._ready in line else self.process.stderr.read()

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        """Kill it with SIGKILL; return when it is gone."""
        self.process.kill()
        self.gone()

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        self.process.terminate()
        return self.gone()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop every thread of it (SIGSTOP) for a block."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def gone(self) -> int:
        """Wait for its end, with a limit; return its exit code."""
        code = self.process.wait(WAIT_SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code
