"""View 1: every node side by side, the panes of the selected one, the newest events.

The eye finds who is in trouble in the first table; the panes say why. At 80 columns the panes are
six lines, at 120 two by two, at 180 side by side.
"""

from __future__ import annotations

from math import isfinite

from isinglass_console.model import format as text
from isinglass_console.model.frame import Condition, NodeFrame
from isinglass_console.model.layout import Column, split
from isinglass_console.model.series import sparkline
from isinglass_console.model.table import Cell, Row
from isinglass_console.screens import brief, words
from isinglass_console.screens.events import events_block
from isinglass_console.screens.panes import panes_of
from isinglass_console.screens.scene import Page, Scene, table_block
from isinglass_console.widgets.bars import bar
from isinglass_console.widgets.line import Block, beside, rule
from isinglass_console.widgets.table import cell

TABLE = "nodes"
TARGET = 0.5
BRIEF_BELOW = 110
FOUR_FROM = 180
COLUMNS = (
    Column("node", "NODE", 10, 0, grow=1, largest=20),
    Column("state", "STATE", 12, 0),
    Column("load", "LOAD", 16, 2, grow=1, largest=24),
    Column("backlog", "BACKLOG ┃ target", 16, 3, grow=1, largest=24),
    Column("merged", "MERGED", 7, 1, right=True),
    Column("applied", "APPLIED/s", 10, 1, right=True),
    Column("trend", "", 12, 4, grow=2, largest=40),
    Column("offered", "OFFERED/s", 10, 5, right=True),
    Column("oldest", "OLDEST", 8, 6, right=True),
    Column("alarms", "ALARMS", 22, 7, grow=2, largest=60),
)


def build(scene: Scene) -> Page:
    """Return the overview."""
    rows = [_row(scene, node) for node in scene.frame.nodes]
    page = Page(Block(scene.width), TABLE, rows, list(COLUMNS))
    if scene.settings.zoomed:
        page.block, page.rows = table_block(scene, TABLE, COLUMNS, rows, scene.height)
        return page
    table_height = min(len(rows) + 1, max(3, scene.height // 3))
    page.block, page.rows = table_block(
        scene, TABLE, COLUMNS, rows, table_height, filtered=bool(len(rows) > 1)
    )
    _below(scene, page.block, scene.height - table_height)
    return page


def _below(scene: Scene, block: Block, height: int) -> None:
    node = scene.node
    if node is None:
        return
    events_height = max(3, min(12, height // 5))
    panes_height = height - events_height - 2
    if scene.width < BRIEF_BELOW:
        block.lines.append(rule(scene.width))
        block.extend(brief.build(scene.resized(scene.width, panes_height), node))
        block.lines.append(rule(scene.width))
    else:
        _panes(scene, node, block, panes_height)
    block.extend(events_block(scene.resized(scene.width, events_height)))


def _panes(scene: Scene, node: NodeFrame, block: Block, height: int) -> None:
    """Append the panes between rules, whose joints meet the upright ones."""
    across = 4 if scene.width >= FOUR_FROM else 2
    panes = panes_of(node, 4)
    grid = [panes[at : at + across] for at in range(0, len(panes), across)]
    heights = split(height + 1, len(grid))
    above: list[int] = []
    for row, row_height in zip(grid, heights, strict=True):
        widths = split(scene.width, len(row))
        joints = [sum(widths[: at + 1]) + at for at in range(len(widths) - 1)]
        block.lines.append(_joined(scene.width, above, joints))
        parts = [
            pane(scene.resized(width, row_height), node)
            for pane, width in zip(row, widths, strict=True)
        ]
        block.extend(beside(parts, row_height))
        above = joints
    block.lines.append(_joined(scene.width, above, []))


def _joined(width: int, above: list[int], below: list[int]) -> Cell:
    letters = list(rule(width)[0][0])
    for column in {*above, *below}:
        letters[column] = "┼" if column in above and column in below else "┬"
        if column not in below:
            letters[column] = "┴"
    return (("".join(letters), "rule"),)


def _row(scene: Scene, node: NodeFrame) -> Row:
    fresh = scene.freshness(node)
    load, backlog = node.figure("load"), node.figure("backlog")
    applied, offered = node.figure("applied_rate"), node.figure("offered_rate")
    state = words.state_word(node)
    glyph = words.glyph(node.severity)
    alarms = words.life_sentence(node, scene.frame.wall_ns, scene.frame.interval_seconds)
    if not alarms:
        alarms = "; ".join(trouble.sentence() for trouble in node.troubles)
    trend = sparkline(scene.trend(node, "applied_rate", 40)[-_trend_width(scene) :])
    return Row(
        key=node.name,
        cells={
            "node": cell(node.name, "bright"),
            "state": (glyph, (f" {state}", glyph[1] if node.severity else "plain")),
            "load": _bar_cell(load, _bar_width(scene), load >= 0.9),
            "backlog": _bar_cell(backlog, _bar_width(scene), backlog >= 0.75, TARGET),
            "merged": cell(text.share(node.figure("merged_share"))),
            "applied": cell(text.count(applied)),
            "trend": cell(trend, "spark"),
            "offered": cell(text.count(offered)),
            "oldest": cell(text.seconds(node.figure("oldest_seconds"))),
            "alarms": cell(alarms, glyph[1] if node.severity else "dim"),
        },
        sort={
            "node": node.name,
            "state": -float(node.severity),
            "load": load,
            "backlog": backlog,
            "merged": node.figure("merged_share"),
            "applied": applied,
            "offered": offered,
            "oldest": node.figure("oldest_seconds"),
            "alarms": alarms,
        },
        search=f"{node.name} {state} {alarms}",
        stale=fresh.dim or node.condition != Condition.ALIVE,
    )


def _bar_width(scene: Scene) -> int:
    return 9 if scene.width < 160 else 16


def _trend_width(scene: Scene) -> int:
    return 12 if scene.width < 160 else 30


def _bar_cell(share: float, width: int, high: bool, target: float | None = None) -> Cell:
    if not isfinite(share):
        return cell(text.NOTHING, "dim")
    role = "bar_warning" if high else "bar"
    return (*bar(share, width, role, target), (f"{text.share(share):>6}", "plain"))
