"""View 5: every replica behind every origin, and below it what was lost and how it comes back.

What is below is scrolled where it has no room, as with many nodes in 80 columns and 24 lines.
"""

from __future__ import annotations

from math import nan

from isinglass_console.model import format as text
from isinglass_console.model.frame import NodeFrame
from isinglass_console.model.lag import LagMatrix, LagRow, StaleOrigin, lag_matrix
from isinglass_console.model.layout import Column, place, split
from isinglass_console.model.members import cluster_of
from isinglass_console.model.table import Row
from isinglass_console.screens import reasons, words
from isinglass_console.screens.cluster_panes import (
    BOTH_CELLS,
    SECONDS_CELLS,
    lag_span,
    waits_text,
)
from isinglass_console.screens.healing import heals_pane, network_pane, peers_pane, repairs_pane
from isinglass_console.screens.panes import aged, dimmed, heading
from isinglass_console.screens.scene import Page, Scene, append_scrolled, table_block
from isinglass_console.screens.trends import LAG_TRENDS, trends_row
from isinglass_console.widgets.line import Block, Line, Pen, beside, crossing, rule
from isinglass_console.widgets.table import cell

TABLE = "lag"
TWO_FROM = 110
MOST_CELLS = 20
LONGEST = 1000  # lines of a pane, which is scrolled where it has less room
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
    cells = _cells(scene.width, len(matrix.origins))
    page.columns = _columns(matrix, cells)
    widths = {item.column.key: item.width for item in place(page.columns, scene.width - 2)}
    waits = widths.get(WAITS.key, 0)
    rows = [_row(scene, matrix, row, cells, waits) for row in matrix.rows]
    if scene.settings.zoomed:
        page.block, page.rows = table_block(scene, TABLE, page.columns, rows, scene.height)
        return page
    narrow = scene.width < TWO_FROM
    if not narrow or matrix.stale:
        note = _note(matrix, cells, narrow)
        page.block.extend(heading("REPLICATION LAG", cluster_of(node.snapshot), note, scene.width))
    title = Pen(scene.width).put(" LAG  " if narrow and not matrix.stale else " ", "title")
    behind = reasons.behind_pen(title, scene, matrix).line()
    if narrow:
        page.block.add(behind)
    height = min(len(rows) + 1, max(3, scene.height // 3))
    table, page.rows = table_block(scene, TABLE, page.columns, rows, height)
    page.block.extend(table)
    if not narrow:
        page.block.add(behind)
    if matrix.stale and not narrow:
        page.block.add(_old_origins(scene.width, matrix))
    append_scrolled(scene, page, _below(scene, node))
    _trends(scene, node, page.block)
    page.block = page.block.sized(scene.height)
    return page


def _note(matrix: LagMatrix, cells: int, narrow: bool) -> str:
    """Return what the figures of the matrix are, or, where one line must do, which are old."""
    if narrow and matrix.stale:
        return "; ".join(_old(origin) for origin in matrix.stale)
    both = cells >= BOTH_CELLS
    return "behind origin: seconds (updates)" if both else "seconds behind origin"


def _cells(width: int, origins: int) -> int:
    """Return how wide the column of an origin is: for seconds and updates, or seconds alone."""
    fixed = 2 + REPLICA.width + WORST.width + 2
    room = (width - fixed) // max(1, origins) - 2
    if room < BOTH_CELLS:
        return SECONDS_CELLS
    return min(room, MOST_CELLS) if width >= TWO_FROM else BOTH_CELLS


def _columns(matrix: LagMatrix, cells: int) -> list[Column]:
    both = cells >= BOTH_CELLS
    origins = [
        Column(f"from {name}", f"from {name}" if both else name, cells, 2, right=True)
        for name in matrix.origins
    ]
    return [REPLICA, *origins, WORST, WAITS]


def _row(scene: Scene, matrix: LagMatrix, row: LagRow, cells: int, waits: int) -> Row:
    worst = row.worst
    node = scene.frame.node(row.replica)
    seconds = worst.seconds if worst is not None else nan
    glyph, role = words.glyph(node.severity) if node is not None else ("?", "dim")
    room = cells if cells >= BOTH_CELLS else 0
    shown = {f"from {name}": (lag_span(row.cells.get(name), room),) for name in matrix.origins}
    return Row(
        key=row.replica,
        cells={
            "replica": ((f"{glyph} ", role), (row.replica, "bright")),
            **shown,
            "worst": cell(text.seconds(seconds), "plain" if seconds > 0 else "dim"),
            "waits": cell(waits_text(row, waits), "dim"),
        },
        sort={
            "replica": row.replica,
            **{f"from {name}": cell.seconds for name, cell in row.cells.items()},
            "worst": seconds,
            "waits": row.waits_on[0][0] if row.waits_on else "",
        },
        search=row.replica,
    )


def _old_origins(width: int, matrix: LagMatrix) -> Line:
    """Return a line that says which columns are old, why, and how old."""
    pen = Pen(width).put(" ")
    for origin in matrix.stale:
        pen.put("~ ", "warning").put(f"{_old(origin)}   ", "stale")
    return pen.line()


def _old(origin: StaleOrigin) -> str:
    return f"from {origin.name}: {origin.condition}, {text.seconds(origin.age_seconds)} old"


def _below(scene: Scene, node: NodeFrame) -> Block:
    """Return repairs, heals, peers, the network: two by two where there is room, else in a row."""
    block = Block(scene.width)
    if scene.width < TWO_FROM:
        for pane in (*OF_ALL, *OF_SELECTED):
            block.lines.append(rule(scene.width))
            found = pane(scene.resized(scene.width, LONGEST), node, compact=True)
            if pane in OF_SELECTED and scene.freshness(node).dim:
                found = dimmed(found)
            block.extend(found)
        return block
    widths = split(scene.width, 2)
    above: list[int] = []
    for panes in (OF_ALL, OF_SELECTED):
        parts = [
            pane(scene.resized(width, LONGEST), node)
            for pane, width in zip(panes, widths, strict=True)
        ]
        if panes is OF_SELECTED:
            parts = [aged(scene, node, part) for part in parts]
        block.lines.append(crossing(scene.width, above, widths[:1]))
        block.extend(beside(parts, max(len(part.lines) for part in parts)))
        above = widths[:1]
    return block


def _trends(scene: Scene, node: NodeFrame, block: Block) -> None:
    """Append trends where there is room for them."""
    rest = scene.height - len(block.lines) - 1
    if scene.width >= TWO_FROM and rest >= TRENDS_LEAST:
        block.lines.append(crossing(scene.width, split(scene.width, 2)[:1], []))
        trends = scene.resized(scene.width, min(rest, TRENDS_MOST))
        block.extend(trends_row(trends, node, LAG_TRENDS))
