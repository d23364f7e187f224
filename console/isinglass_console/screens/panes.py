"""The panes of the overview about one node by itself: probes, queue merges, timers, store."""

from __future__ import annotations

from functools import lru_cache
from math import isfinite, nan

from isinglass.glass.schema import Site
from isinglass.glass.snapshot import Process, Snapshot, Thread, Verdict
from isinglass_console.model import format as text
from isinglass_console.model import heat
from isinglass_console.model.frame import Condition, NodeFrame
from isinglass_console.model.merging import avoided_share, merge_rows
from isinglass_console.model.rates import number
from isinglass_console.model.series import sparkline
from isinglass_console.model.store import commit_percentiles, store_rows
from isinglass_console.model.timers import TimerRow, timer_rows
from isinglass_console.screens import words
from isinglass_console.screens.scene import Scene
from isinglass_console.widgets.bars import bar
from isinglass_console.widgets.line import Block, Line, Pen, Span, fit_left

NAME_CELLS, THREAD_CELLS, LABEL_LEAST = 12, 8, 12
KEPT = ("title", "critical", "warning", "rule")
OVER = (Condition.KILLED, Condition.LEFT)


def aged(scene: Scene, node: NodeFrame, block: Block) -> Block:
    """Return a pane as it must be shown: dim, with its age in the heading, when it is old."""
    fresh = scene.freshness(node)
    if not fresh.dim or not block.lines:
        return block
    title = block.lines[0][0][0]
    first = heading(title.strip(), node.name, age_note(scene, node), block.width).lines[0]
    return Block(block.width, [first, *dimmed(block).lines[1:]], block.hits)


def age_note(scene: Scene, node: NodeFrame) -> str:
    """Return how old the node's figures are, "" while they are fresh."""
    if not scene.freshness(node).dim:
        return ""
    last = ", its last" if node.condition in OVER else ""
    return f"{text.seconds(node.age_seconds)} old{last}"


def dimmed(block: Block) -> Block:
    """Return a block in which nothing looks live."""
    lines = [tuple((piece, _dim(role)) for piece, role in line) for line in block.lines]
    return Block(block.width, lines, block.hits)


def _dim(role: str) -> str:
    base, plus, addition = role.partition("+")
    return f"{base if base in KEPT else 'stale'}{plus}{addition}"


def heading(title: str, about: str, note: str, width: int) -> Block:
    """Return the first line of a pane: its title, whose it is, and what its figures are."""
    block = Block(width)
    pen = Pen(width).put(f" {title}", "title").put(f"  {about}", "dim")
    room = width - pen.at - 1
    if note and len(note) < room:
        pen.put(" " * (room - len(note))).put(note, "dim")
    block.add(pen.line())
    return block


# ---------------------------------------------------------------------- probes
def probes_pane(scene: Scene, node: NodeFrame) -> Block:
    """Return where the threads of the node spend their time, or stood when they died."""
    block = heading("PROBES", node.name, "share of last 10 s", scene.width)
    snapshot = node.snapshot
    if snapshot is None:
        return block
    tally = scene.heat(node)
    threads = marked_threads(snapshot)
    labels = len(threads) * 2 < scene.height
    before: Process | None = None
    for process, thread in threads:
        name = words.process_name(process, NAME_CELLS) if process is not before else ""
        before = process
        _probe_lines(block, (process, thread), name, tally, labels)
        if len(block.lines) >= scene.height:
            break
    return block


def _probe_lines(
    block: Block, who: tuple[Process, Thread], name: str, tally: heat.Window, labels: bool
) -> None:
    process, thread = who
    dead = process.verdict in words.DEAD
    key = (process.slot, process.claim, thread.index)
    hottest = None if dead else heat.hottest_line(tally, key)
    word, share = hottest or (thread.word, nan)
    site = process.site(word) if hottest else thread.site
    name_role = "critical" if process.verdict == Verdict.KILLED else "dim"
    named = (name, name_role), words.thread_name(thread)
    percent = text.share(share) if isfinite(share) else ""
    works = not dead and (site is None or not site.waits)
    place = site, word, share if works else nan
    lines = _thread_lines(block.width, named, place, percent, dead=dead)
    block.add(lines[0], "open:threads", thread_key(process, thread))
    if labels:
        block.lines += lines[1:]


# Where a thread waits it does so for long: most of these lines are the ones of the frame before.
@lru_cache(maxsize=512)
def _thread_lines(
    width: int,
    named: tuple[Span, str],
    place: tuple[Site | None, int, float],
    percent: str,
    *,
    dead: bool,
) -> tuple[Line, ...]:
    """Return the line of a thread, and one with the label of its place when that has no room.

    Args:
        named: its process's name in its role, and its own.
        place: where it stands, and how much of its time when it works there.
    """
    (name, name_role), thread_name = named
    site, word, share = place
    waits = site is not None and site.waits
    role = "dim" if waits or dead else "plain"
    pen = Pen(width).put(" ").put(name, name_role, NAME_CELLS).put(" ")
    pen.put(thread_name, role, THREAD_CELLS).put(" ")
    pen.put(*words.place_glyph(site)).put(" ")
    indent = pen.at
    room = width - pen.at - 8
    place_width = min(room, 24)
    pen.put(fit_left(words.place(site, word, place_width), place_width), role)
    label = (site.label or site.function) if site is not None else ""
    beside = room - place_width - 1
    labelled = (waits or dead) and beside >= LABEL_LEAST
    if not waits and not dead:
        pen.put(" ").spans(bar(share, min(20, beside)))
    elif labelled:
        pen.put(" ").put(label, "dim", beside)
    line = pen.to(width - 7).put(f"{percent:>6}", role).line()
    if waits or labelled:
        return (line,)
    return line, Pen(width).to(indent).put(label, "dim").line()


