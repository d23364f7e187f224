"""The scoreboard: every node ever seen, and how it is; pure.

    up           heard within the last seconds
    late         silent for 3 s
    lost         silent for 10 s
    left         its daemon said goodbye
    stopped by chaos, maintenance: what an operator announced; see `alarms/holding`

A node that is silent stays on the board with what it last said, until somebody takes it off. When
several nodes fall silent within the same seconds and nobody is heard since, the fault is likelier
on this side: the monitor is deaf, which is one fact, not one a node.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from isinglass.clock import NANOSECONDS_PER_SECOND
from isinglass_monitor.moment import Moment
from isinglass_monitor.row_texts import RowTexts
from isinglass_monitor.views import DAEMON, MONITOR_PREFIX, Figure, NodeView

LATE_SECONDS = 3.0
LOST_SECONDS = 10.0
AT_ONCE_SECONDS = 3.0  # nodes that fell silent within this are silent for one cause
DEAF_NODES = 2  # one silent node is a silent node; deafness takes several

UP, LATE, LOST, LEFT = "up", "late", "lost", "left"
STOPPED_BY_CHAOS, MAINTENANCE = "stopped by chaos", "maintenance"
STATES = (UP, LATE, LOST, LEFT, STOPPED_BY_CHAOS, MAINTENANCE)
CHAOS = "chaos"  # kinds of announcements
KINDS = (CHAOS, MAINTENANCE)

DOCUMENT_FORMAT = 1


@dataclass(frozen=True)
class Row:
    """One node on the board."""

    node: str
    role: str
    state: str
    since_wall_ns: int  # when it came into this state, as far as this monitor saw it
    heard_wall_ns: int
    silent_seconds: float
    ended: bool
    first_wall_ns: int
    announced: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict, repr=False)

    @property
    def live(self) -> bool:
        """Tell whether its figures are of now."""
        return self.silent_seconds < LATE_SECONDS and not self.ended

    def derived(self) -> dict[str, Figure]:
        """Return what rules and statistics may ask of a node although it says nothing."""
        return {
            "node.up": float(self.live),
            "node.silent_seconds": self.silent_seconds,
            "node.ended": float(self.ended),
            "node.state": self.state,
        }


class Scoreboard:
    """Keeps the board; `update` it once a second.

    Args:
        monitor: the monitor's own name.
        known: rows of an earlier life of the monitor, so that nodes ever seen stay on the board.
    """

    def __init__(self, monitor: str, known: Iterable[Row] = ()) -> None:
        self._monitor = MONITOR_PREFIX + monitor
        self.rows: dict[str, Row] = {row.node: row for row in known}
        self.deaf = False
        self.behind_seconds = 0.0
        self._texts = RowTexts()
        self._last: Moment | None = None
        self._started: Moment | None = None
        self._between_seconds: float | None = None  # this look and the last one
        self._let_go: dict[str, int] = {}  # nodes taken off the board: when they were heard last
        self._unheard = set(self.rows)  # of an earlier life, and not heard in this one

    def update(
        self, now: Moment, nodes: Mapping[str, NodeView], announced: Mapping[str, str]
    ) -> None:
        """Take in what was heard.

        Args:
            announced: of nodes for which something is announced now, its kind.
        """
        if self._last is not None:
            between = (now.monotonic_ns - self._last.monotonic_ns) / NANOSECONDS_PER_SECOND
            self._between_seconds, self.behind_seconds = between, max(between - 1.0, 0.0)
        self._last = now
        self._started = self._started or now
        self._let_go = {n: at for n, at in self._let_go.items() if n in nodes}
        speaking = [view for view in nodes.values() if self._speaks(view)]
        heard = {view.node for view in speaking}
        self._unheard -= heard
        for view in speaking:
            self.rows[view.node] = self._heard(now, view, announced.get(view.node, ""))
        for name in self.rows.keys() - heard:
            self.rows[name] = self._silent(now, self.rows[name], announced.get(name, ""))
        self.deaf = self._is_deaf()

    def forget(self, node: str) -> bool:
        """Take a node off the board until it is heard again; return whether it was there."""
        self._unheard.discard(node)
        if (row := self.rows.pop(node, None)) is None:
            return False
        if self._last is not None:
            silent_ns = round(row.silent_seconds * NANOSECONDS_PER_SECOND)
            self._let_go[node] = self._last.monotonic_ns - silent_ns
        return True

    def _speaks(self, view: NodeView) -> bool:
        """Tell whether that is its node's own voice: a program's is not, where a daemon was."""
        if view.heard_ns <= self._let_go.get(view.node, -1):
            return False
        before = self.rows.get(view.node)
        return view.role == DAEMON or before is None or before.role != DAEMON

    def _heard(self, now: Moment, view: NodeView, announced: str) -> Row:
        silent_ns = max(now.monotonic_ns - view.heard_ns, 0)
        row = Row(
            view.node,
            view.role,
            UP,
            now.wall_ns,
            now.wall_ns - silent_ns,
            silent_ns / NANOSECONDS_PER_SECOND,
            view.ended,
            now.wall_ns,
            announced,
            view.figures,
        )
        return self._judged(row, self.rows.get(view.node))

    def _silent(self, now: Moment, row: Row, announced: str) -> Row:
        """A node whose daemon is not known to be heard: not yet, or not for ten minutes.

        When this monitor has just begun, nobody listened: so the node keeps its state until it
        could have spoken. How long that node was silent before, only the wall clock knows.
        """
        silent = row.silent_seconds + (self._between_seconds or 0.0)
        if self._between_seconds is None:
            silent = max((now.wall_ns - row.heard_wall_ns) / NANOSECONDS_PER_SECOND, silent)
        silent_row = replace(row, silent_seconds=silent, announced=announced)
        if self._listening_seconds(now) < LOST_SECONDS and not announced:
            return silent_row
        return self._judged(silent_row, row)

    def _listening_seconds(self, now: Moment) -> float:
        return now.seconds - self._started.seconds if self._started else 0.0

    def _judged(self, row: Row, before: Row | None) -> Row:
        state = state_of(row.silent_seconds, row.ended, row.announced)
        if before is None:
            return replace(row, state=state)
        since = before.since_wall_ns if before.state == state else self._now_wall_ns()
        return replace(row, state=state, since_wall_ns=since, first_wall_ns=before.first_wall_ns)

    def _now_wall_ns(self) -> int:
        return self._last.wall_ns if self._last else 0

    def _is_deaf(self) -> bool:
        """Tell whether all that were heard until lately fell silent together."""
        awaited = [
            row
            for row in self.rows.values()
            if not row.ended
            and not row.announced
            and row.node != self._monitor
            and row.node not in self._unheard
        ]
        if not awaited:
            return False
        shortest = min(row.silent_seconds for row in awaited)
        if shortest < LATE_SECONDS:
            return False
        together = [r for r in awaited if r.silent_seconds - shortest <= AT_ONCE_SECONDS]
        return len(together) >= DEAF_NODES

    def counts(self) -> dict[str, int]:
        """Return how many nodes are in each state."""
        states = [row.state for row in self.rows.values() if row.node != self._monitor]
        return {state: states.count(state) for state in STATES}

    def derived(self) -> dict[str, Figure]:
        """Return what rules may ask of the whole board, as figures of the monitor."""
        counts = self.counts()
        return {
            "scoreboard.nodes": float(sum(counts.values())),
            "scoreboard.up": float(counts[UP]),
            "scoreboard.late": float(counts[LATE]),
            "scoreboard.lost": float(counts[LOST]),
            "scoreboard.deaf": float(self.deaf),
            "scoreboard.behind_seconds": self.behind_seconds,
        }

    def document(self, now: Moment) -> dict[str, Any]:
        """Return what stands in `scoreboard.json`; docs/scoreboard.schema.json describes it."""
        rows = [self.rows[name] for name in sorted(self.rows)]
        nodes = [{**_row_document(row), "figures": dict(row.figures)} for row in rows]
        return {**self._head(now), "nodes": nodes}

    def text(self, now: Moment) -> str:
        """Return the same as JSON, much sooner when it was asked for a second ago."""
        self._texts.forget_all_but(self.rows)
        nodes = []
        for name in sorted(self.rows):
            row = self.rows[name]
            words = json.dumps(_row_document(row), separators=(",", ":"))
            nodes.append(f'{words[:-1]},"figures":{self._texts.of(name, row.figures)}}}')
        head = json.dumps(self._head(now), separators=(",", ":"))
        return f'{head[:-1]},"nodes":[{",".join(nodes)}]}}'

    def _head(self, now: Moment) -> dict[str, Any]:
        return {
            "format": DOCUMENT_FORMAT,
            "monitor": self._monitor.removeprefix(MONITOR_PREFIX),
            "written_wall_ns": now.wall_ns,
            "deaf": self.deaf,
            "behind_seconds": round(self.behind_seconds, 3),
            "counts": self.counts(),
        }


def state_of(silent_seconds: float, ended: bool, announced: str) -> str:
    """Return the state of a node by how long it is silent and what is known of it.

    Maintenance is a state of its own, heard or not; chaos is one only while it shows.
    """
    if announced == MAINTENANCE:
        return MAINTENANCE
    if ended:
        return LEFT
    if silent_seconds < LATE_SECONDS:
        return UP
    if announced == CHAOS:
        return STOPPED_BY_CHAOS
    return LATE if silent_seconds < LOST_SECONDS else LOST


def _row_document(row: Row) -> dict[str, Any]:
    return {
        "node": row.node,
        "role": row.role,
        "state": row.state,
        "since_wall_ns": row.since_wall_ns,
        "first_seen_wall_ns": row.first_wall_ns,
        "heard_wall_ns": row.heard_wall_ns,
        "silent_seconds": round(row.silent_seconds, 3),
        "ended": row.ended,
        "announced": row.announced,
    }


def rows_of(document: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a `scoreboard.json` that an earlier life wrote; none of another format."""
    if document.get("format") != DOCUMENT_FORMAT:
        return []
    return [
        Row(
            node["node"],
            node["role"],
            node["state"],
            node["since_wall_ns"],
            node["heard_wall_ns"],
            node["silent_seconds"],
            node["ended"],
            node["first_seen_wall_ns"],
            node["announced"],
            node["figures"],
        )
        for node in document["nodes"]
    ]
