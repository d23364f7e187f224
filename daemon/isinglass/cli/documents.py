"""The JSON forms of a snapshot; their keys are a promise to scripts (a test holds them)."""

from __future__ import annotations

import json
from math import isfinite

from isinglass.cli.selection import Selection
from isinglass.cli.units import figures_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isinglass.glass.panel_views import FieldView, PanelView
    from isinglass.glass.schema import Site
    from isinglass.glass.snapshot import Process, Snapshot, Thread

DOCUMENT_FORMAT = 1


def document(snapshots: Iterable[Snapshot], selection: Selection) -> str:
    """Return one JSON text for `isinglass dump --json`, ending in a newline."""
    nodes = [node_document(snapshot, selection) for snapshot in snapshots]
    return json.dumps({"format": DOCUMENT_FORMAT, "nodes": nodes}, indent=1) + "\n"


def node_document(snapshot: Snapshot, selection: Selection) -> dict[str, object]:
    """Return a snapshot as plain dictionaries and lists."""
    return {
        "node": snapshot.node,
        "state": snapshot.state,
        "generation": snapshot.generation,
        "taken_wall_ns": snapshot.taken_wall_ns,
        "processes": [
            process_document(process, selection)
            for process in snapshot.processes
            if selection.process(process)
        ],
        "tables": [
            {
                "name": table.name,
                "rows": table.rows,
                "size_bytes": table.size_bytes,
                "index_of": table.index_of,
            }
            for table in snapshot.tables
        ],
    }


def process_head(process: Process) -> dict[str, object]:
    """Return what every JSON form says about a process."""
    return {
        "process": process.name,
        "pid": process.pid,
        "verdict": process.verdict,
        "heartbeat_age_seconds": round(process.heartbeat_age_seconds, 3),
    }


def process_document(process: Process, selection: Selection) -> dict[str, object]:
    """Return a process with its threads, panels, errors and events."""
    return {
        **process_head(process),
        "slot": process.slot,
        "claim": process.claim,
        "command": process.command,
        "claimed_wall_ns": process.claimed_wall_ns,
        "threads": [thread_document(thread) for thread in process.threads],
        "panels": [panel_document(panel, fields) for panel, fields in selection.panels(process)],
        "errors": [
            {
                "kind": error.kind,
                "message": error.message,
                "where": error.where,
                "count": error.count,
                "first_wall_ns": error.first_wall_ns,
                "last_wall_ns": error.last_wall_ns,
            }
            for error in process.errors
        ],
        "events": [
            {
                "wall_ns": event.wall_ns,
                "stamp": event.stamp,
                "sequence": event.sequence,
                "severity": event.severity,
                "flag": event.flag,
                "message": event.message,
                "fields": event.fields,
                "path": event.path,
                "line": event.line,
            }
            for event in process.events
        ],
    }


def thread_document(thread: Thread) -> dict[str, object]:
    """Return a thread and the mark where it stands."""
    return {
        "thread": thread.name,
        "tid": thread.tid,
        "stood_seconds": round(thread.stood_seconds, 3),
        **site_document(thread.site),
    }


def site_document(site: Site | None) -> dict[str, str | int | float | None]:
    """Return a mark's place; all values are null before the first mark."""
    if site is None:
        return dict.fromkeys(("path", "line", "function", "label", "waits"))
    return {
        "path": site.path,
        "line": site.line,
        "function": site.function,
        "label": site.label,
        "waits": site.waits,
    }


def panel_document(panel: PanelView, fields: Sequence[FieldView]) -> dict[str, object]:
    """Return a panel with the chosen fields."""
    return {
        "panel": panel.name,
        "instance": panel.instance,
        "help": panel.help,
        "fields": [field_document(field) for field in fields],
    }


def field_document(field: FieldView) -> dict[str, object]:
    """Return a field with its value; a histogram's value is its count, sum and quantiles."""
    return {
        "field": field.name,
        "kind": field.kind,
        "unit": field.unit,
        "level": field.level,
        "help": field.help,
        "value": field_json(field),
    }


def json_figure(value: int | float | str | None) -> int | float | str | None:
    """Return a value as JSON has it: null for a number that is not finite."""
    return None if isinstance(value, float) and not isfinite(value) else value


def field_json(field: FieldView) -> object:
    """Return the value of a field as JSON has it; a histogram's is its figures."""
    value = field.value
    if isinstance(value, int | float | str):
        return json_figure(value)
    return {"count": value.count, "sum": value.sum, **figures_of(value)}
