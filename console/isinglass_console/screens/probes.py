"""View 2: every process and thread of a node, where it stands, and the selected one's lines.

A thread is shown where it stands *now*, with how long it has stood there, and beside it how its
last ten seconds divide among lines.
"""

from __future__ import annotations

from math import isfinite, nan

from isinglass.glass.snapshot import Process, Thread, Verdict
from isinglass_console.model import format as text
from isinglass_console.model import heat
from isinglass_console.model.frame import NodeFrame, process_freshness
from isinglass_console.model.layout import Column, place
from isinglass_console.model.table import Cell, Row, selected_index
from isinglass_console.screens import words
from isinglass_console.screens.panes import heading, thread_key
from isinglass_console.screens.scene import Page, Scene, table_block
from isinglass_console.sources.files import SourceFiles
from isinglass_console.widgets.bars import bar
from isinglass_console.widgets.line import Block, Pen, rule
from isinglass_console.widgets.table import cell

TABLE = "threads"
STOOD_LONG_SECONDS = 5.0
COLUMNS = (
    Column("process", "PROCESS", 13, 0, largest=20, grow=1),
    Column("life", "LIFE", 12, 2),
    Column("thread", "THREAD", 11, 0),
    Column("place", "NOW AT", 25, 0, grow=2, largest=36),
    Column("stood", "FOR", 9, 1, right=True),
    Column("hot", "HOTTEST LINE, SHARE OF 10 s", 27, 3, grow=2, largest=44),
    Column("source", "SOURCE TEXT", 30, 4, grow=6),
    Column("pid", "PID", 8, 6, right=True),
    Column("tid", "TID", 8, 7, right=True),
)
HEAT_COLUMNS = (
    Column("share", "SHARE", 7, 0, right=True),
    Column("bar", "", 12, 3, grow=1, largest=24),
    Column("running", "RUNNING", 8, 1, right=True),
    Column("cpu", "CPU WAIT", 9, 1, right=True),
    Column("blocked", "BLOCKED", 8, 1, right=True),
    Column("place", "LINE", 25, 0, grow=1, largest=40),
    Column("source", "SOURCE TEXT", 30, 4, grow=6),
)
NODE_HEAT_COLUMNS = (
    *HEAT_COLUMNS[:5],
    Column("thread", "THREAD", 20, 0),
    *HEAT_COLUMNS[5:],
)
NODE_HEAT_LEAST = 5


