"""Hot lines below the threads of view 2: of a thread, its process, its node or all nodes.

Against a baseline the same table says what got hotter: the ten seconds before the moment shown
beside the ten seconds before the baseline, or before the same moment of another recording.
"""

from __future__ import annotations

from math import isfinite

from isinglass.glass.snapshot import Process, Thread
from isinglass_console.model import format as text
from isinglass_console.model import heat, spots
from isinglass_console.model.comparison import Beside
from isinglass_console.model.frame import NodeFrame
from isinglass_console.model.layout import Column, place
from isinglass_console.model.spots import Entry, Spot
from isinglass_console.screens import words
from isinglass_console.screens.panes import heading
from isinglass_console.screens.scene import Scene
from isinglass_console.sources.files import SourceFiles
from isinglass_console.widgets.bars import bar
from isinglass_console.widgets.line import Block, Pen, rule

COLUMNS = (
    Column("share", "SHARE", 7, 0, right=True),
    Column("bar", "", 12, 3, grow=1, largest=24),
    Column("running", "RUNNING", 8, 1, right=True),
    Column("cpu", "CPU WAIT", 9, 1, right=True),
    Column("blocked", "BLOCKED", 8, 1, right=True),
    Column("place", "LINE", 25, 0, grow=1, largest=40),
    Column("source", "SOURCE TEXT", 30, 4, grow=6),
)
COMPARED = (Column("change", "CHANGE", 8, 0, right=True), *COLUMNS)
OF_NODE = (*COLUMNS[:5], Column("thread", "THREAD", 20, 0), *COLUMNS[5:])
OF_NODE_LEAST = 5
CHANGE_SHOWN = 0.005


def entries_shown(scene: Scene, node: NodeFrame, process: Process, thread: Thread) -> list[Entry]:
    """Return the samples that the hot lines are made of: those of the scope that was chosen."""
    scope = scene.settings.heat_of
    nodes = scene.frame.nodes if scope == spots.EVERYWHERE else (node,)
    found = [entry for each in nodes for entry in spots.entries_of(each, scene.heat(each))]
    return spots.within(found, scope, node.name, (process.slot, process.claim, thread.index))


def _entries_beside(
    scene: Scene, beside: Beside, node: NodeFrame, process: Process, thread: Thread
) -> list[Entry]:
    """Return the samples of the same scope at the moment that is compared with."""
    scope = scene.settings.heat_of
    number = beside.frame.number
    nodes = beside.frame.nodes
    found = [
        entry
        for each in nodes
        if scope == spots.EVERYWHERE or each.name == node.name
        for entry in spots.entries_of(
            each, heat.window(beside.timeline.tallies(each.name, number, heat.WINDOW_SECONDS))
        )
    ]
    return spots.of_namesakes(found, scope, process, thread)


def spots_shown(scene: Scene, node: NodeFrame, process: Process, thread: Thread) -> list[Spot]:
    """Return the hot lines, against the baseline when there is one.

    Of one thread they stand in order; of many, of which most wait, work stands before waits.
    """
    now = spots.spots_of(entries_shown(scene, node, process, thread))
    if scene.beside is None:
        alone = scene.settings.heat_of == spots.THREAD
        return now if alone else sorted(now, key=lambda spot: spot.waits)
    before = _entries_beside(scene, scene.beside, node, process, thread)
    return spots.compared(now, spots.spots_of(before))


def about(scene: Scene, node: NodeFrame, process: Process, thread: Thread) -> str:
    """Return whose time the shares are of."""
    scope = scene.settings.heat_of
    if scope == spots.THREAD:
        return f"{words.process_name(process)}, {words.thread_name(thread)}"
    if scope == spots.PROCESS:
        return f"all threads of {words.process_name(process)}"
    return f"all threads of {node.name if scope == spots.NODE else scope}"


def build(
    scene: Scene,
    node: NodeFrame,
    found: tuple[Process, Thread] | None,
    tally: heat.Window,
    files: SourceFiles,
) -> Block:
    """Return the hot lines of the selected thread, or what it is part of, in the scene's height."""
    block = Block(scene.width)
    if found is not None:
        note = f"{sampling_sentence(tally)}   u: sum up   Enter: source"
        block.extend(heading("HOT LINES", about(scene, node, *found), note, scene.width))
        _lines(scene, block, node, found, files)
    rest = scene.height - len(block.lines) - 1
    if rest >= OF_NODE_LEAST and scene.settings.heat_of == spots.THREAD and scene.beside is None:
        rows = _working_lines(node, tally)[: rest - 2]
        if rows:
            block.lines.append(rule(scene.width))
            note = "work alone, of all threads"
            block.extend(heading("HOTTEST OF THE NODE", node.name, note, scene.width))
            block.extend(_table(scene.width, rows, files, OF_NODE))
    return block.sized(scene.height)


