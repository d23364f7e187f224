"""View 6: periodic tasks with the overdue first, commit latency, sizes, tables, readers."""

from __future__ import annotations

from math import isfinite

from isinglass_console.model import format as text
from isinglass_console.model.figures import MICROSECOND
from isinglass_console.model.frame import NodeFrame
from isinglass_console.model.layout import Column, split
from isinglass_console.model.rates import Pair
from isinglass_console.model.store import (
    PERCENTILES,
    SLOW_COMMIT_SECONDS,
    StoreTable,
    latencies,
    readers,
    store_rows,
    tables,
)
from isinglass_console.model.table import Row, TableState
from isinglass_console.model.timers import TimerRow, timer_rows
from isinglass_console.screens import words
from isinglass_console.screens.panes import heading
from isinglass_console.screens.scene import Page, Scene, table_block
from isinglass_console.screens.trends import STORE_TRENDS, trends_row
from isinglass_console.widgets.bars import bar
from isinglass_console.widgets.line import Block, Pen, beside, crossing, rule
from isinglass_console.widgets.table import cell, paint_table

TABLE = "timers"
TIMER_COLUMNS = (
    Column("name", "TIMER", 16, 0, grow=1, largest=26),
    Column("every", "EVERY", 8, 2, right=True),
    Column("ran", "LAST RAN", 10, 1, right=True),
    Column("took", "TOOK", 8, 1, right=True),
    Column("late", "LATE", 8, 0, right=True),
    Column("runs", "RUNS", 8, 4, right=True),
    Column("failures", "FAILED", 7, 5, right=True),
)
TABLE_COLUMNS = (
    Column("name", "TABLE", 20, 0, grow=2, largest=40),
    Column("rows", "ROWS", 11, 0, right=True),
    Column("size", "SIZE", 10, 1, right=True),
    Column("kind", "", 12, 2),
)
READER_COLUMNS = (
    Column("pid", "READER", 8, 0, right=True),
    Column("age", "HELD FOR", 10, 0, right=True),
    Column("behind", "BEHIND", 9, 2, right=True),
    Column("command", "COMMAND", 24, 1, grow=1),
)
TRENDS_LEAST, TRENDS_MOST = 5, 14
LABEL, WIDE_LATENCY = 14, 56
LATENCIES = (
    ("commit_time", "commit"),
    ("apply_time", "whole batch"),
    ("flush_time", "flush"),
)


