"""Which figure of a dump stands where on the console's screens, view by view.

Figures are named as `dumped.py` does, by panel and field, or worked out there; screens are searched
as `drawn.py` does, by pane, line and column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isnan, nan

from drawn import Figure, Near
from dumped import ROUNDED_SECONDS, Node, Wanted, rate

Cells = Mapping[str, Figure | tuple[Figure, ...]]  # by column
Rows = dict[str, Cells]  # by what a row begins with, a regular expression
Lines = list[tuple[str, tuple[Figure, ...]]]
Table = tuple[str, str, Callable[[Node], Rows]]  # view, pane
Part = tuple[str, str, Callable[[Node], Lines]]
RULES = {"offered": "offered", "superseded": "superseded", "rolled": "rolled",
         "table dropped": "dropped", "stale": "stale", "written": "written"}  # fmt: skip


def _each_node(columns: Mapping[str, Wanted]) -> Callable[[Node], Rows]:
    """Return a table with a row for each node."""
    return lambda node: {
        each.name: {column: each.get(wanted) for column, wanted in columns.items()}
        for each in node.nodes.values()
    }


# ---------------------------------------------------------------------- overview
SCOREBOARD: dict[str, Wanted] = {
    "LOAD": "applier.load_1s",
    "BACKLOG┃TARGET": Node.backlog,
    "PACE/s": "flow.allowed",
    "MERGED": Node.merged,
    "WORST LAG": Node.worst_lag,
    "APPLIED/s": "applier.writes/s",
    "OFFERED/s": "queue.offered/s",
    "OLDEST": "queue.backlog.oldest",
}
FIGURES: dict[str, Wanted] = {
    "load": "applier.load_1s",
    "offered rate": "queue.offered/s",
    "merged share": Node.merged,
    "applied rate": "applier.writes/s",
    "backlog": Node.backlog,
    "length": "queue.backlog.entries",
    "bytes": "queue.backlog.size",
    "oldest": "queue.backlog.oldest",
    "pace": "flow.allowed",
    "demand": "flow.demand",
    "flow backlog": "flow.backlog",
    "lag": Node.worst_lag,
    "lag updates": lambda node: node.worst_lag("lag_updates"),
    "map share": "store.used_share",
    "file bytes": "store.file_size",
    "records": Node.records,
    "overdue": lambda node: max(
        node.number(f"timer[{timer}].overdue") for timer in node.instances("timer")
    ),
}


def turned(node: Node) -> Rows:
    """Return the overview with a column a node."""
    found: Rows = {}
    for figure, wanted in FIGURES.items():
        values = {each.name: each.get(wanted) for each in node.nodes.values()}
        if any(map(_known, values.values())):  # what nobody knows has no row
            found[figure] = values
    return found


def _known(figure: Figure) -> bool:
    return not isnan(figure.value if isinstance(figure, Near) else float(figure))


def queue_lines(node: Node) -> Lines:
    """Return the overview's pane of merges; the rate and the share stand on either side of bars."""
    of = {label: (f"queue.{field}/s", f"queue.{field}+") for label, field in RULES.items()}
    offered = node.number("queue.offered+")
    return [
        (f"{label} {{}} {{}}", (node.figure(speed), _part(node.number(grown), offered)))
        for label, (speed, grown) in of.items()
    ]


def _part(part: float, whole: float) -> float:
    return part / whole if whole > 0 else nan


# ---------------------------------------------------------------------- flow
def limit_lines(node: Node) -> Lines:
    """Return who limits the cluster, what is allowed of what is asked for, how the loop does."""
    limiter = node.figure("flow.limiter")
    allowed, demand = node.number("flow.cluster_rate"), node.number("flow.cluster_demand")
    ratio = node.share("flow.settling", "flow.report_age")
    lines: Lines = [("report age {} τ {} × age", (node.figure("flow.report_age"), ratio))]
    if limiter:
        by, since = node.figure("flow.limited_by"), node.ago("flow.limited_since")
        lines.append((f"limited by {limiter}, by {by}, for {{}}", (since,)))
    if allowed < demand:
        return [*lines, ("{} of {} demanded", (allowed, demand))]
    return [*lines, ("all of {} demanded, room for {}", (demand, allowed))]


