"""How long `isinglass dump` takes from exec to its last byte, against an empty interpreter.

The node is a real daemon with four client processes that wrote through it; the command is the
installed one, with its output in a pipe, as a script has it. Cases take turns. With `--remote` it
is `bench/remote.py` instead: what looking at a node over SSH costs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from harness import Claim, Report, Table, finish, interleave, options, ratio

from isinglass import clock
from isinglass.glass.reader import SegmentReader

COMMAND = str(Path(sys.executable).with_name("isinglass"))
NODE = "attach"
CLIENTS = 4
CLIENT = """
import sys
import isinglass
with isinglass.connect() as client:
    client.create_table("words", indexes=["length"])
    client.put_many("words", {f"w{n}": {"length": n % 7} for n in range(1000)})
    print("ready", flush=True)
    sys.stdin.read()
"""
EMPTY = "python -S -c pass"
CASES: dict[str, list[str]] = {
    EMPTY: [sys.executable, "-S", "-c", "pass"],
    "python -c pass": [sys.executable, "-c", "pass"],
    "isinglass dump": [COMMAND, "dump", NODE],
    "isinglass dump --json": [COMMAND, "dump", NODE, "--json"],
    "isinglass ps": [COMMAND, "ps", NODE],
    "isinglass --help": [COMMAND, "--help"],
}
LIMIT = 3.0


def milliseconds(command: list[str]) -> float:
    """Run a command and return the time from exec until its output ended and it was gone."""
    started = clock.perf_ns()
    subprocess.run(command, stdout=subprocess.PIPE, close_fds=False, check=True)
    return (clock.perf_ns() - started) / 1e6


def case(command: list[str]) -> Callable[[], float]:
    """Return what runs one round of a command."""
    return lambda: milliseconds(command)


@contextmanager
def said_ready(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a process and wait for its first line; end it afterwards."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        if "ready" not in process.stdout.readline():
            raise SystemExit(f"{command[:2]} did not start")
        yield process
    finally:
        process.terminate()
        process.communicate()


def main() -> int:
    """Start the node, measure, and report; or measure what a remote one costs."""
    if "--remote" in sys.argv:
        sys.argv.remove("--remote")
        from remote import main as measure_remote

        return measure_remote()
    parser = options(__doc__.split("\n")[0], rounds=100)
    arguments = parser.parse_args()
    # An installed package has its bytecode; a checkout has it after the first run.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with ExitStack() as stack:
        runtime = stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm"))
        data = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ.update(ISINGLASS_RUNTIME_DIR=runtime, ISINGLASS_DATA_DIR=data)
        stack.enter_context(said_ready([COMMAND, "daemon", "run", NODE]))
        for _ in range(CLIENTS):
            stack.enter_context(said_ready([sys.executable, "-c", CLIENT]))
        shown = subprocess.run(CASES["isinglass dump"], stdout=subprocess.PIPE, check=True).stdout
        with SegmentReader(NODE) as reader:
            processes = reader.snapshot().processes
        fields = sum(len(panel.fields) for process in processes for panel in process.panels)
        cases = {name: case(command) for name, command in CASES.items()}
        figures = interleave(cases, arguments.rounds)
    rows = [
        (name, median(found), min(found), ratio(figures, name, EMPTY))
        for name, found in figures.items()
    ]
    report = Report(
        script="attach.py",
        title="from exec to the last byte of a dump",
        tables=[Table(("command", "median, ms", "least, ms", "× empty interpreter"), rows)],
        claims=[
            Claim(
                f"`isinglass dump` over `{EMPTY}`",
                ratio(figures, "isinglass dump", EMPTY),
                LIMIT,
            )
        ],
        notes=[
            f"The dump shows {len(processes)} processes with {fields} fields, in"
            f" {len(shown.splitlines())} lines of {len(shown):,} bytes."
        ],
    )
    return finish(report, arguments)


if __name__ == "__main__":
    sys.exit(main())