def marked_threads(snapshot: Snapshot) -> list[tuple[Process, Thread]]:
    """Return the threads that passed a mark; the others have nothing to say, nor who has left."""
    every = [
        (process, thread)
        for process in snapshot.processes
        if process.slot == 0 or process.verdict != Verdict.CLEAN_EXIT
        for thread in process.threads
    ]
    return [each for each in every if each[1].word] or every


def thread_key(process: Process, thread: Thread) -> str:
    """Return the key by which a thread's row is selected."""
    return f"{process.slot}.{process.claim}.{thread.index}"


# ---------------------------------------------------------------------- merges
def merges_pane(scene: Scene, node: NodeFrame) -> Block:
    """Return what the queue merged away, as rates and shares of what was offered."""
    width = scene.width
    block = heading("QUEUE MERGES", node.name, "share of offered", width)
    pair = scene.pair(node)
    if pair is None:
        return block
    old = scene.freshness(node).blank and not scene.counting
    for row in merge_rows(pair):
        rate, share = (nan, nan) if old else (row.rate, row.share)
        shown = text.count(row.grown) if scene.counting else text.rate(rate)
        role = "plain" if rate > 0 else "dim"
        pen = Pen(width).put(f" {row.label}", role, 15).put(shown, role, 12, right=True).put("  ")
        bar_width = max(0, width - pen.at - 8)
        pen.spans(bar(share, bar_width, "bar" if row.field == "written" else "bar_dim"))
        pen.put(f"{text.share(share):>7}", role)
        block.add(pen.line())
    if scene.height - len(block.lines) >= 2:
        pen = Pen(width).put(" writes avoided", "dim", 15)
        pen.put(text.share(avoided_share(pair)), "bright", 12, right=True).put("  ")
        trend = scene.trend(node, "merged_share", max(0, width - pen.at - 8))
        block.add(pen.put(sparkline(trend, 1.0), "spark").line())
    block.add(queue_line(node, width))
    return block


def queue_line(node: NodeFrame, width: int) -> tuple[tuple[str, str], ...]:
    """Return what waits: updates of the limit, the oldest's age, the most there ever was."""
    queue = node.snapshot.panel("queue") if node.snapshot is not None else None
    limit = number(queue, "limit")
    pen = Pen(width).fact(" queue  ", text.count(number(queue, "backlog.entries")))
    if limit > 0:
        pen.fact(" of ", text.count(limit))
    pen.fact("   oldest ", text.seconds(number(queue, "backlog.oldest")))
    return pen.fact("   most ", text.count(number(queue, "length_max"))).line()


# ---------------------------------------------------------------------- timers
def timers_pane(scene: Scene, node: NodeFrame) -> Block:
    """Return the periodic tasks, the overdue ones first."""
    block = heading("TIMERS", node.name, "last run", scene.width)
    if node.snapshot is None:
        return block
    for row in timer_rows(node.snapshot)[: scene.height - 1]:
        block.add(_timer_line(row, scene.width))
    return block


def _timer_line(row: TimerRow, width: int) -> tuple[tuple[str, str], ...]:
    pen = Pen(width).put(" ").put(*words.glyph(row.severity)).put(" ")
    role = "warning" if row.late_seconds > 0 and row.severity else "plain"
    wide = width >= 62
    pen.put(row.name, role, max(10, width - (49 if wide else 34))).put(" ")
    if wide:
        pen.put(f"every {text.seconds(row.interval_seconds)}", "dim", 14, right=True)
    ago = text.seconds(row.since_seconds) + " ago" if isfinite(row.since_seconds) else "never"
    pen.put(ago, "dim", 14, right=True)
    took = f"took {text.seconds(row.duration_seconds)}"
    if row.severity:
        took = f"late {text.seconds(row.late_seconds)}"
    return pen.put(took, role if row.severity else "dim", 15, right=True).line()


# ---------------------------------------------------------------------- store
def store_pane(scene: Scene, node: NodeFrame) -> Block:
    """Return how slow commits are, how large the store is, and who reads it."""
    width = scene.width
    block = heading("STORE", node.name, "commits of the last interval", width)
    pair = scene.pair(node)
    if pair is None:
        return block
    for label, value, role in (*commit_percentiles(pair), *store_rows(pair.now)):
        if len(block.lines) >= scene.height:
            break
        pen = Pen(width).put(f" {label}", "dim", min(20, width // 2)).put(value, role)
        block.add(pen.line())
    return block
