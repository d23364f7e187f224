"""Flow control and replication lag in a few lines: the overview's panes, and their one-line forms.

What the panes and the views 4 and 5 say in the same words is made here once.
"""

from __future__ import annotations

from math import isfinite

from isinglass_console.model import format as text
from isinglass_console.model.flow import (
    FlowRow,
    Limit,
    WriterRow,
    flow_rows,
    limit_of,
    outlook,
    writer_rows,
)
from isinglass_console.model.frame import NodeFrame
from isinglass_console.model.lag import LagCell, LagMatrix, LagRow, lag_matrix
from isinglass_console.model.members import cluster_of
from isinglass_console.screens import reasons, words
from isinglass_console.screens.panes import heading
from isinglass_console.screens.scene import Scene
from isinglass_console.widgets.line import Block, Line, Pen, Span, cells

LABEL = 14
SWING_WARNING = 0.15
WRITERS_NAMED = 3
HELD_LEAST = 0.005
NAME_CELLS, BOTH_CELLS, SECONDS_CELLS = 10, 16, 9


# ---------------------------------------------------------------------- flow
def flow_pane(scene: Scene, node: NodeFrame) -> Block:
    """Return who limits the cluster, what is allowed, who is held up, where the backlog goes."""
    width = scene.width
    block = heading("FLOW CONTROL", cluster_of(node.snapshot) or node.name, "", width)
    limit = limit_of(node)
    rows = flow_rows(scene.frame, node, scene.pairs(node))
    if limit is None:
        return block
    lines = [
        Pen(width).put(" limited by", "dim", LABEL).put(*limit_span(limit)),
        reasons.stands_pen(Pen(width).put(" applier", "dim", LABEL), scene, limit),
        allowed_pen(Pen(width).put(" allowed", "dim", LABEL), limit),
        _held(scene, node),
    ]
    watched = next((row for row in rows if row.name == limit.limiter), None)
    watched = watched or max(rows, key=lambda row: row.backlog, default=None)
    if watched is not None:
        pen = Pen(width).put(f" {watched.name}", "dim", LABEL)
        going, limit_words = outlook_text(watched), " of limit"
        if LABEL + len(limit_words) + len(going) + 6 > width:
            limit_words = ""
        lines.append(pen.put(f"{text.share(watched.backlog)}{limit_words}{going}"))
    own = next((row for row in rows if row.name == node.name), None)
    if own is not None:
        lines.append(loop_pen(Pen(width).put(" loop", "dim", LABEL), own, limit))
    for pen in lines[: max(1, scene.height - 1)]:
        block.add(pen.line())
    return block


def limit_span(limit: Limit) -> Span:
    """Return who limits the cluster, by which limit, since when."""
    if not limit.limiter:
        return ("nobody", "plain")
    since = f", for {text.seconds(limit.seconds)}" if isfinite(limit.seconds) else ""
    return (f"{limit.limiter}, by {limit.by}{since}", "warning")


def allowed_pen(pen: Pen, limit: Limit) -> Pen:
    """Write what the cluster takes of what its writers ask for."""
    if limit.rate >= limit.demand:
        pen.put("all of ", "dim").put(text.rate(limit.demand)).fact("", " demanded", "dim")
        return pen.fact(", room for ", text.rate(limit.rate)) if isfinite(limit.rate) else pen
    pen.put(text.rate(limit.rate)).fact(" of ", text.rate(limit.demand))
    return pen.fact("", " demanded", "dim")


def outlook_text(row: FlowRow) -> str:
    """Return where a backlog goes: `, falling, drained in 9 s`."""
    going = outlook(row)
    if not going.end:
        return f", {going.word}" if going.word else ""
    return f", {going.word}, {going.end} in {text.seconds(going.seconds)}"


def loop_pen(pen: Pen, row: FlowRow, limit: Limit) -> Pen:
    """Write how old the control's reports are, how slow it is beside that, whether it swings.

    While nobody is limited the pace is free to follow what the nodes can take: no swing.
    """
    pen.fact("report age ", text.seconds(row.report_age))
    ratio = row.loop_ratio
    pen.fact("   τ ", f"{ratio:.1f} × age" if isfinite(ratio) else text.NOTHING)
    if not (isfinite(row.swing) and limit.limiter):
        return pen
    if row.swing > SWING_WARNING:
        return pen.put(f"   swings {text.share(row.swing)}", "warning")
    return pen.fact("   ", "steady", "dim")


