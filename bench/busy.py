"""The processes that `bench/sampler.py` looks at, and one that only wakes up, as programs.

They are texts that are run by interpreters of their own, so that nothing of the benchmark's own
imports and threads is in what is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NODE, PROCESSES = "sampled", 16

WORK = """
import time
from isinglass import mark
from isinglass.glass import segment
from isinglass.glass.catalog import Counter, Panel

class WorkPanel(Panel):
    "The work of a busy process."
    rounds = Counter("rounds", "Rounds of work done.")
    work_time = Counter("ns", "How long they took, with what came in between.")

def run(node, place, together, turn):
    role = "busy" if float(place) else "first"
    joined = (segment.create if role == "first" else segment.attach)(node, role)
    panel = WorkPanel()
    words, rounds, work_time = panel.words, WorkPanel.rounds.index, WorkPanel.work_time.index
    together, turn = int(together), float(turn)
    joined.ready() if role == "first" else None
    print("ready", flush=True)
    numbers = list(range(500))
    while True:
        started = time.monotonic_ns()
        for _ in range(together):
            mark("adding")
            sum(number * number for number in numbers)
            mark("sorting")
            sorted(numbers, key=lambda number: -number)
            mark("joining")
            ",".join(map(str, numbers))
            mark("counting")
            words[rounds] += 1
        words[work_time] += time.monotonic_ns() - started
        if turn:
            mark.waiting("for the next turn")
            now = time.monotonic()
            due = (now // turn + float(place)) * turn
            time.sleep((due if due > now else due + turn) - now)
"""
RUN = (
    "import sys, isinglass; isinglass.instrument('busy_work');"
    "import busy_work; busy_work.run(*sys.argv[1:])"
)
# What no sampler at that rate can do without: it only wakes up, at the priority of `top`.
WAKE = """
import sys, time
from isinglass.cli.punctual import be_punctual
rate_hz = int(sys.argv[1])
way, wakes, start, sleep, now = be_punctual(), 0, time.monotonic(), time.sleep, time.monotonic
try:
    while True:
        rest = start + (wakes + 1) / rate_hz - now()
        if rest > 0:
            sleep(rest)
        wakes += 1
except KeyboardInterrupt:
    print(wakes / (now() - start), way, flush=True)
"""
# One parent for all, because py-spy follows one process and its children.
PARENT = """
import subprocess, sys
run, node, count, *turns = sys.argv[1:]
children = []
try:
    for number in range(int(count)):
        command = [sys.executable, "-c", run, node, str(number / int(count)), *turns]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        children[-1].stdout.readline()
    print("ready", flush=True)
    sys.stdin.read()
finally:
    for child in children:
        child.kill()
        child.wait()
"""


@contextmanager
def busy_processes(directory: Path, together: int, turn_seconds: float) -> Iterator[int]:
    """Run the 16 processes; yield the pid of their parent.

    Args:
        together: rounds of work at a time.
        turn_seconds: from the beginning of one such time to that of the next, which each process
            has at an instant of its own; 0: they never rest.
    """
    (directory / "busy_work.py").write_text(WORK)
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", PARENT, RUN, NODE, str(PROCESSES)),
            *(str(together), str(turn_seconds)),
        ],
        env={**os.environ, "PYTHONPATH": str(directory)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise SystemExit("the busy processes did not start")
        yield process.pid
    finally:
        process.communicate()
