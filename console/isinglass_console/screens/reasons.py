"""Sentences that answer an operator's why: who holds writers up, who is behind, what merges less.

Each is one line that stands on several views; all are functions of a scene.
"""

from __future__ import annotations

from math import isfinite

from isinglass.glass.snapshot import Process, Thread
from isinglass_console.model import format as text
from isinglass_console.model import heat
from isinglass_console.model.catching_up import FRAMES, CatchUp, Course, catch_up
from isinglass_console.model.flow import Limit, WriterRow, writer_rows
from isinglass_console.model.frame import NodeFrame
from isinglass_console.model.lag import LagMatrix
from isinglass_console.model.merge_causes import (
    BEFORE_FRAMES,
    NOW_FRAMES,
    Cause,
    MergeChange,
    merge_change,
)
from isinglass_console.screens import words
from isinglass_console.screens.panes import OVER
from isinglass_console.screens.scene import Scene
from isinglass_console.widgets.line import Pen

APPLIER = "applier"
# what limits a node: what that comes to
LIMITS = {
    "entries": "too many updates wait at it",
    "bytes": "too many bytes wait at it",
    "age": "updates wait too long at it",
}
CAUSES = {
    (Cause.KEYS, True): "as many wait, so keys repeat less",
    (Cause.KEYS, False): "as many wait, so keys repeat more",
    (Cause.WAITS, True): "fewer wait, so fewer meet",
    (Cause.WAITS, False): "more wait, so more meet",
}


# ---------------------------------------------------------------------- who holds writers up
def applier_of(node: NodeFrame | None) -> tuple[Process, Thread] | None:
    """Return the thread that writes into the store of a node, whose speed is the node's."""
    owner = node.snapshot.owner if node is not None and node.snapshot is not None else None
    threads = owner.threads if owner is not None else ()
    found = next((thread for thread in threads if thread.name == APPLIER), None)
    return (owner, found) if owner is not None and found is not None else None


def stands_pen(pen: Pen, scene: Scene, limit: Limit) -> Pen:
    """Write the line of code at which the store of the limiting node spends most of its time."""
    if not limit.limiter:
        return pen.put("no store holds writers up", "dim")
    pen.put(f"{limit.limiter} ", "bright")
    node = scene.frame.node(limit.limiter)
    found = applier_of(node)
    if node is None or found is None:
        return pen.put("is not read here", "dim")
    process, thread = found
    lines = heat.hottest(scene.heat(node), (process.slot, process.claim, thread.index))
    dead = process.verdict in words.DEAD or not lines
    site = thread.site if dead else process.site(lines[0].word)
    word = thread.word if dead else lines[0].word
    pen.put(*words.place_glyph(site)).put(f" {words.place(site, word, 24)}")
    if not dead:
        pen.put(f"  {text.share(lines[0].share)}", "warning")
    label = (site.label or site.function) if site is not None else ""
    return pen.put(f"  {label}", "dim")


def because_pen(pen: Pen, scene: Scene, limit: Limit) -> Pen:
    """Write which of its limits a node passed, and what it takes of what is asked for."""
    pen.put(LIMITS.get(limit.by, limit.by))
    node = scene.frame.node(limit.limiter)
    pair = scene.pair(node) if node is not None else None
    if pair is not None:
        pen.fact("; it applies ", text.rate(pair.rate("applier", "writes")))
        pen.fact(" of ", text.rate(pair.rate("queue", "offered")), "plain").fact("", " offered")
    return pen


# ---------------------------------------------------------------------- who is behind
def catch_up_of(scene: Scene, replica: str) -> CatchUp:
    """Return where the lag of a replica goes."""
    node = scene.frame.node(replica)
    if node is None:
        return CatchUp(Course.UNKNOWN)
    if node.condition in OVER:
        return CatchUp(Course.DOWN)
    seconds, updates = (scene.trend(node, name, FRAMES) for name in ("lag_seconds", "lag_updates"))
    return catch_up(seconds, updates, scene.frame.interval_seconds)


def course_words(going: CatchUp) -> tuple[str, str]:
    """Return when a replica will have caught up, and how fast it does: `even in 9.3 s`."""
    if going.course is Course.NEARER:
        nearer = f", {text.count(going.rate)} updates/s nearer"
        return f"even in {text.seconds(going.seconds)}", nearer
    if going.course is Course.FURTHER:
        return going.course.value, f", by {text.count(-going.rate)} updates/s"
    return going.course.value, ""


def behind_pen(pen: Pen, scene: Scene, matrix: LagMatrix) -> Pen:
    """Write which replica is furthest behind, how far, and when it will have caught up."""
    row = matrix.furthest
    if row is None or row.worst is None:
        known = "nobody is behind" if matrix.known else "nobody says now who is behind"
        return pen.put(known, "dim")
    going, worst = catch_up_of(scene, row.replica), row.worst
    if going.course is Course.EVEN:
        pen.put("all keep up", "dim").fact("; furthest behind is ", row.replica, "dim")
        return pen.fact(", ", text.seconds(worst.seconds), "dim")
    pen.put(row.replica, "bright").put(" is ", "dim").put(text.seconds(worst.seconds), "warning")
    pen.fact(" behind ", row.worst_origin)
    told, speed = course_words(going)
    updates = f" ({text.count(worst.updates)} updates)"
    if pen.at + len(updates) + len(told) + 2 <= pen.width:
        pen.put(updates)
    if told:
        pen.fact("; ", told, "bright").fact("", speed, "dim")
    return pen


# ---------------------------------------------------------------------- what merges
def merging_pen(pen: Pen, scene: Scene, node: NodeFrame) -> Pen:
    """Write the share that merging avoids now and before, why it changed, and who writes most."""
    merged, offered, length = (
        scene.trend(node, figure, NOW_FRAMES + BEFORE_FRAMES)
        for figure in ("merged_share", "offered_rate", "length")
    )
    change = merge_change(merged, offered, length)
    pen.fact("merges ", text.share(change.now.merged), "bright")
    if not isfinite(change.before.merged):
        return pen
    seconds = text.seconds(round(BEFORE_FRAMES * scene.frame.interval_seconds))
    pen.fact(", ", text.share(change.before.merged)).fact("", f" in the {seconds} before", "dim")
    if change.cause is Cause.NONE:
        return pen
    pen.fact(": ", _cause(change), "warning")
    most = _most_writing(scene, node)
    if most is None:
        return pen
    who = f"{most.process.name} {most.process.pid} of {most.node}"
    return pen.fact("; most write: ", f"{who}, {text.rate(most.actual)}")


def _cause(change: MergeChange) -> str:
    if change.cause is Cause.FLOOD:
        more = text.rate(change.now.offered - change.before.offered)
        return f"{more} more come, {text.share(max(change.added, 0.0))} of them merge"
    fell = change.now.merged < change.before.merged
    return CAUSES[change.cause, fell]


def _most_writing(scene: Scene, node: NodeFrame) -> WriterRow | None:
    rows = [row for name, pair in scene.pairs(node).items() for row in writer_rows(name, pair)]
    return max((row for row in rows if row.actual > 0), key=lambda row: row.actual, default=None)
