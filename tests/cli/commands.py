"""Runs the command `isinglass` as a user does: a process of its own, with pipes or a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path
from typing import IO

COMMAND = str(Path(sys.executable).with_name("isinglass"))
WAIT_SECONDS = 60.0


def isinglass(
    *arguments: str, stdin: str = "", expect: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run the command with pipes; fail unless its exit code is `expect` (None: any)."""
    done = subprocess.run(
        [COMMAND, *arguments], input=stdin, capture_output=True, text=True, timeout=WAIT_SECONDS
    )
    assert expect is None or done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def start(*arguments: str, stdout: IO[str] | int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start the command with pipes, or with its output elsewhere; the caller ends it."""
    return subprocess.Popen(
        [COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def on_terminal(*arguments: str, columns: int = 120, rows: int = 40) -> tuple[int, str]:
    """Run the command with a pseudo-terminal for its output; return exit code and output."""
    master, slave = pty.openpty()
    environment = {
        **os.environ,
        "COLUMNS": str(columns),
        "LINES": str(rows),
        "TERM": "xterm-256color",
    }
    with subprocess.Popen(
        [COMMAND, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment
    ) as process:
        os.close(slave)
        output = bytearray()
        while select.select([master], [], [], WAIT_SECONDS)[0]:
            try:
                piece = os.read(master, 65536)
            except OSError:  # The other end is closed: the command has ended.
                break
            if not piece:
                break
            output += piece
        code = process.wait(timeout=WAIT_SECONDS)
    os.close(master)
    return code, output.decode("utf-8", "replace")