def flow_lines(node: Node) -> Lines:
    """Return the overview's pane: the limit, who is held up, the backlog of the fullest."""
    nodes = node.nodes
    worst = max(nodes.values(), key=lambda each: each.number("flow.backlog"))
    watched = nodes.get(str(node.figure("flow.limiter")), worst)
    held = sorted(
        ((writer.held, each.name, writer.name) for each in nodes.values()
         for writer in each.writers() if writer.held >= 0.005), reverse=True,
    )  # fmt: skip
    return [
        *limit_lines(node),
        (f"{watched.name} {{}}", (watched.figure("flow.backlog"),)),
        *((f"{of} {name} {{}}", (rate(share),)) for share, of, name in held[:3]),
    ]


MEMBERS: dict[str, Wanted] = {
    "BACKLOG┃TARGET": "flow.backlog",
    "LIMIT": "flow.backlog_by",
    "ALLOWED/s": "flow.allowed",
    "DEMAND/s": "flow.demand",
    "ADMITTED/s": "flow.admitted",
    "HELD UP": "flow.throttled_time/s",
    "RETIRES/s": "flow.retired",
    "TREND/s": "flow.backlog_trend",
    "SWING": "flow.swing",
    "AGE d": "flow.report_age",
    "τ/d": lambda node: node.share("flow.settling", "flow.report_age"),
}


def outlooks(node: Node) -> Rows:
    """Return when a backlog is full, or gone, where its node expects that within an hour."""
    found: Rows = {}
    for each in node.nodes.values():
        backlog, full, gone = map(each.number, ("flow.backlog", "flow.full_in", "flow.drained_in"))
        if 0 < full < (3600 if backlog >= 0.01 else 60) and backlog < 1:
            found[each.name] = {"OUTLOOK": full}
        elif 0 < gone < 3600 and 0.01 <= backlog < 1:
            found[each.name] = {"OUTLOOK": gone}
    return found


def writers(node: Node) -> Rows:
    """Return the clients that write."""
    return {
        rf"{writer.name} +{each.name} +{writer.process.document['pid']}": {
            "PID": writer.process.document["pid"],
            "ACTUAL/s": rate(writer.actual),
            "ALLOWED/s": rate(writer.allowed()),
            "DEMAND/s": rate(writer.demand),
            "HELD UP": rate(writer.held),
            "SO FAR": writer.process.figure("client.throttled_time"),
            "WAITS": writer.process.figure("client.throttled"),
        }
        for each in node.nodes.values()
        for writer in each.writers()
    }


# ---------------------------------------------------------------------- lag
def matrix(node: Node) -> Rows:
    """Return every replica behind every origin, and the worst."""
    return {
        replica.name: {
            **{f"from {origin}": (seconds, replica.lags("lag_updates")[origin])
               for origin, seconds in replica.lags("lag_seconds").items()},
            "WORST": replica.worst_lag(),
            "WAITS ON": tuple(replica.waits_on().values()),
        }
        for replica in node.nodes.values()
    }  # fmt: skip


def waits_lines(node: Node) -> Lines:
    """Return who is furthest behind, and where its updates are."""
    behind = [each for each in node.nodes.values() if each.waits_on()]
    if not behind:
        return []
    worst = max(behind, key=lambda each: each.worst_lag())
    parts = worst.waits_on()
    places = ", ".join(f"{place} {{}}" for place in parts)
    return [(f"{worst.name} waits on {places}", tuple(parts.values()))]


REPAIRS: dict[str, Wanted] = {
    "MISSING": lambda node: node.streams("missing"),
    "GAPS": lambda node: node.streams("gaps"),
    "NETWORK": lambda node: node.streams("lost_network"),
    "SOCKET": lambda node: node.streams("lost_socket"),
    "TWICE": lambda node: node.streams("duplicates"),
    "REPAIRED": "cluster.repaired",
    "ASKED": "cluster.repairs_asked",
    "SERVED": "cluster.repairs_served",
    "NOT ASKED": "cluster.repairs_suppressed",
}
HEALS: dict[str, Wanted] = {
    "STATE": "cluster.state",
    "DIVERGENT": "cluster.divergent",
    "MAY BE AWAY": lambda node: node.number("cluster.away_seconds") or nan,
    "COPIED": "cluster.copied",
    "HEALS": "cluster.heals",
    "LAST": lambda node: node.ago("cluster.last_heal"),
}


