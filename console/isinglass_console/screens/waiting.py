"""What is shown while no node is found: how to start one, and where we look."""

from __future__ import annotations

from isinglass.glass import layout
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
