"""A dump stays quick only as long as nothing heavy creeps into what it imports."""

from __future__ import annotations

import os
import subprocess
import sys

# Each of these costs a millisecond or more, of about ten that a dump has.
HEAVY = {
    *("argparse", "asyncio", "collections", "contextlib", "csv", "ctypes", "dataclasses"),
    *("datetime", "enum", "fnmatch", "functools", "hashlib", "inspect", "json", "logging"),
    *("pathlib", "random", "re", "shutil", "socket", "subprocess", "tempfile", "textwrap"),
    *("threading", "typing", "lmdb", "msgpack", "psutil", "rich", "textual", "asyncssh"),
}


# Not the installed script: what older releases of pip put into it (`re`) is not ours.
ENTRY = ("-c", "import sys; from isinglass_console.cli import main; sys.exit(main())")


NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


def imported(*command: str) -> set[str]:
    """Return the modules that a run of the interpreter imports, as it lists them itself."""
    # With bytecode, as installed: the first run writes what is missing, which takes the compiler.
    environment = {name: word for name, word in os.environ.items() if name != NO_BYTECODE}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", *command],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
        )
    rows = (line.split("|") for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {row[-1].strip() for row in rows}


def test_a_dump_imports_nothing_heavy(bakery: subprocess.Popen[str]) -> None:
    found = imported(*ENTRY, "dump", "bakery", "--level", "debug", "--events", "-v")
    assert {"isinglass.cli.dump", "isinglass.glass.reader"} <= found
    # What `site` brings (an editable install, coverage) is not the command's doing.
    assert not (found - imported("-c", "pass")) & HEAVY


def test_a_dump_imports_few_modules_of_ours(bakery: subprocess.Popen[str]) -> None:
    ours = {name for name in imported(*ENTRY, "dump") if name.startswith("isinglass")}
    assert len(ours) <= 30
    assert not {name for name in ours if name.startswith("isinglass.glass.segment")}
