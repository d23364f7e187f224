"""Below the lags: repairs and heals of every node, the peers and drops of the selected one."""

from __future__ import annotations

from math import isfinite, nan

from isinglass_console.model import format as text
from isinglass_console.model.frame import NodeFrame
from isinglass_console.model.healing import (
    REPAIRS,
    DropRow,
    HealRow,
    PeerRow,
    RepairRow,
    drop_rows,
    heal_row,
    peer_rows,
    repair_row,
)
from isinglass_console.model.layout import Column
from isinglass_console.model.rates import Pair, number
from isinglass_console.model.table import Cell, Row, TableState
from isinglass_console.screens.panes import heading
from isinglass_console.screens.scene import Scene
from isinglass_console.widgets.bars import bar
from isinglass_console.widgets.glyphs import WAITS, WORKS
from isinglass_console.widgets.line import Block, Line, Pen
from isinglass_console.widgets.table import cell, paint_table

BUCKETS = 4096
BAR_CELLS = 7
STATE_WELL = "live"
CLOCK_WARNING_SECONDS = 0.05
REPAIR_COLUMNS = (
    Column("node", "NODE", 9, 0, grow=1, largest=16),
    Column("missing", "MISSING", 7, 0, right=True),
    Column("gaps", "GAPS", 7, 1, right=True),
    Column("lost_network", "NETWORK", 8, 0, right=True),
    Column("lost_socket", "SOCKET", 7, 0, right=True),
    Column("repaired", "REPAIRED", 8, 2, right=True),
    Column("repairs_asked", "ASKED", 7, 4, right=True),
    Column("repairs_served", "SERVED", 8, 3, right=True),
    Column("repairs_suppressed", "NOT ASKED", 9, 6, right=True),
    Column("duplicates", "TWICE", 8, 5, right=True),
)
HEAL_COLUMNS = (
    Column("node", "NODE", 9, 0, grow=1, largest=16),
    Column("state", "STATE", 8, 0),
    Column("progress", "PROGRESS", 13, 1),
    Column("source", "FROM", 8, 2),
    Column("divergent", "DIVERGENT", 9, 2, right=True),
    Column("away", "MAY BE AWAY", 11, 3, right=True),
    Column("copied", "COPIED", 9, 4, right=True),
    Column("heals", "HEALS", 6, 5, right=True),
    Column("last", "LAST", 14, 6, right=True),
)
PEER_COLUMNS = (
    Column("peer", "PEER", 9, 0, grow=1, largest=16),
    Column("state", "STATE", 9, 1),
    Column("phase", "PHASE", 8, 3),
    Column("three", "h r a", 5, 0),
    Column("clock", "CLOCK", 9, 0, right=True),
    Column("trip", "ROUND TRIP", 10, 3, right=True),
    Column("heard", "HEARD", 11, 2, right=True),
    Column("restarts", "RESTARTS", 8, 4, right=True),
    Column("address", "ADDRESS", 24, 5),
)


def _table(
    scene: Scene, head: Block, columns: tuple[Column, ...], rows: list[Row], *, compact: bool
) -> Block:
    """Return a table under its heading; when compact its first title stands for the heading."""
    block = Block(scene.width)
    if compact:
        title = head.lines[0][0][0].strip()
        columns = (columns[0]._replace(title=title), *columns[1:])
    else:
        block.extend(head)
    shown = min(len(rows) + 1, max(1, scene.height - len(block.lines)))
    name, state = columns[0].title.lower(), TableState()
    table = paint_table(name, columns, rows, state, scene.width, shown, active=False)
    block.extend(table)
    return block


# ---------------------------------------------------------------------- repairs
def repairs_pane(scene: Scene, node: NodeFrame, compact: bool = False) -> Block:
    """Return what every node of the cluster missed, whose fault it was, what came again."""
    since = "since the mark" if scene.counting else "since its start"
    head = heading("REPAIRS", "datagrams lost by network, own socket", since, scene.width)
    rows = [
        _repair(name, row, scene)
        for name, pair in scene.pairs(node).items()
        if (row := repair_row(pair, scene.counting)) is not None
    ]
    return _table(scene, head, REPAIR_COLUMNS, rows, compact=compact)


def _repair(name: str, row: RepairRow, scene: Scene) -> Row:
    values = {key: getattr(row, key) for key in REPAIRS}
    warns = ("missing", "lost_socket")
    cells = {
        key: cell(
            text.count(value),
            "warning" if key in warns and value > 0 else "plain" if value > 0 else "dim",
        )
        for key, value in values.items()
    }
    return Row(key=name, cells={"node": cell(name), **cells}, stale=_stale(scene, name))


def _stale(scene: Scene, name: str) -> bool:
    node = scene.frame.node(name)
    return node is not None and scene.freshness(node).dim


# ---------------------------------------------------------------------- heals
def heals_pane(scene: Scene, node: NodeFrame, compact: bool = False) -> Block:
    """Return how every node of the cluster heals, and for how long it remembers for others."""
    note = f"divergent: of {text.count(BUCKETS)} buckets"
    head = heading("HEALING", "", note, scene.width)
    found = {
        name: row
        for name, pair in scene.pairs(node).items()
        if (row := heal_row(pair.now)) is not None
    }
    rows = [_heal(name, row, scene) for name, row in found.items()]
    block = _table(scene, head, HEAL_COLUMNS, rows, compact=compact)
    own = found.get(node.name)
    if own is not None:
        block.add(_journal_line(node.name, own, scene.width))
    return block


