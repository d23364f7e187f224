"""The demo's stage: one process that starts the others, and clears everything away at the end.

It lives in a session of its own, so that a Ctrl-C in the terminal reaches only the one who watches.
It ends when its standard input ends, which happens however the watcher dies:

    watcher ──stdin──▶ stage ──▶ daemons, monitor, counters, reader, scanner
            orders      │
            ◀─stdout────┘     one JSON line each: ready, done, finished, failed

    starting ──all run──▶ ready ──stdin ends, TERM, or the work is done──▶ clearing away ──▶ ended

An order is a JSON line, too: {"do": "kill", "node": "birch"}, or {"do": "finish"}, which ends the
clients, waits until the nodes hold the same, and tells their digests.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import isinglass
from isinglass import clock, mark
from isinglass.errors import DaemonAway, IsinglassError
from isinglass.glass.reader import SegmentReader
from isinglass_console import demo_monitor
from isinglass_console import demo_workload as workload
from isinglass_console.demo_convergence import store_digest, wait_until_equal
from isinglass_console.demo_nodes import cast
from isinglass_console.demo_players import DAEMON, MONITOR, PlayerEnded, Players

START_LIMIT_SECONDS = 60.0
LOOK_SECONDS = 0.05
MOST_FREQUENT = 20


class Stage:
    """Plays a plan: its processes, its orders, its end.

    Args:
        plan: nodes, monitor, folder, data, settings, flags, source, workers, batch, once, remove.
    """

    def __init__(self, plan: dict[str, Any], watcher: Watcher) -> None:
        self._plan, self._watcher = plan, watcher
        self._nodes = tuple(plan["nodes"])
        self._players = Players(Path(plan["folder"]), plan["settings"])
        self._started_ns = clock.monotonic_ns()

    def play(self) -> dict[str, Any]:
        """Run until the work is done or nobody watches any more; return what to tell the watcher.

        Raises:
            PlayerEnded: a process ended by itself.
            IsinglassError: a daemon cannot be used.
        """
        if self._plan["monitor"]:
            rules = str(demo_monitor.write_rules(Path(self._plan["folder"])))
            self._players.start(MONITOR, demo_monitor.NAME, demo_monitor.NAME, {"rules": rules})
        for node in self._nodes:
            self._players.start(DAEMON, node, node, {"flags": self._plan["flags"]})
        for node in self._nodes:
            with self._connect(node) as database:
                database.create_table(
                    workload.TABLE, group_by=workload.GROUP_BY, indexes=workload.INDEXES
                )
        self._start_workers()
        self._wait_for_workers()
        self._wait_for_monitor()
        tell({"event": "ready", "nodes": self._nodes, "pids": self._players.pids()})
        while not self._watcher.gone:
            for order in self._watcher.orders(LOOK_SECONDS):
                if order["do"] == "finish":
                    return self._finish()
                self._players.obey(order["do"], order["node"])
                if self._plan["monitor"]:
                    demo_monitor.announce(order["do"], order["node"])
            self._players.check()
            if self._plan["once"] and self._counters_ended():
                return self._result()
        return {"event": "ended"}

    # ------------------------------------------------------------------ processes
    def _start_workers(self) -> None:
        plan = self._plan
        files = workload.source_files(Path(plan["source"]))
        for number, player in enumerate(cast(self._nodes, plan["workers"])):
            task: dict[str, Any] = {"seed": number}
            if player["role"] == "counter":
                share = workload.share_of(files, number, plan["workers"])
                task = {"files": [str(file) for file in share], "batch": plan["batch"]}
                task["once"] = plan["once"]
            self._players.start(player["role"], player["process"], player["node"], task)

    def _wait_for_workers(self) -> None:
        """Wait until every process has been seen behind the glass."""
        for node in self._nodes:
            with SegmentReader(node) as reader:
                while not self._players.names(node) <= {
                    p.name for p in reader.snapshot().processes
                }:
                    self._players.check()
                    self._watcher.orders(LOOK_SECONDS)
                    if self._watcher.gone:
                        return

    def _wait_for_monitor(self) -> None:
        while self._plan["monitor"] and not demo_monitor.listens() and not self._watcher.gone:
            self._players.check()
            self._watcher.orders(LOOK_SECONDS)

    def _connect(self, node: str) -> isinglass.Client:
        deadline = self._started_ns + int(START_LIMIT_SECONDS * clock.NANOSECONDS_PER_SECOND)
        while True:
            try:
                return isinglass.connect(node, process="stage", timeout_seconds=60.0)
            except DaemonAway:
                self._players.check()
                if clock.monotonic_ns() > deadline:
                    raise
                clock.sleep(LOOK_SECONDS)

    def _counters_ended(self) -> bool:
        return all(child.poll() is not None for child in self._players.counters())

    # ------------------------------------------------------------------ results
    def _result(self) -> dict[str, Any]:
        """Return what was counted, by the workers' own words and by what the stores hold."""
        seconds = (clock.monotonic_ns() - self._started_ns) / clock.NANOSECONDS_PER_SECOND
        counters = self._players.counters()
        reports = [json.loads(child.stdout.read()) for child in counters if child.stdout]
        equal = wait_until_equal(self._nodes)
        stored: dict[str, dict[str, Any]] = {}
        for node in self._nodes:
            with self._connect(node) as database:
                stored.update(database.scan(workload.TABLE))
        totals = workload.summed(stored.items())
        most = sorted(totals, key=lambda name: (-totals[name], name))[:MOST_FREQUENT]
        return {
            "event": "done",
            "seconds": round(seconds, 3),
            "equal_after_seconds": equal,
            "files": sum(report["files"] for report in reports),
            "occurrences": sum(report["occurrences"] for report in reports),
            "occurrences_stored": sum(totals.values()),
            "identifiers": len(totals),
            "most_frequent": {name: totals[name] for name in most},
        }

    def _finish(self) -> dict[str, Any]:
        """End the clients, let the nodes become equal, end them, and return their digests."""
        self._players.end_clients()
        waited = wait_until_equal(self._nodes)
        self._players.end_all()
        data = Path(self._plan["data"])
        digests = {node: store_digest(data / node) for node in self._nodes}
        return {
            "event": "finished",
            "monitor": demo_monitor.heard() if self._plan["monitor"] else {},
            "digests": digests,
            "equal": len(set(digests.values())) == 1,
            "equal_after_seconds": waited,
        }

    # ------------------------------------------------------------------ the end
    def clear_away(self) -> None:
        """End every process, daemons and monitor last, and remove what the demo made."""
        self._players.end_all()
        for folder in self._plan["remove"]:
            shutil.rmtree(folder, ignore_errors=True)


