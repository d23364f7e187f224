"""Makes one frame of what all sources said: ages, ends, restarts, figures, thresholds, the log.

It remembers only what a single reading cannot know: when a node was first seen dead, when it came
back, what its counters were one reading ago.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan

from isinglass.glass.severity import ERROR, INFO, WARNING
from isinglass.glass.snapshot import Snapshot
from isinglass_console.model import figures
from isinglass_console.model.board import BUILT_IN, Board, Trouble
from isinglass_console.model.frame import Condition, Frame, NodeFrame
from isinglass_console.model.lag import Measured, measured_lags
from isinglass_console.model.log import Log, LogEntry
from isinglass_console.model.members import cluster_of
from isinglass_console.model.moments import LEVELS, Moment
from isinglass_console.model.reading import Reading
from isinglass_console.model.series import CAPACITY, SeriesBook
from isinglass_console.model.told import Past

OVER = (Condition.KILLED, Condition.LEFT)
UNSEEN = (Condition.LINK_DOWN, Condition.CONNECTING)
CONSOLE = "console"
LAGS = ("lag_seconds", "lag_updates")
RAISED_KEPT = 1_000


@dataclass(slots=True)
class _Memory:
    """What the hub remembers of a node."""

    condition: str = ""
    snapshot: Snapshot | None = None
    taken_wall_ns: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    ended_wall_ns: int = 0
    linked: bool = True
    reason: str = ""
    restarted_wall_ns: int = 0
    troubles: tuple[Trouble, ...] = ()


@dataclass(slots=True)
class Hub:
    """Turns readings into frames; owns the log, the trends and the board.

    `raised`: the moments at which thresholds were passed.
    """

    board: Board = field(default_factory=lambda: Board(BUILT_IN))
    series: SeriesBook = field(default_factory=SeriesBook)
    log: Log = field(default_factory=Log)
    raised: deque[Moment] = field(default_factory=lambda: deque(maxlen=RAISED_KEPT))
    fresh: list[LogEntry] = field(default_factory=list)  # what the last frame added to the log
    _memories: dict[str, _Memory] = field(default_factory=dict)
    _number: int = -1
    _began: tuple[int, float] = (0, 1.0)  # when the first frame was, and the interval then

    def take(self, readings: Sequence[Reading], wall_ns: int, interval_seconds: float) -> Frame:
        """Return the next frame.

        Args:
            readings: one a node.
            wall_ns: the time of the frame.
            interval_seconds: the interval at which frames are made now.
        """
        self._number += 1
        self.fresh = []
        if self._number == 0:
            self._began = (wall_ns, interval_seconds)
        lags = measured_lags(
            reading.snapshot
            for reading in readings
            if reading.snapshot is not None and reading.condition == Condition.ALIVE
        )
        nodes = tuple(self._node(reading, wall_ns, lags) for reading in readings)
        for node in nodes:
            # Gaps are left: what does not move has no trend, but for what others measure of it.
            alive = node.condition == Condition.ALIVE
            kept = ((name, value) for name, value in node.figures.items() if alive or name in LAGS)
            self.series.put(self._number, (((node.name, name), value) for name, value in kept))
        return Frame(self._number, wall_ns, interval_seconds, nodes, self.board.levels)

    def remember(self, past: Past) -> None:
        """Take what a monitor knows of the time before the first frame; there must be one."""
        wall_ns, interval = self._began
        seconds = [int(wall_ns / 1e9 - back * interval) for back in range(CAPACITY, 0, -1)]
        for key, values in past.items():
            self.series.remember(key, [values.get(second, nan) for second in seconds])

    def _node(self, reading: Reading, wall_ns: int, lags: Measured) -> NodeFrame:
        memory = self._memories.setdefault(reading.node, _Memory())
        self._follow_life(reading, memory, wall_ns)
        found: dict[str, float] = {}
        alive = reading.condition == Condition.ALIVE
        if reading.snapshot is not None:
            found = dict(self._figures(reading, memory, alive=alive))
            memory.taken_wall_ns = reading.taken_wall_ns or reading.snapshot.taken_wall_ns
        self._tell(reading.events)
        snapshot = reading.snapshot or memory.snapshot
        found.update(lags.get((cluster_of(snapshot), reading.node), {}))
        troubles = self.board.judge(reading.node, found if alive else {}, wall_ns)
        self._raise(reading.node, memory.troubles, troubles, wall_ns)
        memory.troubles = troubles
        return NodeFrame(
            name=reading.node,
            condition=reading.condition,
            sentence=reading.sentence,
            snapshot=snapshot,
            tally=reading.tally,
            age_seconds=_age(snapshot, memory.taken_wall_ns, wall_ns),
            ended_wall_ns=memory.ended_wall_ns,
            restarted_wall_ns=memory.restarted_wall_ns,
            figures=_good_for_seven_digits(found),
            troubles=troubles,
        )

    def _figures(self, reading: Reading, memory: _Memory, *, alive: bool) -> dict[str, float]:
        """Return a node's figures; those of before while nothing newer has come from far away."""
        assert reading.snapshot is not None
        if reading.repeated and memory.snapshot is not None:
            return memory.figures if alive else figures.node_figures(None, reading.snapshot)
        before, memory.snapshot = memory.snapshot, reading.snapshot
        found = figures.node_figures(before if alive else None, reading.snapshot)
        memory.figures = found
        return found

    def _follow_life(self, reading: Reading, memory: _Memory, wall_ns: int) -> None:
        before, memory.condition = memory.condition, reading.condition
        if reading.restarted:
            memory.restarted_wall_ns = wall_ns
            memory.snapshot = None
            self._note(reading.node, wall_ns, WARNING, "the node restarted; attached to it again")
        if reading.condition in UNSEEN:
            # Nobody knows what it is in now; when it was seen to end stays true.
            memory.condition = before or Condition.MISSING
            if reading.condition == Condition.LINK_DOWN and reading.sentence != memory.reason:
                self._note(reading.node, wall_ns, WARNING, reading.sentence)
                memory.reason = reading.sentence
            memory.linked = False
            return
        was_linked, memory.linked, memory.reason = memory.linked, True, ""
        if not was_linked and before == Condition.ALIVE:
            self._note(reading.node, wall_ns, INFO, "the link is up again")
        if reading.condition not in OVER:
            memory.ended_wall_ns = 0
        elif memory.ended_wall_ns == 0:
            seen_alive = before not in ("", Condition.MISSING, Condition.UNREADABLE)
            watched = seen_alive and was_linked
            memory.ended_wall_ns = wall_ns if watched else _last_seen(reading, wall_ns)
            if seen_alive and reading.condition == Condition.KILLED:
                self._note(reading.node, wall_ns, ERROR, "the daemon was killed")
        if before == Condition.ALIVE and reading.condition == Condition.STOPPED:
            self._note(reading.node, wall_ns, WARNING, "the daemon does not move any more")

    def _raise(
        self, node: str, before: tuple[Trouble, ...], now: tuple[Trouble, ...], wall_ns: int
    ) -> None:
        """Remember which thresholds were passed since the frame before."""
        known = {trouble.threshold for trouble in before}
        for trouble in now:
            if trouble.threshold not in known:
                level = LEVELS[trouble.threshold.severity]
                self.raised.append(Moment(wall_ns, level, node, trouble.sentence()))

    def _note(self, node: str, wall_ns: int, severity: int, message: str) -> None:
        self._tell((LogEntry(wall_ns, node, CONSOLE, severity, "life", message),))

    def _tell(self, entries: Sequence[LogEntry]) -> None:
        self.log.add(entries)
        self.fresh.extend(entries)


def _age(snapshot: Snapshot | None, taken_wall_ns: int, wall_ns: int) -> float:
    """Return for how long the node has not moved: since its daemon's last heartbeat."""
    if snapshot is None:
        return 0.0
    taken_ago = max(wall_ns - taken_wall_ns, 0) / 1e9
    owner = snapshot.owner
    beats = [owner] if owner else snapshot.processes
    return taken_ago + min((process.heartbeat_age_seconds for process in beats), default=0.0)


def _last_seen(reading: Reading, wall_ns: int) -> int:
    snapshot = reading.snapshot
    if snapshot is None:
        return wall_ns
    owner = snapshot.owner
    if owner is not None and owner.ended_wall_ns:
        return owner.ended_wall_ns
    taken_wall_ns = reading.taken_wall_ns or snapshot.taken_wall_ns
    return wall_ns - int(_age(snapshot, taken_wall_ns, wall_ns) * 1e9)


def _good_for_seven_digits(figures: Mapping[str, float]) -> dict[str, float]:
    """Return figures with the 24 bits of a single: a recording keeps all, and the rest is noise."""
    return dict(zip(figures, array("f", figures.values()), strict=True))
