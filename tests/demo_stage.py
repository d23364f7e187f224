"""The real demo in a real terminal, with what an operator of it would do from another terminal."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from console.terminal import Terminal
from isinglass import clock
from isinglass.glass.reader import SegmentReader
from isinglass_console.demo import NODES
from isinglass_console.demo_nodes import NAMES
from programs import program

BIN = Path(sys.executable).parent
SLOW_STORE = Path(__file__).with_name("slow_store.py")
STARTS_WITHIN_SECONDS, LIMIT_SECONDS, LOOK_SECONDS = 90.0, 60.0, 0.1
SMALL_BATCHES = {"ISINGLASS_BATCH_LIMIT": "10"}


class Walk:
    """A demo that runs in a window; `see` waits until an answer stands on the screen.

    Attributes:
        nodes: the demo's, by name.

    Args:
        folder: where its segments and stores are made.
    """

    nodes = NAMES[:NODES]

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self.terminal, self.runtime, self.data = terminal, folder / "run", folder / "data"

    def start(self, columns: int = 120, rows: int = 36) -> None:
        """Start the demo with its console."""
        for each in (self.runtime, self.data):
            each.mkdir()
        folders = f"--runtime-dir {self.runtime} --data-dir {self.data}"
        self.terminal.start(f"exec {BIN}/isinglass demo {folders}", columns, rows)
        self.terminal.wait_for("PACE/s", STARTS_WITHIN_SECONDS)

    def press(self, *keys: str) -> None:
        """Type keys, by tmux's names."""
        self.terminal.press(*keys)

    def see(self, row: int | None, pattern: str, column: int = 0) -> re.Match[str]:
        """Wait until a row (None: any) matches at a column; return the match.

        Raises:
            AssertionError: it never did; with the screen.
        """
        found: list[re.Match[str]] = []

        def looks() -> bool:
            rows = self.terminal.screen().split("\n")
            chosen = rows if row is None else rows[row : row + 1]
            found[:] = [m for line in chosen if (m := re.match(pattern, line[column:]))]
            return bool(found)

        self.wait(looks, pattern)
        return found[0]

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds."""
        end_ns, pause = clock.monotonic_ns() + int(LIMIT_SECONDS * 1e9), threading.Event()
        while not condition():
            assert clock.monotonic_ns() < end_ns, f"never {what!r}:\n{self.terminal.screen()}"
            pause.wait(LOOK_SECONDS)

    def pid(self, node: str) -> int:
        """Return the pid of a node's daemon, from its segment."""
        with SegmentReader(str(self.runtime / node / "segment")) as reader:
            owner = reader.snapshot().owner
        assert owner is not None
        return owner.pid

    @contextmanager
    def slow_store(self, node: str) -> Iterator[None]:
        """Let a foreign program hold a node's store again and again, for a block."""
        with program(SLOW_STORE.read_text(), str(self.data / node)):
            yield

    def load(self, node: str, rows: int, folder: Path) -> subprocess.Popen[bytes]:
        """Start `isinglass load` of rows whose keys do not repeat."""
        file = folder / "burst.csv"
        file.write_text("key,number\n" + "".join(f"k{n},{n}\n" for n in range(rows)))
        line: list[str | Path] = [
            BIN / "isinglass",
            "load",
            file,
            "--table",
            "burst",
            "--key",
            "key",
            "--create",
        ]
        return subprocess.Popen(
            [*line, "--node", node, "--batch", "200"],
            env={**self.terminal.environment, "ISINGLASS_RUNTIME_DIR": str(self.runtime)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
