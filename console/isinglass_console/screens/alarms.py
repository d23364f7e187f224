"""View 8: the alarms of a monitor, the worst first, those that are over below them.

Of the selected one: what it says, what explains it, where to look next, and what happened when.
Paused, the alarms are those of the moment that all views show.
"""

from __future__ import annotations

from textwrap import wrap

from isinglass.glass.severity import severity_name
from isinglass_console.keys import named
from isinglass_console.model import format as text
from isinglass_console.model.alarms import CLEARED, Alarm, AlarmSheet, Holding
from isinglass_console.model.board import Severity
from isinglass_console.model.layout import Column
from isinglass_console.model.table import Row, selected_index
from isinglass_console.screens import words
from isinglass_console.screens.scene import Page, Scene, append_scrolled, table_block
from isinglass_console.widgets.line import Block, Line, Pen, cells, fit, noted_rule, rule
from isinglass_console.widgets.table import cell

ALARM_TABLE = "alarms"
COLUMNS = (
    Column("state", "STATE", 14),
    Column("since", "SINCE", 11, 1),
    Column("for", "FOR", 9, 2, right=True),
    Column("rule", "RULE", 21),
    Column("about", "ABOUT", 12, 0, grow=1, largest=24),
    Column("value", "VALUE", 28, 3, grow=3),
    Column("level", "LEVEL", 5, 4),
    Column("number", "ALARM", 5, 5, right=True),
)
LABEL = 12
KEYS = "<open>: that instant   <alarm.acknowledge>: acknowledge   <alarm.silence>: silence"
SILENT_SECONDS = 5.0


