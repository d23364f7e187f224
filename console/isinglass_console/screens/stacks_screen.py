"""The screen of a process's Python stacks: pushed over the views; what it shows stands still."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from isinglass_console.keys import STACKS, of_screen
from isinglass_console.model import format as text
from isinglass_console.model.stacks import Stacks
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.live import LiveScreen
from isinglass_console.screens.scene import Page, Scene
from isinglass_console.widgets.canvas import Canvas
from isinglass_console.widgets.line import Block, Pen, noted_rule
from isinglass_console.widgets.palette import Palette

HEADS = ("Thread", "Process", "Python", "Current thread")


def build(scene: Scene, stacks: Stacks, top: int) -> Page:
    """Return the page of stacks from a line on."""
    block = Block(scene.width)
    pen = Pen(scene.width).put(" STACKS", "title").put(f"  {stacks.node}", "bright")
    pen.put(f"  {stacks.process} {stacks.pid}").put(f"  by {stacks.way}", "dim")
    at = f"{text.clock(stacks.wall_ns, milliseconds=True)} UTC"
    block.add(pen.to(scene.width - len(at) - 1).put(at, "accent").line())
    room = max(0, scene.height - 2)
    hidden = max(0, len(stacks.lines) - room)
    top = min(top, hidden)
    for line in stacks.lines[top : top + room]:
        role = "bright" if line.startswith(HEADS) else "code"
        block.add(Pen(scene.width).put(" ").put(line, role).line())
    page = Page(block.sized(scene.height - 1))
    note = f"{top} lines above, {hidden - top} below" if hidden else ""
    page.block.lines.append(noted_rule(scene.width, note))
    page.hidden, page.window = hidden, room
    return page


class StacksScreen(LiveScreen):
    """Stacks that were taken once."""

    KEYS_SHOWN = (
        "<stacks.up> <stacks.down> <stacks.page_up> <stacks.page_down> scroll   <stacks.copy> copy"
        "   <stacks.leave> back",
        "<stacks.leave> back",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.help, id=key.id, priority=True)
        for key in of_screen(STACKS)
    ]

    def __init__(self, desk: Desk, palette: Palette, ascii_only: bool, stacks: Stacks) -> None:
        super().__init__(desk, palette, ascii_only)
        self.stacks = stacks
        self._top = 0

    def build(self, scene: Scene) -> Page:
        """Return the page of stacks."""
        return build(scene, self.stacks, self._top)

    def action_scroll(self, lines: int) -> None:
        """Scroll."""
        self._top = min(max(self._top + lines, 0), self.page.hidden)
        self.paint()

    def action_page(self, direction: int) -> None:
        """Scroll by what is seen."""
        self.action_scroll(direction * max(1, self.page.window - 1))

    def action_copy(self) -> None:
        """Put all of it on the terminal's clipboard."""
        self.app.copy_to_clipboard("\n".join(self.stacks.lines))
        self.desk.settings.notice = f"copied {len(self.stacks.lines)} lines"
        self.paint()

    def action_leave(self) -> None:
        """Go back to the views."""
        self.dismiss()

    def on_canvas_wheeled(self, message: Canvas.Wheeled) -> None:
        message.stop()
        self.action_scroll(message.steps)