def _held(scene: Scene, node: NodeFrame) -> Pen:
    """Write which writers of the cluster are held up most, as shares of their time."""
    pen = Pen(scene.width).put(" held up", "dim", LABEL)
    held = held_writers(scene, node)
    if not held:
        return pen.put("no writer", "dim")
    for row in held[:WRITERS_NAMED]:
        pen.fact(f"{row.node} {row.process.name} ", f"{text.share(row.held_share)}   ")
    return pen


def held_writers(scene: Scene, node: NodeFrame) -> list[WriterRow]:
    """Return the writers of the cluster that are held up now, the most first."""
    rows = [row for name, pair in scene.pairs(node).items() for row in writer_rows(name, pair)]
    held = [row for row in rows if row.held_share >= HELD_LEAST]
    return sorted(held, key=lambda row: -row.held_share)


# ---------------------------------------------------------------------- lag
def lag_pane(scene: Scene, node: NodeFrame) -> Block:
    """Return the matrix of lags, and what the node that is furthest behind waits for."""
    width = scene.width
    matrix = lag_matrix(scene.frame, node)
    named = min(max((cells(row.replica) for row in matrix.rows), default=0), NAME_CELLS) + 1
    both = named + len(matrix.origins) * BOTH_CELLS < width
    note = "behind origin: seconds (updates)" if both else "behind origin"
    if matrix.stale:
        oldest = max(matrix.stale, key=lambda origin: origin.age_seconds)
        note = f"from {oldest.name}: {text.seconds(oldest.age_seconds)} old"
    block = heading("REPLICATION LAG", cluster_of(node.snapshot), note, width)
    cell_width = BOTH_CELLS if both else SECONDS_CELLS
    pen = Pen(width).put("", width=named)
    for origin in matrix.origins:
        if pen.at + cell_width <= width:
            pen.put(f"from {origin}" if both else origin, "title", cell_width, right=True)
    block.add(pen.line())
    tail = [reasons.behind_pen(Pen(width).put(" "), scene, matrix)]
    waits = waits_pen(width, matrix)
    if waits is not None:
        tail.insert(0, waits)
    room = scene.height - len(block.lines) - len(tail)
    for row in matrix.rows[: max(1, room)]:
        block.add(_lag_line(row, matrix, Pen(width).put(f" {row.replica}", "plain", named), both))
    for pen in tail:
        block.add(pen.line())
    return block


def _lag_line(row: LagRow, matrix: LagMatrix, pen: Pen, both: bool) -> Line:
    cell_width = BOTH_CELLS if both else SECONDS_CELLS
    for origin in matrix.origins:
        if pen.at + cell_width <= pen.width:
            room = cell_width - 1 if both else 0
            pen.put(*lag_span(row.cells.get(origin), room), cell_width, True)
    return pen.line()


def lag_span(cell: LagCell | None, room: int) -> Span:
    """Return what a cell of the matrix shows; `-` for a node behind itself.

    Args:
        room: the updates stand beside the seconds when both fit.
    """
    if cell is None:
        return ("-", "dim")
    glyph, role = words.glyph(cell.severity)
    shown = text.seconds(cell.seconds)
    if role != "dim" and not cell.stale:
        shown = f"{glyph} {shown}"
    both = f"{shown} ({text.count(cell.updates)})"
    if isfinite(cell.updates) and len(both) <= room:
        shown = both
    if cell.stale:
        return (shown, "stale")
    return (shown, role if role != "dim" else "plain" if cell.updates > 0 else "dim")


def waits_pen(width: int, matrix: LagMatrix) -> Pen | None:
    """Write what the replica that is furthest behind waits for; None when none is behind."""
    behind = matrix.furthest
    if behind is None:
        return None
    pen = Pen(width).put(f" {behind.replica}", "bright").put(" waits on ", "dim")
    return pen.put(waits_text(behind, width - pen.at))


def waits_text(row: LagRow, room: int) -> str:
    """Return where a replica's missing updates are, as far as it fits: `disk 94 %, queue 6 %`."""
    shown = ""
    for place, part in row.waits_on:
        more = f"{', ' if shown else ''}{place} {text.share(part)}"
        if len(shown) + len(more) > room:
            break
        shown += more
    return shown
