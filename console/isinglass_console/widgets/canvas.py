"""The one widget that paints live views: lines in, and only those that changed go to the terminal.

A Textual DataTable renders every row again for one changed cell, 10 to 20 times the work. This
keeps a strip per row (Textual's Line API) and marks as dirty only the rows whose line differs from
the last one shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from isinglass_console.widgets.glyphs import ASCII
from isinglass_console.widgets.line import PLAIN, Block, Hit, Line
from isinglass_console.widgets.palette import Palette


class Canvas(Widget, can_focus=False):
    """Lines of text with roles, and the mouse."""

    class Clicked(Message):
        """The mouse was pressed on a part that stands for something."""

        def __init__(self, canvas: Canvas, hit: Hit, clicks: int) -> None:
            super().__init__()
            self.canvas = canvas
            self.hit = hit
            self.clicks = clicks

    class Wheeled(Message):
        """The wheel was turned; `steps` is positive downwards."""

        def __init__(self, canvas: Canvas, steps: int) -> None:
            super().__init__()
            self.canvas = canvas
            self.steps = steps

    class Resized(Message):
        """The canvas has another size: whoever fills it paints again."""

        def __init__(self, canvas: Canvas, size: Size) -> None:
            super().__init__()
            self.canvas = canvas
            self.new_size = size

    def __init__(self, palette: Palette, *, ascii_only: bool = False, name: str) -> None:
        super().__init__(id=name)
        self._palette = palette
        self._ascii_only = ascii_only
        self._lines: Sequence[Line] = ()
        self._lines_width = 0
        self._strips: dict[int, Strip] = {}  # by row, as they go to the terminal
        self._styles: dict[str, Style] = {}  # by role, as in these strips
        self._painted_as: tuple[object, ...] = ()
        self._hits: dict[int, list[Hit]] = {}
        self.painted_rows = 0

    def show(self, block: Block) -> None:
        """Show these lines; rows that are the same as before are not touched."""
        self.repaint(self.take(block))

    def take(self, block: Block) -> list[int]:
        """Take these lines; return the rows that differ now, which are to be painted."""
        old, new = self._lines, block.lines
        self._lines, self._lines_width = new, block.width
        self._hits = {}
        for hit in block.hits:
            self._hits.setdefault(hit.y, []).append(hit)
        both = min(len(old), len(new))
        changed = [y for y in range(both) if old[y] != new[y]]
        changed += range(both, max(len(old), len(new)))
        for y in changed:
            self._strips.pop(y, None)
        self.painted_rows += len(changed)
        return changed

    def repaint(self, rows: Iterable[int]) -> None:
        """Have Textual paint some rows again."""
        width = self.size.width
        if regions := [Region(0, y, width, 1) for y in rows]:
            self.refresh(*regions)

    def dress(self, palette: Palette) -> None:
        """Take another palette and paint everything again."""
        self._palette = palette
        self._painted_as = ()
        self.refresh()

    @property
    def keeps_rows(self) -> bool:
        """Whether its rows are its own; else Textual keeps them, and is told which to make anew."""
        return self._palette.has_ground

    @property
    def lines(self) -> Sequence[Line]:
        """What is shown now."""
        return self._lines

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows of a region for Textual.

        Its own way looks for border, padding, tint and opacity again for each row; a canvas has
        none of them. Only what lies behind a text without a ground of its own is left to it.
        """
        if not self.keeps_rows:
            return super().render_lines(crop)
        width = self.size.width
        rows = self.rows(crop.line_range, width)
        whole = crop.column_span == (0, width)
        return rows if whole else [row.crop(*crop.column_span) for row in rows]

    def rows(self, numbers: Sequence[int], width: int) -> list[Strip]:
        """Return some rows as they go to the terminal; they must be its own (`keeps_rows`)."""
        filters = self.get_line_filters()
        _, background = self.background_colors
        painted_as = (width, background, *filters)
        if painted_as != self._painted_as:
            self._painted_as = painted_as
            self._strips.clear()
            self._styles.clear()
        strips, styles = self._strips, self._styles

        def style(role: str) -> Style:
            found = styles.get(role)
            if found is None:
                found = styles[role] = _filtered(self._palette.style(role), filters, background)
            return found

        for y in numbers:
            if y not in strips:
                strips[y] = self._row(y, width, style)
        return [strips[y] for y in numbers]

    def render_line(self, y: int) -> Strip:
        """Return row `y` for Textual, which asks only for dirty ones."""
        return self._row(y, self.size.width, self._palette.style)

    def _row(self, y: int, width: int, style: Callable[[str], Style]) -> Strip:
        if y >= len(self._lines):
            return Strip([Segment(" " * width, style(PLAIN))], width)
        line = self._lines[y]
        if self._ascii_only:
            line = tuple((text.translate(ASCII), role) for text, role in line)
        segments = [Segment(text, style(role)) for text, role in line]
        if self._lines_width == width:
            return Strip(segments, width)
        return Strip(segments).adjust_cell_length(width, style(PLAIN))

    def hit_at(self, x: int, y: int) -> Hit | None:
        """Return the smallest clickable part at a place."""
        found = [hit for hit in self._hits.get(y, ()) if hit.left <= x < hit.right]
        return min(found, key=lambda hit: hit.right - hit.left, default=None)

    def on_click(self, event: events.Click) -> None:
        hit = self.hit_at(event.x, event.y)
        if hit is not None:
            event.stop()
            self.post_message(self.Clicked(self, hit, event.chain))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.post_message(self.Wheeled(self, 3))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.post_message(self.Wheeled(self, -3))

    def on_resize(self, event: events.Resize) -> None:
        self.post_message(self.Resized(self, event.size))


def _filtered(style: Style, filters: Iterable[LineFilter], background: Color) -> Style:
    """Return a style as Textual's filters make it: they look at nothing else of a text."""
    segments = [Segment(" ", style)]
    for each in filters:
        segments = each.apply(segments, background)
    return segments[0].style or style
