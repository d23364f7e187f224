"""The help page: every key by group, made from the table of keys, with the operator's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from isinglass_console import keys
from isinglass_console.model.layout import split
from isinglass_console.widgets.canvas import Canvas
from isinglass_console.widgets.line import Block, Pen, beside
from isinglass_console.widgets.palette import Palette

COLUMN_CELLS = 58
SIGNS: tuple[tuple[str, str], ...] = (
    ("· well   ▲ warning   ✖ critical   ~ stale   ? unknown", "plain"),
    ("● the thread works there   ○ it waits there on purpose", "plain"),
    ("h r a: another member is heard, receives, applies", "plain"),
    ("dim: well, or old; then its age stands beside it", "dim"),
    ("-- is no figure: nothing old is ever shown as live", "dim"),
)


class HelpScreen(Screen[None]):
    """All keys; what has no room is scrolled to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "app.pop_screen", "back"),
        Binding("down,j", "scroll(1)", "one line down"),
        Binding("up,k", "scroll(-1)", "one line up"),
        Binding("pagedown,space", "scroll(15)", "down"),
        Binding("pageup", "scroll(-15)", "up"),
    ]

    def __init__(
        self, palette: Palette, ascii_only: bool, keymap: Mapping[str, str], demo: bool
    ) -> None:
        """Take the operator's own keys by binding id, and whether the demo's keys are offered."""
        super().__init__()
        self._keymap, self._demo = keymap, demo
        self._top = 0
        self._canvas = Canvas(palette, ascii_only=ascii_only, name="body")

    def compose(self) -> ComposeResult:
        """Give Textual the canvas."""
        yield self._canvas

    def on_canvas_resized(self, message: Canvas.Resized) -> None:
        message.stop()
        self.action_scroll(0)

    def on_canvas_wheeled(self, message: Canvas.Wheeled) -> None:
        message.stop()
        self.action_scroll(message.steps)

    def action_scroll(self, lines: int) -> None:
        """Scroll, as far as there is more."""
        size = self._canvas.size
        whole = help_block(size.width, self._keymap, self._demo)
        self._top = min(max(self._top + lines, 0), max(0, len(whole.lines) - size.height))
        self._canvas.show(shown_part(whole, self._top, size.height))


def shown_part(whole: Block, top: int, height: int) -> Block:
    """Return the part of the help that has room: its first line stays, and says what is hidden."""
    hidden = max(0, len(whole.lines) - height)
    if not hidden:
        return whole.sized(height)
    head = Pen(whole.width).put(" isinglass", "accent").put("  keys; Esc goes back", "dim")
    note = f"{top} lines above, {hidden - top} below: j k"
    head.to(whole.width - len(note) - 1).put(note, "accent")
    block = Block(whole.width, [head.line()])
    block.extend(whole.without(1 + top))
    return block.sized(height)


def help_block(width: int, keymap: Mapping[str, str], demo: bool = False) -> Block:
    """Return the help in columns that cut no text, as long as it gets."""
    groups = [_group(name, keymap) for name in keys.groups(demo)]
    columns = min(3, max(1, width // COLUMN_CELLS))
    widths = split(width, columns)
    filled: list[list[Block]] = [[] for _ in range(columns)]
    for entries in groups:
        shortest = min(filled, key=lambda column: sum(len(b.lines) for b in column))
        at = filled.index(shortest)
        shortest.append(_resized(entries, widths[at]))
    stacks = []
    for at, column in enumerate(filled):
        stack = Block(widths[at])
        for entries_block in column:
            stack.extend(entries_block)
        stacks.append(stack)
    block = Block(width)
    block.add(Pen(width).put(" isinglass", "accent").put("  keys; Esc goes back", "dim").line())
    tallest = max(len(stack.lines) for stack in stacks)
    block.extend(beside(stacks, tallest))
    for text, role in SIGNS:
        block.add(Pen(width).put(" ").put(text, role).line())
    return block


Entries = list[tuple[str, str, str]]


def _group(name: str, keymap: Mapping[str, str]) -> Entries:
    entries: Entries = [(name, "", "title")]
    entries += [(shown, help_line, "plain") for shown, help_line in keys.help_lines(name, keymap)]
    return entries


def _resized(entries: Entries, width: int) -> Block:
    block = Block(width)
    for first, second, role in entries:
        pen = Pen(width).put(" ")
        if second:
            pen.put(first, "key", 11).put(" ").put(second, "dim")
        else:
            pen.put(first.upper(), role)
        block.add(pen.line())
    return block
