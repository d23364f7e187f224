"""View 1: every node side by side, the panes of the selected one, the newest events.

The eye finds who is in trouble in the first table; the panes say why. At 80 columns the panes are
six lines, at 120 two by two, at 180 side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

from isinglass_console.model import format as text
from isinglass_console.model.board import GLYPHS, ROLES, Severity
from isinglass_console.model.frame import Condition, NodeFrame
from isinglass_console.model.layout import Column, place, split
from isinglass_console.model.series import sparkline
from isinglass_console.model.table import Cell, Row
from isinglass_console.screens import brief, columns, words
from isinglass_console.screens.events import events_block
from isinglass_console.screens.node_panes import OF_CLUSTER, Pane, panes_of
from isinglass_console.screens.panes import age_note, aged, dimmed
from isinglass_console.screens.scene import Page, Scene, table_block
from isinglass_console.screens.trends import TRENDS, has_trends, trends_row
from isinglass_console.screens.waiting import unread_node
from isinglass_console.widgets.bars import bar
from isinglass_console.widgets.line import Block, beside, crossing, noted_rule, rule
from isinglass_console.widgets.table import cell

TABLE = "nodes"
TARGET = 0.5
BRIEF_BELOW = 110
FOUR_FROM = 180
FIRST_LEAST = 10
TRENDS_LEAST = 6
TRENDS_MOST = 20
COLUMNS = (
    Column("node", "NODE", 9, 0, grow=1, largest=16),
    Column("state", "STATE", 12, 0),
    Column("load", "LOAD", 9, 2, grow=1, largest=23),
    Column("backlog", "BACKLOG┃TARGET", 14, 3, grow=1, largest=23),
    Column("pace", "PACE/s", 7, 2, right=True),
    Column("merged", "MERGED", 6, 1, right=True),
    Column("lag", "WORST LAG", 9, 0, right=True),
    Column("lag_trend", "", 6, 6, grow=1, largest=20),
    Column("applied", "APPLIED/s", 9, 4, right=True),
    Column("trend", "", 6, 5, grow=2, largest=30),
    Column("alarms", "ALARMS", 7, 4, grow=6, largest=90),
    Column("offered", "OFFERED/s", 9, 7, right=True),
    Column("oldest", "OLDEST", 8, 8, right=True),
)
# column: its figure
COMPARED = {
    "load": "load",
    "backlog": "backlog",
    "pace": "pace",
    "merged": "merged_share",
    "lag": "lag_seconds",
    "applied": "applied_rate",
    "offered": "offered_rate",
    "oldest": "oldest_seconds",
}
# column: the figure that at least one node must have
OF_CLUSTERS = {"pace": "pace", "lag": "lag_seconds", "lag_trend": "lag_seconds"}
SENTENCE_CELLS = 16


def build(scene: Scene) -> Page:
    """Return the overview: a row a node, or, turned, a column a node."""
    if scene.settings.columns:
        return columns.build(scene)
    shown = _columns(scene)
    widths = {item.column.key: item.width for item in place(shown, scene.width - 2)}
    rows = [_row(scene, node, widths) for node in scene.frame.nodes]
    page = Page(Block(scene.width), TABLE, rows, shown)
    if scene.settings.zoomed:
        page.block, page.rows = table_block(scene, TABLE, shown, rows, scene.height)
        return page
    table_height = min(len(rows) + 1, max(3, scene.height // 3))
    page.block, page.rows = table_block(
        scene, TABLE, shown, rows, table_height, filtered=bool(len(rows) > 1)
    )
    _below(scene, page.block, scene.height - table_height)
    return page


def _below(scene: Scene, block: Block, height: int) -> None:
    node = scene.node
    if node is None:
        return
    events_height = max(3, min(10, height // 4))
    if node.snapshot is None:
        block.lines.append(rule(scene.width))
        rest = scene.resized(scene.width, height - events_height - 2)
        block.extend(unread_node(rest, node))
        block.lines.append(rule(scene.width))
    elif scene.width < BRIEF_BELOW:
        age = age_note(scene, node)
        block.lines.append(noted_rule(scene.width, age))
        panes_height = height - events_height - 2
        facts = brief.build(scene.resized(scene.width, panes_height), node)
        block.extend(dimmed(facts) if age else facts)
        block.lines.append(rule(scene.width))
    else:
        _panes(scene, node, block, height - events_height)
    block.extend(events_block(scene.resized(scene.width, events_height)))


def _panes(scene: Scene, node: NodeFrame, block: Block, height: int) -> None:
    """Append the panes, and trends where there is room, in `height` lines with their rules."""
    across = 4 if scene.width >= FOUR_FROM else 2
    panes = panes_of(node, 4)
    grid = [panes[at : at + across] for at in range(0, len(panes), across)]
    room = height - len(grid) - 1
    whole = [
        [pane(scene.resized(width, room), node) for pane, width in _across(scene, row)]
        for row in grid
    ]
    heights = _heights(scene, node, whole, room)
    above: list[int] = []
    for row, built, row_height in zip(grid, whole, heights, strict=False):
        joints = _joints(split(scene.width, len(row)))
        block.lines.append(crossing(scene.width, above, joints))
        parts = [
            _part(scene.resized(width, row_height), node, pane, part)
            for (pane, width), part in zip(_across(scene, row), built, strict=True)
        ]
        block.extend(beside(parts, row_height))
        above = joints
    if len(heights) > len(grid):
        shown = TRENDS[: min(4, len(above) + 2)]
        joints = _joints(split(scene.width, len(shown)))
        block.lines.append(crossing(scene.width, above, joints))
        block.extend(trends_row(scene.resized(scene.width, heights[-1]), node, shown))
        above = joints
    block.lines.append(crossing(scene.width, above, []))


def _across(scene: Scene, row: Sequence[Pane]) -> Iterator[tuple[Pane, int]]:
    """Yield the panes of a row with the width of each."""
    return zip(row, split(scene.width, len(row)), strict=True)


def _part(scene: Scene, node: NodeFrame, pane: Pane, whole: Block) -> Block:
    """Return a pane in its place: as it was built with all the room, when that was not needed."""
    block = whole if len(whole.lines) <= scene.height else pane(scene, node)
    return block if pane in OF_CLUSTER else aged(scene, node, block)


def _joints(widths: list[int]) -> list[int]:
    return [sum(widths[: at + 1]) + at for at in range(len(widths) - 1)]


def _heights(scene: Scene, node: NodeFrame, whole: list[list[Block]], height: int) -> list[int]:
    """Return how high each row of panes is; one more when there is room for a row of trends.

    The lower rows get what they need, the first one the rest: it holds the probes, of which there
    may be any number.
    """
    needs = [max(len(block.lines) for block in row) + 1 for row in whole]
    lower = [min(need, height // len(whole)) for need in needs[1:]]
    first = height - sum(lower)
    spare = first - max(needs[0], FIRST_LEAST) - 1
    if spare >= TRENDS_LEAST and has_trends(scene, node, TRENDS[:4]):
        trends = min(spare, TRENDS_MOST)
        return [first - trends - 1, *lower, trends]
    return [first, *lower]


def _columns(scene: Scene) -> list[Column]:
    """Return the columns that at least one node has something for."""
    known = {figure for node in scene.frame.nodes for figure in node.figures}
    return [
        column
        for column in COLUMNS
        if column.key not in OF_CLUSTERS or OF_CLUSTERS[column.key] in known
    ]


def _row(scene: Scene, node: NodeFrame, widths: dict[str, int]) -> Row:
    fresh = scene.freshness(node)
    figures = {key: scene.figure(node, figure) for key, figure in COMPARED.items()}
    load, backlog = figures["load"], figures["backlog"]
    state = words.state_word(node)
    glyph = words.glyph(node.severity)
    alarms = _alarms(scene, node, widths.get("alarms", 0))
    return Row(
        key=node.name,
        cells={
            "node": cell(node.name, "bright"),
            "state": (glyph, (f" {state}", glyph[1] if node.severity else "plain")),
            "load": _bar_cell(load, widths.get("load", 0), load >= 0.9),
            "backlog": _bar_cell(backlog, widths.get("backlog", 0), backlog >= 0.75, TARGET),
            "pace": cell(text.pace(figures["pace"])),
            "merged": cell(text.share(figures["merged"])),
            "lag": _lag_cell(scene, node, figures["lag"]),
            "lag_trend": _spark(scene, node, "lag_seconds", widths.get("lag_trend", 1)),
            "applied": cell(text.count(figures["applied"])),
            "trend": _spark(scene, node, "applied_rate", widths.get("trend", 1)),
            "offered": cell(text.count(figures["offered"])),
            "oldest": cell(text.seconds(figures["oldest"])),
            "alarms": cell(alarms, _role(alarms, glyph[1])),
        },
        sort={
            "node": node.name,
            "state": -float(node.severity),
            **figures,
            "alarms": -float(node.severity),
        },
        search=f"{node.name} {state} {alarms}",
        stale=fresh.dim or node.condition != Condition.ALIVE,
    )


def _alarms(scene: Scene, node: NodeFrame, width: int) -> str:
    """Return the worst glyph with what is wrong: sentences where there is room, else a word."""
    life = words.life_sentence(node, scene.frame.wall_ns, scene.frame.interval_seconds)
    own = [] if life else [each.sentence() for each in node.troubles]
    raised = scene.sheet.active_of(node.name) if scene.sheet is not None else ()
    if not life and not own and not raised:
        return ""
    glyph = words.glyph(max([node.severity, *(alarm.severity for alarm in raised)]))[0]
    if width < SENTENCE_CELLS:
        return f"{glyph} {words.state_word(node) if life or own else raised[0].rule}"
    return f"{glyph} {'; '.join(filter(None, [life, *(each.rule for each in raised), *own]))}"


def _role(alarms: str, role: str) -> str:
    """Return the role of the column of alarms: a monitor may see what the node's life does not."""
    worse = {GLYPHS[each]: ROLES[each] for each in (Severity.WARNING, Severity.CRITICAL)}
    return worse.get(alarms[:1], role)


def _lag_cell(scene: Scene, node: NodeFrame, seconds: float) -> Cell:
    severity = scene.frame.levels.severity_of(node.name, "lag_seconds", seconds)
    glyph, role = words.glyph(severity)
    shown = text.seconds(seconds)
    return ((f"{glyph} {shown}", role),) if role != "dim" else cell(shown)


def _spark(scene: Scene, node: NodeFrame, figure: str, width: int) -> Cell:
    return cell(sparkline(scene.trend(node, figure, width)), "spark")


def _bar_cell(share: float, width: int, high: bool, target: float | None = None) -> Cell:
    if not isfinite(share):
        return cell(text.NOTHING, "dim")
    role = "bar_warning" if high else "bar"
    return (*bar(share, max(0, width - 6), role, target), (f"{text.share(share):>6}", "plain"))
