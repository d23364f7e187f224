"""The selected node in a few lines, for terminals of 80 columns: one fact a line."""

from __future__ import annotations

from math import nan

from isinglass_console.model import format as text
from isinglass_console.model import heat
from isinglass_console.model.catching_up import Course
from isinglass_console.model.flow import limit_of
from isinglass_console.model.frame import NodeFrame
from isinglass_console.model.lag import lag_matrix
from isinglass_console.model.members import cluster_of
from isinglass_console.model.merging import merge_rows
from isinglass_console.model.store import commit_percentiles, store_rows
from isinglass_console.model.timers import timer_rows
from isinglass_console.screens import reasons, words
from isinglass_console.screens.cluster_panes import (
    allowed_pen,
    held_writers,
    limit_span,
    waits_text,
)
from isinglass_console.screens.panes import marked_threads
from isinglass_console.screens.scene import Scene
from isinglass_console.widgets.line import Block, Pen

LABEL = 10


def build(scene: Scene, node: NodeFrame) -> Block:
    """Return the node in exactly the scene's height."""
    block = Block(scene.width)
    cluster = [*_flow(scene, node), *_lag(scene, node)]
    rest = [] if cluster else [*_timers(scene, node), *_store(scene, node)]
    tail = [*_merges(scene, node), *cluster, *rest] or _panels(scene, node)
    room = max(2, scene.height - len(tail))
    for line in (*_probes(scene, node, room), *tail):
        block.add(line.line())
    return block.sized(scene.height)


def _label(scene: Scene, label: str) -> Pen:
    return Pen(scene.width).put(f" {label}", "title", LABEL)


def _probes(scene: Scene, node: NodeFrame, most: int) -> list[Pen]:
    if node.snapshot is None:
        return []
    tally = scene.heat(node)
    pens: list[Pen] = []
    for process, thread in marked_threads(node.snapshot)[:most]:
        key = (process.slot, process.claim, thread.index)
        hot = [] if process.verdict in words.DEAD else heat.hottest(tally, key)
        site = process.site(hot[0].word) if hot else thread.site
        role = "dim" if site is None or site.waits else "plain"
        pen = _label(scene, "PROBES" if not pens else "")
        name = words.thread_name(thread) if process.slot == 0 else words.process_name(process, 12)
        pen.put(name, role, 12).put(" ").put(*words.place_glyph(site)).put(" ")
        pen.put(words.place(site, thread.word, 24), role, 24).put(" ")
        room = scene.width - pen.at - 7
        pen.put(site.label if site is not None else "", "dim", room)
        pen.put(f"{text.share(hot[0].share) if hot else '':>6}", role)
        pens.append(pen)
    return pens


def _merges(scene: Scene, node: NodeFrame) -> list[Pen]:
    pair = scene.pair(node)
    rows = merge_rows(pair) if pair is not None else []
    if not rows:
        return []
    blank = scene.freshness(node).blank
    pen = _label(scene, "MERGES")
    pen.put("offered ", "dim").put(text.rate(nan if blank else rows[0].rate))
    for row in sorted(rows[1:], key=lambda row: row.field != "written"):
        label, share = f"  {row.label} ", text.share(row.share)
        if row.share > 0 and not blank and pen.at + len(label) + len(share) < scene.width:
            pen.put(label, "dim").put(share)
    return [pen]


def _flow(scene: Scene, node: NodeFrame) -> list[Pen]:
    limit = limit_of(node)
    if limit is None:
        return []
    pen = _label(scene, "FLOW").put("limited by ", "dim").put(*limit_span(limit))
    pens = [allowed_pen(pen.put("; allowed ", "dim"), limit)]
    if limit.limiter:
        pens.append(reasons.stands_pen(_label(scene, "").put("applier ", "dim"), scene, limit))
    held = held_writers(scene, node)
    if held:
        pen = _label(scene, "").put("held up ", "dim")
        for row in held:
            pen.fact(f"{row.node} {row.process.name} ", f"{text.share(row.held_share)}  ")
        pens.append(pen)
    return pens


def _lag(scene: Scene, node: NodeFrame) -> list[Pen]:
    """Return how far the node is behind, or, when it is not, the one that is furthest behind."""
    if cluster_of(node.snapshot) == "":
        return []
    matrix = lag_matrix(scene.frame, node)
    own = next((row for row in matrix.rows if row.replica == node.name and row.waits_on), None)
    row = own or matrix.furthest
    pen = _label(scene, "LAG")
    if row is None or row.worst is None:
        return [reasons.behind_pen(pen, scene, matrix)]
    cell = row.worst
    pen.put(*words.glyph(cell.severity)).put(f" {row.replica} ", "bright")
    pen.put(f"behind {row.worst_origin} ", "dim").put(text.seconds(cell.seconds))
    pen.fact("", f" ({text.count(cell.updates)} updates)")
    waits = waits_text(row, scene.width - pen.at - 2)
    pen = pen.fact("; ", waits) if waits else pen
    course = reasons.catch_up_of(scene, row.replica)
    if course.course is Course.NEARER:
        pen.fact("; even in ", text.seconds(course.seconds), "bright")
    return [pen]


def _timers(scene: Scene, node: NodeFrame) -> list[Pen]:
    rows = timer_rows(node.snapshot) if node.snapshot is not None else []
    if not rows:
        return []
    late = [row for row in rows if row.severity]
    pen = _label(scene, "TIMERS")
    if late:
        pen.put(*words.glyph(late[0].severity)).put(f" {late[0].name} ", "warning")
        return [pen.put(f"late by {text.seconds(late[0].late_seconds)}")]
    return [pen.put(f"{len(rows)} tasks, ", "dim").put("all on time", "dim")]


def _store(scene: Scene, node: NodeFrame) -> list[Pen]:
    pair = scene.pair(node)
    if pair is None or pair.now.panel("store") is None:
        return []
    pens = [_label(scene, "STORE")]
    facts = [*commit_percentiles(pair)[:2], *store_rows(pair.now)]
    for label, value, role in facts:
        pen = pens[-1]
        if pen.at + len(label) + len(value) + 4 > scene.width:
            pens.append(_label(scene, ""))
            pen = pens[-1]
        pen.put(f"{label} ", "dim").put(f"{value}   ", role)
    return pens


def _panels(scene: Scene, node: NodeFrame) -> list[Pen]:
    owner = node.snapshot.owner if node.snapshot is not None else None
    pens = []
    for panel in owner.panels if owner is not None else ():
        name = panel.name.upper()
        for field in panel.fields:
            pen = _label(scene, name)
            pen.put(field.name, "dim", 22).put(" ")
            value = text.field_value(field, scene.frame.wall_ns)
            pens.append(pen.put(value, "plain", 18).put(field.help, "dim"))
            name = ""
    return pens
