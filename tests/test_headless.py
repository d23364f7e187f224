"""What a headless process really imports, asked of fresh interpreters.

The commands that look at a node have about ten milliseconds to start, print and end, and run on
servers that have no terminal: a heavy import that creeps in is a broken promise, so it is a test.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping

import pytest

from import_graph import FOR_TERMINALS, modules

NEVER_HEADLESS = {"textual", "rich", "asyncssh"}
HEAVY = {"argparse", "asyncio", "dataclasses", "inspect", "json", "logging", "lmdb", "msgpack"}
HEAVY |= {"psutil", "subprocess"}

# command line: what it must not have imported when it ends; `glass` is a node with a segment
COMMAND_LINES: Mapping[tuple[str, ...], set[str]] = {
    ("dump", "glass"): NEVER_HEADLESS | HEAVY,
    ("dump", "glass", "--json"): NEVER_HEADLESS,
    ("ps", "glass"): NEVER_HEADLESS,
    ("top", "glass", "--seconds", "0.2", "--json"): NEVER_HEADLESS,
    ("watch", "glass", "--count", "1"): NEVER_HEADLESS,
    ("get", "table", "key", "--node", "glass"): NEVER_HEADLESS,
    ("daemon", "status", "glass"): NEVER_HEADLESS,
    ("log", "--rings"): NEVER_HEADLESS,
    ("monitor", "status"): NEVER_HEADLESS,
    ("record", "--help"): NEVER_HEADLESS,
    ("snapshot", "--help"): NEVER_HEADLESS,
    ("complete-nodes",): NEVER_HEADLESS | HEAVY,
    ("relay", "--list"): NEVER_HEADLESS | HEAVY,
    ("relay",): NEVER_HEADLESS | HEAVY - {"json"},
    ("--help",): NEVER_HEADLESS | HEAVY,
}

WRITE_SEGMENT = """
from isinglass.glass import segment
made = segment.create("glass")
made.ready()
made.close()
"""

RUN_COMMAND = """
import sys
from isinglass_console.cli import main
try:
    main()
except SystemExit:
    pass
sys.stderr.write("\\nimported " + " ".join({name.partition(".")[0] for name in sys.modules}))
"""


def headless_commands() -> list[str]:
    """Return the modules of the commands that the lower layers own."""
    table = modules()["isinglass_console.cli"].tree
    named = {
        node.value
        for node in ast.walk(table)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return sorted(name for name in named & set(modules()) if name.startswith("isinglass."))


def test_every_command_is_covered_by_a_module() -> None:
    assert "isinglass.cli.dump" in headless_commands()


@pytest.mark.parametrize("line", COMMAND_LINES, ids=" ".join)
def test_a_headless_command_imports_no_terminal(line: tuple[str, ...]) -> None:
    python(WRITE_SEGMENT)
    result = python(RUN_COMMAND, *line)
    imported = set(result.stderr.rpartition("\nimported ")[2].split())
    assert "isinglass" in imported, result.stderr
    assert "Traceback" not in result.stderr, result.stderr
    assert not imported & COMMAND_LINES[line]


def test_no_headless_module_imports_a_terminal() -> None:
    names = sorted(
        name for name in set(modules()) - FOR_TERMINALS if not name.startswith("isinglass_console")
    )
    listing = "import sys\n" + "".join(f"import {name}\n" for name in names)
    listing += "print(*{name.partition('.')[0] for name in sys.modules})"
    result = python(listing)
    imported = set(result.stdout.split())
    assert "isinglass" in imported, result.stderr
    assert not imported & NEVER_HEADLESS


def python(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run source in a fresh interpreter, with pipes for its output."""
    return subprocess.run(
        [sys.executable, "-c", source, *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )
