"""The demo's stage: one process that starts the others, and clears everything away at the end.

It lives in a session of its own, so that a Ctrl-C in the terminal reaches only the one who watches.
It ends when its standard input ends, which happens however the watcher dies:

    watcher ──stdin──▶ stage ──▶ daemon, counters, reader, scanner
            ◀─stdout──        one JSON line each: ready, done, failed

    starting ──all run──▶ ready ──stdin ends, TERM, or the work is done──▶ clearing away ──▶ ended
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import isinglass
from isinglass import clock, mark
from isinglass.errors import DaemonAway, IsinglassError
from isinglass.glass.reader import SegmentReader
from isinglass_console import demo_workload as workload

START_LIMIT_SECONDS = 30.0
END_LIMIT_SECONDS = 20.0
LOOK_SECONDS = 0.05
LAST_WORDS_BYTES = 2000


class StageFailure(Exception):
    """A process of the demo ended by itself."""


class Stage:
    """Starts the processes of a plan, and ends them.

    Args:
        plan: node, folder, flags, files, workers, batch, once, helpers (the readers and scanners).
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._folder = Path(plan["folder"])
        self._children: dict[str, subprocess.Popen[str]] = {}
        self._started_ns = clock.monotonic_ns()

    def play(self) -> dict[str, Any]:
        """Run until the work is done or nobody watches any more; return what to tell the watcher.

        Raises:
            StageFailure: a process ended by itself.
            IsinglassError: the daemon cannot be used.
        """
        plan = self._plan
        self._start("daemon", "daemon", {"flags": plan["flags"]})
        with self._connect() as database:
            database.create_table(
                workload.TABLE, group_by=workload.GROUP_BY, indexes=workload.INDEXES
            )
            self._start_workers()
            self._wait_for_workers()
            tell({"event": "ready", "node": plan["node"], "pid": self._children["daemon"].pid})
            while not nobody_watches(LOOK_SECONDS):
                self._check()
                if plan["once"] and self._counters_ended():
                    return self._result(database)
        return {"event": "ended"}

    # ------------------------------------------------------------------ processes
    def _start(self, role: str, process: str, task: dict[str, Any]) -> None:
        path = self._folder / f"{process.replace(' ', '-')}.json"
        path.write_text(json.dumps({"node": self._plan["node"], "process": process, **task}))
        with open(path.with_suffix(".log"), "w", encoding="utf-8") as log:
            self._children[process] = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "isinglass_console.demo_child",
                    role,
                    str(os.getpid()),
                    path,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def _start_workers(self) -> None:
        plan = self._plan
        files = workload.source_files(Path(plan["source"]))
        for number in range(plan["workers"]):
            share = workload.share_of(files, number, plan["workers"])
            task = {"files": [str(file) for file in share], "batch": plan["batch"]}
            self._start("counter", f"counter {number + 1}", {**task, "once": plan["once"]})
        for number, role in enumerate(plan["helpers"]):
            self._start(role, role, {"seed": number})

    def _wait_for_workers(self) -> None:
        """Wait until every process has been seen behind the glass."""
        with SegmentReader(self._plan["node"]) as reader:
            while not self._children.keys() <= {p.name for p in reader.snapshot().processes}:
                self._check()
                if nobody_watches(LOOK_SECONDS):
                    return

    def _connect(self) -> isinglass.Client:
        deadline = self._started_ns + int(START_LIMIT_SECONDS * clock.NANOSECONDS_PER_SECOND)
        while True:
            try:
                return isinglass.connect(self._plan["node"], process="stage", timeout_seconds=60.0)
            except DaemonAway:
                self._check()
                if clock.monotonic_ns() > deadline:
                    raise
                clock.sleep(LOOK_SECONDS)

    def _check(self) -> None:
        for process, child in self._children.items():
            code = child.poll()
            if code is not None and not (code == 0 and process.startswith("counter")):
                raise StageFailure(f"{process} ended with code {code}: {self._last_words(process)}")

    def _last_words(self, process: str) -> str:
        log = self._folder / f"{process.replace(' ', '-')}.log"
        return log.read_text("utf-8", "replace")[-LAST_WORDS_BYTES:].strip()

    def _counters(self) -> list[subprocess.Popen[str]]:
        return [child for name, child in self._children.items() if name.startswith("counter")]

    def _counters_ended(self) -> bool:
        return all(child.poll() is not None for child in self._counters())

    def _result(self, database: isinglass.Client) -> dict[str, Any]:
        """Return what was counted, by the workers' own words and by what the store holds."""
        seconds = (clock.monotonic_ns() - self._started_ns) / clock.NANOSECONDS_PER_SECOND
        reports = [json.loads(child.stdout.read()) for child in self._counters() if child.stdout]
        totals = workload.summed(database.scan(workload.TABLE))
        most = sorted(totals, key=lambda name: (-totals[name], name))[:20]
        return {
            "event": "done",
            "seconds": round(seconds, 3),
            "files": sum(report["files"] for report in reports),
            "occurrences": sum(report["occurrences"] for report in reports),
            "occurrences_stored": sum(totals.values()),
            "identifiers": len(totals),
            "most_frequent": {name: totals[name] for name in most},
        }

    # ------------------------------------------------------------------ the end
    def clear_away(self) -> None:
        """End every process, the daemon last, and remove what the demo made."""
        daemon = self._children.pop("daemon", None)
        _end(list(self._children.values()))
        _end([daemon] if daemon else [])
        for folder in self._plan["remove"]:
            shutil.rmtree(folder, ignore_errors=True)


def _end(children: list[subprocess.Popen[str]]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(END_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()


def tell(message: dict[str, Any]) -> None:
    """Send one line to the watcher, if it is still there."""
    try:
        print(json.dumps(message), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def read_line() -> bytes:
    """Return the first line of standard input, and leave what follows to `nobody_watches`."""
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(0, 1)
        if not data:
            break
        line += data
    return line


def nobody_watches(seconds: float) -> bool:
    """Wait a little; tell whether the watcher has gone, or wants the end."""
    mark.waiting("for the watcher to go")
    ready, _, _ = select.select([0], [], [], seconds)
    return bool(ready) and not os.read(0, 1)


def new_folders() -> tuple[Path, Path]:
    """Make two directories: for segments, on a tmpfs if there is one, and one for data."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    runtime = tempfile.mkdtemp(prefix="isinglass-demo-", dir=shared)
    return Path(runtime), Path(tempfile.mkdtemp(prefix="isinglass-demo-"))


def main() -> int:
    """Play the plan that comes as the first line of standard input."""
    stage = Stage(json.loads(read_line()))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        tell(stage.play())
        return 0
    except (StageFailure, IsinglassError, OSError) as error:
        tell({"event": "failed", "sentence": str(error)})
        return 1
    finally:
        stage.clear_away()


if __name__ == "__main__":
    sys.exit(main())
