"""Clients of a cluster that write through everything that happens, and know what they are owed.

Each key is written once, so a write that is lost stays lost until the end. What a client is owed is
what it was told was held: by its own node, or by as many nodes as the receipt says.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import isinglass
from hosts import Cluster, HostDaemon
from isinglass import clock
from isinglass.errors import IsinglassError
from network import enter
from waiting import LIMIT_SECONDS, wait_until

HELD_BY = {"primary": 1, "one": 2, "majority": 3}  # of five nodes


class Writer(threading.Thread):
    """Writes through one node, on its host: a key of its own, every tenth time one of all writers.

    Attributes:
        owed: the keys that must be in every store at the end.
        tried, refused, local: how many writes there were; raised; were not taken by the primary.
    """

    def __init__(self, node: str, pause_seconds: float = 0.003, **promise: Any) -> None:
        super().__init__(name=f"writer at {node}")
        self.node, self._pause, self._promise = node, pause_seconds, promise
        self._held = HELD_BY[promise.get("ack", "primary")]
        self.owed: dict[str, int] = {}
        self.tried = self.refused = self.local = 0
        self.longest_seconds = 0.0
        self.last_error: Exception | None = None
        self.ending = threading.Event()
        self.network = 0  # a process in the network of the node's host

    def run(self) -> None:
        enter(self.network)
        client: isinglass.Client | None = None
        while not self.ending.wait(self._pause):
            try:
                client = client or isinglass.connect(self.node, timeout_seconds=2)
                self._write(client)
            except IsinglassError as error:
                self.refused += 1
                self.last_error = error
        if client is not None:
            client.close()

    def _write(self, client: isinglass.Client) -> None:
        self.tried += 1
        number = self.tried
        started = clock.monotonic_ns()
        if number % 10:
            key = f"{self.name}/{number}"
            receipt = client.put("t", key, {"n": number}, **self._promise)
            if receipt.held >= self._held:
                self.owed[key] = number
        else:
            receipt = client.put("t", f"shared/{number % 70}", {"n": number}, **self._promise)
        self.local += not receipt.primary
        self.longest_seconds = max(
            self.longest_seconds, (clock.monotonic_ns() - started) / clock.NANOSECONDS_PER_SECOND
        )


def wait_for_writes(writers: list[Writer], count: int = 100) -> None:
    """Wait until each writer was answered that many times more."""
    goals = [len(writer.owed) + count for writer in writers]
    wait_until(
        lambda: all(len(w.owed) >= goal for w, goal in zip(writers, goals, strict=True)),
        f"each of {[w.name for w in writers]} is answered {count} times more:"
        f" {[w.last_error for w in writers]}",
    )


@contextmanager
def writing(cluster: Cluster, *writers: Writer) -> Iterator[list[Writer]]:
    """Let clients write for a block, into a table that all nodes have; all are answered first."""
    first = next(iter(cluster))
    with isinglass.connect(first.node) as client:
        client.create_table("t", indexes=["n"])
    for daemon in cluster:
        wait_until(partial(_has_table, daemon), f"{daemon.node} has the table")
    started = list(writers)
    for writer in started:
        writer.network = cluster[writer.node].host.process
        writer.start()
    try:
        wait_for_writes(started, 20)
        yield started
    finally:
        for writer in started:
            writer.ending.set()
        for writer in started:
            writer.join(LIMIT_SECONDS)


def _has_table(daemon: HostDaemon) -> bool:
    return any(table.name == "t" for table in daemon.snapshot().tables)


def assert_nothing_lost(cluster: Cluster, writers: list[Writer]) -> None:
    """See that each node has all that its writers are owed."""
    for daemon in cluster:
        stored = daemon.keys()
        for writer in writers:
            lost = [key for key, number in writer.owed.items() if stored.get(key) != number]
            assert not lost, f"{daemon.node} lacks {len(lost)} of {writer.name}: {lost[:5]}"
