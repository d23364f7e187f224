"""A cluster under flow control in simulated time: every node applies what every writer writes.

What is measured of itself by a node, reported, and computed from reports is the product's own code;
writers, ways, and stores are modelled. A store works in batches of at most 0.1 s (or one of
`lump`), so a backlog falls in lumps and a hang is seen only by what does not come; an update takes
as long to a node as its report back. The same world runs other laws for comparison: `Free` (none)
and `StopGo`, which halts writers at a backlog and lets them go below another, as Galera does.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from isinglass.wire import flow
from isinglass.wire.backlog import Limits, ReportTimer, Retirement, backlog

STEP_SECONDS = 0.02
SECOND = 1_000_000_000
FOREVER = 1e9
BATCH_SECONDS = 0.1


@dataclass
class Case:
    """One world: nodes with their speeds and limits, writers with their demands, the ways."""

    speeds: list[float]  # entries that a node applies in a second of work
    demands: list[float]  # updates a second that the clients of each node ask for
    limit: float = 2000.0
    delay: float = 0.02
    loss: float = 0.0
    noise: float = 0.1
    merging: float = 0.0  # share of updates that merge when the queue is long
    batch: float = BATCH_SECONDS
    seconds: float = 12.0
    step_at: float = 0.0  # demands begin here
    hang: tuple[int, float, float] | None = None  # node, from, until
    slowdown: tuple[int, float, float] | None = None  # node, from, factor
    interval: int = 1  # reports are sent every so many that are due
    joining: frozenset[int] = frozenset()
    seed: int = 0


@dataclass
class Outcome:
    """What happened, one sample a step."""

    rates: list[float] = field(default_factory=list)  # updates a second, all writers
    backlogs: list[float] = field(default_factory=list)  # of the fullest node that counts
    by_writer: list[list[float]] = field(default_factory=list)
    lagging: list[list[str]] = field(default_factory=list)
    highest: float = 0.0
    limiters: list[str] = field(default_factory=list)
    applied: list[list[float]] = field(default_factory=list)  # by node, totals
    settling: float = 0.0

    @property
    def late(self) -> slice:
        """The second half, when what happened at the start is over."""
        return slice(len(self.rates) // 2, None)

    @property
    def variation(self) -> float:
        """Standard deviation over mean of what was admitted in the second half."""
        return variation(self.rates[self.late])

    def applied_rate(self, node: int) -> float:
        """Return what a node applied in the second half, in entries a second."""
        half = self.applied[self.late]
        return (half[-1][node] - half[0][node]) / ((len(half) - 1) * STEP_SECONDS)

    def shares(self) -> list[float]:
        """Return what each writer was let write in the second half, in updates a second."""
        return [math.fsum(rates[self.late]) / len(rates[self.late]) for rates in self.by_writer]


class Law(Protocol):
    """What a node knows of the others, and at which pace it lets its writers write."""

    @property
    def lagging(self) -> Collection[str]:
        """The nodes for which nobody waits."""

    @property
    def limiter(self) -> str:
        """The node that limits; empty when none does."""

    @property
    def settling(self) -> float:
        """After how many seconds a report shows in what is allowed."""

    def take(self, report: flow.Report) -> None:
        """Take a node's report."""

    def turn(self, now_ns: int, admitted: int) -> float:
        """Return what is allowed, in updates a second."""


class Free:
    """No flow control."""

    lagging: tuple[str, ...] = ()
    settling, limiter = 0.0, ""

    def __init__(self, node: str, now_ns: int) -> None:
        self.shares: dict[str, float] = {}

    def take(self, report: flow.Report) -> None:
        self.shares[report.node] = report.backlog

    def turn(self, now_ns: int, admitted: int) -> float:
        return math.inf


class StopGo(Free):
    """Writers stop when a node is over half full, and go when none is over 0.8 of that."""

    def __init__(self, node: str, now_ns: int) -> None:
        super().__init__(node, now_ns)
        self.stopped = False

    def turn(self, now_ns: int, admitted: int) -> float:
        fullest = max(self.shares.values(), default=0.0)
        self.stopped = fullest > (flow.TARGET * 0.8 if self.stopped else flow.TARGET)
        return 0.0 if self.stopped else math.inf


class Ours(flow.Governor):
    """The product's law."""

    @property
    def limiter(self) -> str:
        return self.limiters.node


