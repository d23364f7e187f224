"""View 9: every field of every panel of every process, with unit and help; also what we never saw.

A daemon that is not ours, or a newer one of ours, shows here all that it declared: the segment
describes itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import nan

from isinglass.glass.snapshot import FieldView, PanelView, Process
from isinglass_console.model import format as text
from isinglass_console.model.frame import process_freshness
from isinglass_console.model.layout import Column
from isinglass_console.model.rates import Pair, growth
from isinglass_console.model.table import Row, selected_index
from isinglass_console.screens import words
from isinglass_console.screens.scene import Page, Scene, table_block
from isinglass_console.widgets.line import Block, Pen, rule
from isinglass_console.widgets.table import cell

TABLE = "fields"
COLUMNS = (
    Column("process", "PROCESS", 12, 1, largest=18, grow=1),
    Column("panel", "PANEL", 14, 0, largest=26, grow=1),
    Column("field", "FIELD", 18, 0, largest=26, grow=1),
    Column("value", "VALUE", 18, 0, right=True, largest=24, grow=1),
    Column("rate", "RATE", 11, 0, right=True),
    Column("unit", "UNIT", 13, 4),
    Column("help", "WHAT IT MEANS", 30, 3, grow=6),
)


def build(scene: Scene) -> Page:
    """Return the table of all fields of the selected node."""
    node = scene.node
    page = Page(Block(scene.width), TABLE, [], list(COLUMNS))
    pair = scene.pair(node) if node is not None else None
    if node is None or pair is None:
        return page
    rows = [row for process in pair.now.processes for row in _process_rows(scene, pair, process)]
    detail = 0 if scene.settings.zoomed else 2
    page.block, page.rows = table_block(scene, TABLE, COLUMNS, rows, scene.height - detail)
    if detail:
        page.block.lines.append(rule(scene.width))
        page.block.add(_detail(page, scene))
    return page


def _process_rows(scene: Scene, pair: Pair, process: Process) -> Iterator[Row]:
    fresh = process_freshness(process, scene.frame.interval_seconds)
    earlier = pair.earlier(process) if scene.counting or not fresh.blank else None
    for panel in process.panels:
        before = earlier.panel(panel.name, panel.instance) if earlier is not None else None
        for field in panel.fields:
            counter = field.kind == "counter"
            grown = growth(before, panel, field.name) if counter else nan
            yield _row(scene, pair, process, panel, field, grown, fresh.dim)


def _row(
    scene: Scene,
    pair: Pair,
    process: Process,
    panel: PanelView,
    field: FieldView,
    grown: float,
    stale: bool,
) -> Row:
    name = f"{panel.name} {panel.instance}".strip()
    shown = _growth(scene, pair, field, grown)
    value = text.field_value(field, pair.now.taken_wall_ns)
    quiet = not field.value or value in ("none", "never", "-")
    sort_value = field.value if isinstance(field.value, int | float | str) else field.value.count
    return Row(
        key=f"{process.slot}.{process.claim}.{name}.{field.name}",
        cells={
            "process": cell(words.process_name(process), "dim"),
            "panel": cell(name, "dim"),
            "field": cell(field.name, "dim" if quiet else "plain"),
            "value": cell(value, "dim" if quiet else "plain"),
            "rate": cell(shown, "accent" if grown > 0 else "dim"),
            "unit": cell(field.unit, "dim"),
            "help": cell(field.help, "dim"),
        },
        sort={
            "process": words.process_name(process),
            "panel": name,
            "field": field.name,
            "value": sort_value,
            "rate": grown,
            "unit": field.unit,
            "help": field.help,
        },
        search=f"{words.process_name(process)} {name} {field.name} {field.level} {field.help}",
        stale=stale,
    )


def _growth(scene: Scene, pair: Pair, field: FieldView, grown: float) -> str:
    if field.kind != "counter":
        return ""
    if scene.counting:
        shown = text.size(grown) if field.unit == "bytes" else text.count(grown)
        return f"+{shown}" if grown == grown else text.NOTHING
    return text.quantity_rate(grown / pair.seconds, field.unit)


def _detail(page: Page, scene: Scene) -> tuple[tuple[str, str], ...]:
    """Return the whole help of the selected field: the column may be too narrow for it."""
    pen = Pen(scene.width)
    if page.rows:
        row = page.rows[selected_index(page.rows, scene.settings.table(TABLE))]
        pen.put(" ").spans(row.cells["panel"]).put(".").spans(row.cells["field"])
        pen.put("  ").spans(row.cells["unit"]).put("  ").put(row.cells["help"][0][0])
    return pen.line()
