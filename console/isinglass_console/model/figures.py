"""The few figures of a node that every screen compares: load, backlog, merging, applied, lateness.

They are looked for by panel and field name, and a daemon that has no such panel has no such figure:
nothing here is zero because it is not known.
"""

from __future__ import annotations

from math import isnan, nan

from isinglass.glass.panel_views import PanelView
from isinglass.glass.snapshot import Snapshot
from isinglass_console.model.rates import Pair, growth, number

# figure: (unit, what it is); thresholds may be on any of them
FIGURES: dict[str, tuple[str, str]] = {
    "load": ("share", "applier load over a second"),
    "offered_rate": ("updates/s", "updates offered to the queue"),
    "merged_share": ("share", "writes avoided by merging"),
    "applied_rate": ("updates/s", "updates written into the store"),
    "backlog": ("share", "backlog of the queue's limit"),
    "length": ("updates", "updates that wait"),
    "bytes": ("bytes", "bytes that wait"),
    "oldest_seconds": ("seconds", "age of the oldest update that waits"),
    "pace": ("updates/s", "pace that flow control allows"),
    "demand": ("updates/s", "what the writers ask for"),
    "flow_backlog": ("share", "backlog that flow control sees"),
    "lag_seconds": ("seconds", "how far behind the worst origin"),
    "lag_updates": ("updates", "updates missing of the worst origin"),
    "commit_seconds": ("seconds", "99 % of the commits of the last interval"),
    "map_share": ("share", "used part of the LMDB map"),
    "file_bytes": ("bytes", "size of the store's file"),
    "records": ("records", "records in all tables"),
    "overdue_seconds": ("seconds", "how late the latest periodic task is"),
}
MICROSECOND = 1e-6
MERGED = ("superseded", "stale", "dropped", "rolled")


def panels_of(snapshot: Snapshot, name: str) -> list[PanelView]:
    """Return all instances of one of the daemon's panels."""
    owner = snapshot.owner
    return owner.panels_of(name) if owner is not None else []


def node_figures(before: Snapshot | None, now: Snapshot) -> dict[str, float]:
    """Return the figures of a node that are known, by name (`load`, `backlog`, ...)."""
    pair, owner = Pair.of(before, now), now.owner
    queue, seconds = pair.panels(owner, "queue"), pair.seconds
    overdue = owner.numbers("timer", "overdue") if owner is not None else ()
    found = {
        "load": number(now.panel("applier"), "load_1s"),
        "offered_rate": growth(*queue, "offered") / seconds,
        "applied_rate": pair.rate("applier", "writes"),
        "overdue_seconds": max(overdue, default=nan),
        **queue_figures(now),
        **store_figures(pair),
        **flow_figures(now),
    }
    offered = found["offered_rate"]
    merged = sum([growth(*queue, rule) / seconds for rule in MERGED])
    found["merged_share"] = merged / offered if offered > 0 else nan
    return {name: value for name, value in found.items() if not isnan(value)}


def flow_figures(now: Snapshot) -> dict[str, float]:
    """Return what flow control allows: the node's pace, what is asked for, the backlog it sees."""
    flow = now.panel("flow")
    return {
        "pace": number(flow, "allowed"),
        "demand": number(flow, "demand"),
        "flow_backlog": number(flow, "backlog"),
    }


def queue_figures(now: Snapshot) -> dict[str, float]:
    """Return what waits in the queue: updates, bytes, seconds, and the share of the limit."""
    queue = now.panel("queue")
    return {
        "length": number(queue, "backlog.entries"),
        "bytes": number(queue, "backlog.size"),
        "oldest_seconds": number(queue, "backlog.oldest"),
        "backlog": _backlog_share(queue),
    }


def store_figures(pair: Pair) -> dict[str, float]:
    """Return how slow commits are (99 % of the last interval's) and how full the map is."""
    commits = pair.window(pair.now.owner, "store", "commit_time")
    store = pair.now.panel("store")
    return {
        "commit_seconds": commits.percentile(0.99) * MICROSECOND
        if commits is not None and commits.count
        else nan,
        "map_share": number(store, "used_share"),
        "file_bytes": number(store, "file_size"),
        "records": float(sum(table.rows for table in pair.now.tables if not table.index_of)),
    }


def _backlog_share(queue: PanelView | None) -> float:
    """Return what waits as a share of its limit, the worse of updates and bytes."""
    parts = (
        (number(queue, "backlog.entries"), number(queue, "limit")),
        (number(queue, "backlog.size"), number(queue, "size_limit")),
    )
    return max((waits / limit for waits, limit in parts if limit > 0), default=nan)
