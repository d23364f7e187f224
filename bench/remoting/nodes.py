"""Nodes for `bench/fifty.py`: each a process with a segment of its own and the panels of a daemon.

Fifty daemons would leave no processor to what is measured. These have what an idle one shows: its
panels, three threads with marks, and figures that move once a second, so every frame has changes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from isinglass import clock, mark
from isinglass.glass import segment
from isinglass.node.panels import ApplierPanel, DaemonPanel, TimerPanel
from isinglass.store.panels import QueuePanel, StorePanel

TICK_SECONDS = 1.0
TIMERS = ("statistics", "reclaim", "heartbeat", "checkpoint")


class IdleNode:
    """The panels of a daemon that has little to do."""

    def __init__(self) -> None:
        self.daemon, self.applier = DaemonPanel(), ApplierPanel()
        self.queue, self.store = QueuePanel(), StorePanel()
        self.timers = [TimerPanel(name) for name in TIMERS]
        self.daemon.state = "serving"
        for timer in self.timers:
            timer.interval, timer.last_duration = TICK_SECONDS, 0.0002

    def tick(self) -> None:
        """Move the figures that an idle daemon's timers and heartbeats move."""
        mark("running the timers")
        for timer in self.timers:
            timer.last_run = clock.wall_ns()
            timer.runs += 1
        self.queue.offered += 20
        self.queue.superseded += 5
        self.queue.written += 15
        self.queue.batches += 1
        self.applier.load_1s, self.applier.writes = 0.01, self.applier.writes + 15
        self.store.commit_time.record(900)
        mark.waiting("for the next timer")


def run(name: str) -> None:
    """Be a node until standard input ends."""
    import threading

    own = segment.create(name)
    node, end = IdleNode(), threading.Event()

    def wait() -> None:
        mark.waiting("for work")
        end.wait()

    def end_with_input() -> None:
        sys.stdin.read()
        end.set()

    threads = [threading.Thread(target=wait, name=part) for part in ("applier", "port")]
    for thread in threads:
        thread.start()
    node.tick()
    own.ready()
    print("ready", flush=True)
    threading.Thread(target=end_with_input, daemon=True).start()
    while not end.wait(TICK_SECONDS):
        node.tick()
    for thread in threads:
        thread.join()
    own.close()


@contextmanager
def nodes(names: Sequence[str]) -> Iterator[None]:
    """Run nodes of these names for a block."""
    with ExitStack() as stack:
        started = []
        for name in names:
            process = subprocess.Popen(
                [sys.executable, "-m", "remoting.nodes", name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.wait)
            assert process.stdin is not None and process.stdout is not None
            stack.callback(process.stdout.close)
            stack.callback(process.stdin.close)
            started.append(process)
        for process in started:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise SystemExit("a node did not start")
        yield


if __name__ == "__main__":
    run(sys.argv[1])
