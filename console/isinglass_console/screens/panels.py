"""View 9: every field of every panel of every process, with unit and help; also what we never saw.

A daemon that is not ours, or a newer one of ours, shows here all that it declared: the segment
describes itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import nan

from isinglass.glass.panel_views import FieldView, PanelView
from isinglass.glass.snapshot import Process
from isinglass_console.model import format as text
from isinglass_console.model.frame import process_freshness
from isinglass_console.model.layout import Column
from isinglass_console.model.rates import Pair, growth
from isinglass_console.model.table import Cell, Late, Row, SortValue, selected_index
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

NOT_READ = {key: cell(text.NOTHING, "dim") for key in ("field", "value", "rate", "unit", "help")}


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
        for name in panel.names:
            yield _row(scene, pair, process, before, panel, name, fresh.dim)


def _row(
    scene: Scene,
    pair: Pair,
    process: Process,
    before: PanelView | None,
    panel: PanelView,
    name: str,
    stale: bool,
) -> Row:
    """Return the row of a field, which is read when the row is shown, or sorted by."""
    owner, title = words.process_name(process), f"{panel.name} {panel.instance}".strip()
    search = ""
    if scene.settings.filter:
        known = panel.field(name)
        told = f"{known.level} {known.help}" if known is not None else ""
        search = f"{owner} {title} {name} {told}"

    def told_cells() -> dict[str, Cell]:
        field = panel.field(name)
        shown = _shown(scene, pair, field, before, panel) if field is not None else NOT_READ
        return {"process": cell(owner, "dim"), "panel": cell(title, "dim"), **shown}

    def told_order() -> dict[str, SortValue]:
        field = panel.field(name)
        order = _order(field, before, panel) if field is not None else {"field": name}
        return {"process": owner, "panel": title, **order}

    key = f"{process.slot}.{process.claim}.{title}.{name}"
    return Row(key, Late(told_cells), Late(told_order), search, stale)


def _grown(field: FieldView, before: PanelView | None, panel: PanelView) -> float:
    return growth(before, panel, field.name) if field.kind == "counter" else nan


def _shown(
    scene: Scene, pair: Pair, field: FieldView, before: PanelView | None, panel: PanelView
) -> dict[str, Cell]:
    value = text.field_value(field, pair.now.taken_wall_ns)
    grown = _grown(field, before, panel)
    role = "dim" if not field.value or value in ("none", "never", "-") else "plain"
    return {
        "field": cell(field.name, role),
        "value": cell(value, role),
        "rate": cell(_growth(scene, pair, field, grown), "accent" if grown > 0 else "dim"),
        "unit": cell(field.unit, "dim"),
        "help": cell(field.help, "dim"),
    }


def _order(field: FieldView, before: PanelView | None, panel: PanelView) -> dict[str, SortValue]:
    value = field.value if isinstance(field.value, int | float | str) else field.value.count
    return {
        "field": field.name,
        "value": value,
        "rate": _grown(field, before, panel),
        "unit": field.unit,
        "help": field.help,
    }


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