class Node:
    """A store behind a queue, and what it tells of itself."""

    def __init__(self, name: str, number: int, case: Case, chance: random.Random) -> None:
        self.name, self.case, self.number, self.chance = name, case, number, chance
        self.length = self.applied = self.offered = self.merged = self.worked = 0.0
        self.batch = self.left = 0.0
        self.retirement, self.timer, self.reports = Retirement(), ReportTimer(), 0
        self.limits = Limits(int(case.limit), 1 << 60, FOREVER)

    def offer(self, updates: float) -> None:
        case = self.case
        merges = updates * case.merging * self.length / (self.length + 0.2 * case.limit)
        self.offered += updates
        self.merged += merges
        self.length += updates - merges

    def work(self, now: float) -> None:
        case, left, factor = self.case, STEP_SECONDS, 1.0
        if case.slowdown and case.slowdown[0] == self.number and now >= case.slowdown[1]:
            factor = case.slowdown[2]
        if case.hang and case.hang[0] == self.number and case.hang[1] <= now < case.hang[2]:
            factor = 0.0
        while left > 1e-9:
            if self.left <= 0:
                if self.length < 1:
                    return
                # As the applier does: batches of about the same time, not of the same size.
                fitting = case.speeds[self.number] * max(factor, 0.05) * case.batch
                self.batch = min(self.length, max(1.0, fitting))
                spread = 1 + case.noise * self.chance.gauss(0, 1)
                self.left = self.batch / case.speeds[self.number] * max(spread, 0.2)
            if factor == 0.0:
                self.worked += left
                return
            spent = min(left, self.left / factor)
            self.worked += spent
            left -= spent
            self.left -= spent * factor
            if self.left <= 1e-12:
                self.length -= self.batch
                self.applied += self.batch
                self.left = 0.0

    def report(self, now_ns: int, demand: float) -> flow.Report | None:
        self.retirement.observe(
            int(self.worked * SECOND), int(self.applied), int(self.offered), int(self.merged),
            self.length > self.case.speeds[self.number] * self.case.batch / 2,
        )  # fmt: skip
        drain = self.retirement.drain
        share, by, limit = backlog(self.limits, round(self.length), 0, 0.0, drain)
        if not self.timer.due(now_ns, share):
            return None
        self.reports += 1
        if self.reports % self.case.interval:
            return None
        state = "joining" if self.number in self.case.joining else flow.LIVE
        return flow.Report(self.name, now_ns, now_ns, share, by, limit, self.retirement.rate,
                           demand, int(self.applied), state)  # fmt: skip


def simulate(case: Case, law: Callable[[str, int], Law] = Ours) -> Outcome:
    """Run a case under a law."""
    chance = random.Random(case.seed)
    count = len(case.speeds)
    names = [f"n{number}" for number in range(count)]
    nodes = [Node(name, number, case, chance) for number, name in enumerate(names)]
    start = 5 * SECOND
    laws = [law(name, start) for name in names]
    admitted = [0.0] * count
    allowed = [law.turn(start, 0) for law in laws]
    turn_at = [chance.random() * 0.1 for _ in names]
    way = max(1, round(case.delay / STEP_SECONDS))
    under_way: deque[list[float]] = deque([[0.0] * count for _ in range(way)])
    mail: list[tuple[int, int, flow.Report]] = []
    outcome = Outcome(by_writer=[[] for _ in names])
    for step in range(int(case.seconds / STEP_SECONDS)):
        now = step * STEP_SECONDS
        now_ns = start + int(now * SECOND)
        wanted = case.demands if now >= case.step_at else [0.0] * count
        rates = [min(want, may) for want, may in zip(wanted, allowed, strict=True)]
        arriving = under_way.popleft()
        under_way.append([rate * STEP_SECONDS for rate in rates])
        whole = sum(arriving)
        mail, arrived = [m for m in mail if m[0] > now_ns], [m for m in mail if m[0] <= now_ns]
        for _, number, report in arrived:
            laws[number].take(report._replace(received_ns=now_ns, round_trip=2 * case.delay))
        for number, node in enumerate(nodes):
            admitted[number] += rates[number] * STEP_SECONDS
            node.offer(whole - arriving[number] + rates[number] * STEP_SECONDS)
            node.work(now)
            if (own := node.report(now_ns, wanted[number])) is not None:
                laws[number].take(own)
                for other in range(count):
                    if other != number and chance.random() >= case.loss:
                        late = case.delay * (1 + 0.2 * chance.random())
                        mail.append((now_ns + int(late * SECOND), other, own))
            if now >= turn_at[number]:
                turn_at[number] += 0.1
                allowed[number] = laws[number].turn(now_ns, int(admitted[number]))
        _note(outcome, case, nodes, laws, rates)
    outcome.settling = laws[0].settling
    return outcome


def _note(
    outcome: Outcome, case: Case, nodes: list[Node], laws: list[Law], rates: list[float]
) -> None:
    aside = set(laws[0].lagging) | {nodes[number].name for number in case.joining}
    fullest = max((n.length for n in nodes if n.name not in aside), default=0.0) / case.limit
    outcome.rates.append(sum(rates))
    outcome.backlogs.append(fullest)
    outcome.highest = max(outcome.highest, fullest)
    outcome.lagging.append(list(laws[0].lagging))
    outcome.limiters.append(laws[0].limiter)
    outcome.applied.append([node.applied for node in nodes])
    for samples, rate in zip(outcome.by_writer, rates, strict=True):
        samples.append(rate)
    for node in nodes:  # what a lagging node has no room for comes to it later, by repair
        if node.name in aside:
            node.length = min(node.length, case.limit)


def variation(samples: list[float]) -> float:
    """Return standard deviation over mean."""
    mean = math.fsum(samples) / len(samples)
    spread = math.sqrt(math.fsum((sample - mean) ** 2 for sample in samples) / len(samples))
    return spread / mean if mean else 0.0
