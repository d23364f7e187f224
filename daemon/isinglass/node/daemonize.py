"""Become a daemon that survives the hang-up of the terminal that started it.

`ssh -tt host isinglass daemon start` hangs up as soon as the command ends. The classic order (fork,
setsid, fork) has a gap between the first fork and setsid in which the child still belongs to that
terminal: when the parent is gone and the terminal hangs up just then, SIGHUP kills the child.
Measured under `ssh -tt`, of 40 starts python-daemon survived 6, `setsid -f` 7, `nohup &` 1; this
order all 40. The command that was typed ends when the daemon says that it is ready, or why not:

    command          child            daemon
    ignore SIGHUP
    fork ──────────▶ setsid
    wait on pipe     fork ──────────▶ chdir /, umask 027, /dev/null on 0 1 2
    .                exit             restore SIGHUP
    .                                 start ...
    "ready PID" ◀──────────────────── ready, or one sentence and an exit code
    exit                              serve

The pipe's other end closes when the daemon dies, so the command never waits for a dead one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import sys
from dataclasses import dataclass

DAEMON_UMASK = 0o027
START_LIMIT_SECONDS = 120.0
LONGEST_MESSAGE_BYTES = 4096  # PIPE_BUF: written in one piece or not at all (pipe(7))
FIRST_INHERITED_DESCRIPTOR = 3


@dataclass(frozen=True)
class Outcome:
    """What the command learnt of the daemon it started: its pid, or why there is none."""

    pid: int
    exit_code: int = 0
    sentence: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether the daemon said that it serves."""
        return self.exit_code == 0


class Readiness:
    """The daemon's end of the pipe; the first message counts, later ones go nowhere."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def ready(self) -> None:
        """Tell the command that the daemon serves."""
        self._send(0, "")

    def failed(self, sentence: str, exit_code: int = 1) -> None:
        """Tell the command why there will be no daemon."""
        self._send(exit_code, sentence)

    def _send(self, exit_code: int, sentence: str) -> None:
        if self._descriptor < 0:
            return
        message = f"{os.getpid()} {exit_code} {sentence}".encode()[:LONGEST_MESSAGE_BYTES]
        # The command may have been killed meanwhile: that is no reason for the daemon to end.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._descriptor, message)
        os.close(self._descriptor)
        self._descriptor = -1


def daemonize(limit_seconds: float = START_LIMIT_SECONDS) -> Readiness | Outcome:
    """Fork a daemon; return `Readiness` in it, and in the caller, later, the `Outcome`.

    Call it before any thread is started and before any lock is taken: neither goes along. The
    caller goes on ignoring SIGHUP: a hang-up must not make a failure of what went well.

    Args:
        limit_seconds: how long the caller waits for the daemon to say something.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    child = os.fork()
    if child:
        os.close(write_end)
        try:
            os.waitpid(child, 0)
            return _await_outcome(read_end, limit_seconds)
        finally:
            os.close(read_end)
    os.setsid()
    # A leader of a session can gain a terminal by opening one; its child cannot.
    if os.fork():
        os._exit(0)
    os.close(read_end)
    os.chdir("/")
    os.umask(DAEMON_UMASK)
    _close_inherited()
    _redirect_to_nothing()
    signal.signal(signal.SIGHUP, earlier)
    return Readiness(write_end)


def _close_inherited() -> None:
    """Close what the caller of the command left open to it, such as a lock or a pipe's end.

    Python marks every descriptor that it opens close-on-exec, so one without that mark came from
    outside and nobody in this process knows it.
    """
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor < FIRST_INHERITED_DESCRIPTOR:
            continue
        with contextlib.suppress(OSError):
            if not fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
                os.close(descriptor)


def _redirect_to_nothing() -> None:
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for standard in range(FIRST_INHERITED_DESCRIPTOR):
        os.dup2(nothing, standard)
    if nothing >= FIRST_INHERITED_DESCRIPTOR:
        os.close(nothing)


def _await_outcome(descriptor: int, limit_seconds: float) -> Outcome:
    ready, _, _ = select.select([descriptor], [], [], limit_seconds)
    if not ready:
        return Outcome(
            0,
            1,
            f"The daemon said nothing for {limit_seconds:g} seconds and may still be starting: ask"
            " `isinglass daemon status`.",
        )
    message = os.read(descriptor, LONGEST_MESSAGE_BYTES).decode("utf-8", "replace")
    if not message:
        return Outcome(
            0,
            1,
            "The daemon ended before it was ready and could not say why: see for yourself with"
            " `isinglass daemon run`.",
        )
    pid, exit_code, sentence = message.split(" ", 2)
    return Outcome(int(pid), int(exit_code), sentence)
