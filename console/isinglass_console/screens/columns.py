"""View 1 turned: a column a node, a row a figure or a thread; the log and the alarms below.

With many figures and few nodes the eye compares along a row. Of nodes that have no room those
furthest from the selected one are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from isinglass.glass.snapshot import Thread
from isinglass_console.model import format as text
from isinglass_console.model.board import Severity
from isinglass_console.model.figures import FIGURES
from isinglass_console.model.frame import Condition, NodeFrame
from isinglass_console.model.layout import Column, place, split
from isinglass_console.model.series import sparkline
from isinglass_console.model.table import Cell, Row
from isinglass_console.screens import words
from isinglass_console.screens.alarms import glyph_of
from isinglass_console.screens.events import events_block
from isinglass_console.screens.panes import heading
from isinglass_console.screens.scene import Page, Scene, table_block
from isinglass_console.widgets.glyphs import SELECTED
from isinglass_console.widgets.line import Block, Pen, beside, rule
from isinglass_console.widgets.table import cell

TABLE = "figures"
NAME = Column("figure", "", 16, 0)
NODE_CELLS, NODE_LARGEST = 15, 34
VALUE_CELLS, TREND_LEAST = 11, 6
BELOW_LEAST, BELOW_MOST = 4, 16
ALARMS_FROM = 150


def build(scene: Scene) -> Page:
    """Return the turned overview."""
    columns = _columns(scene)
    widths = {item.column.key: item.width for item in place(columns, scene.width - 2)}
    rows = [*_figure_rows(scene, widths), *_thread_rows(scene, widths)]
    page = Page(Block(scene.width), TABLE, rows, columns)
    below = 0 if scene.settings.zoomed else _below_height(scene, len(rows))
    table, page.rows = table_block(scene, TABLE, columns, rows, scene.height - below)
    page.block = table
    if below:
        page.block.extend(_below(scene.resized(scene.width, below)))
    return page


def _columns(scene: Scene) -> list[Column]:
    nodes = scene.frame.nodes
    chosen = scene.node
    at = nodes.index(chosen) if chosen is not None else 0
    return [
        NAME,
        *(
            Column(
                node.name,
                f"{SELECTED if node is chosen else ''}{node.name}",
                NODE_CELLS,
                1 + abs(number - at),
                right=True,
                grow=1,
                largest=NODE_LARGEST,
            )
            for number, node in enumerate(nodes)
        ),
    ]


def _below_height(scene: Scene, rows: int) -> int:
    """Return what the log gets: what the table leaves, within limits."""
    rest = scene.height - rows - 1
    return min(max(rest, BELOW_LEAST), BELOW_MOST) if scene.height > 3 * BELOW_LEAST else 0


# ---------------------------------------------------------------------- the rows
def _figure_rows(scene: Scene, widths: dict[str, int]) -> Iterator[Row]:
    nodes = [node for node in scene.frame.nodes if node.name in widths]
    yield _row("state", {node.name: _state(node) for node in nodes})
    known = {figure for node in scene.frame.nodes for figure in node.figures}
    for figure, (unit, help_line) in FIGURES.items():
        if figure in known:
            cells = {
                node.name: _figure(scene, node, figure, unit, widths[node.name]) for node in nodes
            }
            yield _row(figure.removesuffix("_seconds").replace("_", " "), cells, help_line)


def _row(name: str, cells: dict[str, Cell], help_line: str = "") -> Row:
    return Row(name, {NAME.key: cell(name, "dim"), **cells}, search=f"{name} {help_line}")


def _state(node: NodeFrame) -> Cell:
    sign, role = words.glyph(node.severity)
    return ((sign, role), (f" {words.state_word(node)}", role if node.severity else "plain"))


def shown(value: float, unit: str) -> str:
    """Return a figure of the table `FIGURES` with its unit, as short as it goes."""
    if unit.endswith("/s"):
        return text.rate(value) if isfinite(value) else text.pace(value)
    return text.count(value) if unit in ("updates", "records") else text.quantity(value, unit)


def _figure(scene: Scene, node: NodeFrame, figure: str, unit: str, width: int) -> Cell:
    value = scene.figure(node, figure)
    severity = scene.frame.levels.severity_of(node.name, figure, value)
    old = _old(scene, node)
    sign = f"{words.glyph(severity)[0]} " if severity >= Severity.WARNING else ""
    role = words.glyph(severity)[1] if sign else "stale" if old else "plain"
    value_text = f"{sign}{shown(value, unit)}"
    room = width - VALUE_CELLS - 1
    if room < TREND_LEAST:
        return cell(value_text, role)
    trend = sparkline(scene.trend(node, figure, room))
    return ((trend, "spark"), (f" {value_text:>{VALUE_CELLS}}", role))


def _old(scene: Scene, node: NodeFrame) -> bool:
    return scene.freshness(node).dim or node.condition != Condition.ALIVE


def _thread_rows(scene: Scene, widths: dict[str, int]) -> Iterator[Row]:
    """Yield a row for each thread of the daemons: where it is on every node at this instant."""
    of_node = {
        node.name: {thread.name: thread for thread in _threads(node)}
        for node in scene.frame.nodes
        if node.name in widths
    }
    old = {node.name for node in scene.frame.nodes if _old(scene, node)}
    for name in dict.fromkeys(name for threads in of_node.values() for name in threads):
        cells = {
            node: _place(threads[name], widths[node], old=node in old)
            for node, threads in of_node.items()
            if name in threads
        }
        places = " ".join(
            words.place(each[name].site, 0) for each in of_node.values() if name in each
        )
        yield Row(
            f"thread {name}", {NAME.key: cell(name, "title"), **cells}, search=f"{name} {places}"
        )


def _threads(node: NodeFrame) -> tuple[Thread, ...]:
    owner = node.snapshot.owner if node.snapshot is not None else None
    return owner.threads if owner is not None else ()


def _place(thread: Thread, width: int, *, old: bool) -> Cell:
    site = thread.site
    sign, sign_role = words.place_glyph(site)
    role = "dim" if site is None or site.waits else "plain"
    place = f" {words.place(site, thread.word, width - 2)}"
    return ((sign, "stale" if old else sign_role), (place, "stale" if old else role))


# ---------------------------------------------------------------------- below
def _below(scene: Scene) -> Block:
    """Return the newest events, and, where there is room and a monitor, the alarms beside them."""
    sheet = scene.sheet
    block = Block(scene.width, [rule(scene.width)])
    room = scene.height - 1
    if sheet is None or scene.width < ALARMS_FROM:
        block.extend(events_block(scene.resized(scene.width, room)))
        return block
    left, right = split(scene.width, 2)
    alarms = heading("ALARMS", sheet.monitor, f"{len(sheet.active)} raised", right)
    for alarm in sheet.raised[: room - 1]:
        sign, role = glyph_of(alarm)
        pen = (
            Pen(right).put(f" {sign} {alarm.state}", role, 15).put(" ").put(alarm.rule, "plain", 22)
        )
        alarms.add(pen.put(f" {alarm.about}  ").put(alarm.value, "dim").line())
    block.extend(beside([events_block(scene.resized(left, room)), alarms], room))
    return block
