"""The screen of a thread's source: pushed over the views, live like them, with its own keys."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from isinglass_console.keys import SOURCE, of_screen
from isinglass_console.screens import source
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.live import LiveScreen
from isinglass_console.screens.panes import thread_key
from isinglass_console.screens.scene import Page, Scene
from isinglass_console.sources.files import SourceFiles
from isinglass_console.widgets.canvas import Canvas
from isinglass_console.widgets.palette import Palette


class SourceScreen(LiveScreen):
    """One thread's source with its heat."""

    KEYS_SHOWN = (
        "<source.up> <source.down> thread   <source.back> <source.on> one step   <source.page_up>"
        " <source.page_down> scroll   <source.heat> sum up   <source.pause> pause"
        "   <source.live> live   <source.leave> back",
        "<source.up> <source.down> thread   <source.back> <source.on> one step"
        "   <source.leave> back",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.help, id=key.id, priority=True)
        for key in of_screen(SOURCE)
    ]

    def __init__(
        self, desk: Desk, palette: Palette, ascii_only: bool, key: str, files: SourceFiles
    ) -> None:
        super().__init__(desk, palette, ascii_only)
        self.thread_key = key
        self._files = files
        self._opened = source.Opened()

    def build(self, scene: Scene) -> Page:
        """Return the source page."""
        page, self._opened = source.build(scene, self.thread_key, self._opened, self._files)
        return page

    def action_thread(self, steps: int) -> None:
        """Show another thread of the node."""
        node = self.desk.scene(0, 0).node
        if node is None or node.snapshot is None:
            return
        keys = [thread_key(p, t) for p in node.snapshot.processes for t in p.threads]
        if not keys:
            return
        at = keys.index(self.thread_key) if self.thread_key in keys else 0
        self.thread_key = keys[(at + steps) % len(keys)]
        self.desk.select("threads", self.thread_key)
        self._opened = source.Opened()
        self.paint()

    def action_step(self, frames: int) -> None:
        """Go back or on in time."""
        self.desk.step(frames)
        self.paint()

    def action_scroll(self, lines: int) -> None:
        """Scroll the file; the view no longer follows the thread."""
        top = max(0, self._opened.top + lines)
        self._opened = replace(self._opened, top=top, held=True)
        self.paint()

    def action_heat_of(self) -> None:
        """Sum the heat up: of the thread, its process, its node, all nodes."""
        self.desk.settings.notice = self.desk.sum_up()
        self.paint()

    def action_pause(self) -> None:
        """Hold this moment, or go on."""
        self.desk.pause()
        self.paint()

    def action_live(self) -> None:
        """Show what is now."""
        self.desk.live()
        self.paint()

    def action_leave(self) -> None:
        """Go back to the views."""
        self.dismiss()

    def on_canvas_wheeled(self, message: Canvas.Wheeled) -> None:
        message.stop()
        self.action_scroll(message.steps)
