"""View 5: every replica behind every origin, and below it what was lost and how it comes back."""

from __future__ import annotations

from math import nan

from isinglass_console.model import format as text
from isinglass_console.model.frame import NodeFrame
from isinglass_console.model.lag import LagMatrix, LagRow, lag_matrix
from isinglass_console.model.layout import Column, split
from isinglass_console.model.members import cluster_of
from isinglass_console.model.table import Row
from isinglass_console.screens import words
from isinglass_console.screens.cluster_panes import (
    BOTH_CELLS,
    SECONDS_CELLS,
    lag_span,
    waits_text,
)
from isinglass_console.screens.healing import heals_pane, network_pane, peers_pane, repairs_pane
from isinglass_console.screens.panes import aged, dimmed, heading
from isinglass_console.screens.scene import Page, Scene, table_block
from isinglass_console.screens.trends import LAG_TRENDS, trends_row
from isinglass_console.widgets.line import Block, Pen, beside, crossing, rule
from isinglass_console.widgets.table import cell

TABLE = "lag"
TWO_FROM = 110
TRENDS_LEAST, TRENDS_MOST = 6, 24
REPLICA = Column("replica", "REPLICA", 11, 0, grow=1, largest=18)
OF_ALL, OF_SELECTED = (repairs_pane, heals_pane), (peers_pane, network_pane)
WORST = Column("worst", "WORST", 9, 1, right=True)
WAITS = Column("waits", "WAITS ON", 22, 3, grow=1, largest=40)


def build(scene: Scene) -> Page:
    """Return the view of replication in the selected node's cluster."""
    node = scene.node
    page = Page(Block(scene.width), TABLE)
    if node is None or not cluster_of(node.snapshot):
        return page
    matrix = lag_matrix(scene.frame, node)
    both = _fits_both(scene.width, len(matrix.origins))
    page.columns = _columns(matrix, both)
    rows = [_row(scene, matrix, row, both) for row in matrix.rows]
    if scene.settings.zoomed:
        page.block, page.rows = table_block(scene, TABLE, page.columns, rows, scene.height)
        return page
    note = "behind origin: seconds (updates)" if both else "seconds behind origin"
    page.block.extend(heading("REPLICATION LAG", cluster_of(node.snapshot), note, scene.width))
    height = min(len(rows) + 1, max(3, scene.height // 3))
    table, page.rows = table_block(scene, TABLE, page.columns, rows, height)
    page.block.extend(table)
    _old_origins(page.block, matrix)
    _below(scene, node, page.block)
    page.block = page.block.sized(scene.height)
    return page


def _fits_both(width: int, origins: int) -> bool:
    separated = BOTH_CELLS + 2
    return 2 + REPLICA.width + (origins * separated) + WORST.width + 2 <= width


def _columns(matrix: LagMatrix, both: bool) -> list[Column]:
    cells = BOTH_CELLS if both else SECONDS_CELLS
    origins = [
        Column(f"from {name}", f"from {name}" if both else name, cells, 2, right=True)
        for name in matrix.origins
    ]
    return [REPLICA, *origins, WORST, WAITS]


def _row(scene: Scene, matrix: LagMatrix, row: LagRow, both: bool) -> Row:
    worst = row.worst
    node = scene.frame.node(row.replica)
    seconds = worst.seconds if worst is not None else nan
    glyph, role = words.glyph(node.severity) if node is not None else ("?", "dim")
    shown = {f"from {name}": (lag_span(row.cells.get(name), both),) for name in matrix.origins}
    return Row(
        key=row.replica,
        cells={
            "replica": ((f"{glyph} ", role), (row.replica, "bright")),
            **shown,
            "worst": cell(text.seconds(seconds), "plain" if seconds > 0 else "dim"),
            "waits": cell(waits_text(row), "dim"),
        },
        sort={
            "replica": row.replica,
            **{f"from {name}": cell.seconds for name, cell in row.cells.items()},
            "worst": seconds,
            "waits": waits_text(row),
        },
        search=row.replica,
    )


def _old_origins(block: Block, matrix: LagMatrix) -> None:
    """Append a line that says which columns are old, why, and how old."""
    if not matrix.stale:
        return
    pen = Pen(block.width).put(" ")
    for origin in matrix.stale:
        pen.put("~ ", "warning").put(f"from {origin.name}: ", "dim")
        pen.put(f"{origin.condition}, {text.seconds(origin.age_seconds)} old   ", "stale")
    block.add(pen.line())


def _below(scene: Scene, node: NodeFrame, block: Block) -> None:
    """Append repairs, heals, peers, the network: two by two where there is room, else in a row."""
    if scene.width < TWO_FROM:
        for pane in (*OF_ALL, *OF_SELECTED):
            rest = scene.height - len(block.lines) - 1
            if rest < 1:
                return
            block.lines.append(rule(scene.width))
            found = pane(scene.resized(scene.width, rest), node, compact=True)
            if pane in OF_SELECTED and scene.freshness(node).dim:
                found = dimmed(found)
            block.extend(found.sized(min(len(found.lines), rest)))
        return
    widths = split(scene.width, 2)
    above: list[int] = []
    for panes in (OF_ALL, OF_SELECTED):
        parts = [
            pane(scene.resized(width, scene.height), node)
            for pane, width in zip(panes, widths, strict=True)
        ]
        if panes is OF_SELECTED:
            parts = [aged(scene, node, part) for part in parts]
        rest = scene.height - len(block.lines) - 1
        if rest < 1:
            return
        block.lines.append(crossing(scene.width, above, widths[:1]))
        block.extend(beside(parts, min(rest, max(len(part.lines) for part in parts))))
        above = widths[:1]
    rest = scene.height - len(block.lines) - 1
    if rest >= TRENDS_LEAST:
        block.lines.append(crossing(scene.width, above, []))
        trends = scene.resized(scene.width, min(rest, TRENDS_MOST))
        block.extend(trends_row(trends, node, LAG_TRENDS))
