"""What is shown where there is nothing to show: no node at all, or one that cannot be read."""

from __future__ import annotations

from textwrap import wrap

from isinglass.glass import layout
from isinglass_console.model.frame import NodeFrame
from isinglass_console.screens.scene import Page, Scene
from isinglass_console.widgets.line import Block, Pen

LINES: tuple[tuple[str, str], ...] = (
    ("isinglass", "accent"),
    ("you watch the fire with the door shut", "dim"),
    ("", "plain"),
    ("No node on this machine yet. The console attaches as soon as there is one.", "bright"),
    ("", "plain"),
    ("  isinglass demo                 a daemon with real work", "plain"),
    ("  isinglass daemon start NODE    a daemon of your own", "plain"),
    ("  import isinglass               your own program behind the glass", "plain"),
    ("", "plain"),
)


def unread_node(scene: Scene, node: NodeFrame) -> Block:
    """Return why nothing is known of a node, and what to do about it."""
    block = Block(scene.width)
    block.add(Pen(scene.width).put(f" {node.name} ", "bright").put(node.condition, "dim").line())
    for line in wrap(node.sentence, max(20, scene.width - 4)):
        block.add(Pen(scene.width).put(f"  {line}").line())
    hint = "the console attaches as soon as it can"
    block.add(Pen(scene.width).put(f"  {hint}", "dim").line())
    return block.sized(scene.height)


def build(scene: Scene) -> Page:
    """Return the waiting page, in the middle of the screen."""
    block = Block(scene.width)
    lines = (*LINES, (f"Looking in {layout.runtime_directory()}", "dim"))
    wide = max(len(text) for text, _ in lines)
    left = max(1, (scene.width - wide) // 2)
    for _ in range(max(0, (scene.height - len(lines)) // 3)):
        block.add(Pen(scene.width).line())
    for text, role in lines:
        block.add(Pen(scene.width).to(left).put(text, role).line())
    return Page(block)