def build(scene: Scene) -> Page:
    """Return the view of one node's timers and store."""
    node = scene.node
    page = Page(Block(scene.width), TABLE, [], list(TIMER_COLUMNS))
    pair = scene.pair(node) if node is not None else None
    if node is None or pair is None:
        return page
    timers = timer_rows(pair.now)
    rows = [_timer(row, scene.freshness(node).dim) for row in timers]
    height = min(len(rows) + 2, scene.height // 2)
    left, right = split(scene.width, 2)
    timer_block = heading("TIMERS", node.name, "the late first", left)
    table, page.rows = table_block(scene, TABLE, TIMER_COLUMNS, rows, height - 1, width=left)
    timer_block.extend(table)
    latency = _latencies(scene.resized(right, height), pair, node)
    height = max(height, min(len(latency.lines), scene.height // 2))
    page.block.extend(beside([timer_block, latency], height))
    page.block.lines.append(rule(scene.width, [left], joint="┼"))
    rest = scene.height - height - 1
    needed = max(len(tables(pair.now)), len(readers(pair.now))) + 3
    chart_height = min(rest - needed - 1, TRENDS_MOST)
    if chart_height < TRENDS_LEAST:
        chart_height = -1
    rest -= chart_height + 1
    page.block.extend(beside([_tables(left, rest, pair), _readers(right, rest, pair)], rest))
    if chart_height > 0:
        widths = split(scene.width, len(STORE_TRENDS))
        joints = [sum(widths[: at + 1]) + at for at in range(len(widths) - 1)]
        page.block.lines.append(crossing(scene.width, [left], joints))
        page.block.extend(trends_row(scene.resized(scene.width, chart_height), node, STORE_TRENDS))
    return page


def _timer(row: TimerRow, stale: bool) -> Row:
    glyph, role = words.glyph(row.severity)
    never = not isfinite(row.since_seconds)
    return Row(
        key=row.name,
        cells={
            "name": ((glyph, role), (f" {row.name}", "plain" if not row.severity else role)),
            "every": cell(text.seconds(row.interval_seconds), "dim"),
            "ran": cell("never" if never else f"{text.seconds(row.since_seconds)} ago"),
            "took": cell(text.seconds(row.duration_seconds)),
            "late": cell(text.seconds(row.late_seconds), role),
            "runs": cell(text.count(row.runs), "dim"),
            "failures": cell(text.count(row.failures), "warning" if row.failures > 0 else "dim"),
        },
        sort={
            "name": row.name,
            "every": row.interval_seconds,
            "ran": row.since_seconds,
            "took": row.duration_seconds,
            "late": row.late_seconds,
            "runs": row.runs,
            "failures": row.failures,
        },
        search=row.name,
        stale=stale,
    )


def _latencies(scene: Scene, pair: Pair, node: NodeFrame) -> Block:
    """Return percentiles of the three times, and below them the shape of the commits."""
    width = scene.width
    block = heading("LATENCY", node.name, "last interval", width)
    wide = width >= WIDE_LATENCY
    shares = PERCENTILES if wide else (PERCENTILES[0], *PERCENTILES[2:])
    step = max(8, min(12, (width - LABEL - 1) // (len(shares) + wide)))
    pen = Pen(width).put(" ", width=LABEL)
    for _, label in shares:
        pen.put(label, "title", step, right=True)
    block.add((pen.put("count", "title", step, right=True) if wide else pen).line())
    for field, label in LATENCIES:
        value = latencies(pair, field)
        pen = Pen(width).put(f" {label}", "dim", LABEL)
        for share, _ in shares:
            seconds = value.percentile(share) * MICROSECOND if value and value.count else 0.0
            role = "warning" if seconds > SLOW_COMMIT_SECONDS else "plain"
            pen.put(text.seconds(seconds) if seconds else text.NOTHING, role, step, right=True)
        count = text.count(value.count if value else 0)
        block.add((pen.put(count, "dim", step, right=True) if wide else pen).line())
    block.add(Pen(width).line())
    for label, shown, role in store_rows(pair.now):
        block.add(Pen(width).put(f" {label}", "dim", 14).put(" ").put(shown, role).line())
    return block


def _tables(width: int, height: int, pair: Pair) -> Block:
    found = tables(pair.now)
    most = max((table.rows for table in found), default=0)
    rows = [_table(table, most) for table in found]
    block = heading("TABLES", "", "indexes below their table", width)
    state = TableState()
    block.extend(paint_table("tables", TABLE_COLUMNS, rows, state, width, height - 1, active=False))
    return block


def _table(table: StoreTable, most: int) -> Row:
    role = "dim" if table.index_of else "plain"
    name = f"  by {table.name.removeprefix(table.index_of + '.')}" if table.index_of else table.name
    share = table.rows / most if most else 0.0
    kind = cell("index", "dim") if table.index_of else bar(share, 12, "bar_dim")
    return Row(
        key=f"{table.index_of}/{table.name}",
        cells={
            "name": cell(name, role),
            "rows": cell(text.count(table.rows), role),
            "size": cell(text.size(table.size_bytes) if table.size_bytes else "", role),
            "kind": kind,
        },
    )


def _readers(width: int, height: int, pair: Pair) -> Block:
    rows = []
    for reader in readers(pair.now):
        role = "warning" if reader.long else "plain"
        rows.append(
            Row(
                key=str(reader.pid),
                cells={
                    "pid": cell(str(reader.pid), role),
                    "age": cell(text.seconds(reader.age_seconds), role),
                    "behind": cell(text.count(reader.behind), "dim"),
                    "command": cell(reader.command, "dim"),
                },
            )
        )
    block = heading("LMDB READERS", "", "the oldest first", width)
    if not rows:
        block.add(Pen(width).put(" the daemon lists none", "dim").line())
        return block.sized(height)
    state = TableState()
    block.extend(
        paint_table("readers", READER_COLUMNS, rows, state, width, height - 1, active=False)
    )
    return block
