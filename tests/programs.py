"""Runs small programs as real processes: a program says "ready" on a line of its own, then is used.

A process has one region, so whatever writes a segment in a test is a process of its own, as in
production. Programs are ended by their pid when the block ends, however it ends.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

WAIT_SECONDS = 20.0


@contextmanager
def program(
    source: str, *arguments: str, ready: str = "ready", within: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """Run Python source in a new interpreter; yield it once it has printed a line `ready`.

    Args:
        within: a command that runs the command that follows it somewhere: in a namespace.
    """
    command = [*within, sys.executable, "-c", textwrap.dedent(source), *arguments]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if line.strip() != ready:
            process.kill()
            raise AssertionError(f"it said {line!r} and {process.communicate()[1]}")
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait(timeout=WAIT_SECONDS)
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Send one line to a program's standard input."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    """Return the next line that a program prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
