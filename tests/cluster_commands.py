"""Commands of the product, run as a user runs them, for tests of clusters."""

from __future__ import annotations

import subprocess
import sys


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the product."""
    command = [sys.executable, "-m", "isinglass_console.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)
