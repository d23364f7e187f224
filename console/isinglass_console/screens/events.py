"""The newest events of all nodes, from the rings in their segments."""

from __future__ import annotations

from functools import lru_cache

from isinglass.glass.severity import ERROR, WARNING, severity_name
from isinglass_console.model import format as text
from isinglass_console.model.log import LogEntry
from isinglass_console.screens.scene import Scene
from isinglass_console.widgets.line import Block, Line, Pen, cells

NARROW = 100


def events_block(scene: Scene) -> Block:
    """Return as many of the newest events as fit, the newest last."""
    block = Block(scene.width)
    shown = scene.settings.filter if scene.settings.view != "overview" else None
    entries = [e for e in scene.log if shown is None or shown.lets_through(e.search)]
    for entry in entries[-scene.height :]:
        block.add(_event_line(entry, scene.width))
    if not entries:
        block.add(Pen(scene.width).put(" no events yet", "dim").line())
    return block.sized(scene.height)


@lru_cache(maxsize=256)
def _event_line(entry: LogEntry, width: int) -> Line:
    role = (
        "critical" if entry.severity >= ERROR else "warning" if entry.severity >= WARNING else "dim"
    )
    wide = width >= NARROW
    pen = Pen(width).put(f" {text.clock(entry.wall_ns, milliseconds=wide)}", "dim").put("  ")
    pen.put(entry.node, "plain", 9).put(" ")
    if wide:
        pen.put(entry.process, "dim", 9).put(" ")
    pen.put(severity_name(entry.severity), role, 6).put(entry.flag, "dim", 8).put(" ")
    message_role, room = "dim" if role == "dim" else "plain", max(width - pen.at - 1, 0)
    return pen.put(entry.message, message_role, min(cells(entry.message), room)).line()