def _heal(name: str, row: HealRow, scene: Scene) -> Row:
    role = "warning" if row.busy else "dim"
    last = f"{text.seconds(row.last_seconds)} ago" if isfinite(row.last_seconds) else "never"
    return Row(
        key=name,
        cells={
            "node": cell(name),
            "state": cell(row.state, "plain" if row.state == STATE_WELL else "warning"),
            "progress": _progress(row),
            "away": cell(_away(row)),
            "heals": cell(text.count(row.heals), "dim"),
            "last": cell(last, "dim"),
            "source": cell(row.source or "-", role),
            "divergent": cell(text.count(row.divergent), role),
            "copied": cell(text.count(row.copied), "dim"),
        },
        stale=_stale(scene, name),
    )


def _progress(row: HealRow) -> Cell:
    if not row.busy:
        return cell("whole" if row.progress >= 1 else text.NOTHING, "dim")
    return (*bar(row.progress, BAR_CELLS), (f"{text.share(row.progress):>6}", "plain"))


def _journal_line(name: str, row: HealRow, width: int) -> Line:
    """Return how much a node's journal holds; who is away for longer is healed by buckets."""
    pen = Pen(width).put(f" {name}", "plain").put(" journal ", "dim").put(text.count(row.journal))
    pen.fact(" of ", text.count(row.journal_limit))
    return pen.fact("   may be away ", _away(row)).line()


def _away(row: HealRow) -> str:
    """Return how long a node may be away; without updates nobody can say."""
    return text.seconds(row.away_seconds) if row.away_seconds > 0 else text.NOTHING


# ---------------------------------------------------------------------- peers
def peers_pane(scene: Scene, node: NodeFrame, compact: bool = False) -> Block:
    """Return the other members as the selected node sees them."""
    note = "h heard  r receiving  a applying"
    head = heading("PEERS", f"of {node.name}", note, scene.width)
    rows = [_peer(row) for row in peer_rows(node.snapshot)] if node.snapshot is not None else []
    return _table(scene, head, PEER_COLUMNS, rows, compact=compact)


def _peer(row: PeerRow) -> Row:
    role = "plain" if row.well else "warning"
    three = " ".join(WORKS if each else WAITS for each in (row.heard, row.receiving, row.applying))
    late = abs(row.clock_offset) > CLOCK_WARNING_SECONDS
    return Row(
        key=row.name,
        cells={
            "peer": cell(row.name, "plain" if row.heard else "warning"),
            "state": cell(row.state, "dim" if row.state == "up" else "warning"),
            "phase": cell(row.phase, "dim" if row.phase == STATE_WELL else "warning"),
            "three": cell(three, "accent" if row.well else role),
            "clock": cell(_signed(row.clock_offset), "warning" if late else "plain"),
            "trip": cell(text.seconds(row.round_trip), "dim"),
            "heard": cell(f"{text.seconds(row.heard_age)} ago", "dim" if row.heard else "warning"),
            "restarts": cell(text.count(row.restarts), "dim"),
            "address": cell(row.address, "dim"),
        },
    )


def _signed(seconds: float) -> str:
    if not isfinite(seconds):
        return text.NOTHING
    sign = "−" if seconds < 0 else "+"
    return f"{sign}{text.seconds(abs(seconds))}" if seconds else text.seconds(0)


# ---------------------------------------------------------------------- network
def network_pane(scene: Scene, node: NodeFrame, compact: bool = False) -> Block:
    """Return what the selected node sends and gets, and what it dropped, by reason."""
    block = heading("NETWORK", f"of {node.name}", "dropped, by reason", scene.width)
    pair = scene.pair(node)
    if pair is None:
        return block
    if compact:
        block.lines.clear()
    pen = Pen(scene.width).put(" NETWORK  " if compact else " ", "title")
    block.add(_traffic(scene, pair, node, pen).line())
    rows = drop_rows(pair)
    if not rows:
        block.add(Pen(scene.width).put(" no datagram was dropped", "dim").line())
    for row in rows[: max(0, scene.height - len(block.lines))]:
        block.add(_drop_line(scene, row, pair, scene.freshness(node).blank))
    return block


def _traffic(scene: Scene, pair: Pair, node: NodeFrame, pen: Pen) -> Pen:
    blank = scene.freshness(node).blank
    sent, got = (pair.rate("network", field) for field in ("sent", "received"))
    pen.fact("sent ", text.rate(nan if blank else sent))
    pen.fact("   received ", text.rate(nan if blank else got))
    panel = pair.now.panel("network")
    used, size = number(panel, "buffer_used"), number(panel, "buffer")
    pen.fact("   buffer ", text.share(used / size) if size > 0 else text.NOTHING)
    dropped = sum(row.total for row in drop_rows(pair))
    return pen.fact("   dropped ", text.count(dropped), "warning" if dropped else "dim")


def _drop_line(scene: Scene, row: DropRow, pair: Pair, blank: bool) -> Line:
    pen = Pen(scene.width).put(f" {row.label}", "dim", 18)
    pen.put(text.count(row.total), "warning", 10, right=True)
    if scene.counting:
        shown = f"+{text.count(row.grown)}"
    else:
        shown = text.rate(nan if blank else row.grown / pair.seconds)
    return pen.put(shown, "warning" if row.grown > 0 else "dim", 12, right=True).line()
