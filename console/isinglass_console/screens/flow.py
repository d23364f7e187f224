"""View 4: who limits the cluster, by which limit, since when; what that does to every writer.

The members stand above, the writers below; zoomed, the writers stand alone, and the keys act on
them.
"""

from __future__ import annotations

from math import isfinite, nan

from isinglass_console.model import format as text
from isinglass_console.model.flow import (
    TARGET,
    FlowRow,
    Limit,
    Outlook,
    WriterRow,
    flow_rows,
    limit_of,
    outlook,
    writer_rows,
)
from isinglass_console.model.frame import NodeFrame, process_freshness
from isinglass_console.model.layout import Column, place
from isinglass_console.model.members import cluster_of
from isinglass_console.model.table import Cell, Row
from isinglass_console.screens import reasons
from isinglass_console.screens.cluster_panes import (
    SWING_WARNING,
    allowed_pen,
    limit_span,
    loop_pen,
)
from isinglass_console.screens.panes import age_note, dimmed, heading
from isinglass_console.screens.scene import Page, Scene, table_block
from isinglass_console.screens.trends import FLOW_TRENDS, trends_row
from isinglass_console.widgets.bars import bar
from isinglass_console.widgets.line import Block, Pen, rule
from isinglass_console.widgets.table import cell

TABLE, WRITERS = "flow", "writers"
TRENDS_LEAST, TRENDS_MOST = 6, 24
PERCENT_CELLS = 6
LABEL = 12
COLUMNS = (
    Column("node", "NODE", 11, 0, grow=1, largest=18),
    Column("backlog", "BACKLOG┃TARGET", 14, 0, grow=2, largest=36),
    Column("by", "LIMIT", 7, 2),
    Column("outlook", "OUTLOOK", 24, 1),
    Column("allowed", "ALLOWED/s", 9, 0, right=True),
    Column("demand", "DEMAND/s", 8, 3, right=True),
    Column("admitted", "ADMITTED/s", 10, 3, right=True),
    Column("held", "HELD UP", 7, 4, right=True),
    Column("retired", "RETIRES/s", 9, 5, right=True),
    Column("trend", "TREND/s", 8, 6, right=True),
    Column("swing", "SWING", 5, 7, right=True),
    Column("age", "AGE d", 7, 8, right=True),
    Column("ratio", "τ/d", 4, 9, right=True),
)
WRITER_COLUMNS = (
    Column("client", "CLIENT", 14, 0, grow=2, largest=30),
    Column("node", "NODE", 9, 1, grow=1, largest=16),
    Column("pid", "PID", 8, 5, right=True),
    Column("actual", "ACTUAL/s", 8, 0, right=True),
    Column("allowed", "ALLOWED/s", 9, 1, right=True),
    Column("demand", "DEMAND/s", 8, 1, right=True),
    Column("held", "HELD UP", 14, 2, grow=2, largest=36),
    Column("total", "SO FAR", 9, 3, right=True),
    Column("waits", "WAITS", 8, 4, right=True),
)


