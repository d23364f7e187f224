"""A node whose every figure is set by the test: a real segment, real readers, times of our choice.

The program writes a real segment with the daemon's own panels; what differs from run to run (pids,
thread ids, clocks) is replaced in the bytes that the real reader copied, so a frame is the same
whenever and wherever it is made.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isinglass.glass import layout
from isinglass.glass.header import Header
from isinglass.glass.layout import HeaderWord, LineWord, RegionWord
from isinglass.glass.reader import SegmentReader
from isinglass.glass.schedstat import Usage
from isinglass.glass.snapshot import Process, Snapshot, Verdict
from isinglass_console.model.frame import CONDITIONS
from isinglass_console.model.heat import Tally
from isinglass_console.model.log import LogEntry
from isinglass_console.model.reading import Reading
from isinglass_console.screens.desk import Desk
from programs import hear, program, tell

START_NS = 1_790_000_000_000_000_000 - 1_790_000_000_000_000_000 % (86_400 * 10**9)
START_NS += (14 * 3600 + 3 * 60) * 10**9
SECOND = 10**9
MODULE = 5
SOURCE = '''"""The store, as far as this test needs one."""


def apply(batch):
    mark("apply a batch")
    with environment.begin(write=True) as transaction:
        for update in batch:
            mark("put")
            put(transaction, update)
        mark.waiting("fsync")
        transaction.commit()
    mark("publish")


def run():
    while True:
        mark.waiting("for work")
        apply(queue.get())
'''
PUT, FSYNC, WORK, TIMER = 8, 10, 17, 5

STAGE = """
import sys, threading
from hashlib import sha256
from isinglass.glass import region, segment
from isinglass.node.panels import ApplierPanel, DaemonPanel, TimerPanel
from isinglass.store.panels import QueuePanel, StorePanel

node, path = sys.argv[1:3]
joined = segment.create(node)
daemon, applier, queue, store = DaemonPanel(), ApplierPanel(), QueuePanel(), StorePanel()
timers = [TimerPanel("statistics"), TimerPanel("tombstones")]
sites = ((5, "apply", "apply a batch", False), (8, "apply", "put", False),
         (10, "apply", "fsync", True), (12, "apply", "publish", False),
         (17, "run", "for work", True))
region.register_file(5, path, sha256(open(path, "rb").read()).hexdigest(), sites)
words, go = {}, threading.Event()

def stand(name, line):
    words[name] = region.thread_word()
    words[name][0] = 5 << 16 | line
    go.wait()

for name, line in (("applier", 8), ("timer", 17)):
    thread = threading.Thread(target=stand, args=(name, line), name=name, daemon=True)
    thread.start()
    while name not in words: pass

def tick(n, now_ns):
    queue.offered, queue.superseded, queue.rolled = n * 9340, n * 6120, n * 1960
    queue.stale, queue.written, queue.batches = n * 140, n * 1120, n * 3
    queue.length, queue.length_max, queue.limit = 3000 + n * 100, 4120, 5000
    queue.size, queue.size_max, queue.size_limit = 390_000, 412_000, 1 << 20
    queue.oldest, queue.avoided, queue.write_amplification = 1.8, 0.88, 1.31
    queue.offered_bytes, queue.written_bytes = n * 934_000, n * 1_223_540
    queue.backlog.publish(3000 + n * 100, 390_000, 1.8)
    applier.load_1s, applier.load_10s, applier.writes = 0.97, 0.91, n * 1120
    store.commits, store.map_size, store.file_size = n * 3, 1 << 30, 300 << 20
    store.used_share, store.readers, store.oldest_reader = 0.29, 3, 0.4
    for value in (900, 1400, 90_000): store.commit_time.record(value)
    for value in (1900, 2400, 95_000): store.apply_time.record(value)
    timers[0].interval, timers[0].last_duration, timers[0].runs = 1.0, 0.0004, n
    timers[1].interval, timers[1].last_duration, timers[1].runs = 30.0, 0.012, 1
    timers[0].last_run, timers[1].last_run = now_ns - 300_000_000, now_ns - 12_000_000_000

daemon.state, daemon.version = "serving", "0.1.0"
joined.tables.set("orders", 48_000, 12_000_000)
joined.tables.set("total", 48_000, 2_000_000, index_of="orders")
joined.ready()
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


def run(process: subprocess.Popen[str], statement: str) -> None:
    """Have a staged program execute a statement, and wait until it has."""
    tell(process, statement)
    assert hear(process) == "done"


