"""A real closed loop of flow control: processes, threads, clocks, datagrams; only stores are slow.

Each node is a process: writers that ask the product's admission, an applier whose store takes
`1 / speed` seconds an entry, and a listener. They send each other updates and reports over UDP on
the loopback interface, and each computes its pace by the law it is given, `ours`, `stop_go` or
`free`. Keys are drawn from so many that some updates merge. Run as a program it is one node.

    parent                      node
       ◀───── its port ──────────┘
       ─── ports of all, start ──▶
       ◀── samples as JSON ──────┘ after `seconds`
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import socket
import struct
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isinglass import clock
from isinglass.node.load import LoadMeter
from isinglass.wire.admission import Admission
from isinglass.wire.backlog import Limits, ReportTimer, Retirement, backlog
from isinglass.wire.flow import Report
from programs import hear, tell
from simulator.flow_simulation import Free, Ours, StopGo

TESTS = Path(__file__).parents[1]
LAWS = {"ours": Ours, "stop_go": StopGo, "free": Free}
TOGETHER = 10
BATCH_SECONDS = 0.1
SAMPLE_NS = 50_000_000
UPDATES = struct.Struct(f"<c{TOGETHER}I")
SECOND = clock.NANOSECONDS_PER_SECOND


@dataclass
class Plan:
    """One run: a node a speed, in entries a second; writers a node, and what they ask for."""

    law: str
    speeds: list[float]
    demand: float
    writers: int = 2
    limit: int = 4000
    keys: int = 20_000
    seconds: float = 8.0


class LoopNode:
    """One node, in a process of its own."""

    def __init__(self, number: int, plan: Plan) -> None:
        self.number, self.plan, self.name = number, plan, f"n{number}"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.others: list[tuple[str, int]] = []
        self.queue: dict[int, int] = {}
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.offered = self.merged = self.applied = self.batch = 0
        now = clock.monotonic_ns()
        self.load, self.admission = LoadMeter(now), Admission(now)
        self.law: Any = LAWS[plan.law](self.name, now)
        self.retirement, self.timer = Retirement(), ReportTimer()
        self.allowed = 0.0

    def offer(self, keys: tuple[int, ...]) -> None:
        with self.lock:
            before = len(self.queue)
            self.queue.update(dict.fromkeys(keys, self.offered))
            self.offered += len(keys)
            self.merged += len(keys) - (len(self.queue) - before)

    def length(self) -> int:
        return len(self.queue) + self.batch

    def send(self, datagram: bytes) -> None:
        for other in self.others:
            with contextlib.suppress(OSError):
                self.socket.sendto(datagram, other)

    # ------------------------------------------------------------------ threads
    def listen(self) -> None:
        while not self.stopping.is_set():
            try:
                data = self.socket.recv(2048)
            except TimeoutError:
                continue
            if data[:1] == b"U":
                self.offer(UPDATES.unpack(data)[1:])
            else:
                report = Report(*json.loads(data[1:]))
                with self.lock:
                    self.law.take(report._replace(received_ns=clock.monotonic_ns()))

    def apply(self) -> None:
        speed = self.plan.speeds[self.number]
        most = max(1, int(speed * BATCH_SECONDS))
        while not self.stopping.is_set():
            with self.lock:
                taken = list(self.queue)[:most] if len(self.queue) > most else list(self.queue)
                for key in taken:
                    del self.queue[key]
                self.batch = len(taken)
            if not taken:
                self.load.wait(clock.monotonic_ns())
                clock.sleep(0.005)
                continue
            self.load.work(clock.monotonic_ns())
            clock.sleep(len(taken) / speed)
            with self.lock:
                self.applied += len(taken)
                self.batch = 0

    def write(self, writer: int) -> None:
        chance = random.Random(self.number * 10 + writer)
        pause = TOGETHER * self.plan.writers / self.plan.demand
        due = clock.monotonic_ns()
        while not self.stopping.is_set():
            if self.plan.law != "ours" and self.allowed == 0.0:
                clock.sleep(0.005)
                due = clock.monotonic_ns()
                continue
            wait = self.admission.admit(clock.monotonic_ns(), writer, TOGETHER)
            if wait:
                clock.sleep(wait)
                due = clock.monotonic_ns()
                continue
            keys = tuple(chance.randrange(self.plan.keys) for _ in range(TOGETHER))
            self.offer(keys)
            self.send(UPDATES.pack(b"U", *keys))
            due += int(pause * SECOND)
            clock.sleep(max(due - clock.monotonic_ns(), 0) / SECOND)

    # ------------------------------------------------------------------ the pace
    def report(self, now_ns: int) -> Report:
        plan = self.plan
        full = self.length() > plan.speeds[self.number] * BATCH_SECONDS / 2
        worked = self.load.worked_ns(now_ns)
        self.retirement.observe(worked, self.applied, self.offered, self.merged, full)
        drain = self.retirement.drain
        share, by, limit = backlog(Limits(plan.limit, 1 << 40, 1e6), self.length(), 0, 0.0, drain)
        return Report(self.name, now_ns, now_ns, share, by, limit, self.retirement.rate,
                      self.admission.demand(now_ns), self.applied)  # fmt: skip

    def run(self) -> dict[str, Any]:
        """Be a node until the time is over; return what happened, a sample each 50 ms."""
        threads = [threading.Thread(target=job) for job in (self.listen, self.apply)]
        threads += [
            threading.Thread(target=self.write, args=(writer,))
            for writer in range(self.plan.writers)
        ]
        for thread in threads:
            thread.start()
        samples: list[list[float]] = []
        started = turned = sampled = clock.monotonic_ns()
        while (now := clock.monotonic_ns()) < started + self.plan.seconds * SECOND:
            with self.lock:
                report = self.report(now)
                if self.timer.due(now, report.backlog):
                    self.law.take(report)
                    self.send(b"R" + json.dumps(report).encode())
                if now - turned >= SECOND // 10 or not samples:
                    turned, self.allowed = now, self.law.turn(now, self.admission.admitted)
                    if self.plan.law == "ours":
                        self.admission.allow(self.allowed)
            if now - sampled >= SAMPLE_NS or not samples:
                sampled = now
                passed = (now - started) / SECOND
                samples.append([passed, report.backlog, self.admission.admitted])
            clock.sleep(0.01)
        self.stopping.set()
        for thread in threads:
            thread.join()
        self.load.account(clock.monotonic_ns())
        passed = self.load.working_ns + self.load.waiting_ns
        return {"samples": samples, "busy": self.load.working_ns / passed,
                "throttled": self.admission.throttled_ns / SECOND,
                "merged": self.merged / max(self.offered, 1)}  # fmt: skip


def run_loop(plan: Plan) -> list[dict[str, Any]]:
    """Run a plan; return what each node found."""
    command = [sys.executable, "-m", "simulator.flow_loop", json.dumps(asdict(plan))]
    nodes = [
        subprocess.Popen(
            [*command, str(number)],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(len(plan.speeds))
    ]
    try:
        ports = [int(hear(node)) for node in nodes]
        for node in nodes:
            tell(node, json.dumps(ports))
        return [json.loads(node.communicate(timeout=plan.seconds + 60)[0]) for node in nodes]
    finally:
        for node in nodes:
            node.kill()
            node.wait()


def rates(results: list[dict[str, Any]], window_seconds: float = 0.5) -> list[float]:
    """Return what the writers of all nodes were let write, in updates a second, by windows."""
    ends = [result["samples"][-1][0] for result in results]
    windows = int(min(ends) / window_seconds)
    totals = [0.0] * (windows + 1)
    for result in results:
        for window in range(windows + 1):
            totals[window] += _at(result["samples"], window * window_seconds)
    return [(b - a) / window_seconds for a, b in itertools.pairwise(totals)]


def _at(samples: list[list[float]], moment: float) -> float:
    """Return the count at a moment, on the line between the samples around it."""
    before = samples[0]
    for sample in samples:
        if sample[0] >= moment:
            span = sample[0] - before[0]
            part = (moment - before[0]) / span if span else 0.0
            return before[2] + (sample[2] - before[2]) * max(part, 0.0)
        before = sample
    return before[2]


if __name__ == "__main__":
    node = LoopNode(int(sys.argv[2]), Plan(**json.loads(sys.argv[1])))
    print(node.socket.getsockname()[1], flush=True)
    ports = json.loads(sys.stdin.readline())
    node.others = [("127.0.0.1", port) for n, port in enumerate(ports) if n != node.number]
    print(json.dumps(node.run()))
