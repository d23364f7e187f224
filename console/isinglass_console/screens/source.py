"""The source of a thread with its heat: which lines its last ten seconds went to, and how.

Running, waiting for a CPU and blocked have a column each; the bar is their sum, faint where the
thread waits on purpose. Beside stands whether the file on disk is the one that the process runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from isinglass.glass.schema import Site
from isinglass.glass.snapshot import Process, Thread
from isinglass_console.model import format as text
from isinglass_console.model import heat, spots
from isinglass_console.model.series import sparkline
from isinglass_console.screens import hot_lines, words
from isinglass_console.screens.desk import HEAT_OF
from isinglass_console.screens.probes import find_thread
from isinglass_console.screens.scene import Page, Scene
from isinglass_console.sources.files import SourceFile, SourceFiles
from isinglass_console.widgets.bars import bar
from isinglass_console.widgets.glyphs import SELECTED
from isinglass_console.widgets.line import Block, Line, Pen, fit_left, rule, styled

TABLE = "source"
SHARE_CELLS = 9
BAR_CELLS = 10
HEAT_CELLS = 3 * SHARE_CELLS + BAR_CELLS + 2
TREND_SECONDS = 30
WORK_LEAST = 0.25  # of the time: a thread that works less is looked at for where it waits


@dataclass(frozen=True, slots=True)
class Opened:
    """Which part of which file is shown; `held` when the operator scrolled there himself."""

    path: str = ""
    top: int = 0
    held: bool = False


def build(scene: Scene, thread_key: str, opened: Opened, files: SourceFiles) -> tuple[Page, Opened]:
    """Return the source of the thread, and which part of it is shown.

    Live, this is the file of the line that took most of the last ten seconds, so that the page
    stands still while the thread runs; of one that hardly works, where it waits. Paused or dead, it
    is where the thread stands.
    """
    page = Page(Block(scene.width), TABLE)
    node = scene.node
    found = find_thread(node, thread_key) if node is not None else None
    if node is None or found is None:
        page.block.add(Pen(scene.width).put(" this thread was not there", "dim").line())
        return page, opened
    process, thread = found
    tally = scene.heat(node)
    key = (process.slot, process.claim, thread.index)
    _title(page.block, scene, node.name, process, thread, tally)
    anchor = _anchor(scene, process, thread, tally)
    if anchor is None:
        page.block.add(Pen(scene.width).put(" no mark of ours passed yet", "dim").line())
        return page, opened
    file = files.file(anchor.path, anchor.source_hash)
    _file_line(page.block, scene.width, anchor.path, file)
    room = scene.height - len(page.block.lines) - 3
    opened = _open(opened, anchor, len(file.lines), room)
    entries = hot_lines.entries_shown(scene, node, process, thread)
    hot = spots.of_file(spots.spots_of(entries), anchor)
    here = thread.site.line if thread.site and thread.site.path == anchor.path else 0
    for number in range(opened.top + 1, min(opened.top + room, len(file.lines)) + 1):
        source, at_line = file.lines[number - 1], number == here
        page.block.add(_code(source, number, hot.get(number), at_line, scene.width))
    page.block = page.block.sized(scene.height - 3)
    page.block.lines.append(rule(scene.width))
    page.block.add(_trend(scene, node.name, key, thread))
    page.block.add(_versions(scene, entries, anchor) or _others(scene, thread))
    return page, opened


def _versions(scene: Scene, entries: list[spots.Entry], anchor: Site) -> Line | None:
    """Return which nodes' heat is left out because they run another version of the file."""
    others = spots.other_versions(entries, anchor)
    if not others:
        return None
    run = "runs" if len(others) == 1 else "run"
    sentence = f" {', '.join(others)} {run} another version of this file: not summed here"
    return Pen(scene.width).put(sentence, "warning").line()


def _anchor(scene: Scene, process: Process, thread: Thread, tally: heat.Window) -> Site | None:
    """Return the mark whose file is shown: work before waits, unless it does nothing but wait."""
    if not scene.live or process.verdict in words.DEAD:
        return thread.site
    hot = heat.hottest(tally, (process.slot, process.claim, thread.index))
    known = [(site, line.share) for line in hot if (site := process.site(line.word)) is not None]
    working = [(site, share) for site, share in known if not site.waits]
    if sum(share for _, share in working) < WORK_LEAST:
        working = known
    return next((site for site, _ in working), thread.site)


