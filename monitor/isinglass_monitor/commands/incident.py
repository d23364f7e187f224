"""`isinglass incident ALARM|TIME`: one report of what happened around it, to keep or to share.

It puts together what is there: the monitor's book of alarms, its spool, its statistics, and, of
nodes on its machine, where their threads stood when the alarms were raised. The monitor need not
run for it.
"""

from __future__ import annotations

import sys
from heapq import nlargest
from pathlib import Path

from isinglass import clock
from isinglass.cli.options import Command, Option, Positional, Values
from isinglass.errors import IsinglassError, StoreError, UsageError
from isinglass_monitor.commands.places import NAME_HERE, Places, places_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from isinglass_monitor.incident import Window
    from isinglass_monitor.trends import Trend

EVENTS_SHOWN = 500
TREND_STEPS = 60

COMMAND = Command(
    "incident",
    "Write one report of what happened around an alarm or a time: Markdown, or JSON.",
    positionals=(
        Positional("WHAT", "the number of an alarm, or a time: 14:05, -20m, 2026-11-28 14:05"),
    ),
    options=(
        Option("output", "The file to write; a name that ends in .json gets JSON.", value="FILE",
               short="o", completes="files"),
        Option("before", "How much of the time before it.", value="TIME", default="5m"),
        Option("after", "How much of the time after it.", value="TIME", default="5m"),
        Option("level", "Only events as bad or worse.", value="LEVEL", default="info",
               choices=("trace", "debug", "info", "warn", "error")),
        Option("json", "Write JSON, whatever the file is called."),
        NAME_HERE,
    ),
    notes=(
        "For the time before the alarm was raised, and after it ended, or now.",
        "Exit code: 0 written; 1 not written, or no monitor has run here; 2 there is no such"
        " alarm.",
    ),
    examples=(
        "isinglass incident 17 -o incident.md",
        "isinglass incident 14:05 --before 30m --json | jq .events",
    ),
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Write the report."""
    from isinglass.cli.database import json_text
    from isinglass.cli.units import counted
    from isinglass_monitor.incident import markdown

    values = COMMAND.parse(arguments)
    report = _report(values, places_of(values.text("name")))
    output = values.text("output")
    as_json = values.flag("json") or output.endswith(".json")
    text = json_text(report, indent=1) + "\n" if as_json else markdown(report)
    if not output:
        sys.stdout.write(text)
        return 0
    try:
        Path(output).write_text(text, "utf-8")
    except OSError as error:
        raise IsinglassError(f"{output} cannot be written: {error.strerror}.") from error
    alarms, events = (counted(len(report[f"{what}s"]), what) for what in ("alarm", "event"))
    print(f"Wrote {output}: {alarms}, {events}.")
    return 0


def _report(values: Values, where: Places) -> dict[str, Any]:
    from isinglass_monitor.commands.alarms_text import NoMonitor, current
    from isinglass_monitor.incident import concerned, document
    from isinglass_monitor.query.filters import parse_level
    from isinglass_monitor.spool.folder import FOLDER, segment_numbers
    from isinglass_monitor.standing import kept

    now = clock.wall_ns()
    at = _time(values.text("WHAT"), now)
    try:
        book = current(where)[0]
    except NoMonitor:
        if not segment_numbers(where.data / FOLDER):
            raise
        book = {"alarms": [], "ended": []}
    alarms = [*book["ended"], *book["alarms"]]
    subject, window = _window(values, at, now, alarms)
    found = concerned(alarms, window)
    return document(
        window,
        subject,
        found,
        _events(where, window, parse_level(values.text("level"))),
        _trends(where, window, found),
        [row for alarm in found for row in kept(where.data, alarm["number"])],
    )


def _time(what: str, now: int) -> int | None:
    """Return the time that is meant; None for the number of an alarm."""
    from isinglass_monitor.query.times import parse_time

    return None if what.isascii() and what.isdigit() else parse_time(what, now)


def _window(
    values: Values, at: int | None, now: int, alarms: list[dict[str, Any]]
) -> tuple[dict[str, Any] | None, Window]:
    from isinglass.durations import seconds_of
    from isinglass_monitor.incident import Window

    what = values.text("WHAT")
    try:
        before, after = (round(seconds_of(values.text(n)) * 1e9) for n in ("before", "after"))
    except ValueError as error:
        raise UsageError(f"{error.args[0]!r} is no length of time: give 30s, 5m or 2h.") from None
    if at is not None:
        return None, Window(at, at - before, at + after)
    subject = next((alarm for alarm in alarms if alarm["number"] == int(what)), None)
    if subject is None:
        raise UsageError(f"There is no alarm {what}: `isinglass alarms list --all` lists them.")
    raised, ended = subject["raised_wall_ns"], subject["ended_wall_ns"] or now
    return subject, Window(raised, raised - before, ended + after)


def _events(where: Places, window: Window, severity: int) -> list[dict[str, Any]]:
    """Return the events of the time; where there are too many, the worst of them."""
    from isinglass.clock import stamp_floor
    from isinglass_monitor.incident import event_document
    from isinglass_monitor.spool.folder import FOLDER
    from isinglass_monitor.spool.reading import Question, SpoolReader

    folder = where.data / FOLDER
    if not folder.is_dir():
        return []
    question = Question(stamp_floor(window.since), stamp_floor(window.until), (), severity)
    with SpoolReader(folder) as spool:
        worst = nlargest(EVENTS_SHOWN, spool.ask(question), key=lambda entry: entry.severity)
    return [event_document(entry) for entry in sorted(worst)]


def _trends(where: Places, window: Window, alarms: Iterable[Mapping[str, Any]]) -> list[Trend]:
    from isinglass_monitor.incident import wanted_fields
    from isinglass_monitor.statistics_store import DIRECTORY, StatisticsFile
    from isinglass_monitor.trends import step_for, trend

    try:
        file = StatisticsFile(where.data / DIRECTORY, writes=False)
    except StoreError:
        return []
    since, until = (at // clock.NANOSECONDS_PER_SECOND for at in (window.since, window.until))
    step = step_for(until - since, TREND_STEPS)
    try:
        return [
            trend(node, field, file.read(node, field, since, until), step)
            for node in file.nodes()
            for field in wanted_fields(file.fields(node), alarms)
        ]
    finally:
        file.close()
