"""View 2: every process and thread of a node, where it stands, and the selected one's lines.

A thread is shown where it stands *now*, with how long it has stood there, and beside it how its
last ten seconds divide among lines. The same of all nodes at once answers where everybody was at an
instant.
"""

from __future__ import annotations

from dataclasses import replace
from math import nan

from isinglass.glass.snapshot import Process, Thread, Verdict
from isinglass_console.model import format as text
from isinglass_console.model import heat
from isinglass_console.model.frame import NodeFrame, process_freshness
from isinglass_console.model.layout import Column
from isinglass_console.model.table import Cell, Row, selected_index
from isinglass_console.screens import hot_lines, words
from isinglass_console.screens.desk import ALL_THREADS, THREAD_TABLE
from isinglass_console.screens.panes import thread_key
from isinglass_console.screens.scene import Page, Scene, table_block
from isinglass_console.sources.files import SourceFiles
from isinglass_console.widgets.bars import bar
from isinglass_console.widgets.line import Block, rule
from isinglass_console.widgets.table import cell

TABLE = THREAD_TABLE
ALL_TABLE = ALL_THREADS
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
NODE_COLUMN = Column("node", "NODE", 9, 0, grow=1, largest=16)


def build(scene: Scene, files: SourceFiles) -> Page:
    """Return the view of the threads of the selected node, or of all nodes at this instant."""
    node = scene.node
    everywhere = scene.settings.everywhere
    name, columns = (ALL_TABLE, (NODE_COLUMN, *COLUMNS)) if everywhere else (TABLE, COLUMNS)
    page = Page(Block(scene.width), name, [], list(columns))
    if node is None or node.snapshot is None:
        return page
    rows = [
        row
        for each in (scene.frame.nodes if everywhere else (node,))
        for row in _rows(scene, each, files)
    ]
    heat_height = 0 if scene.settings.zoomed else max(5, scene.height // 3)
    table_height = scene.height - heat_height - (1 if heat_height else 0)
    if heat_height and len(rows) + 1 < table_height:
        table_height = len(rows) + 1
        heat_height = scene.height - table_height - 1
    page.block, page.rows = table_block(scene, name, columns, rows, table_height)
    if heat_height and page.rows:
        page.block.lines.append(rule(scene.width))
        key = page.rows[selected_index(page.rows, scene.settings.table(name))].key
        of_node, _, thread_of = key.rpartition(" ")
        node = scene.frame.node(of_node) or node
        below = scene.resized(scene.width, heat_height)
        found = find_thread(node, thread_of)
        page.block.extend(hot_lines.build(below, node, found, scene.heat(node), files))
    return page


def _rows(scene: Scene, node: NodeFrame, files: SourceFiles) -> list[Row]:
    """Return the rows of one node's threads; among those of others they say whose they are."""
    if node.snapshot is None:
        return []
    tally, everywhere = scene.heat(node), scene.settings.everywhere
    processes = [
        process
        for process in node.snapshot.processes
        # Who has left is nowhere at this instant.
        if not everywhere or process.slot == 0 or process.verdict != Verdict.CLEAN_EXIT
    ]
    rows = [
        _row(scene, process, thread, tally, files)
        for process in processes
        for thread in process.threads
    ]
    rows += [_bare_row(process) for process in processes if not process.threads]
    if not everywhere:
        return rows
    return [
        replace(
            row,
            key=f"{node.name} {row.key}",
            cells={"node": cell(node.name, "bright"), **row.cells},
            sort={"node": node.name, **row.sort},
            search=f"{node.name} {row.search}",
        )
        for row in rows
    ]


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
    scene: Scene, process: Process, thread: Thread, tally: heat.Window, files: SourceFiles
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
