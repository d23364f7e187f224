"""View 3: what the merge rules did, what waits, and how both went over the last minutes."""

from __future__ import annotations

from math import isfinite, nan

from isinglass_console.model import format as text
from isinglass_console.model.frame import NodeFrame
from isinglass_console.model.layout import Column, place, split
from isinglass_console.model.merging import MergeRow, merge_rows
from isinglass_console.model.rates import number
from isinglass_console.model.table import Row
from isinglass_console.screens import reasons
from isinglass_console.screens.scene import Page, Scene, table_block
from isinglass_console.screens.trends import TRENDS, trends_row
from isinglass_console.widgets.bars import bar
from isinglass_console.widgets.line import Block, Pen, rule
from isinglass_console.widgets.table import cell

TABLE = "rules"
SHARE_CELLS = 7
COLUMNS = (
    Column("rule", "MERGE RULE", 14, 0),
    Column("rate", "RATE", 12, 0, right=True),
    Column("share", "SHARE OF OFFERED", 18, 1, grow=1, largest=32),
    Column("total", "SINCE START", 14, 2, right=True),
    Column("of_all", "OF ALL", 7, 3, right=True),
    Column("help", "WHAT IT MEANS", 40, 5, grow=4),
)


def build(scene: Scene) -> Page:
    """Return the view of one node's queue."""
    node = scene.node
    page = Page(Block(scene.width), TABLE, [], list(COLUMNS))
    if node is None:
        return page
    pair = scene.pair(node)
    rules = merge_rows(pair) if pair is not None else []
    blank = scene.freshness(node).blank and not scene.counting
    placed = place(COLUMNS, scene.width - 2)
    wide = next((item.width for item in placed if item.column.key == "share"), 0)
    rows = [_row(scene, node, rule_row, rules[0], blank, wide) for rule_row in rules]
    page.block, page.rows = table_block(scene, TABLE, COLUMNS, rows, len(rows) + 1)
    page.block.lines.append(rule(scene.width))
    _facts(page.block, scene, node)
    rest = scene.height - len(page.block.lines)
    if rest >= 4:
        _trends(page.block, scene, node, rest)
    page.block = page.block.sized(scene.height)
    return page


def _row(
    scene: Scene, node: NodeFrame, row: MergeRow, offered: MergeRow, blank: bool, wide: int
) -> Row:
    rate, share = (nan, nan) if blank else (row.rate, row.share)
    role = "plain" if rate > 0 or scene.counting else "dim"
    shown = text.count(row.grown) if scene.counting else text.rate(rate)
    of_all = row.total / offered.total if offered.total > 0 else nan
    role_of_bar = "bar" if row.field == "written" else "bar_dim"
    drawn = bar(share, max(0, wide - SHARE_CELLS), role_of_bar)
    return Row(
        key=row.field,
        cells={
            "rule": cell(row.label, "bright" if row.field in ("offered", "written") else role),
            "rate": cell(shown, role),
            "share": (*drawn, (f"{text.share(share):>{SHARE_CELLS}}", role)),
            "total": cell(text.count(row.total), role),
            "of_all": cell(text.share(of_all), role),
            "help": cell(_help(node, row.field), "dim"),
        },
        sort={
            "rule": row.label,
            "rate": rate,
            "share": share,
            "total": row.total,
            "of_all": of_all,
        },
        search=row.label,
        stale=scene.freshness(node).dim,
    )


def _help(node: NodeFrame, field: str) -> str:
    panel = node.snapshot.panel("queue") if node.snapshot is not None else None
    fields = panel.fields if panel is not None else ()
    return next((each.help for each in fields if each.name == field), "")


def _facts(block: Block, scene: Scene, node: NodeFrame) -> None:
    """Append three lines: what waits, how merging goes and why, and what each byte costs."""
    queue = node.snapshot.panel("queue") if node.snapshot is not None else None
    limit, refused = number(queue, "limit"), number(queue, "refused")
    pen = Pen(scene.width).fact(" waiting ", text.count(number(queue, "backlog.entries")))
    pen.fact(" of ", text.count(limit) if limit > 0 else text.NOTHING)
    pen.fact(", ", text.size(number(queue, "backlog.size")))
    pen.fact("   oldest ", text.seconds(number(queue, "backlog.oldest")))
    pen.fact("   at most ", text.count(number(queue, "length_max")))
    pen.fact(", ", text.size(number(queue, "size_max")))
    pen.fact("   refused ", text.count(refused), "warning" if refused > 0 else "dim")
    block.add(pen.line())
    block.add(reasons.merging_pen(Pen(scene.width).put(" "), scene, node).line())
    ratio = number(queue, "write_amplification")
    pen = Pen(scene.width).put(" since the start: ", "dim")
    pen.fact("writes avoided ", text.share(number(queue, "avoided")))
    pen.fact("   written per byte ", f"{ratio:.2f}" if isfinite(ratio) else text.NOTHING)
    written, offered = number(queue, "written_bytes"), number(queue, "offered_bytes")
    pen.fact(", ", f"{text.size(written)} for {text.size(offered)}", "dim")
    pen.fact("   batches ", text.count(number(queue, "batches")))
    block.add(pen.line())


def _trends(block: Block, scene: Scene, node: NodeFrame, height: int) -> None:
    """Append charts two (or three) abreast, as high as there is room."""
    across = 3 if scene.width >= 150 else 2
    rows = len(TRENDS) // across if height >= 12 else 1
    heights = [each - 1 for each in split(height, rows, rule=0)]
    widths = split(scene.width, across)
    joints = [sum(widths[: at + 1]) + at for at in range(across - 1)]
    for row, each in enumerate(heights):
        block.lines.append(rule(scene.width, joints, joint="┬" if row == 0 else "┼"))
        shown = TRENDS[row * across : (row + 1) * across]
        block.extend(trends_row(scene.resized(scene.width, each), node, shown))