class Watcher:
    """Who started the stage: gives orders on standard input; gone when that ends."""

    def __init__(self) -> None:
        self.gone = False
        self._buffer = b""

    def orders(self, seconds: float) -> list[dict[str, Any]]:
        """Wait a little; return the orders that came."""
        mark.waiting("for orders")
        ready, _, _ = select.select([0], [], [], seconds)
        if ready:
            data = os.read(0, 65536)
            self.gone = not data
            self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        return [json.loads(line) for line in lines]

    def plan(self) -> dict[str, Any]:
        """Return the first order: what to play."""
        while not self.gone:
            for order in self.orders(START_LIMIT_SECONDS):
                return order
        sys.exit(1)


def tell(message: dict[str, Any]) -> None:
    """Send one line to the watcher, if it is still there."""
    try:
        print(json.dumps(message), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def new_folders() -> tuple[Path, Path]:
    """Make two directories: for segments, on a tmpfs if there is one, and one for data."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    runtime = tempfile.mkdtemp(prefix="isinglass-demo-", dir=shared)
    return Path(runtime), Path(tempfile.mkdtemp(prefix="isinglass-demo-"))


def main() -> int:
    """Play the plan that comes as the first line of standard input."""
    watcher = Watcher()
    stage = Stage(watcher.plan(), watcher)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        tell(stage.play())
        return 0
    except (PlayerEnded, IsinglassError, OSError) as error:
        tell({"event": "failed", "sentence": str(error)})
        return 1
    finally:
        # A second one, as from a service manager, must not leave half of it behind.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stage.clear_away()


if __name__ == "__main__":
    sys.exit(main())