def build(scene: Scene) -> Page:
    """Return the view of flow control in the selected node's cluster."""
    node = scene.node
    limit = limit_of(node) if node is not None else None
    page = Page(Block(scene.width), TABLE, [], list(COLUMNS))
    if node is None or limit is None:
        return page
    if scene.settings.zoomed:
        page.table, page.columns = WRITERS, list(WRITER_COLUMNS)
        rows = _writers(scene, node)
        page.block, page.rows = table_block(scene, WRITERS, WRITER_COLUMNS, rows, scene.height)
        return page
    members = flow_rows(scene.frame, node, scene.pairs(node))
    page.block.extend(_facts(scene, node, limit, members))
    page.block.lines.append(rule(scene.width))
    rows = [_row(scene, row, limit, _widths(COLUMNS, scene.width)) for row in members]
    height = min(len(rows) + 1, max(3, scene.height // 3))
    table, page.rows = table_block(scene, TABLE, COLUMNS, rows, height)
    page.block.extend(table)
    page.block.lines.append(rule(scene.width))
    _below(scene, node, page.block)
    page.block = page.block.sized(scene.height)
    return page


def _widths(columns: tuple[Column, ...], width: int) -> dict[str, int]:
    return {item.column.key: item.width for item in place(columns, width - 2)}


def _facts(scene: Scene, node: NodeFrame, limit: Limit, rows: list[FlowRow]) -> Block:
    """Return who limits whom, and how the control itself does, as the selected node sees it."""
    age = age_note(scene, node)
    width = scene.width
    note = age or f"as {node.name} sees it"
    block = heading("FLOW CONTROL", cluster_of(node.snapshot), note, width)
    pen = Pen(width).put(" limited by ", "dim").put(*limit_span(limit))
    block.add(allowed_pen(pen.put("   allowed ", "dim"), limit).line())
    if limit.limiter:
        because, stands = (Pen(width).put(f" {each} ", "dim", LABEL) for each in ("why", "applier"))
        block.add(reasons.because_pen(because, scene, limit).line())
        block.add(reasons.stands_pen(stands, scene, limit).line())
    pen = Pen(width).put(" loop  ", "dim")
    own = next((row for row in rows if row.name == node.name), None)
    if own is not None:
        pen = loop_pen(pen, own, limit)
    if limit.lagging > 0:
        pen.fact("   without progress, so nobody waits for them: ", text.count(limit.lagging))
    block.add(pen.line())
    return dimmed(block) if age else block


def _row(scene: Scene, row: FlowRow, limit: Limit, widths: dict[str, int]) -> Row:
    node = scene.frame.node(row.name) if row.own else None
    fresh = scene.freshness(node) if node is not None else None
    blank = fresh is not None and fresh.blank
    limits = row.name == limit.limiter
    going = Outlook("") if blank else outlook(row)
    high = row.backlog >= 0.75
    rates = {
        "allowed": nan if blank else row.allowed,
        "demand": nan if blank else row.demand,
        "admitted": nan if blank else row.admitted,
        "retired": nan if blank else row.retired,
    }
    shares = {
        "held": nan if blank else row.held_share,
        "trend": nan if blank else row.trend,
        "swing": nan if blank else row.swing,
    }
    ratio = f"{row.loop_ratio:.1f}" if isfinite(row.loop_ratio) else text.NOTHING
    mark = ("▲ ", "warning") if limits else ("· ", "dim")
    swings = limit.limiter != "" and shares["swing"] > SWING_WARNING
    return Row(
        key=row.name,
        cells={
            "node": (mark, (row.name, "bright" if row.own else "dim")),
            "backlog": _bar(row.backlog, widths.get("backlog", 0), high, TARGET),
            "by": cell(row.by, "warning" if limits else "dim"),
            "outlook": _outlook_cell(going),
            **{key: cell(text.pace(value)) for key, value in rates.items()},
            "held": cell(text.share(shares["held"]), "plain" if shares["held"] > 0 else "dim"),
            "trend": cell(_signed(shares["trend"]), "dim"),
            "swing": cell(text.share(shares["swing"]), "warning" if swings else "dim"),
            "age": cell(text.seconds(row.report_age), "dim"),
            "ratio": cell(ratio, "dim"),
        },
        sort={
            "node": row.name,
            "backlog": row.backlog,
            "by": row.by,
            "outlook": row.trend,
            **rates,
            **shares,
            "age": row.report_age,
            "ratio": row.loop_ratio,
        },
        search=f"{row.name} {row.by} {going.word}",
        stale=fresh is not None and fresh.dim,
    )


def _outlook_cell(going: Outlook) -> Cell:
    if not going.end:
        return cell(going.word or text.NOTHING, "warning" if going.word == "full" else "dim")
    return cell(f"{going.word}, {going.end} {text.seconds(going.seconds)}")


def _signed(share: float) -> str:
    return f"{share * 100:+.1f} %".replace("-", "−") if isfinite(share) else text.NOTHING


def _bar(share: float, width: int, high: bool, target: float | None = None) -> Cell:
    if not isfinite(share):
        return cell(text.NOTHING, "dim")
    drawn = bar(share, max(0, width - PERCENT_CELLS), "bar_warning" if high else "bar", target)
    return (*drawn, (f"{text.share(share):>{PERCENT_CELLS}}", "plain"))


# ---------------------------------------------------------------------- writers
def _below(scene: Scene, node: NodeFrame, block: Block) -> None:
    """Append the writers, and trends where there is room."""
    rest = scene.height - len(block.lines)
    rows = _writers(scene, node)
    spare = rest - len(rows) - 3
    trends = min(spare, TRENDS_MOST) if spare >= TRENDS_LEAST else 0
    title = heading("WRITERS", "", "allowed: the most each would get; z: all of them", scene.width)
    block.extend(title)
    height = max(1, rest - 1 - (trends + 1 if trends else 0))
    table, _ = table_block(scene, WRITERS, WRITER_COLUMNS, rows, height, active=False)
    block.extend(table)
    if trends:
        block.lines.append(rule(scene.width))
        block.extend(trends_row(scene.resized(scene.width, trends), node, FLOW_TRENDS))


def _writers(scene: Scene, node: NodeFrame) -> list[Row]:
    widths = _widths(WRITER_COLUMNS, scene.width)
    rows = [
        _writer(scene, row, widths)
        for name, pair in scene.pairs(node).items()
        for row in writer_rows(name, pair)
    ]
    return sorted(rows, key=lambda row: (row.stale, row.search))


def _writer(scene: Scene, row: WriterRow, widths: dict[str, int]) -> Row:
    fresh = process_freshness(row.process, scene.frame.interval_seconds)
    actual, demand = (nan, nan) if fresh.blank else (row.actual, row.demand)
    held = nan if fresh.blank else row.held_share
    return Row(
        key=f"{row.node}.{row.process.slot}.{row.process.claim}",
        cells={
            "client": cell(row.process.name, "bright"),
            "node": cell(row.node, "dim"),
            "pid": cell(str(row.process.pid), "dim"),
            "actual": cell(text.count(actual)),
            "allowed": cell(text.pace(nan if fresh.blank else row.allowed)),
            "demand": cell(text.count(demand)),
            "held": _bar(held, widths.get("held", 0), False),
            "total": cell(text.seconds(row.held_seconds), "dim"),
            "waits": cell(text.count(row.waits), "dim"),
        },
        sort={
            "client": row.process.name,
            "node": row.node,
            "pid": float(row.process.pid),
            "actual": actual,
            "allowed": row.allowed,
            "demand": demand,
            "held": held,
            "total": row.held_seconds,
            "waits": row.waits,
        },
        search=f"{row.node} {row.process.name} {row.process.pid}",
        stale=fresh.dim,
    )
