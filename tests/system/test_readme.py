"""What the README shows works as it stands there: its program, and its commands on a node."""

from __future__ import annotations

import re
import subprocess
import sys

from cli.commands import isinglass
from import_graph import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def test_the_program_and_the_commands_of_the_readme_run() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    isinglass("daemon", "start", "alder")
    try:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert done.stdout == "{'customer': 'ada', 'total': 12}\n2026/0001 12\n"
        assert "applier" in isinglass("ps", "alder").stdout
        assert "samples" in isinglass("top", "alder", "--rate", "1000", "--seconds", "1").stdout
        isinglass("watch", "alder", "--until", "queue.length < 1", "--timeout", "20")
    finally:
        isinglass("daemon", "stop", "alder")
