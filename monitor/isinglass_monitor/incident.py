"""The report of an incident: what happened around an alarm or a moment, on one page; pure.

It is one document, of which JSON is the whole and Markdown what people read: the timeline of the
alarms, what operators did, the events, the statistics around it, and where threads stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from isinglass.cli.units import seconds, wall_time
from isinglass.clock import NANOSECONDS_PER_SECOND, stamp_wall_ns
from isinglass.glass.severity import severity_name
from isinglass.harmless import printable
from isinglass_monitor.figure_names import split
from isinglass_monitor.trends import Trend, figure_text

DOCUMENT_FORMAT = 1
# What is worth a line of every incident, beside what the alarm's own rule looks at.
USUAL = (
    "node.up",
    "applier.load_1s",
    "queue.length",
    "queue.offered",
    "flow.backlog",
    "flow.allowed",
    "peer.lag_seconds",
    "store.used_share",
)
DONE = ("acknowledged", "silenced", "expected")  # what of a timeline people did


class Window(NamedTuple):
    """The time that a report is about, in nanoseconds since 1970."""

    at: int
    since: int
    until: int


def concerned(alarms: Iterable[Mapping[str, Any]], window: Window) -> list[Mapping[str, Any]]:
    """Return the alarms that were raised at any time within the window, in order."""
    found = [
        alarm
        for alarm in alarms
        if alarm["number"]
        and alarm["raised_wall_ns"] < window.until
        and (not alarm["ended_wall_ns"] or alarm["ended_wall_ns"] >= window.since)
    ]
    return sorted(found, key=lambda alarm: int(alarm["raised_wall_ns"]))


def wanted_fields(known: Iterable[str], alarms: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return which of a node's figures belong into the report: those that alarms looked at, too."""
    wanted = set(USUAL).union(*(alarm["figures"] for alarm in alarms))
    return [f for f in known if f"{split(f).panel}.{split(f).field}" in wanted]


def document(
    window: Window,
    subject: Mapping[str, Any] | None,
    alarms: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]],
    trends: Sequence[Trend],
    threads: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the report.

    Args:
        subject: the alarm that it is about; None: a moment.
        threads: where threads stood, with the moment at which that was seen.
    """
    done = sorted(
        (
            {**entry, "alarm": alarm["number"], "rule": alarm["rule"], "node": alarm["node"]}
            for alarm in alarms
            for entry in alarm["timeline"]
            if entry["what"] in DONE and window.since <= entry["wall_ns"] < window.until
        ),
        key=lambda entry: int(entry["wall_ns"]),
    )
    return {
        "format": DOCUMENT_FORMAT,
        "at_wall_ns": window.at,
        "since_wall_ns": window.since,
        "until_wall_ns": window.until,
        "subject": subject,
        "alarms": list(alarms),
        "done": done,
        "events": list(events),
        "statistics": [trend.document() for trend in trends if trend.points],
        "sparklines": [
            {
                "node": trend.node,
                "field": trend.field,
                "bars": trend.sparkline(),
                "bounds": trend.bounds(),
                "unit": trend.unit,
            }
            for trend in trends
            if trend.points
        ],
        "threads": list(threads),
    }


def event_document(entry: Any) -> dict[str, Any]:
    """Return an entry of the spool as the report has it."""
    return {
        "wall_ns": stamp_wall_ns(entry.stamp),
        "node": entry.node,
        "process": entry.process,
        "severity": entry.severity,
        "flag": entry.flag,
        "message": entry.message,
        "fields": entry.fields,
        "where": entry.where,
        "missing": entry.missing,
    }


def markdown(report: Mapping[str, Any]) -> str:
    """Return the report as people read it."""
    subject = report["subject"]
    title = (
        f"{_cell(subject['rule'])} of {_cell(_about(subject))}, alarm {subject['number']}"
        if subject
        else wall_time(report["at_wall_ns"])
    )
    lines = [f"# Incident: {title}", ""]
    if subject:
        lines += [_cell(subject["sentence"]), "", f"Where to look: {_cell(subject['look'])}", ""]
    lines += [
        f"From {wall_time(report['since_wall_ns'])} to {wall_time(report['until_wall_ns'])},"
        " in the time of the machine that wrote this.",
        "",
        "## Alarms",
        "",
        *_alarms(report["alarms"]),
        "## What was done",
        "",
        *_table(
            ("time", "alarm", "what", "who and why"),
            [
                (_time(e["wall_ns"]), f"{e['alarm']} {e['rule']} {e['node']}", e["what"], e["text"])
                for e in report["done"]
            ],
            "Nobody acknowledged, silenced or announced anything.",
        ),
        "## Statistics",
        "",
        *_table(
            ("node", "figure", "trend", "least", "mean", "greatest", "unit"),
            [
                (one["node"], one["field"], f"`{one['bars']}`", *map(figure_text, one["bounds"]),
                 one["unit"])
                for one in report["sparklines"]
            ],
            "There are none of this time.",
        ),
        "## Events",
        "",
        *_table(
            ("time", "node", "level", "flag", "message", "where"),
            [_event(event) for event in report["events"]],
            "The spool has none of this time.",
        ),
        "## Threads",
        "",
        *_table(
            ("seen", "node", "process", "thread", "where", "doing", "for"),
            [
                (_time(t["wall_ns"]), t["node"], t["process"], t["thread"], t["where"], t["doing"],
                 seconds(t["seconds"]))
                for t in report["threads"]
            ],
            "None was seen: no node of these alarms runs on the monitor's machine.",
        ),
    ]  # fmt: skip
    return "\n".join(lines).rstrip("\n") + "\n"


def _alarms(alarms: Sequence[Mapping[str, Any]]) -> list[str]:
    if not alarms:
        return ["None was raised.", ""]
    lines: list[str] = []
    for alarm in alarms:
        ended = alarm["ended_wall_ns"]
        lasted = (ended - alarm["raised_wall_ns"]) / NANOSECONDS_PER_SECOND
        end = f"cleared after {seconds(lasted)}" if ended else "still raised"
        head = f"{alarm['number']}: {alarm['rule']} {_about(alarm)}"
        lines += [f"### {_cell(head)}", ""]
        lines += [f"{severity_name(alarm['severity'])}, {end}. {_cell(alarm['sentence'])}", ""]
        rows = [(_time(e["wall_ns"]), e["what"], e["text"]) for e in alarm["timeline"]]
        lines += _table(("time", "what", "text"), rows, "")
    return lines


def _about(alarm: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (alarm["node"], alarm["instance"])))


def _event(event: Mapping[str, Any]) -> tuple[str, ...]:
    message = f"{event['message']} {event['fields']}".replace("\t", " ")
    return (
        _time(event["wall_ns"]),
        event["node"],
        severity_name(event["severity"]),
        event["flag"],
        message,
        event["where"],
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], none: str) -> list[str]:
    if not rows:
        return [none, ""]
    return [
        f"| {' | '.join(columns)} |",
        f"|{' --- |' * len(columns)}",
        *(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows),
        "",
    ]


def _cell(text: str) -> str:
    """Return text that neither ends a cell nor is taken for markup, HTML included."""
    plain = printable(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").strip()
    return plain or " "


def _time(wall_ns: int) -> str:
    milliseconds = wall_ns // 1_000_000 % 1000
    return f"{wall_time(wall_ns)}.{milliseconds:03}"
