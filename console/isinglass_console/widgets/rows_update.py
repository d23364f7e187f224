"""Puts the rows of canvases that changed onto the terminal at once, past Textual's own steps.

Textual wakes each widget that has changed, which wakes the screen, whose timer waits for up to 16
ms, and then cuts all lines of all widgets apart and puts them together again. Where canvases are
all there is to see, the rows that changed are the update. Where something lies over them (a prompt,
a toast), is to be laid out first, or lies behind texts without a ground of their own (the
terminal's colours), they are repainted in Textual's way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from rich.console import Console, RenderableType
from rich.control import Control
from textual._compositor import CompositorUpdate
from textual.screen import Screen
from textual.strip import Strip

from isinglass_console.widgets.canvas import Canvas

Row = tuple[int, int, Strip]


class RowsUpdate(CompositorUpdate):
    """Rows to write: column and line of the terminal where each begins, and what stands there."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def render_segments(self, console: Console) -> str:
        """Return what is written to the terminal."""
        parts: list[str] = []
        for x, y, strip in self._rows:
            parts += Control.move_to(x, y).segment.text, strip.render(console)
        return "".join(parts)


def put_rows(screen: Screen[None], changed: Mapping[Canvas, Sequence[int]]) -> None:
    """Paint rows of canvases, which are all that the screen has of its own.

    Args:
        changed: the numbers of the rows by canvas, which has taken them.
    """
    if not any(changed.values()):
        return
    app, shown = screen.app, screen._compositor.visible_widgets
    alone = app.screen is screen and shown.keys() - {screen} == changed.keys()
    if not alone or app._batch_count or not all(canvas.keeps_rows for canvas in changed):
        for canvas, numbers in changed.items():
            canvas.repaint(numbers)
        return
    rows: list[Row] = []
    for canvas, numbers in changed.items():
        region, _ = shown[canvas]
        inside = [y for y in numbers if y < region.height]
        strips = canvas.rows(inside, region.width)
        rows += [(region.x, region.y + y, row) for y, row in zip(inside, strips, strict=True)]
    # It is drawn for what it is, though the type that is asked for is another one.
    app._display(screen, cast("RenderableType", RowsUpdate(rows)))
