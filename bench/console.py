"""The console's steady CPU at one frame a second on a terminal of 160 x 48, beside htop and btop.

Each program runs in a tmux of its own (a real pseudo-terminal) on the same machine at the same time
as a demo node with its clients, takes turns with the others, settles first, and is then measured by
the kernel's account of all its processes. Bytes are what it sent to the terminal meanwhile.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil
from harness import Report, Table, finish, options

from isinglass import clock

WIDTH, HEIGHT = 160, 48
ISINGLASS = Path(sys.executable).with_name("isinglass")
NODE = "alder"


class Terminal:
    """A tmux server of its own with one program in it."""

    def __init__(self, directory: Path, command: str, environment: dict[str, str]) -> None:
        # A socket for each: the last server may still be on its way out.
        self._tmux = ["tmux", "-S", f"{directory}/tmux", "-f", "/dev/null"]
        self._bytes = directory / "bytes"
        size = ["-x", str(WIDTH), "-y", str(HEIGHT)]
        subprocess.run(
            [*self._tmux, "new-session", "-d", *size, command], env=environment, check=True
        )
        subprocess.run([*self._tmux, "pipe-pane", f"cat > {self._bytes}"], check=True)
        answer = self._ask("list-panes", "-F", "#{pane_pid}")
        self.pid = int(answer)

    def _ask(self, *words: str) -> str:
        return subprocess.run(
            [*self._tmux, *words], capture_output=True, text=True, check=True
        ).stdout

    def sent_bytes(self) -> int:
        """Return how much the program has written to the terminal."""
        return self._bytes.stat().st_size

    def screen(self) -> str:
        """Return what the terminal shows."""
        return self._ask("capture-pane", "-p")

    def close(self) -> None:
        """End the program and its tmux server."""
        subprocess.run([*self._tmux, "kill-server"], check=False)


def _family(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _cpu_seconds(pid: int) -> float:
    times = [process.cpu_times() for process in _family(pid)]
    return sum(each.user + each.system for each in times)


def measure(
    command: str, environment: dict[str, str], settle: float, seconds: float
) -> dict[str, float]:
    """Run one program in a terminal; return CPU percent, MiB and bytes a second."""
    with tempfile.TemporaryDirectory() as directory:
        terminal = Terminal(Path(directory), command, environment)
        try:
            clock.sleep(settle)
            began, cpu, sent = (
                clock.monotonic_ns(),
                _cpu_seconds(terminal.pid),
                terminal.sent_bytes(),
            )
            clock.sleep(seconds)
            passed = (clock.monotonic_ns() - began) / 1e9
            memory = sum(process.memory_info().rss for process in _family(terminal.pid))
            if len(terminal.screen().split()) < 20:
                raise SystemExit(f"{command} shows nothing: {terminal.screen()}")
            return {
                "cpu": 100 * (_cpu_seconds(terminal.pid) - cpu) / passed,
                "memory": memory / 2**20,
                "sent": (terminal.sent_bytes() - sent) / passed,
            }
        finally:
            terminal.close()


@contextmanager
def demo(directory: str) -> Iterator[dict[str, str]]:
    """Run the demo, a daemon with clients at work; yield the environment in which it is found."""
    runtime, config = Path(directory, "run"), Path(directory, "config", "btop")
    environment = {
        **os.environ,
        "ISINGLASS_RUNTIME_DIR": str(runtime),
        "XDG_CONFIG_HOME": f"{directory}/config",
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "SHELL": "/bin/sh",
    }
    config.mkdir(parents=True)
    (config / "btop.conf").write_text("update_ms=1000\n")
    line = [ISINGLASS, "demo", "--nodes", "1", "--headless", "--seconds", "3600"]
    line += ["--runtime-dir", str(runtime)]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as running:
        try:
            waiting = [ISINGLASS, "dump", NODE, "--wait", "30"]
            subprocess.run(waiting, env=environment, stdout=subprocess.DEVNULL, check=True)
            yield environment
        finally:
            running.send_signal(signal.SIGINT)
            running.wait()


def commands() -> dict[str, str]:
    """Return the programs to compare, those that are installed."""
    wanted = {
        "isinglass console, overview": f"{ISINGLASS} console {NODE}",
        "htop": "htop -d 10",
        "btop": "btop --utf-force",
    }
    return {name: line for name, line in wanted.items() if shutil.which(line.split()[0])}


def main() -> int:
    """Compare the console with htop and btop."""
    parser = options(__doc__.split("\n")[0], rounds=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds a measurement")
    parser.add_argument("--settle", type=float, default=5.0, help="seconds before it")
    arguments: argparse.Namespace = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in commands()}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory, demo(directory) as environment:
        for _ in range(arguments.rounds):
            for name, command in commands().items():
                figures = measure(command, environment, arguments.settle, arguments.seconds)
                found[name].append(figures)
    report = Report("console.py", "steady cost of the console at 1 Hz, 160 x 48")
    rows = [
        (name, *(median(figures[key] for figures in runs) for key in ("cpu", "memory", "sent")))
        for name, runs in found.items()
    ]
    columns = ("program", "CPU % of a core", "RSS MiB", "bytes/s to the terminal")
    report.tables.append(Table(columns, rows))
    missing = {"htop", "btop"} - set(found)
    report.notes += [f"{name} is not installed here." for name in sorted(missing)]
    return finish(report, arguments)


if __name__ == "__main__":
    sys.exit(main())