def build(scene: Scene) -> Page:
    """Return the view; it is there when a monitor is."""
    sheet = scene.every_alarm or AlarmSheet("")
    rows = [_row(scene, alarm) for alarm in sheet.alarms]
    block = Block(scene.width, [_heading(scene, sheet)])
    room = scene.height - 1
    height = min(len(rows) + 1, room if scene.settings.zoomed else max(3, room // 2))
    table, ordered = table_block(scene, ALARM_TABLE, COLUMNS, rows, height)
    block.extend(table)
    page = Page(block, ALARM_TABLE, ordered, list(COLUMNS))
    if not ordered and len(block.lines) < scene.height:
        nothing = "no alarm is like that" if rows else "no alarm is raised, and none ended lately"
        block.add(Pen(scene.width).put(f" {nothing}", "dim").line())
    if not scene.settings.zoomed:
        append_scrolled(scene, page, _below(scene, sheet, ordered))
    return page


def selected(scene: Scene, rows: list[Row]) -> Alarm | None:
    """Return the alarm of the selected row."""
    sheet = scene.every_alarm
    if not rows or sheet is None:
        return None
    key = rows[selected_index(rows, scene.settings.table(ALARM_TABLE))].key
    return next((alarm for alarm in sheet.alarms if alarm.key == key), None)


def _heading(scene: Scene, sheet: AlarmSheet) -> Line:
    held = len(sheet.raised) - len(sheet.active)
    pen = Pen(scene.width).put(" ALARMS", "title")
    pen.put(f"  {len(sheet.active)} raised", "bright" if sheet.active else "dim")
    pen.put(f", {held} held back or in hand" if held else "", "dim")
    pen.put(f", {sheet.pending} pending" if sheet.pending else "", "dim")
    note, role = f"as told by {sheet.monitor}", "dim"
    room = scene.width - pen.at - 4
    behind = (scene.newest.wall_ns - sheet.written_ns) / text.NANOSECONDS
    if not sheet.runs:
        at = f" at {text.date(sheet.written_ns, seconds=True)}" if sheet.written_ns else ""
        note, role = f"no monitor runs; the last one knew this{at}", "warning"
    elif behind > SILENT_SECONDS and scene.live and scene.newest.wall_ns:
        note, role = f"the monitor has written nothing for {text.seconds(behind)}", "warning"
    if scene.told.sentence:
        note, role = scene.told.sentence, "warning"
    note = note if cells(note) <= room else fit(note, room)
    return pen.put("  ").to(scene.width - cells(note) - 1).put(note, role).line()


def glyph_of(alarm: Alarm) -> tuple[str, str]:
    """Return the glyph of an alarm's level; dim once nobody needs to do anything about it."""
    sign, role = words.glyph(alarm.severity)
    if alarm.state == CLEARED:
        return words.glyph(Severity.WELL)
    return (sign, role if alarm.active else "dim")


def _row(scene: Scene, alarm: Alarm) -> Row:
    sign, role = glyph_of(alarm)
    seconds = _seconds(scene, alarm)
    return Row(
        key=alarm.key,
        cells={
            "state": ((sign, role), (f" {alarm.state}", role)),
            "since": cell(text.moment(alarm.raised_ns, scene.newest.wall_ns), "dim"),
            "for": cell(text.seconds(seconds), "dim"),
            "rule": cell(alarm.rule, "bright" if alarm.active else "plain"),
            "about": cell(alarm.about),
            "value": cell(alarm.value, "plain" if alarm.active else "dim"),
            "level": cell(severity_name(alarm.level), "dim"),
            "number": cell(str(alarm.number), "dim"),
        },
        sort={
            "state": alarm.state,
            "since": float(alarm.raised_ns),
            "for": seconds,
            "rule": alarm.rule,
            "about": alarm.about,
            "value": alarm.value,
            "level": -float(alarm.level),
            "number": float(alarm.number),
        },
        search=f"{alarm.state} {alarm.rule} {alarm.about} {severity_name(alarm.level)}"
        f" {alarm.value} {alarm.help}",
        stale=alarm.state == CLEARED,
    )


def _seconds(scene: Scene, alarm: Alarm) -> float:
    """Return for how long an alarm has been raised, or was."""
    end = alarm.ended_ns or scene.frame.wall_ns or alarm.raised_ns
    return max(end - alarm.raised_ns, 0) / text.NANOSECONDS


# ---------------------------------------------------------------------- below the table
def _below(scene: Scene, sheet: AlarmSheet, rows: list[Row]) -> Block:
    keys = named(KEYS, scene.settings.own_keys)
    block = Block(scene.width, [noted_rule(scene.width, keys if rows else "")])
    alarm = selected(scene, rows)
    if alarm is not None:
        _details(scene, alarm, block)
    if sheet.holdings:
        block.lines.append(rule(scene.width))
        block.add(Pen(scene.width).put(" SILENCES AND ANNOUNCEMENTS", "title").line())
        for holding in sheet.holdings:
            block.add(_holding(scene, holding))
    return block


def _details(scene: Scene, alarm: Alarm, block: Block) -> None:
    pen = Pen(scene.width).put(f" {alarm.rule}", "bright").put(f"  {alarm.about}")
    pen.put(f"  {alarm.state}", glyph_of(alarm)[1])
    pen.put(f" {alarm.why}" if alarm.why else "", "dim")
    block.add(pen.line())
    _wrapped(scene, block, "", alarm.help, "plain")
    _wrapped(scene, block, "VALUE", alarm.value, "plain")
    _wrapped(scene, block, "LOOK NEXT", alarm.look, "plain")
    for number, step in enumerate(reversed(alarm.steps)):
        pen = Pen(scene.width).put("" if number else " TIMELINE", "title", LABEL)
        pen.put(f"{text.moment(step.wall_ns, scene.newest.wall_ns):<12}", "dim")
        block.add(pen.put(f"{step.what:<14}").put(step.text, "dim").line())


def _wrapped(scene: Scene, block: Block, label: str, words_of: str, role: str) -> None:
    for number, line in enumerate(wrap(words_of, max(10, scene.width - LABEL - 1))):
        pen = Pen(scene.width).put(f" {label}" if not number else "", "title", LABEL)
        block.add(pen.put(line, role).line())


def _holding(scene: Scene, holding: Holding) -> Line:
    pen = Pen(scene.width).put(f" {holding.number:>3}", "dim").put(f"  {holding.kind:<12}")
    pen.put(holding.of, "bright")
    left = (holding.until_ns - scene.frame.wall_ns) / text.NANOSECONDS
    pen.put(f"  ends in {text.seconds(left)}" if left > 0 else "  is over", "dim")
    return pen.put(f"  by {holding.by}: ", "dim").put(holding.reason).line()
