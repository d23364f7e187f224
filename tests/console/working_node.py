"""A node for the console's tests: a real segment, real threads with marks, the daemon's own panels.

Run as a program: `working_node.py NODE [SECONDS]`; prints "ready" when its segment is.
"""

from __future__ import annotations

import sys
import threading

from isinglass import clock, mark
from isinglass.glass import segment
from isinglass.node.panels import ApplierPanel, DaemonPanel, TimerPanel
from isinglass.store.panels import QueuePanel, StorePanel

WAIT_SECONDS = 0.02


class WorkingNode:
    """The panels of a daemon, and two threads that move them."""

    def __init__(self) -> None:
        self.daemon, self.applier = DaemonPanel(), ApplierPanel()
        self.queue, self.store = QueuePanel(), StorePanel()
        self.timers = [TimerPanel("statistics"), TimerPanel("reclaim")]
        self.stop, self.begun = threading.Event(), threading.Barrier(3)
        self.daemon.state = "serving"
        for timer, interval in zip(self.timers, (1.0, 30.0), strict=True):
            timer.interval = interval
            timer.last_duration = 0.0004

    def apply(self) -> None:
        """Work for a while, wait for a while, and count."""
        mark("beginning")
        self.begun.wait()
        while not self.stop.is_set():
            mark("applying a batch")
            end = clock.monotonic_ns() + 5_000_000
            while clock.monotonic_ns() < end:
                pass
            self.count()
            mark.waiting("for work")
            self.stop.wait(WAIT_SECONDS)

    def tick(self) -> None:
        """Run the timers."""
        mark("beginning")
        self.begun.wait()
        while not self.stop.is_set():
            mark("running the timers")
            for timer in self.timers:
                timer.last_run = clock.wall_ns()
                timer.runs += 1
            mark.waiting("for the next timer")
            self.stop.wait(1.0)

    def count(self) -> None:
        """Move every counter as a batch of a hundred updates would."""
        queue, store = self.queue, self.store
        queue.offered += 100
        queue.superseded += 60
        queue.rolled += 20
        queue.stale += 2
        queue.written += 18
        queue.batches += 1
        queue.length, queue.length_max = 240, 410
        queue.size, queue.oldest, queue.avoided = 24_000, 0.04, 0.82
        queue.backlog.publish(240, 24_000, 0.04)
        self.applier.load_1s, self.applier.writes = 0.2, self.applier.writes + 18
        store.commit_time.record(900)
        store.apply_time.record(1500)
        store.map_size, store.file_size, store.used_share = 2**30, 2**24, 0.015
        store.readers, store.oldest_reader = 3, 0.2

    def start(self) -> list[threading.Thread]:
        """Start both threads."""
        work = {"applier": self.apply, "timer": self.tick}
        threads = [threading.Thread(target=run, name=name) for name, run in work.items()]
        for thread in threads:
            thread.start()
        self.begun.wait()
        return threads


def main() -> None:
    own = segment.create(sys.argv[1])
    own.tables.set("words", 48_000, 12_000_000)
    own.tables.set("count", 48_000, 2_000_000, index_of="words")
    node = WorkingNode()
    threads = node.start()
    own.ready()
    own.event(9, "store", "opened the store", tables=1)
    own.event(13, "store", "commit took 1 204 ms", limit_ms=100)
    print("ready", flush=True)
    node.stop.wait(float(sys.argv[2]) if len(sys.argv) > 2 else None)
    node.stop.set()
    for thread in threads:
        thread.join()
    own.close()


if __name__ == "__main__":
    main()
