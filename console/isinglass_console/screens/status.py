"""The first row and the last: who is up, how the time is, which views there are, which keys."""

from __future__ import annotations

from collections.abc import Sequence

from isinglass_console.keys import named
from isinglass_console.model import format as text
from isinglass_console.model.board import Severity
from isinglass_console.model.frame import Condition
from isinglass_console.screens import words
from isinglass_console.screens.scene import Scene
from isinglass_console.widgets.line import Block, Hit, Pen, cells

LEAST_CELLS = 24
NAME = "isinglass"
HELD_BACK = " held back"


def status_line(scene: Scene) -> Block:
    """Return row 1: nodes, warnings, the mode (unmistakable), the time shown."""
    block = Block(scene.width)
    right = _right(scene)
    room = scene.width - sum(cells(part) for part, _ in right)
    pen = Pen(scene.width)
    for part, role in _fitting(_left(scene), room):
        if room - pen.at > LEAST_CELLS or cells(part) < room - pen.at:
            pen.put(part, role, min(cells(part), room - pen.at - 1))
    pen.to(room)
    for part, role in right:
        pen.put(part, role)
    block.add(pen.line())
    return block


def _fitting(parts: list[tuple[str, str]], room: int) -> list[tuple[str, str]]:
    """Return what stands at the left; where it is too long, less: our name goes first, then air,
    then the alarms of which nobody is told.
    """
    if sum(cells(part) for part, _ in parts) < room:
        return parts
    close = [(part.replace("   ", "  "), role) for part, role in parts if part.strip() != NAME]
    if sum(cells(part) for part, _ in close) < room:
        return close
    return [(part, role) for part, role in close if not part.endswith(HELD_BACK)]


def _left(scene: Scene) -> list[tuple[str, str]]:
    nodes = scene.frame.nodes
    up = sum(node.condition == Condition.ALIVE for node in nodes)
    warnings = sum(node.severity in (Severity.WARNING, Severity.STALE) for node in nodes)
    critical = sum(node.severity == Severity.CRITICAL for node in nodes)
    name = nodes[0].name if len(nodes) == 1 else f"{len(nodes)} nodes"
    parts = [(f" {NAME}", "accent")] if scene.width >= 100 else []
    parts += [
        (f"  {name}" if scene.width >= 100 else f" {name}", "bright"),
        (f"   {up} up", "plain" if up else "critical"),
        (f"   ▲ {warnings}", "warning" if warnings else "dim"),
        (f"   ✖ {critical}", "critical" if critical else "dim"),
    ]
    parts += _alarms(scene)
    chosen = scene.node
    if chosen is not None:
        sentence = words.life_sentence(chosen, scene.frame.wall_ns, scene.frame.interval_seconds)
        if sentence:
            glyph, role = words.glyph(max(chosen.severity, Severity.STALE))
            who = f"{chosen.name} " if len(nodes) > 1 else ""
            parts.append((f"   {who}{glyph} {sentence}", role))
    return parts


def _alarms(scene: Scene) -> list[tuple[str, str]]:
    """Return what the monitor says, on every view: how many alarms, the worst one's sign."""
    sheet = scene.sheet
    if sheet is None or not sheet.raised:
        return []
    active = sheet.active
    if not active:
        return [(f"   {_alarms_of(len(sheet.raised))}{HELD_BACK}", "dim")]
    sign, role = words.glyph(max(alarm.severity for alarm in active))
    return [(f"   {sign} {_alarms_of(len(active))}", role)]


def _alarms_of(count: int) -> str:
    return f"{count} alarm{'s' if count > 1 else ''}"


def _right(scene: Scene) -> list[tuple[str, str]]:
    now = scene.frame.wall_ns
    clock = (f"   {text.clock(now)} UTC ", "plain") if now else ("", "plain")
    recording = [(f"  ● {scene.recording} ", "critical")] if scene.recording else []
    return [*_mode(scene), clock, *recording]


def _mode(scene: Scene) -> list[tuple[str, str]]:
    baseline = [("Δ since the mark   ", "accent")] if scene.counting else []
    if scene.beside is not None and not scene.counting:
        baseline = [(f"Δ {scene.beside.said}   ", "accent")]
    interval = f"{scene.frame.interval_seconds:g} s"
    if scene.live and scene.silent_seconds:
        silent = text.seconds(round(scene.silent_seconds))
        return [*baseline, (f" NO READING FOR {silent} ", "banner")]
    if scene.live:
        return [*baseline, ("LIVE", "banner_live"), (f" {interval}", "dim")]
    back = text.offset((scene.frame.wall_ns - scene.newest.wall_ns) / 1e9)
    return [*baseline, (f" {scene.mode or 'PAUSED'} {back} ", "banner")]


def key_line(scene: Scene, views: Sequence[tuple[str, str]], keys: Sequence[str]) -> Block:
    """Return the last row: the views by digit, and the keys worth knowing here.

    Args:
        views: digit and name of each view.
        keys: what stands at the right when there is no notice: the first text that has room,
            with keys by their ids.
    """
    block = Block(scene.width)
    settings = scene.settings
    keys = [named(each, settings.own_keys) for each in keys]
    note, role = settings.notice, "warning"
    if settings.filter:
        clears = named("<back> clears", settings.own_keys)
        note, role = f"/{settings.filter.text}  {clears}   {settings.notice}".rstrip(), "accent"
    names = sum(cells(digit) + cells(name) + 1 for digit, name in views)
    least = cells(keys[-1]) if keys else 0
    gap = "  " if names + 2 * len(views) + least < scene.width else " "
    rest = scene.width - names - len(gap) * len(views) - 1
    if cells(note) > rest:
        # What was just said, or is left out, matters more than which views there are.
        block.add(Pen(scene.width).put(" ").put(note, role).line())
        return block
    pen = Pen(scene.width).put(" ")
    for digit, name in views:
        left = pen.at
        active = name == settings.view
        pen.put(digit, "key" if not active else "accent").put(" ")
        pen.put(name, "accent" if active else "dim")
        if pen.at > left:
            block.hits.append(Hit(0, left, pen.at, "view", name))
        pen.put(gap)
    if not note:
        note, role = next((each for each in keys if cells(each) <= rest), ""), "dim"
    block.add(pen.to(scene.width - cells(note) - 1).put(note, role).line())
    return block
