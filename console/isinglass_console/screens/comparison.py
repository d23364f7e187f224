"""View 0: what changed most between two moments, figure by figure, of all nodes.

The moment that is shown beside the mark that `=` set, or beside another recording at the same
offset. Both sides are means of the ten seconds before, as the hot lines are.
"""

from __future__ import annotations

from math import isfinite, log

from isinglass_console.model import format as text
from isinglass_console.model.comparison import Change, changes, recent
from isinglass_console.model.figures import FIGURES
from isinglass_console.model.layout import Column
from isinglass_console.model.table import Row
from isinglass_console.screens.scene import Page, Scene, table_block
from isinglass_console.widgets.line import Block, Pen
from isinglass_console.widgets.table import cell

TABLE = "changes"
COLUMNS = (
    Column("node", "NODE", 12, 0, largest=18, grow=1),
    Column("figure", "FIGURE", 16, 0),
    Column("before", "BEFORE", 17, 0, right=True),
    Column("after", "AFTER", 17, 0, right=True),
    Column("ratio", "TIMES", 9, 0, right=True),
    Column("help", "WHAT IT MEANS", 30, 2, grow=4),
)
MANY_TIMES = 1000.0
NOTED_RATIO = 1.5  # less is how busy machines differ from second to second


def build(scene: Scene) -> Page:
    """Return the view; it is there when there is something to compare with."""
    beside = scene.beside
    page = Page(Block(scene.width), TABLE, [], list(COLUMNS))
    if beside is None:
        return page
    found = changes(recent(beside.series, beside.frame), recent(scene.series, scene.frame))
    rows = [_row(change) for change in found]
    pen = Pen(scene.width).put(" WHAT CHANGED MOST", "title")
    pen.put(f"  after: {text.clock(scene.frame.wall_ns)}", "dim")
    pen.put(f"   before: {text.clock(beside.frame.wall_ns)}, {beside.said}", "dim")
    page.block = Block(scene.width, [pen.line()])
    table, page.rows = table_block(scene, TABLE, COLUMNS, rows, scene.height - 1)
    page.block.extend(table)
    return page


def _row(change: Change) -> Row:
    unit, meaning = FIGURES[change.figure]
    role = "bright" if change.weight > log(NOTED_RATIO) else "plain"
    before, after = (_shown(value, unit) for value in (change.before, change.after))
    return Row(
        key=f"{change.node} {change.figure}",
        cells={
            "node": cell(change.node),
            "figure": cell(change.figure, role),
            "before": cell(before, "dim"),
            "after": cell(after, role),
            "ratio": cell(shown_ratio(change), role),
            "help": cell(f"{meaning}", "dim"),
        },
        sort={
            "node": change.node,
            "figure": change.figure,
            "before": change.before,
            "after": change.after,
            "ratio": change.ratio,
            "help": meaning,
        },
        search=f"{change.node} {change.figure} {meaning}",
    )


def _shown(value: float, unit: str) -> str:
    if not isfinite(value):
        return text.pace(value)
    return text.quantity(value, unit)


def shown_ratio(change: Change) -> str:
    """Return how many times as much it is: `×2.1`, `=`, `new` when it was nothing."""
    before, after, ratio = change.before, change.after, change.ratio
    if before == after:
        return "="
    if not (isfinite(before) and isfinite(after)):
        return text.NOTHING
    if not before or not after:
        return "new" if after else "gone"
    return f"×{ratio:.3g}" if ratio < MANY_TIMES else f"×{text.count(ratio)}"
