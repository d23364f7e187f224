"""What the README shows works as it stands there: its program, and its commands on a node."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ISINGLASS = str(Path(sys.executable).with_name("isinglass"))


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_program_and_the_commands_of_the_readme_run() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    _run(ISINGLASS, "daemon", "start", "alder")
    try:
        printed = _run(sys.executable, "-c", code)
        assert printed == "{'customer': 'ada', 'total': 12}\n2026/0001 12\n"
        assert "applier" in _run(ISINGLASS, "ps", "alder")
        assert "samples" in _run(ISINGLASS, "top", "alder", "--rate", "1000", "--seconds", "1")
        _run(ISINGLASS, "watch", "alder", "--until", "queue.length < 1", "--timeout", "60")
    finally:
        _run(ISINGLASS, "daemon", "stop", "alder")
