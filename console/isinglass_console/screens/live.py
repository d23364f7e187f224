"""A Textual screen made of three canvases: the status row, the page, the row of keys.

Both live screens (the views, and the source of a thread) are this with another page builder. A page
is built only when its screen is on top, from the desk's scene, and only rows that changed are
painted.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.screen import Screen

from isinglass_console.screens.desk import Desk
from isinglass_console.screens.scene import Page, Scene
from isinglass_console.screens.status import key_line, status_line
from isinglass_console.widgets.canvas import Canvas
from isinglass_console.widgets.line import Block
from isinglass_console.widgets.palette import Palette
from isinglass_console.widgets.rows_update import put_rows


class LiveScreen(Screen[None]):
    """Status row, page, keys; a subclass gives the page."""

    BLANK: ClassVar[bool] = True  # the canvases cover it
    # The longest text of them that has room is shown; keys stand in it by their ids.
    KEYS_SHOWN: Sequence[str] = ()

    def __init__(self, desk: Desk, palette: Palette, ascii_only: bool) -> None:
        super().__init__()
        self.desk = desk
        self._canvases = [
            Canvas(palette, ascii_only=ascii_only, name=name) for name in ("status", "body", "keys")
        ]
        self.page = Page(Block(0))

    def compose(self) -> ComposeResult:
        """Give Textual the three canvases."""
        yield from self._canvases

    @abstractmethod
    def build(self, scene: Scene) -> Page:
        """Return the page for a scene."""

    def views(self, _scene: Scene) -> Sequence[tuple[str, str]]:
        """Return digit and name of the views there are, for the last row."""
        return ()

    def keys_shown(self) -> Sequence[str]:
        """Return the keys worth knowing now, for the last row."""
        return self.KEYS_SHOWN

    def paint(self) -> None:
        """Build what is shown now and paint what changed."""
        width, height = self._canvases[1].size
        if not width or not height:
            return
        scene = self.desk.scene(width, height)
        self.page = self.build(scene)
        shown = (
            status_line(scene.resized(width, 1)),
            self.page.block.sized(height),
            key_line(scene.resized(width, 1), self.views(scene), self.keys_shown()),
        )
        put_rows(
            self, {each: each.take(new) for each, new in zip(self._canvases, shown, strict=True)}
        )

    def dress(self, palette: Palette) -> None:
        """Take another palette."""
        for canvas in self._canvases:
            canvas.dress(palette)

    def on_canvas_resized(self, message: Canvas.Resized) -> None:
        message.stop()
        self.paint()

    def on_screen_resume(self) -> None:
        self.paint()
