"""What the queue's merge rules did: each as a count, a rate and a share of what was offered."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from isinglass_console.model.rates import Pair, growth, number

# field of the queue panel: what the screen calls it
RULES: tuple[tuple[str, str], ...] = (
    ("offered", "offered"),
    ("superseded", "superseded"),
    ("rolled", "rolled"),
    ("dropped", "table dropped"),
    ("stale", "stale"),
    ("written", "written"),
)


@dataclass(frozen=True, slots=True)
class MergeRow:
    """One merge rule: since the daemon's start, per second, and of all that was offered."""

    field: str
    label: str
    total: float
    rate: float
    share: float
    grown: float


def merge_rows(pair: Pair) -> list[MergeRow]:
    """Return a row for each rule that the node's queue panel has."""
    before, queue = pair.panels(pair.now.owner, "queue")
    if queue is None:
        return []
    offered, seconds = growth(before, queue, "offered"), pair.seconds
    rows = []
    for field, label in RULES:
        total = number(queue, field)
        if total != total:
            continue
        grown = growth(before, queue, field)
        share = grown / offered if offered > 0 else nan
        rows.append(MergeRow(field, label, total, grown / seconds, share, grown))
    return rows


def avoided_share(pair: Pair) -> float:
    """Return the share of updates that needed no write of their own, since the daemon's start."""
    return number(pair.now.panel("queue"), "avoided")