def build(scene: Scene, files: SourceFiles) -> Page:
    """Return the view of one node's threads."""
    node = scene.node
    page = Page(Block(scene.width), TABLE, [], list(COLUMNS))
    if node is None or node.snapshot is None:
        return page
    tally = scene.heat(node)
    rows = [
        _row(scene, process, thread, tally, files)
        for process in node.snapshot.processes
        for thread in process.threads
    ]
    rows += [_bare_row(process) for process in node.snapshot.processes if not process.threads]
    heat_height = 0 if scene.settings.zoomed else max(5, scene.height // 3)
    table_height = scene.height - heat_height - (1 if heat_height else 0)
    if heat_height and len(rows) + 1 < table_height:
        table_height = len(rows) + 1
        heat_height = scene.height - table_height - 1
    page.block, page.rows = table_block(scene, TABLE, COLUMNS, rows, table_height)
    if heat_height and page.rows:
        page.block.lines.append(rule(scene.width))
        key = page.rows[selected_index(page.rows, scene.settings.table(TABLE))].key
        page.block.extend(_heat(scene.resized(scene.width, heat_height), node, key, tally, files))
    return page


def find_thread(node: NodeFrame, key: str) -> tuple[Process, Thread] | None:
    """Return the process and thread of a row's key."""
    for process in node.snapshot.processes if node.snapshot is not None else ():
        for thread in process.threads:
            if thread_key(process, thread) == key:
                return process, thread
    return None


def _life(process: Process, dim: bool) -> Cell:
    glyph, role = words.glyph(words.VERDICT_SEVERITY[process.verdict])
    word = process.verdict
    if process.verdict == Verdict.STALLED or (dim and process.verdict == Verdict.ALIVE):
        word = f"still {text.seconds(process.heartbeat_age_seconds)}"
    return ((glyph, role), (f" {word}", role))


def _row(
    scene: Scene, process: Process, thread: Thread, tally: heat.Tally, files: SourceFiles
) -> Row:
    fresh = process_freshness(process, scene.frame.interval_seconds)
    dead = process.verdict in words.DEAD
    site = thread.site
    waits = site is not None and site.waits
    quiet = dead or site is None
    lines = [] if quiet else heat.hottest(tally, (process.slot, process.claim, thread.index))
    share = lines[0].share if lines else nan
    role = "dim" if waits or site is None else "plain"
    long = thread.stood_seconds > STOOD_LONG_SECONDS and not waits
    stood = nan if quiet else thread.stood_seconds
    source = files.line_text(site)
    return Row(
        key=thread_key(process, thread),
        cells={
            "process": cell(words.process_name(process), "plain" if process.slot == 0 else "dim"),
            "life": _life(process, fresh.dim),
            "thread": cell(words.thread_name(thread), role),
            "place": (words.place_glyph(site), (f" {words.place(site, thread.word, 24)}", role)),
            "stood": cell("" if quiet else text.seconds(stood), "warning" if long else "dim"),
            "hot": _hottest(process, lines),
            "source": cell(source, "dim" if waits else "code"),
            "pid": cell(str(process.pid), "dim"),
            "tid": cell(str(thread.tid), "dim"),
        },
        sort={
            "process": words.process_name(process),
            "life": -float(words.VERDICT_SEVERITY[process.verdict]),
            "thread": words.thread_name(thread),
            "place": words.place(site, thread.word),
            "stood": stood,
            "hot": share,
            "source": source,
            "pid": process.pid,
            "tid": thread.tid,
        },
        search=f"{words.process_name(process)} {process.verdict} {thread.name} "
        f"{words.place(site, thread.word)} {source}",
        stale=fresh.dim or dead,
    )


def _bare_row(process: Process) -> Row:
    """Return the row of a process that has no probed thread."""
    name = words.process_name(process)
    return Row(
        key=f"{process.slot}.{process.claim}",
        cells={
            "process": cell(name, "dim"),
            "life": _life(process, False),
            "place": cell("no probed thread", "dim"),
            "pid": cell(str(process.pid), "dim"),
        },
        sort={"process": name, "pid": process.pid},
        search=f"{name} {process.verdict}",
        stale=process.verdict != Verdict.ALIVE,
    )


def _hottest(process: Process, lines: list[heat.LineHeat]) -> Cell:
    if not lines:
        return cell("")
    site = process.site(lines[0].word)
    waits = site is not None and site.waits
    role = "dim" if waits else "plain"
    drawn = bar(lines[0].share, 8, "bar_dim" if waits else "bar")
    number = f"{text.share(lines[0].share):>6}  "
    return (*drawn, (number, role), (f":{lines[0].word & 0xFFFF}", "dim"))


def _heat(scene: Scene, node: NodeFrame, key: str, tally: heat.Tally, files: SourceFiles) -> Block:
    """Return the selected thread's lines, and below them the hottest of all threads."""
    block = Block(scene.width)
    found = find_thread(node, key)
    if found is not None:
        process, thread = found
        about = f"{words.process_name(process)}, {words.thread_name(thread)}"
        note = f"{sampling_sentence(tally)}   Enter: source"
        block.extend(heading("HOT LINES", about, note, scene.width))
        lines = heat.hottest(tally, (process.slot, process.claim, thread.index))
        if thread.site is None:
            block.add(Pen(scene.width).put(" it passed no mark of ours yet", "dim").line())
        elif lines:
            rows = [(process, thread, line) for line in lines[: max(1, scene.height - 2)]]
            block.extend(_heat_table(scene.width, rows, files, HEAT_COLUMNS))
        else:
            sentence = " not sampled in the last ten seconds; it stood at "
            pen = Pen(scene.width).put(sentence, "dim")
            block.add(pen.put(words.place(thread.site, thread.word)).line())
    rest = scene.height - len(block.lines) - 1
    if rest >= NODE_HEAT_LEAST:
        rows = _working_lines(node, tally)[: rest - 2]
        if rows:
            block.lines.append(rule(scene.width))
            note = "work alone, of all threads"
            block.extend(heading("HOTTEST OF THE NODE", node.name, note, scene.width))
            block.extend(_heat_table(scene.width, rows, files, NODE_HEAT_COLUMNS))
    return block.sized(scene.height)


HeatRow = tuple[Process, Thread, heat.LineHeat]


def _working_lines(node: NodeFrame, tally: heat.Tally) -> list[HeatRow]:
    """Return the lines of all threads that are no waits, the hottest first."""
    found = []
    for process in node.snapshot.processes if node.snapshot is not None else ():
        for thread in process.threads:
            for line in heat.hottest(tally, (process.slot, process.claim, thread.index)):
                site = process.site(line.word)
                if site is not None and not site.waits:
                    found.append((process, thread, line))
    return sorted(found, key=lambda row: -row[2].share)


def _heat_table(
    width: int, rows: list[HeatRow], files: SourceFiles, columns: tuple[Column, ...]
) -> Block:
    block = Block(width)
    placed = place(columns, width - 2)
    head = Pen(width)
    for item in placed:
        head.to(item.left + 1).put(item.column.title, "title", item.width, item.column.right)
    block.add(head.line())
    for process, thread, line in rows:
        cells = _heat_cells(process, thread, line, files)
        pen = Pen(width)
        for item in placed:
            pen.to(item.left + 1)
            content, role = cells[item.column.key]
            if item.column.key == "bar":
                pen.spans(bar(line.share, item.width, role))
            else:
                pen.put(content, role, item.width, item.column.right)
        block.add(pen.line())
    return block


def _heat_cells(
    process: Process, thread: Thread, line: heat.LineHeat, files: SourceFiles
) -> dict[str, tuple[str, str]]:
    site = process.site(line.word)
    waits = site is not None and site.waits
    role = "dim" if waits else "plain"
    source = files.line_text(site) or (site.label if site is not None else "")
    return {
        "share": (text.share(line.share), role),
        "bar": ("", "bar_dim" if waits else "bar"),
        "running": (shown_share(line.running), role),
        "cpu": (shown_share(line.cpu_wait), "warning" if line.cpu_wait > 0.2 else role),
        "blocked": (shown_share(line.blocked), role),
        "place": (words.place(site, line.word, 24), role),
        "thread": (f"{words.process_name(process, 11)} {words.thread_name(thread)}", role),
        "source": (source, "dim" if waits else "code"),
    }


def shown_share(value: float) -> str:
    """Return a part of a line's share; nothing when it is nothing."""
    return "" if isfinite(value) and value < 0.001 else text.share(value)


def sampling_sentence(tally: heat.Tally) -> str:
    """Return how well the last seconds were sampled."""
    late = f", {tally.late} late" if tally.late else ""
    rate = text.count(round(tally.samples_per_second))
    return f"{rate} samples/s for {text.seconds(round(tally.seconds))}, {tally.taken} taken{late}"
