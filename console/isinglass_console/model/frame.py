"""A frame: all nodes at one tick, immutable; what a view draws is a function of one or two of them.

Nothing in it says where it came from, so live, paused and replayed screens are one code.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from isinglass.glass.snapshot import Process, Snapshot, Verdict
from isinglass_console.model.board import BUILT_IN, Levels, Severity, Trouble
from isinglass_console.model.heat import Tally

HEARTBEAT_SECONDS = 1.0
DIM_AFTER_INTERVALS = 2
BLANK_AFTER_INTERVALS = 5


class Condition:
    """What a source can say of its node; the words are shown."""

    ALIVE, STARTING, STOPPED, KILLED = "up", "starting", "stopped", "killed"
    LEFT, MISSING, UNREADABLE, REBOOTED = "left", "missing", "unreadable", "rebooted"
    CONNECTING, LINK_DOWN = "connecting", "link down"


SEVERITIES = {
    Condition.ALIVE: Severity.WELL,
    Condition.STARTING: Severity.UNKNOWN,
    Condition.STOPPED: Severity.STALE,
    Condition.KILLED: Severity.CRITICAL,
    Condition.LEFT: Severity.STALE,
    Condition.MISSING: Severity.UNKNOWN,
    Condition.UNREADABLE: Severity.CRITICAL,
    Condition.REBOOTED: Severity.STALE,
    Condition.CONNECTING: Severity.UNKNOWN,
    Condition.LINK_DOWN: Severity.STALE,
}
CONDITIONS = {
    Verdict.ALIVE: Condition.ALIVE,
    Verdict.STALLED: Condition.STOPPED,
    Verdict.KILLED: Condition.KILLED,
    Verdict.CLEAN_EXIT: Condition.LEFT,
}


@dataclass(frozen=True, slots=True)
class NodeFrame:
    """One node at one tick.

    `age_seconds` is how long its daemon has not moved; `ended_wall_ns` when it was first seen dead
    (0 while it lives); `restarted_wall_ns` when the console last saw it come back.
    """

    name: str
    condition: str
    sentence: str = ""
    snapshot: Snapshot | None = None
    tally: Tally = field(default_factory=Tally)
    age_seconds: float = 0.0
    ended_wall_ns: int = 0
    restarted_wall_ns: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    troubles: tuple[Trouble, ...] = ()

    @property
    def severity(self) -> Severity:
        """The worst of the node's life and its thresholds."""
        own = SEVERITIES[self.condition]
        return max(own, self.troubles[0].threshold.severity) if self.troubles else own

    def figure(self, name: str) -> float:
        """Return a figure of the node, NaN when it has none."""
        return self.figures.get(name, float("nan"))


@dataclass(frozen=True, slots=True)
class Frame:
    """All nodes at one tick; `number` counts the frames of this console, `levels` judged them."""

    number: int
    wall_ns: int
    interval_seconds: float
    nodes: tuple[NodeFrame, ...] = ()
    levels: Levels = BUILT_IN

    def node(self, name: str) -> NodeFrame | None:
        """Return a node by name."""
        return next((node for node in self.nodes if node.name == name), None)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old a figure is, and what that means for showing it."""

    age_seconds: float
    limit_seconds: float

    @property
    def dim(self) -> bool:
        """Older than two intervals: shown dim, with its age."""
        return self.age_seconds > DIM_AFTER_INTERVALS * self.limit_seconds

    @property
    def blank(self) -> bool:
        """Older than five intervals: rates mean nothing any more."""
        return self.age_seconds > BLANK_AFTER_INTERVALS * self.limit_seconds


def freshness(age_seconds: float, interval_seconds: float) -> Freshness:
    """Return the freshness of something that moves once a heartbeat and is read each interval."""
    return Freshness(age_seconds, max(interval_seconds, HEARTBEAT_SECONDS))


def node_freshness(node: NodeFrame, interval_seconds: float) -> Freshness:
    """Return the freshness of a node's figures; the dead and the unreadable are old at once."""
    if node.condition in (Condition.ALIVE, Condition.STARTING):
        return freshness(node.age_seconds, interval_seconds)
    may_move = node.condition in (Condition.STOPPED, Condition.LINK_DOWN, Condition.CONNECTING)
    return _old(node.age_seconds, interval_seconds, may_move)


def process_freshness(process: Process, interval_seconds: float) -> Freshness:
    """Return the freshness of one process's figures, by its own heartbeat."""
    if process.verdict == Verdict.ALIVE:
        return freshness(process.heartbeat_age_seconds, interval_seconds)
    stopped = process.verdict == Verdict.STALLED
    return _old(process.heartbeat_age_seconds, interval_seconds, stopped)


def _old(age_seconds: float, interval_seconds: float, may_move_again: bool) -> Freshness:
    """Return a freshness that is old, however short ago it was; the dead have no rates at all."""
    limit = max(interval_seconds, HEARTBEAT_SECONDS)
    least = DIM_AFTER_INTERVALS if may_move_again else BLANK_AFTER_INTERVALS
    return Freshness(max(age_seconds, limit * (least + 1)), limit)
