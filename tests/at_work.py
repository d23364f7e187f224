"""Nodes whose threads work, each a process of its own (`console/working_node.py`)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WORKING_NODE = Path(__file__).parent / "console" / "working_node.py"
Node = subprocess.Popen[str]


@contextmanager
def working_node(name: str) -> Iterator[Node]:
    """Run a node with threads that work, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, str(WORKING_NODE), name], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
