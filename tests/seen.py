"""All that a view could see of a snapshot, as plain values that can be compared."""

from __future__ import annotations

from isinglass.glass.histogram import HistogramValue
from isinglass.glass.snapshot import Process, Snapshot


def seen(snapshot: Snapshot) -> dict[str, object]:
    """Return everything that a snapshot answers."""
    header = snapshot.header
    return {
        "header": [getattr(header, name) for name in header.__slots__],
        "segment": (snapshot.path, snapshot.inode, snapshot.node, snapshot.generation),
        "taken": (snapshot.taken_wall_ns, snapshot.taken_monotonic_ns),
        "tables": [(t.name, t.index_of, t.rows, t.size_bytes) for t in snapshot.tables],
        "processes": [_process(process) for process in snapshot.processes],
    }


def _process(process: Process) -> dict[str, object]:
    return {
        "life": (process.slot, process.claim, process.pid, process.verdict, process.name),
        "times": (process.claimed_wall_ns, process.ended_wall_ns, process.heartbeat_age_seconds),
        "command": process.command,
        "threads": [
            (t.index, t.name, t.tid, t.word, t.stood_seconds, t.site and (t.site.path, t.site.line))
            for t in process.threads
        ],
        "fields": [
            (panel.name, panel.instance, field.name, field.unit, plain(field.value))
            for panel in process.panels
            for field in panel.fields
        ],
        "errors": [
            (e.kind, e.message, e.where, e.count, e.first_wall_ns, e.last_wall_ns)
            for e in process.errors
        ],
        "events": [(e.sequence, e.stamp, e.flag, e.message, e.fields) for e in process.events],
    }


def plain(value: object) -> object:
    """Return a field's value as one that can be compared; NaN as a word."""
    if isinstance(value, HistogramValue):
        return value.buckets, value.sum
    return value if value == value else "NaN"