def peers(node: Node) -> Rows:
    """Return the other members as a node sees them."""
    columns = {"CLOCK": "clock_offset", "ROUND TRIP": "round_trip", "HEARD": "heard_age",
               "RESTARTS": "restarts", "STATE": "state", "PHASE": "phase"}  # fmt: skip
    return {
        name: {title: node.figure(f"peer[{name}].{field}") for title, field in columns.items()}
        for name in node.instances("peer")
    }


# ---------------------------------------------------------------------- probes, queue, store
def threads(node: Node) -> Rows:
    """Return where the threads of the daemon and its clients stand, and for how long."""
    found: Rows = {}
    for process in node.processes:
        document = process.document
        name = document["process"] + (f" {document['pid']}" if document["slot"] else "")
        lives = document["verdict"] == "alive"
        for thread in document["threads"]:
            short = thread["thread"].replace("MainThread", "main")
            marked = thread["path"] is not None
            place = f"{str(thread['path']).split('/')[-1]}:{thread['line']}"
            found[rf"{name} .* {short}"] = {
                "PID": document["pid"],
                "TID": thread["tid"],
                **({"FOR": Near(thread["stood_seconds"], ROUNDED_SECONDS)} if lives else {}),
                **({"NOW AT": place} if marked else {}),
            }
    return found


def rules(node: Node) -> Rows:
    """Return what the queue's merge rules did."""
    offered = node.number("queue.offered+")
    return {
        label: {
            "RATE": node.figure(f"queue.{field}/s"),
            "SHARE OF OFFERED": _part(node.number(f"queue.{field}+"), offered),
            "SINCE START": node.figure(f"queue.{field}"),
            "OF ALL": node.share(f"queue.{field}", "queue.offered"),
        }
        for label, field in RULES.items()
    }


def timers(node: Node) -> Rows:
    """Return the periodic tasks."""
    return {
        name: {
            "EVERY": node.figure(f"timer[{name}].interval"),
            "LAST RAN": node.ago(f"timer[{name}].last_run"),
            "TOOK": node.figure(f"timer[{name}].last_duration"),
            "LATE": node.late(name),
            "RUNS": node.figure(f"timer[{name}].runs"),
            "FAILED": node.figure(f"timer[{name}].failures"),
        }
        for name in node.instances("timer")
    }


TIMES = {"commit": "commit_time", "whole batch": "apply_time", "flush": "flush_time"}


def latencies(node: Node) -> Rows:
    """Return how often each was timed since the moment before; the quantiles where that is all.

    A dump has the quantiles since the start, and those of two moments say nothing of the time
    between; what is shown where nothing was timed, and at the first moment, is since the start.
    """
    found: Rows = {}
    for label, field in TIMES.items():
        whole = node.fields["store", "", field]
        before = node.before.get(("store", "", field), {"count": 0})
        count = whole["count"] - before["count"]
        cells: dict[str, Figure] = {"count": count or whole["count"]}
        if whole["count"] and count in (0, whole["count"]):
            cells |= {each: whole[each] / 1e6 for each in ("p50", "p99", "max")}
        found[label] = cells
    return found


def store_lines(node: Node) -> Lines:
    """Return what the store's file holds, and who reads it."""
    store = [node.figure(f"store.{each}") for each in ("file_size", "used_share", "map_size")]
    readers = tuple(node.figure(f"store.{each}") for each in ("readers", "oldest_reader"))
    whole = [table for table in node.node["tables"] if not table["index_of"]]
    lines: Lines = [("LMDB file {}, {} of {}", tuple(store))]
    lines.append(("reader slots {}, oldest {}", readers))
    return [*lines, ("records {} in {} table", (node.records(), len(whole)))] if whole else lines


def tables(node: Node) -> Rows:
    """Return the tables and their indexes."""
    found: Rows = {}
    for table in node.node["tables"]:
        own = table["name"].removeprefix(f"{table['index_of']}.")
        size = {"SIZE": table["size_bytes"]} if table["size_bytes"] else {}
        found[f"by {own}" if table["index_of"] else own] = {"ROWS": table["rows"], **size}
    return found


