"""What `isinglass alarms` prints, from the documents that the monitor wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from isinglass.cli.sheet import Section
from isinglass.cli.units import seconds, wall_time
from isinglass.clock import NANOSECONDS_PER_SECOND
from isinglass.errors import IsinglassError
from isinglass.glass.permission import unreadable
from isinglass.glass.severity import ERROR, severity_name
from isinglass.harmless import printable
from isinglass_monitor.alarms.book import worst_first
from isinglass_monitor.alarms.notifiers import Notifier
from isinglass_monitor.alarms.rules import Rule
from isinglass_monitor.atomic_file import read_document
from isinglass_monitor.commands.places import Places
from isinglass_monitor.orders import is_there
from isinglass_monitor.watch import ALARMS_FILE, STATE_FILE

ENDED_SHOWN = 20
SILENT_NS = 5 * NANOSECONDS_PER_SECOND  # a monitor writes each second


class NoMonitor(IsinglassError):
    """No monitor has run on this machine under that name."""


def current(where: Places) -> tuple[dict[str, Any], bool]:
    """Return the newest document of alarms, and whether a monitor runs.

    Without one it is what the last monitor left, in memory or on disk.

    Raises:
        NoMonitor: there is none.
    """
    document = read_document(where.runtime / ALARMS_FILE)
    if document is None:
        state = read_document(where.data / STATE_FILE) or {}
        document = state.get("book")
    if not isinstance(document, dict):
        raise NoMonitor(
            unreadable(where.runtime)
            or unreadable(where.data)
            or f"No monitor {where.runtime.name} has run here:"
            " start one with `isinglass monitor start`."
        )
    return {"written_wall_ns": 0, "notifiers": [], **document}, is_there(where.runtime)


def remark(document: Mapping[str, Any], runs: bool, now_wall_ns: int) -> str:
    """Return the sentence that says why this is not how it is now; empty when it is."""
    at = document["written_wall_ns"]
    if not runs:
        return (
            f"no monitor runs; this is what the last one knew{f' at {wall_time(at)}' * bool(at)}."
        )
    if now_wall_ns - at > SILENT_NS:
        since = f" since {wall_time(at)}" * bool(at)
        return f"the monitor hangs: it has told nothing{since}; this is what it knew then."
    return ""


def sections(
    document: Mapping[str, Any], now_wall_ns: int, *, everything: bool, verbose: bool
) -> Iterator[Section]:
    """Yield what is printed for people."""
    raised = worst_first(alarm for alarm in document["alarms"] if alarm["number"])
    pending = sum(1 for alarm in document["alarms"] if not alarm["number"])
    heading = f"{len(raised)} raised, {pending} pending, {document['expected']} expected so far"
    if not raised:
        heading = f"No alarm is raised; {pending} pending."
    yield Section(
        heading,
        ("alarm>", "severity", "rule", "about", "state", "since", "told", "what"),
        [_row(alarm, now_wall_ns) for alarm in raised],
        alarming=any(alarm["severity"] >= ERROR for alarm in raised),
        droppable=("since", "told"),
    )
    if verbose:
        yield from (_details(alarm) for alarm in raised)
    yield from _holdings(document["holdings"], now_wall_ns)
    yield from _notifiers(document["notifiers"])
    if everything:
        ended = list(reversed(document["ended"]))[:ENDED_SHOWN]
        yield Section(
            f"The last {len(ended)} that ended",
            ("alarm>", "rule", "about", "raised", "lasted"),
            [_ended_row(alarm) for alarm in ended],
        )


def _about(alarm: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (alarm["node"], alarm["instance"])))


def _row(alarm: Mapping[str, Any], now_wall_ns: int) -> tuple[str, ...]:
    age = max(now_wall_ns - alarm["raised_wall_ns"], 0) / NANOSECONDS_PER_SECOND
    told = alarm["held_back"] or ("told" if alarm["told"] else "not yet")
    by = f" by {alarm['acknowledged_by']}" if alarm["state"] == "acknowledged" else ""
    flapping = ", flapping" if alarm["flapping"] else ""
    figures = alarm["sentence"].partition(": ")[2]
    return (
        str(alarm["number"]),
        severity_name(alarm["severity"]),
        alarm["rule"],
        _about(alarm),
        f"{alarm['state']}{by}{flapping}",
        seconds(age),
        told,
        figures,
    )


def _ended_row(alarm: Mapping[str, Any]) -> tuple[str, ...]:
    lasted = (alarm["ended_wall_ns"] - alarm["raised_wall_ns"]) / NANOSECONDS_PER_SECOND
    return (
        str(alarm["number"]),
        alarm["rule"],
        _about(alarm),
        wall_time(alarm["raised_wall_ns"]),
        seconds(max(lasted, 0.0)),
    )


def _details(alarm: Mapping[str, Any]) -> Section:
    held = f"{alarm['held_back']}: {alarm['held_why']}" if alarm["held_back"] else ""
    lines = [f"  look next: {alarm['look']}", *([f"  {printable(held)}"] if held else [])]
    rows = [
        (wall_time(entry["wall_ns"]), entry["what"], entry["text"]) for entry in alarm["timeline"]
    ]
    heading = f"alarm {alarm['number']}, {alarm['rule']} {_about(alarm)}"
    return Section(heading, ("when", "what", "text"), rows, lines=lines, headers=False)


def _holdings(holdings: Mapping[str, Any], now_wall_ns: int) -> Iterator[Section]:
    rows = [
        (
            str(one["number"]),
            "silence" if "rule" in one else one["kind"],
            f"{one['rule']} of {one['node']}" if "rule" in one else one["node"],
            seconds(max(one["until_wall_ns"] - now_wall_ns, 0) / NANOSECONDS_PER_SECOND),
            one["by"],
            one["reason"],
        )
        for one in (*holdings["silences"], *holdings["announcements"])
    ]
    if rows:
        columns = ("number>", "kind", "of", "ends in", "by", "because")
        yield Section("Silences and announcements", columns, rows)


def _notifiers(notifiers: list[dict[str, Any]]) -> Iterator[Section]:
    troubled = [one for one in notifiers if one["trouble"] or one["waiting"]]
    if troubled:
        yield Section(
            "Notifiers in trouble",
            ("name", "waiting>", "failures>", "trouble"),
            [
                (one["name"], str(one["waiting"]), str(one["failures"]), one["trouble"])
                for one in troubled
            ],
            alarming=True,
        )


def rule_document(rule: Rule) -> dict[str, Any]:
    """Return a rule as JSON has it."""
    return {
        "name": rule.name,
        "help": rule.help,
        "when": rule.when.text,
        "clear": rule.clear.text if rule.clear is not None else "",
        "for_seconds": rule.timing.raise_seconds,
        "clear_for_seconds": rule.timing.clear_seconds,
        "severity": severity_name(rule.severity),
        "about": rule.about,
        "agree": rule.agree,
        "caused_by": sorted(rule.caused_by),
        "announced": rule.announced,
        "look": rule.look,
    }


def rule_sections(
    rules: Mapping[str, Rule], notifiers: Mapping[str, Notifier]
) -> Iterator[Section]:
    """Yield what `isinglass alarms check` prints."""
    rows = [
        (rule.name, severity_name(rule.severity), " ".join(rule.when.text.split()))
        for rule in rules.values()
    ]
    yield Section(f"{len(rules)} rules", ("rule", "severity", "when"), rows)
    told = [(n.name, n.kind, f"from {severity_name(n.severity)} on") for n in notifiers.values()]
    yield Section(f"{len(notifiers)} notifiers", ("name", "kind", "told"), told, headers=False)