def _open(opened: Opened, anchor: Site, count: int, room: int) -> Opened:
    """Return the part to show: the same as before while the line that matters is in it."""
    last = max(0, count - room)
    seen = opened.held or opened.top < anchor.line <= opened.top + room
    if opened.path == anchor.path and seen:
        return Opened(anchor.path, max(0, min(opened.top, last)), opened.held)
    top = max(0, min(anchor.line - 1 - room // 2, last))
    return Opened(anchor.path, top)


def _title(
    block: Block, scene: Scene, node: str, process: Process, thread: Thread, tally: heat.Window
) -> None:
    pen = Pen(scene.width).put(f" {node}", "bright")
    pen.put(f"  {process.name} {process.pid}", "plain").put(
        f"  {words.thread_name(thread)}", "accent"
    )
    dead = process.verdict in words.DEAD
    note = f"{process.verdict}: its last line" if dead else hot_lines.sampling_sentence(tally)
    if not dead and scene.settings.heat_of != spots.THREAD:
        note = f"heat of {HEAT_OF[scene.settings.heat_of]}; {note}"
    pen.to(scene.width - len(note) - 1).put(note, "critical" if dead else "dim")
    block.add(pen.line())


def _file_line(block: Block, width: int, path: str, file: SourceFile) -> None:
    pen = Pen(width).put(" ")
    shown = words.short_path(path, 3)
    room = max(10, width - HEAT_CELLS - len(file.sentence) - 5)
    pen.put(fit_left(shown, min(room, len(shown))), "bright").put("  ")
    pen.put(f"({file.sentence})", "dim" if file.same else "warning")
    pen.to(width - HEAT_CELLS)
    for title in ("running", "CPU wait", "blocked"):
        pen.put(title, "title", SHARE_CELLS, right=True)
    block.add(pen.line())


def _code(source: str, number: int, hot: spots.Spot | None, here: bool, width: int) -> Line:
    pen = Pen(width).put(SELECTED if here else " ", "accent")
    pen.put(f"{number:5}", "accent" if here else "dim").put("  ")
    role = "code" if not source.lstrip().startswith("#") else "comment"
    pen.put(source, role, width - pen.at - HEAT_CELLS)
    if hot is None:
        line = pen.line()
        return styled(line, "cursor") if here else line
    known = hot.blocked == hot.blocked
    if known:
        for value in (hot.running, hot.cpu_wait, hot.blocked):
            pen.put(hot_lines.shown_share(value), "plain", SHARE_CELLS, right=True)
    else:
        pen.put(text.share(hot.share), "plain", 3 * SHARE_CELLS, right=True)
    pen.put(" ").spans(bar(hot.share, BAR_CELLS, "bar_dim" if hot.waits else "bar"))
    line = pen.line()
    return styled(line, "cursor") if here else line


def _trend(scene: Scene, node: str, key: heat.ThreadKey, thread: Thread) -> Line:
    """Return how much of each of the last seconds the thread stood on its line."""
    tallies = scene.history.tallies(node, scene.frame.number, TREND_SECONDS)
    each = -(-len(tallies) // TREND_SECONDS) or 1  # frames may be more often than seconds
    parts = [heat.window(tallies[at : at + each]) for at in range(0, len(tallies), each)]
    shares = [_share_of(part, key, thread.word) for part in reversed(parts)]
    site = thread.site
    verb = "waits" if site is not None and site.waits else "now"
    pen = Pen(scene.width).put(f" {TREND_SECONDS} s ", "dim", 8)
    pen.put(sparkline(shares, 1.0), "spark", TREND_SECONDS + 2)
    label = f"{verb} at {words.place(site, thread.word)}  {site.label if site else ''}"
    return pen.put(label, "plain").line()


def _share_of(part: heat.Window, key: heat.ThreadKey, word: int) -> float:
    """Return how much of a time the thread stood on a line; NaN when nobody looked."""
    lines = heat.hottest(part, key)
    return next((line.share for line in lines if line.word == word), 0.0 if lines else nan)


def _others(scene: Scene, thread: Thread) -> Line:
    """Return where threads of the same name on other nodes are at this instant."""
    pen = Pen(scene.width).put(" other nodes at this instant ", "dim")
    chosen = scene.node
    found = False
    for node in scene.frame.nodes:
        if chosen is None or node.name == chosen.name or node.snapshot is None:
            continue
        for process in node.snapshot.processes[:1]:
            for other in process.threads:
                if other.name == thread.name:
                    found = True
                    pen.put(f" {node.name} ", "plain")
                    pen.put(words.place(other.site, other.word), "dim")
    return pen.line() if found else Pen(scene.width).line()