class Stage:
    """One staged node; `reading(n)` is what a source would say at second n."""

    def __init__(self, node: str, process: subprocess.Popen[str], pid: int) -> None:
        self.node = node
        self.process = process
        self.clients: list[subprocess.Popen[str]] = []
        self._pid = pid

    def reading(
        self, tick: int, verdict: str = Verdict.ALIVE, silent_seconds: float = 0.2
    ) -> Reading:
        """Set the figures of a second, read them through the real reader, and fix the clocks."""
        now = START_NS + tick * SECOND
        if verdict == Verdict.ALIVE:
            for process in (self.process, *self.clients):
                run(process, f"tick({tick}, {now})")
        with SegmentReader(self.node) as reader:
            snapshot = reader.snapshot()
        fixed = self._fixed(snapshot, now, verdict, silent_seconds)
        tally = _tally(fixed) if verdict == Verdict.ALIVE else Tally()
        events: tuple[LogEntry, ...] = ()
        if tick == 1:
            events = (
                LogEntry(now, self.node, "daemon", 9, "store", "opened the store"),
                LogEntry(now, self.node, "daemon", 13, "store", "commit took 1 204 ms"),
            )
        return Reading(self.node, CONDITIONS[verdict], "", fixed, tally, events)

    def _fixed(self, snapshot: Snapshot, now: int, verdict: str, silent: float) -> Snapshot:
        header = bytearray(layout.HEADER_BYTES)
        words = memoryview(header).cast("Q")
        words[HeaderWord.GENERATION], words[HeaderWord.STATE] = 1, 1
        header[layout.NODE_PLACE : layout.NODE_PLACE + len(self.node)] = self.node.encode()
        fixed = Snapshot(
            header=Header(bytes(header)),
            path=snapshot.path,
            inode=1,
            taken_wall_ns=now,
            taken_monotonic_ns=now - START_NS + 1000 * SECOND,
            catalogue=snapshot.catalogue,
            shared=snapshot.shared,
        )
        beat = fixed.taken_monotonic_ns - int(silent * SECOND)
        fixed.processes = tuple(
            Process(
                process.slot,
                [0, process.claim, self._pid + process.slot, 0, START_NS, beat, 0, 0],
                _fixed_region(process.raw, self._pid + process.slot, beat),
                verdict,
                fixed,
            )
            for process in snapshot.processes
        )
        return fixed


def _fixed_region(raw: bytes, pid: int, beat: int) -> bytes:
    region = bytearray(raw)
    words = memoryview(region).cast("Q")
    words[RegionWord.PID] = pid
    for line in range(words[RegionWord.LINE_COUNT]):
        at = (layout.PROBES_OFFSET + line * layout.PROBE_LINE_BYTES) // layout.WORD_BYTES
        if words[at + LineWord.NATIVE_ID]:
            words[at + LineWord.NATIVE_ID] = pid + line
            words[at + LineWord.WATCHED_PROBE] = words[at]
            words[at + LineWord.SINCE_NS] = beat - 2 * SECOND
    return bytes(region)


def _tally(snapshot: Snapshot) -> Tally:
    """Return a second of samples: the applier puts and waits for the disk, the timer waits."""
    tally = Tally(taken=20, late=0, seconds=1.0)
    owner = snapshot.owner
    assert owner is not None
    for thread in owner.threads:
        key = (owner.slot, owner.claim, thread.index)
        if thread.name == "applier":
            counts = {MODULE << 16 | PUT: 4, MODULE << 16 | FSYNC: 16}
            tally.put(key, counts, {MODULE << 16 | FSYNC}, Usage(180_000_000, 20_000_000))
        elif thread.name == "timer":
            tally.put(key, {MODULE << 16 | WORK: 20}, {MODULE << 16 | WORK}, Usage(1_000_000, 0))
    return tally


@contextmanager
def stage(node: str, folder: Path, pid: int = 4711) -> Iterator[Stage]:
    """Run a staged node; its source file is written into the folder."""
    path = folder / node / "store" / "engine.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SOURCE)
    with program(STAGE, node, str(path)) as process:
        yield Stage(node, process, pid)


def filled_desk(*stages: Stage, ticks: int = 12, desk: Desk | None = None) -> Desk:
    """Return a desk with so many seconds of all nodes."""
    desk = desk or Desk()
    for tick in range(1, ticks + 1):
        readings = [each.reading(tick) for each in stages]
        desk.absorb(readings, START_NS + tick * SECOND, 1.0)
    return desk
