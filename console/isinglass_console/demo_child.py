"""The processes of the demo: the daemon, and the workers that use it as any application would.

    daemon     `isinglass daemon run`, as it is
    monitor    `isinglass monitor run`, as it is
    counter    counts the identifiers of its share of the files, one update an occurrence
    reader     looks up the counts of identifiers, straight in the store
    scanner    asks the index which identifiers are the most frequent, and scans a few groups

Each asks the kernel to end it when the process that started it dies (prctl(2), PR_SET_PDEATHSIG),
so the demo leaves none behind however it ends.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import isinglass
from isinglass import clock, mark
from isinglass.errors import (
    AddUnknown,
    DaemonAway,
    NodeDrained,
    RequestRefused,
    RequestTimeout,
    StoreError,
)
from isinglass_console import demo_workload as workload

PR_SET_PDEATHSIG = 1
READS_TOGETHER = 200
READ_PAUSE_SECONDS = 0.02
SCAN_PAUSE_SECONDS = 0.5
REFUSED_PAUSE_SECONDS = 0.2
LIMIT_SECONDS, ONCE_LIMIT_SECONDS = 5.0, 60.0  # that a counter waits for its daemon at a time
MOST_FREQUENT = 20
COMMON = "self", "name", "len", "path", "os"


def end_with_parent(parent: int) -> None:
    """Have the kernel send TERM to this process when its parent dies."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)


def daemon(task: dict[str, Any]) -> int:
    """Be the daemon of the demo's node."""
    from isinglass.cli.daemon import main as run_daemon

    return run_daemon(["run", task["node"], *task["flags"]])


def monitor(task: dict[str, Any]) -> int:
    """Be the monitor of the demo's cluster."""
    from isinglass_monitor.commands.monitor import main as run_monitor

    return run_monitor(["run", "--name", task["node"], "--alarms", task["rules"]])


def _connected(task: dict[str, Any]) -> isinglass.Client:
    """Connect to the node, whose daemon may be stopped or down just now; but for one count."""
    once = bool(task.get("once"))
    limit = ONCE_LIMIT_SECONDS if once else LIMIT_SECONDS
    while True:
        try:
            return isinglass.connect(task["node"], process=task["process"], timeout_seconds=limit)
        except (DaemonAway, RequestTimeout):
            if once:
                raise


def counter(task: dict[str, Any]) -> int:
    """Count identifiers, again and again or once, and print what was counted."""
    name = task["process"]
    files = [Path(file) for file in task["files"]]
    occurrences = 0
    with _connected(task) as database:
        while True:
            for file in files:
                mark("finding the identifiers of a file")
                found = workload.identifiers(file)
                mark("counting them")
                try:
                    patient = not task["once"]
                    _count(database, workload.adds_of(found, file), task["batch"], patient)
                except (AddUnknown, DaemonAway, RequestTimeout):
                    if task["once"]:
                        raise
                    continue  # the daemon was stopped or killed: the rest of this file is left out
                occurrences += len(found)
            if task["once"] or not files:
                break
        database.flush()
    print(json.dumps({"process": name, "files": len(files), "occurrences": occurrences}))
    return 0


def _count(
    database: isinglass.Client, adds: list[tuple[str, int]], batch: int, patient: bool
) -> None:
    """Count occurrences; while the node takes no writes, who is patient waits and asks again."""
    for start in range(0, len(adds), batch):
        while True:
            try:
                database.add_many(workload.TABLE, adds[start : start + batch], workload.FIELD)
                break
            except (StoreError, NodeDrained, RequestRefused):
                if not patient:
                    raise
            mark.waiting("for the node to take writes again")
            clock.sleep(REFUSED_PAUSE_SECONDS)


def reader(task: dict[str, Any]) -> int:
    """Look up identifiers, some thousand times a second."""
    generator = random.Random(task["seed"])
    with _connected(task) as database:
        while True:
            mark("choosing what to read")
            start = "".join(generator.choices("abcdefghijklmnopqrstuvwxyz_", k=2))
            found = database.scan(workload.TABLE, start=start, limit=READS_TOGETHER // 4)
            keys = [key for key, _ in found] or ["self/json"]
            mark("reading counts")
            for _ in range(READS_TOGETHER):
                database.get(workload.TABLE, generator.choice(keys))
            mark.waiting("a little")
            clock.sleep(READ_PAUSE_SECONDS)


def scanner(task: dict[str, Any]) -> int:
    """Ask which identifiers are the most frequent, and sum some groups."""
    with _connected(task) as database:
        while True:
            mark("asking the index for the most frequent")
            list(
                database.find(
                    workload.TABLE, workload.FIELD, start=0, limit=MOST_FREQUENT, reverse=True
                )
            )
            mark("summing groups")
            for name in COMMON:
                prefix = f"{name}{workload.GROUP_BY}"
                workload.summed(database.scan(workload.TABLE, prefix=prefix))
            mark.waiting("a little")
            clock.sleep(SCAN_PAUSE_SECONDS)


ROLES: dict[str, Callable[[dict[str, Any]], int]] = {
    "daemon": daemon,
    "monitor": monitor,
    "counter": counter,
    "reader": reader,
    "scanner": scanner,
}


def main(arguments: list[str]) -> int:
    """Play the role that the first word names, with the task in the file that the third one names.

    Args:
        arguments: role, pid of the parent, path of the task (JSON).
    """
    role, parent, path = arguments
    end_with_parent(int(parent))
    task = json.loads(Path(path).read_text("utf-8"))
    if role not in ("daemon", "monitor"):
        # Ended on purpose, so that it leaves its region as a clean exit.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return ROLES[role](task)


if __name__ == "__main__":
    isinglass.instrument("isinglass_console")
    from isinglass_console.demo_child import main as probed_main

    sys.exit(probed_main(sys.argv[1:]))
