"""Write a small package with marks, and run programs that import it in an interpreter of their own.

The child compiles and caches as in production: no inherited PYTHONDONTWRITEBYTECODE, no coverage.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

INSTRUMENT = "import isinglass\nisinglass.instrument(__name__)\n"
NOT_INHERITED = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "ISINGLASS_PROBES")


def write(root: Path, modules: Mapping[str, str], initial: str = INSTRUMENT) -> Path:
    """Write the package `probed` under `root`, `initial` in its `__init__`; return its place."""
    package = root / "probed"
    for name, text in {"__init__": initial, **modules}.items():
        path = package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return package


def environment(root: Path, **changes: str) -> dict[str, str]:
    """Return the environment of a program that can import `probed`."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return {**kept, "PYTHONPATH": str(root), **changes}


def run(root: Path, *arguments: str, **changes: str) -> str:
    """Run `python ARGUMENTS` and return what it prints; a failure shows its traceback."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment(root, **changes),
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode or done.stderr:
        raise AssertionError(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def run_code(root: Path, code: str, **changes: str) -> str:
    """Run a few lines in an interpreter of their own and return what they print."""
    return run(root, "-c", textwrap.dedent(code), **changes)