def readers(node: Node) -> Rows:
    """Return the processes that hold a snapshot of the store."""
    return {
        str(node.figure(f"reader[{name}].pid")): {
            "HELD FOR": node.figure(f"reader[{name}].age"),
            "BEHIND": node.figure(f"reader[{name}].behind"),
        }
        for name in node.instances("reader")
        if node.figure(f"reader[{name}].pid")
    }


TABLES: list[Table] = [
    ("overview", "NODE", _each_node(SCOREBOARD)),
    ("overview", "REPLICATION LAG", lambda node: {
        name: {k: v for k, v in cells.items() if k.startswith("from ")}
        for name, cells in matrix(node).items()}),
    ("columns", "", turned),
    ("probes", "PROCESS", threads),
    ("queue", "MERGE RULE", rules),
    ("flow", "NODE", _each_node(MEMBERS)),
    ("flow", "NODE", outlooks),
    ("flow", "WRITERS", writers),
    ("lag", "REPLICATION LAG", matrix),
    ("lag", "REPAIRS", _each_node(REPAIRS)),
    ("lag", "HEALING", _each_node(HEALS)),
    ("lag", "PEERS", peers),
    ("store", "TIMERS", timers),
    ("store", "LATENCY", latencies),
    ("store", "TABLES", tables),
    ("store", "LMDB READERS", readers),
]  # fmt: skip


def _line(template: str, *wanted: Wanted) -> Callable[[Node], Lines]:
    return lambda node: [(template, tuple(node.get(each) for each in wanted))]


LINES: list[Part] = [
    ("overview", "QUEUE MERGES", queue_lines),
    ("overview", "QUEUE MERGES", _line("writes avoided {}", "queue.avoided")),
    ("overview", "QUEUE MERGES", _line(
        "queue {} of {} oldest {} most {}", "queue.backlog.entries", "queue.limit",
        "queue.backlog.oldest", "queue.length_max")),
    ("overview", "FLOW CONTROL", flow_lines),
    ("overview", "REPLICATION LAG", waits_lines),
    ("queue", "waiting", _line(
        "waiting {} of {}, {} oldest {} at most {}, {} refused {}", "queue.backlog.entries",
        "queue.limit", "queue.backlog.size", "queue.backlog.oldest", "queue.length_max",
        "queue.size_max", "queue.refused")),
    ("queue", "waiting", _line(
        "writes avoided {} written per byte {}, {} for {} batches {}", "queue.avoided",
        "queue.write_amplification", "queue.written_bytes", "queue.offered_bytes",
        "queue.batches")),
    ("flow", "FLOW CONTROL", limit_lines),
    ("lag", "HEALING", _line(
        "journal {} of {}", "cluster.journal", "cluster.journal_limit")),
    ("lag", "NETWORK", _line(
        "sent {} received {} buffer {} dropped {}", "network.sent/s", "network.received/s",
        lambda node: node.share("network.buffer_used", "network.buffer"), Node.dropped)),
    ("store", "LATENCY", store_lines),
]  # fmt: skip

# The heading of a chart has the newest value: view, title, figure.
HEADS: list[tuple[str, str, Wanted]] = [
    *((view, title, figure) for title, figure in (
        ("OFFERED", "queue.offered/s"), ("APPLIED", "applier.writes/s"), ("MERGED", Node.merged),
        ("WAITING", "queue.backlog.entries")) for view in ("overview", "queue")),
    ("queue", "OLDEST", "queue.backlog.oldest"),
    ("queue", "BYTES WAITING", "queue.backlog.size"),
    ("flow", "BACKLOG", "flow.backlog"),
    ("flow", "ALLOWED", "flow.allowed"),
    ("flow", "DEMAND", "flow.demand"),
    ("flow", "APPLIED", "applier.writes/s"),
    ("lag", "BEHIND", Node.worst_lag),
    ("lag", "BEHIND, UPDATES", lambda node: node.worst_lag("lag_updates")),
    ("lag", "APPLIED", "applier.writes/s"),
    ("store", "RECORDS", Node.records),
    ("store", "LMDB FILE", "store.file_size"),
]  # fmt: skip
