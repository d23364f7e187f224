"""Sentences and small pieces that several views share: lives, places in source files, glyphs."""

from __future__ import annotations

from isinglass.glass.schema import Site
from isinglass.glass.snapshot import Process, Thread, Verdict
from isinglass_console.model import format as text
from isinglass_console.model.board import GLYPHS, ROLES, Severity
from isinglass_console.model.frame import Condition, NodeFrame, freshness
from isinglass_console.widgets.glyphs import WAITS, WORKS
from isinglass_console.widgets.line import Span

VERDICT_SEVERITY = {
    Verdict.ALIVE: Severity.WELL,
    Verdict.STALLED: Severity.STALE,
    Verdict.CLEAN_EXIT: Severity.UNKNOWN,
    Verdict.KILLED: Severity.CRITICAL,
}
RESTART_SHOWN_SECONDS = 60.0
DEAD = (Verdict.KILLED, Verdict.CLEAN_EXIT)


def glyph(severity: Severity) -> Span:
    """Return the glyph of a severity in its role."""
    return (GLYPHS[severity], ROLES[severity])


def life_sentence(node: NodeFrame, now_wall_ns: int, interval_seconds: float) -> str:
    """Return what to say about the life of a node, "" when there is nothing to say."""
    age = text.seconds(node.age_seconds)
    if node.condition == Condition.KILLED:
        seen = max(node.age_seconds - (now_wall_ns - node.ended_wall_ns) / 1e9, 0.0)
        at = text.clock(node.ended_wall_ns)
        return f"KILLED {at}, last seen {text.seconds(seen)} before"
    if node.condition == Condition.LEFT:
        return f"LEFT {text.clock(node.ended_wall_ns)}, a clean exit"
    if node.condition == Condition.STOPPED:
        return f"STOPPED: has not moved for {age}"
    if node.condition in (Condition.MISSING, Condition.UNREADABLE, Condition.REBOOTED):
        return node.sentence or node.condition.upper()
    if node.condition in (Condition.CONNECTING, Condition.LINK_DOWN):
        return f"{node.sentence}; shown as {age} ago" if node.snapshot else node.sentence
    if node.condition == Condition.STARTING:
        return "STARTING: its segment is not whole yet"
    since_restart = (now_wall_ns - node.restarted_wall_ns) / 1e9
    if node.restarted_wall_ns and 0 <= since_restart < RESTART_SHOWN_SECONDS:
        return f"RESTARTED {text.seconds(since_restart)} ago; attached to it again"
    if freshness(node.age_seconds, interval_seconds).dim:
        return f"has not moved for {age}"
    return ""


def state_word(node: NodeFrame) -> str:
    """Return the word for the state column: what is wrong, or what the daemon says it does."""
    if node.condition != Condition.ALIVE:
        return node.condition
    if node.troubles:
        return node.troubles[0].threshold.word
    panel = node.snapshot.panel("daemon") if node.snapshot is not None else None
    word = panel.get("state", "") if panel is not None else ""
    return word if isinstance(word, str) and word else node.condition


def process_name(process: Process, width: int = 1000) -> str:
    """Return what a process is called, with its pid when it fits and it is not the daemon."""
    whole = process.name if process.slot == 0 else f"{process.name} {process.pid}"
    return whole if len(whole) <= width else process.name


def thread_name(thread: Thread) -> str:
    """Return a thread's name; Python's own for the first one is only long."""
    return "main" if thread.name == "MainThread" else thread.name


def short_path(path: str, parts: int = 2) -> str:
    """Return the end of a path: the file and the folder it is in."""
    return "/".join(path.split("/")[-parts:])


def place(site: Site | None, word: int, width: int = 1000) -> str:
    """Return file:line of a probe, with its folder when it fits; what is known without a site."""
    if site is not None:
        long = f"{short_path(site.path)}:{site.line}"
        return long if len(long) <= width else f"{short_path(site.path, 1)}:{site.line}"
    return "not marked yet" if word == 0 else f"line {word & 0xFFFF}"


def place_glyph(site: Site | None) -> Span:
    """Return whether the thread works or waits there."""
    if site is None:
        return (" ", "dim")
    return (WAITS, "dim") if site.waits else (WORKS, "accent")
