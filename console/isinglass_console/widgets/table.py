"""Paints a table: a header that sorts when clicked, rows that select when clicked, no boxes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

from isinglass_console.model.layout import Column, Placed, place
from isinglass_console.model.table import Cell, Row, TableState, scrolled, selected_index
from isinglass_console.widgets.glyphs import SELECTED, TAGGED
from isinglass_console.widgets.line import Block, Hit, Line, Pen, cells, styled

GUTTER = 1

_RowPainter = Callable[[tuple[Cell, ...], str, bool, bool], Line]


def cell(text: str, role: str = "plain") -> Cell:
    """Return a cell of one piece."""
    return ((text, role),)


def paint_table(
    name: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    state: TableState,
    width: int,
    height: int,
    *,
    tags: Collection[str] = (),
    active: bool = True,
) -> Block:
    """Return the table in exactly `height` lines (header first), scrolled to the selected row.

    Args:
        name: goes with every click: `sort:NAME` on the header, `row:NAME` on a row.
        rows: already filtered and in order.
        tags: keys of rows that carry a tag.
        active: whether the selected row is marked.
    """
    placed = tuple(place(columns, width - 2 * GUTTER))
    block = Block(width)
    line, hits = _header(name, placed, width, state.sort, state.descending)
    block.lines.append(line)
    block.hits.extend(hits)
    selected = selected_index(rows, state)
    body = height - 1
    top = scrolled(len(rows), selected, state.top, body)
    keys, paint = [item.column.key for item in placed], _row_painter(placed, width)
    for number in range(top, min(len(rows), top + body)):
        row = rows[number]
        at_cursor = active and number == selected
        mark = SELECTED if at_cursor else TAGGED if row.key in tags else " "
        shown = tuple([row.cells.get(key, ()) for key in keys])
        block.add(paint(shown, mark, row.stale, at_cursor), f"row:{name}", row.key)
    return block.sized(height)


@lru_cache(maxsize=64)
def _header(
    name: str, placed: tuple[Placed, ...], width: int, sort: str, descending: bool
) -> tuple[Line, tuple[Hit, ...]]:
    """Return the line of titles, and where it can be clicked."""
    pen, hits = Pen(width).put(" " * GUTTER), []
    for item in placed:
        pen.to(item.left + GUTTER)
        title, role = item.column.title, "title"
        if item.column.key == sort:
            title = f"{title}{'▾' if descending else '▴'}"
            role = "accent"
        pen.put(title, role, item.width, item.column.right)
        left = item.left + GUTTER
        hits.append(Hit(0, left, left + item.width, f"sort:{name}", item.column.key))
    return pen.line(), tuple(hits)


# From frame to frame most rows of most tables are the same: each is looked up before it is painted.
@lru_cache(maxsize=16)
def _row_painter(placed: tuple[Placed, ...], width: int) -> _RowPainter:
    @lru_cache(maxsize=128)
    def paint(shown: tuple[Cell, ...], mark: str, stale: bool, at_cursor: bool) -> Line:
        pen = Pen(width).put(mark, "accent")
        for item, pieces in zip(placed, shown, strict=True):
            pen.to(item.left + GUTTER)
            _cell(pen, pieces, item)
        line = pen.line()
        if stale:
            line = tuple((text, "stale" if role not in _KEPT else role) for text, role in line)
        return styled(line, "cursor") if at_cursor else line

    return paint


_KEPT = ("critical", "warning", "accent")


def _cell(pen: Pen, pieces: Cell, item: Placed) -> None:
    if len(pieces) == 1:
        text, role = pieces[0]
        pen.put(text, role, item.width, item.column.right)
        return
    room = item.width
    if item.column.right:
        used = sum(cells(text) for text, _ in pieces)
        pen.put(" " * max(0, room - used))
        room = min(room, used)
    for text, role in pieces:
        wanted = min(cells(text), room)
        pen.put(text, role, wanted)
        room -= wanted
