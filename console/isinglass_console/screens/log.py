"""View 7: the log, from a monitor's spool or from the rings of the nodes here, by pages.

Live it follows, with the newest event last. Paused it stands at the moment that all views show:
what happened later is dim. Whoever moves up reads on from there, and the log holds still until its
end is reached again. What the console itself noticed (a daemon that was killed) stands among the
events of a monitor, too.
"""

from __future__ import annotations

from textwrap import wrap

from isinglass.glass.severity import ERROR, WARNING, severity_name
from isinglass_console.keys import named
from isinglass_console.model import format as text
from isinglass_console.model.hub import CONSOLE
from isinglass_console.model.layout import Column
from isinglass_console.model.log import LogEntry
from isinglass_console.model.log_page import LogPage, index_at, page_of_log
from isinglass_console.model.table import Row, TableState
from isinglass_console.screens.desk import LOG_TABLE
from isinglass_console.screens.scene import Page, Scene
from isinglass_console.widgets.line import Block, Line, Pen, cells, noted_rule
from isinglass_console.widgets.table import cell, paint_table

COLUMNS = (
    Column("time", "TIME", 12),
    Column("node", "NODE", 9, 1),
    Column("process", "PROCESS", 10, 5),
    Column("level", "LEVEL", 5),
    Column("flag", "FLAG", 8, 4),
    Column("message", "EVENT", 28, 0, grow=1),
)
DETAIL_LINES, DETAIL_FROM = 3, 14
KEYS = "<open>: that instant in every view   <log.severity>: severity   <log.node>: this node"
CONTEXT_PART = 4  # of the height: what stays visible beyond the selected row


def page_shown(scene: Scene) -> LogPage:
    """Return the page to show: the monitor's, or one of the rings when there is no monitor."""
    return scene.told.page or page_of_log(scene.whole_log.entries, scene.request)


def events_shown(scene: Scene) -> list[LogEntry]:
    """Return the events of the page in order, with what the console noticed in their time."""
    page = page_shown(scene)
    if scene.told.page is None:
        return list(page.entries)
    first = page.entries[0].wall_ns if page.more_before and page.entries else 0
    last = page.entries[-1].wall_ns if page.more_after and page.entries else 1 << 63
    noticed = [
        entry
        for entry in scene.whole_log.entries
        if entry.process == CONSOLE and first <= entry.wall_ns <= last and page.request.wants(entry)
    ]
    if not noticed:
        return list(page.entries)
    return sorted([*page.entries, *noticed], key=lambda entry: entry.wall_ns)


def index_shown(scene: Scene, entries: list[LogEntry]) -> int:
    """Return the index of the selected event: the chosen one, the moment's, or the newest."""
    chosen = scene.settings.table(LOG_TABLE).selected
    if chosen:
        for number, entry in enumerate(entries):
            if entry.key == chosen:
                return number
    at_ns = scene.request.at_ns
    return index_at(entries, at_ns) if at_ns is not None else max(0, len(entries) - 1)


def build(scene: Scene) -> Page:
    """Return the log."""
    page, entries = page_shown(scene), events_shown(scene)
    at = index_shown(scene, entries)
    detail = _detail(scene, entries[at]) if entries else Block(scene.width)
    if scene.settings.zoomed or scene.height < DETAIL_FROM:
        detail = Block(scene.width)
    block = Block(scene.width, [_heading(scene, page)])
    body = scene.height - 2 - len(detail.lines)
    first = _first(len(entries), at, body)
    rows = [_row(scene, entry) for entry in entries]
    state = TableState(selected=rows[at].key if rows else "")
    visible = rows[first : first + body]
    block.extend(
        paint_table(
            LOG_TABLE, COLUMNS, visible, state, scene.width, body + 1, tags=scene.settings.tags
        )
    )
    if not entries:
        block.lines[2:3] = [Pen(scene.width).put(f" {_nothing(page)}", "dim").line()]
    block.extend(detail)
    return Page(block, LOG_TABLE, rows, list(COLUMNS))


def _first(count: int, at: int, height: int) -> int:
    """Return the first row on the screen: the selected one has some of its future below it."""
    below = max(1, height // CONTEXT_PART)
    return max(0, min(at + below + 1 - height, count - height))


def _heading(scene: Scene, page: LogPage) -> Line:
    """Return what the log is of, what is left out of it, and whether it moves."""
    request = scene.request
    pen = Pen(scene.width).put(" LOG", "title")
    pen.put(f"  {page.source}", "dim")
    sentence = page.sentence or scene.told.sentence
    if sentence:
        pen.put(f"  {sentence}", "warning")
    if request.severity:
        pen.put(f"   {severity_name(request.severity)} and worse", "accent")
    if request.node:
        pen.put(f"   of {request.node}", "accent")
    if page.searched_from_ns:
        pen.put(f"   searched back to {_moment(scene, page.searched_from_ns)}", "warning")
    state, role = "follows", "dim"
    if scene.live and request.at_ns is not None:
        state, role = "held; G: follow", "accent"
    elif not scene.live:
        state, role = f"at {_moment(scene, request.at_ns or 0)}", "accent"
    if page.request != request:
        state, role = "reads", "dim"
    return pen.to(scene.width - cells(state) - 1).put(state, role).line()


def _nothing(page: LogPage) -> str:
    narrow = page.request.filter or page.request.severity or page.request.node
    return "no event is like that" if narrow else "no events yet"


def _row(scene: Scene, entry: LogEntry) -> Row:
    role = role_of(entry.severity)
    later = not scene.live and entry.wall_ns > scene.frame.wall_ns
    return Row(
        key=entry.key,
        cells={
            "time": cell(_moment(scene, entry.wall_ns), "dim"),
            "node": cell(entry.node),
            "process": cell(entry.process, "dim"),
            "level": cell(severity_name(entry.severity), role),
            "flag": cell(entry.flag, "dim"),
            "message": cell(entry.message, "plain" if role == "dim" else role),
        },
        search=entry.search,
        stale=later,
    )


def role_of(severity: int) -> str:
    """Return the role of a severity: bright is only what is not well."""
    if severity >= ERROR:
        return "critical"
    return "warning" if severity >= WARNING else "dim"


def _moment(scene: Scene, wall_ns: int) -> str:
    return text.moment(wall_ns, scene.newest.wall_ns, milliseconds=True)


def _detail(scene: Scene, entry: LogEntry) -> Block:
    """Return the selected event whole, as far as it has room."""
    block = Block(scene.width)
    block.lines.append(noted_rule(scene.width, named(KEYS, scene.settings.own_keys)))
    pen = Pen(scene.width).put(f" {text.date(entry.wall_ns, seconds=True)} UTC", "dim")
    pen.put(f"  {entry.node}/{entry.process}", "bright")
    pen.put(f"  {severity_name(entry.severity)}", role_of(entry.severity))
    pen.put(f"  {entry.flag}", "dim").put(f"  {entry.where}" if entry.where else "", "dim")
    block.add(pen.line())
    lines = wrap(entry.message, max(10, scene.width - 2)) or [""]
    for number in range(DETAIL_LINES - 1):
        line = lines[number] if number < len(lines) else ""
        more = number == DETAIL_LINES - 2 and len(lines) > DETAIL_LINES - 1
        block.add(Pen(scene.width).put(f" {line}{' …' if more else ''}").line())
    return block
