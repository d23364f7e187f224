"""A walk of faults: five real daemons to which a seed does one thing after another, two at a time.

Tests of single faults know what each of them must show. Here they meet: a node is killed while
another one's cable loses frames, comes back while a third one's clock is an hour off. What was
promised must hold at the end all the same: nothing acknowledged is lost, counts are exact, what was
deleted stays deleted, and all stores are equal.

    python tests/fault_walk.py --first 100 --seeds 20

does twenty more; the seed draws what is done to whom, and after how many writes. As root.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import isinglass
from cluster_load import Writer, assert_nothing_lost, wait_for_writes, writing
from hosts import NAMES, Cluster, HostDaemon, cluster
from isinglass.errors import IsinglassError

STEPS, AT_ONCE = 12, 2  # five nodes are a majority without two
SETTLE_SECONDS = 120.0
HOUR, ADDS = 3600, 5
REBUILT = "elm"  # the host that may lose its disk: who writes there is owed what a majority holds
SHIFTED = Path(__file__).parent / "shifted_clock"

Fault = Callable[["Walk", str], AbstractContextManager[None]]


class Counter(threading.Thread):
    """Counts and deletes through one node.

    Attributes:
        counted: how much is on the node's disk; the record has that much, or more.
        tried: how much was asked for; the record has no more than that.
        deleted: the keys that are gone for good.
    """

    def __init__(self, node: str, ending: threading.Event) -> None:
        super().__init__(name=f"counter at {node}")
        self.node, self._ending = node, ending
        self.counted = self.tried = 0
        self.deleted: list[str] = []

    def run(self) -> None:
        turn = 0
        while not self._ending.wait(0.05):
            turn += 1
            try:
                with isinglass.connect(self.node, timeout_seconds=5) as client:
                    while not self._ending.wait(0.01):
                        turn += 1
                        self._add(client)
                        self._put_and_delete(client, f"{self.node}/deleted/{turn}")
            except IsinglassError:
                continue

    def _add(self, client: isinglass.Client) -> None:
        for _ in range(ADDS):
            self.tried += 1
            client.add("t", f"count/{self.node}", "n")
        client.flush("commit")
        if self.node != REBUILT:
            self.counted += ADDS

    def _put_and_delete(self, client: isinglass.Client, key: str) -> None:
        client.put("t", key, {"n": -1})
        client.delete("t", key, durability="commit")
        if self.node != REBUILT:
            self.deleted.append(key)


class Walk:
    """One walk through faults.

    Args:
        clocks: of each node, the file that says by how many seconds its clock is off.
    """

    def __init__(self, nodes: Cluster, clocks: Mapping[str, Path], seed: int) -> None:
        self.nodes, self.clocks, self.chance = nodes, clocks, random.Random(seed)
        self.told: list[str] = []

    def go(self, writers: list[Writer]) -> None:
        """Do it, and undo what is left of it."""
        under_way: dict[str, ExitStack] = {}
        try:
            for _ in range(STEPS):
                begins = self.chance.random() < 0.6 and len(under_way) < AT_ONCE
                if begins or not under_way:
                    name = self.chance.choice([name for name in NAMES if name not in under_way])
                    fault = self.chance.choice(faults_of(name))
                    self.told.append(f"{name}: {fault.__name__}")
                    stack = under_way[name] = ExitStack()
                    stack.enter_context(fault(self, name))
                else:
                    name = self.chance.choice([*under_way])
                    self.told.append(f"{name}: over")
                    under_way.pop(name).close()
                well = [writer for writer in writers if writer.node not in under_way]
                count = self.chance.choice((3, 30, 150))
                self.told.append(f"{count} writes")
                wait_for_writes(well, count)
        finally:
            for name, stack in under_way.items():
                self.told.append(f"{name}: over, at the end")
                stack.close()


# ---------------------------------------------------------------------- what may happen to a node
def _until_started(walk: Walk, name: str) -> Iterator[None]:
    try:
        yield
    finally:
        walk.nodes.start(name)


@contextmanager
def killed(walk: Walk, name: str) -> Iterator[None]:
    """Kill the daemon; start it again."""
    walk.nodes[name].kill()
    yield from _until_started(walk, name)


@contextmanager
def rebuilt(walk: Walk, name: str) -> Iterator[None]:
    """Kill the daemon, and lose its disk; start it again."""
    walk.nodes[name].kill()
    shutil.rmtree(walk.nodes[name].store)
    yield from _until_started(walk, name)


@contextmanager
def ended(walk: Walk, name: str) -> Iterator[None]:
    """Ask the daemon to end; start it again."""
    code = walk.nodes[name].stop()
    assert code == 0, f"{name} ended with {code}"
    yield from _until_started(walk, name)


@contextmanager
def stopped(walk: Walk, name: str) -> Iterator[None]:
    """Stop the daemon; let it go on."""
    with walk.nodes[name].stopped():
        yield


@contextmanager
def unplugged(walk: Walk, name: str) -> Iterator[None]:
    """Take the link down at the host."""
    with walk.nodes.hosts[name].link_down():
        yield


@contextmanager
def cut_off(walk: Walk, name: str) -> Iterator[None]:
    """Take the link down at the switch."""
    with walk.nodes.hosts[name].link_down(here=False):
        yield


@contextmanager
def clock_off(walk: Walk, name: str) -> Iterator[None]:
    """Set the clock an hour, or some seconds, back or ahead."""
    walk.clocks[name].write_text(str(walk.chance.choice((-HOUR, -5, 5, HOUR))))
    try:
        yield
    finally:
        walk.clocks[name].write_text("0")


def _wire(out: float, back: float) -> Fault:
    """Return a fault that loses shares of what a host sends and gets."""

    @contextmanager
    def bad_wire(walk: Walk, name: str) -> Iterator[None]:
        wire = walk.nodes.hosts[name].wire
        assert wire is not None
        for rule, loss in ((wire.out, out), (wire.back, back)):
            rule.loss, rule.doubled, rule.overtaken = loss, 0.02, 0.1
        try:
            yield
        finally:
            for rule in (wire.out, wire.back):
                rule.loss = rule.doubled = rule.overtaken = 0.0

    bad_wire.__name__ = f"loses {out:.0%} of what it sends, {back:.0%} of what it gets"
    return bad_wire


FAULTS: tuple[Fault, ...] = (
    killed, killed, ended, stopped, unplugged, cut_off, clock_off,
    _wire(0.05, 0.05), _wire(0.3, 0.3), _wire(1.0, 0.0), _wire(0.0, 1.0),
)  # fmt: skip


def faults_of(name: str) -> tuple[Fault, ...]:
    """Return what may happen to a node."""
    return (*FAULTS, rebuilt, rebuilt) if name == REBUILT else FAULTS


# ---------------------------------------------------------------------- a whole walk
def walk(seed: int, folder: Path) -> None:
    """Run a cluster through the faults of a seed.

    Args:
        folder: for the files of the clocks.

    Raises:
        AssertionError: something was lost, or is not as it was promised; its notes tell the walk.
    """
    clocks = {name: folder / f"clock of {name}" for name in NAMES}
    before = os.environ.get("PYTHONPATH", "")
    environment, path = {}, f"{SHIFTED}{os.pathsep * bool(before)}{before}"
    for name, file in clocks.items():
        file.write_text("0")
        environment[name] = {"PYTHONPATH": path, "SHIFTED_CLOCK": str(file)}
    ending = threading.Event()
    counters = [Counter(name, ending) for name in NAMES]
    writers = [
        Writer("alder", durability="commit"),
        Writer("birch", ack="majority"),
        Writer("cedar", consistency="immediate", ack="majority"),
        Writer("damson", durability="commit"),
        Writer(REBUILT, ack="majority"),
    ]
    with cluster(lossy=True, environment=environment) as nodes:
        done = Walk(nodes, clocks, seed)
        try:
            with writing(nodes, *writers):
                for counter in counters:
                    counter.start()
                try:
                    done.go(writers)
                finally:
                    ending.set()
                    for counter in counters:
                        counter.join()
            nodes.settle(SETTLE_SECONDS)
            assert_nothing_lost(nodes, writers)
            for node in nodes:
                check_counters(node, counters)
        except BaseException as error:
            for line in done.told:
                error.add_note(line)
            raise


def check_counters(node: HostDaemon, counters: list[Counter]) -> None:
    """See that a node has the counts, and nothing that was deleted."""
    stored = node.keys()
    for counter in counters:
        count = stored.get(f"count/{counter.node}", 0)
        assert counter.counted <= count <= counter.tried, (
            f"{node.node}: {counter.name}: {counter.counted} <= {count} <= {counter.tried}"
        )
        back = [key for key in counter.deleted if key in stored]
        assert not back, f"{node.node} has {back[:5]} again"


def main() -> int:
    """Do the walks that the command line asks for; 1 when any failed."""
    parser = argparse.ArgumentParser(prog="python tests/fault_walk.py")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    failed = 0
    for seed in range(asked.first, asked.first + asked.seeds):
        with tempfile.TemporaryDirectory(prefix="isg-", dir="/dev/shm") as runtime, \
                tempfile.TemporaryDirectory(prefix="isg-") as data:  # fmt: skip
            os.environ |= {"ISINGLASS_RUNTIME_DIR": runtime, "ISINGLASS_DATA_DIR": data}
            try:
                walk(seed, Path(data))
                print(f"{seed}: well", flush=True)
            except Exception:
                failed += 1
                print(f"{seed}: failed\n{traceback.format_exc()}", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