def _lines(
    scene: Scene,
    block: Block,
    node: NodeFrame,
    found: tuple[Process, Thread],
    files: SourceFiles,
) -> None:
    thread = found[1]
    alone = scene.settings.heat_of == spots.THREAD
    if alone and thread.site is None:
        block.add(Pen(scene.width).put(" it passed no mark of ours yet", "dim").line())
        return
    shown = spots_shown(scene, node, *found)
    if shown:
        columns = COLUMNS if scene.beside is None else COMPARED
        rows = [("", spot) for spot in shown[: max(1, scene.height - 2)]]
        block.extend(_table(scene.width, rows, files, columns))
    elif alone:
        pen = Pen(scene.width).put(" not sampled in the last ten seconds; it stood at ", "dim")
        block.add(pen.put(words.place(thread.site, thread.word)).line())
    else:
        block.add(Pen(scene.width).put(" not sampled in the last ten seconds", "dim").line())


def _working_lines(node: NodeFrame, tally: heat.Window) -> list[tuple[str, Spot]]:
    """Return the lines of all threads that are no waits, each as a share of its thread's time."""
    of_thread: dict[tuple[int, int, int], list[Entry]] = {}
    for entry in spots.entries_of(node, tally):
        key = (entry.process.slot, entry.process.claim, entry.thread.index)
        of_thread.setdefault(key, []).append(entry)
    found = []
    for own in of_thread.values():
        process, thread = own[0].process, own[0].thread
        name = f"{words.process_name(process, 11)} {words.thread_name(thread)}"
        shown = (spot for spot in spots.spots_of(own) if spot.site is not None and not spot.waits)
        found += [(name, spot) for spot in shown]
    return sorted(found, key=lambda row: (-row[1].share, row[0], row[1].word))


# ---------------------------------------------------------------------- the table
def _table(
    width: int, rows: list[tuple[str, Spot]], files: SourceFiles, columns: tuple[Column, ...]
) -> Block:
    block = Block(width)
    placed = place(columns, width - 2)
    head = Pen(width)
    for item in placed:
        head.to(item.left + 1).put(item.column.title, "title", item.width, item.column.right)
    block.add(head.line())
    for thread, spot in rows:
        cells = _cells(thread, spot, files)
        pen = Pen(width)
        for item in placed:
            pen.to(item.left + 1)
            content, role = cells[item.column.key]
            if item.column.key == "bar":
                pen.spans(bar(spot.share, item.width, role))
            else:
                pen.put(content, role, item.width, item.column.right)
        block.add(pen.line())
    return block


def _cells(thread: str, spot: Spot, files: SourceFiles) -> dict[str, tuple[str, str]]:
    site = spot.site
    role = "dim" if spot.waits else "plain"
    source = files.line_text(site) or (site.label if site is not None else "")
    hotter = spot.change >= CHANGE_SHOWN and not spot.waits
    return {
        "change": (shown_change(spot.change), "warning" if hotter else role),
        "share": (text.share(spot.share), role),
        "bar": ("", "bar_dim" if spot.waits else "bar"),
        "running": (shown_share(spot.running), role),
        "cpu": (shown_share(spot.cpu_wait), "warning" if spot.cpu_wait > 0.2 else role),
        "blocked": (shown_share(spot.blocked), role),
        "place": (words.place(site, spot.word, 24), role),
        "thread": (thread, role),
        "source": (source, "dim" if spot.waits else "code"),
    }


def shown_share(value: float) -> str:
    """Return a part of a line's share; nothing when it is nothing."""
    return "" if isfinite(value) and value < 0.001 else text.share(value)


def shown_change(value: float) -> str:
    """Return by how much a share grew: `+12 %`; nothing when it did not change."""
    if not isfinite(value):
        return text.NOTHING
    if abs(value) < CHANGE_SHOWN:
        return "="
    return f"{'+' if value > 0 else '−'}{text.share(abs(value))}"


def sampling_sentence(tally: heat.Window) -> str:
    """Return how well the last seconds were sampled."""
    late = f", {tally.late} late" if tally.late else ""
    rate = text.count(round(tally.samples_per_second))
    return f"{rate} samples/s for {text.seconds(round(tally.seconds))}, {tally.taken} taken{late}"
