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

SIGNS: tuple[tuple[str, str], ...] = (
    ("· well   ▲ warning   ✖ critical   ~ stale   ? unknown", "plain"),
    ("● the thread works there   ○ it waits there on purpose", "plain"),
    ("h r a: another member is heard, receives, applies", "plain"),
    ("dim: well, or old; then its age stands beside it", "dim"),
    ("-- is no figure: nothing old is ever shown as live", "dim"),
)


class HelpScreen(Screen[None]):
    """All keys; any of them goes back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter,space", "app.pop_screen", "back")
    ]

    def __init__(
        self, palette: Palette, ascii_only: bool, keymap: Mapping[str, str], demo: bool
    ) -> None:
        """Take the operator's own keys by binding id, and whether the demo's keys are offered."""
        super().__init__()
        self._keymap, self._demo = keymap, demo
        self._canvas = Canvas(palette, ascii_only=ascii_only, name="body")

    def compose(self) -> ComposeResult:
        """Give Textual the canvas."""
        yield self._canvas

    def on_canvas_resized(self, message: Canvas.Resized) -> None:
        message.stop()
        size = message.new_size
        self._canvas.show(help_block(size.width, size.height, self._keymap, self._demo))


def help_block(width: int, height: int, keymap: Mapping[str, str], demo: bool = False) -> Block:
    """Return the help in one, two or three columns."""
    groups = [_group(name, keymap) for name in keys.groups(demo)]
    columns = 3 if width >= 150 else 2 if width >= 76 else 1
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
    block.extend(beside(stacks, min(tallest, max(1, height - 1))))
    for text, role in SIGNS[: max(0, height - len(block.lines))]:
        block.add(Pen(width).put(" ").put(text, role).line())
    return block.sized(height)


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
