"""Works figures out from what `isinglass dump --json` says of two moments.

Rates and differences need the moment before; nothing here is taken from the console.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import nan
from typing import Any

from drawn import Figure, Near

Document = dict[str, Any]  # JSON
Wanted = str | Callable[["Node"], Figure]
_FIELD = re.compile(r"(\w+)(?:\[(.+)\])?\.([\w.]+?)(/s|\+|)")
# A dump has one of the two clocks of a reading, and a busy machine may stop a reader between them;
# a process's times are in milliseconds.
CLOCKS_SHARE, ROUNDED_SECONDS = 0.02, 0.0006
STILL_SECONDS = 2.0
MERGED = ("superseded", "stale", "dropped", "rolled")
DROPS = (
    "socket_drops", "send_failures", "malformed", "wrong_version", "wrong_cluster", "bad_tag",
    "replayed", "old_life", "duplicate_node",
)  # fmt: skip
PLACES = ("network", "queue", "disk")


def _fields(process: Document) -> dict[tuple[str, str, str], Any]:
    return {
        (panel["panel"], panel["instance"], field["field"]): field["value"]
        for panel in process["panels"]
        for field in panel["fields"]
    }


def rate(value: float) -> Near:
    """Return a figure for which the time between two dumps was divided by."""
    return Near(value, abs(value) * CLOCKS_SHARE)


class Dumped:
    """A process in a dump; `fields` by panel, instance and name, `before` those of before."""

    def __init__(self, now: Document, before: Document | None, seconds: float) -> None:
        self.document, self.seconds = now, seconds
        self.fields = _fields(now)
        self.before = _fields(before) if before is not None else {}

    def instances(self, panel: str) -> list[str]:
        """Return the instances of a panel."""
        return list(dict.fromkeys(key[1] for key in self.fields if key[0] == panel))

    def figure(self, wanted: str) -> Figure:
        """Return `panel.field` or `panel[instance].field`; with `+` its growth, `/s` its rate."""
        found = _FIELD.fullmatch(wanted)
        assert found is not None, wanted
        key = (found[1], found[2] or self.instances(found[1])[0], found[3])
        value = self.fields[key]
        if value is None or not found[4]:
            return nan if value is None else value
        grown = value - self.before[key] if key in self.before else nan
        grown = nan if grown < 0 else grown
        return rate(grown / self.seconds) if found[4] == "/s" else grown

    def number(self, wanted: str) -> float:
        """Return such a figure, which must be a number."""
        figure = self.figure(wanted)
        return figure.value if isinstance(figure, Near) else float(figure)


class Node(Dumped):
    """A node in two dumps: its daemon's figures, its other processes, and the other nodes."""

    def __init__(self, now: Document, before: Document | None, nodes: dict[str, Node]) -> None:
        if before is not None and before["generation"] != now["generation"]:
            before = None
        elapsed = now["taken_wall_ns"] - before["taken_wall_ns"] if before else nan
        earlier = {(p["slot"], p["claim"]): p for p in before["processes"]} if before else {}
        self.name, self.nodes, self.node = now["node"], nodes, now
        self.processes = [
            Dumped(process, earlier.get((process["slot"], process["claim"])), elapsed / 1e9)
            for process in now["processes"]
        ]
        daemon = self.processes[0]
        super().__init__(daemon.document, earlier.get((0, daemon.document["claim"])), elapsed / 1e9)

    def get(self, wanted: Wanted) -> Figure:
        """Return a figure that is named, or worked out by a function."""
        return self.figure(wanted) if isinstance(wanted, str) else wanted(self)

    def ago(self, wanted: str) -> float:
        """Return how long before the dump a timestamp is, NaN for never."""
        at = self.whole(wanted)
        return (self.node["taken_wall_ns"] - at) / 1e9 if at else nan

    def whole(self, wanted: str) -> int:
        """Return a timestamp whole: as a number with a fraction it would lose its end."""
        value = self.figure(wanted)
        assert isinstance(value, int)
        return value

    # ------------------------------------------------------------------ worked out
    def share(self, part: str, whole: str) -> float:
        """Return one figure as a share of another, NaN of nothing."""
        of = self.number(whole)
        return self.number(part) / of if of > 0 else nan

    def merged(self) -> float:
        """Return the share of the updates offered since the moment before that merged away."""
        offered = self.number("queue.offered+")
        grown = sum(self.number(f"queue.{rule}+") for rule in MERGED)
        return grown / offered if offered > 0 else nan

    def backlog(self) -> float:
        """Return what waits as a share of its limit, the worse of updates and bytes."""
        return max(
            self.share("queue.backlog.entries", "queue.limit"),
            self.share("queue.backlog.size", "queue.size_limit"),
        )

    def records(self) -> float:
        """Return how many records all tables hold."""
        return float(sum(t["rows"] for t in self.node["tables"] if not t["index_of"]))

    def dropped(self) -> float:
        """Return how many datagrams were dropped, for whatever reason."""
        return sum(self.number(f"network.{reason}") for reason in DROPS)

    def late(self, timer: str) -> Near:
        """Return how late a periodic task is; of a daemon that does not move, since it did not."""
        due = self.whole(f"timer[{timer}].next_run")
        age = self.document["heartbeat_age_seconds"]
        still = age if age >= STILL_SECONDS else 0.0
        waited = (self.node["taken_wall_ns"] - due) / 1e9 - still if due else 0.0
        late = max(waited, self.number(f"timer[{timer}].overdue"), 0.0)
        return Near(late, ROUNDED_SECONDS if still else 0.0)

    def lags(self, field: str) -> dict[str, float]:
        """Return how far this node is behind each origin, as that measures it."""
        return {
            origin.name: origin.number(f"peer[{self.name}].{field}")
            for origin in self.nodes.values()
            if origin is not self
        }

    def worst_lag(self, field: str = "lag_seconds") -> float:
        """Return how far this node is behind the worst origin."""
        return max(self.lags(field).values())

    def waits_on(self) -> dict[str, float]:
        """Return where the updates that this node misses are, as shares, the most first."""
        sums = {place: sum(self.lags(f"lag_{place}").values()) for place in PLACES}
        whole = sum(sums.values())
        parts = {place: count / whole for place, count in sums.items() if count > 0}
        return dict(sorted(parts.items(), key=lambda part: -part[1]))

    def streams(self, field: str) -> float:
        """Return a counter of all streams together."""
        return sum(self.number(f"stream[{name}].{field}") for name in self.instances("stream"))

    def writers(self) -> Iterator[Writer]:
        """Yield the client processes that ever wrote."""
        for process in self.processes:
            if process.instances("client"):
                writer = Writer(self, process)
                if writer.written:
                    yield writer


class Writer:
    """A client process that writes."""

    def __init__(self, node: Node, process: Dumped) -> None:
        self.name, self.process, self._node = process.document["process"], process, node
        counts = ("puts", "deletes", "adds")
        self.written = sum(process.number(f"client.{each}") for each in counts)
        self.actual = sum(process.number(f"client.{each}/s") for each in counts)
        self.held = min(process.number("client.throttled_time/s"), 1.0)
        self.demand = self.actual / (1 - min(self.held, 0.99))

    def allowed(self) -> float:
        """Return the most it would get if it asked without end: its max-min fair part."""
        whole = self._node.number("flow.allowed")
        others = [each.demand for each in self._node.writers() if each.process is not self.process]
        least, most = 0.0, whole
        for _ in range(100):
            level = (least + most) / 2
            if level + sum(min(demand, level) for demand in others) > whole:
                most = level
            else:
                least = level
        return least
