"""One alarm: its subject, its state, and the timeline of what happened to it; pure.

An alarm gets its number when it is raised and keeps it to its end; raised again, it is another one.
The timeline is kept short from the middle: how it began and how it ended are what matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from isinglass_monitor.alarms.findings import Subject
from isinglass_monitor.alarms.rules import ABOUT_INSTANCE, ABOUT_PANEL, Rule
from isinglass_monitor.alarms.states import AlarmState
from isinglass_monitor.views import Figure

TIMELINE_ENTRIES = 100
FOUND_AT = {ABOUT_INSTANCE: "reported by", ABOUT_PANEL: "at"}


class Entry(NamedTuple):
    """One line of a timeline."""

    wall_ns: int
    what: str
    text: str


class Alarm:
    """The alarm of one subject."""

    def __init__(self, subject: Subject, rule: Rule) -> None:
        self.subject, self.rule = subject, rule
        self.machine = AlarmState()
        self.number = 0
        self.raised_ns = 0  # monotonic
        self.raised_wall_ns = 0
        self.ended_wall_ns = 0
        self.held_back = ""  # why it is not told: one of HELD_BACK; empty: nothing keeps it
        self.held_why = ""  # the same in a sentence
        self.culprit = ""  # whose announcement expected it, once that is over
        self.told = False
        self.acknowledged_by = ""
        self.figures: Mapping[str, Figure] = {}
        self.found_at: tuple[str, ...] = ()
        self.timeline: list[Entry] = []

    @property
    def state(self) -> str:
        """Its state, one of `states.STATES`."""
        return self.machine.state

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that it is about: where a panel's instance is a node, that one, too."""
        return tuple(name for name in (self.subject.node, self.subject.instance) if name)

    def note(self, wall_ns: int, what: str, text: str = "") -> None:
        """Add a line to the timeline."""
        self.timeline.append(Entry(wall_ns, what, text))
        if len(self.timeline) > TIMELINE_ENTRIES:
            del self.timeline[TIMELINE_ENTRIES // 2]

    def figures_text(self) -> str:
        """Return the figures that the rule looks at, as they are."""
        return ", ".join(f"{name} = {value_text(v)}" for name, v in self.figures.items())

    def sentence(self) -> str:
        """Return what the alarm says, in one line."""
        about = " ".join(self.nodes)
        figures = self.figures_text()
        at = f" ({FOUND_AT[self.rule.about]} {', '.join(self.found_at)})" if self.found_at else ""
        return f"{about}: {self.rule.help}{' ' + figures if figures else ''}{at}"

    def document(self) -> dict[str, Any]:
        """Return the alarm as JSON has it; also what outlives the monitor."""
        return {
            "number": self.number,
            "rule": self.subject.rule,
            "node": self.subject.node,
            "instance": self.subject.instance,
            "state": self.state,
            "severity": self.rule.severity,
            "help": self.rule.help,
            "look": self.rule.look,
            "raised_wall_ns": self.raised_wall_ns,
            "ended_wall_ns": self.ended_wall_ns,
            "held_back": self.held_back,
            "held_why": self.held_why,
            "culprit": self.culprit,
            "told": self.told,
            "acknowledged_by": self.acknowledged_by,
            "flapping": self.machine.flapping,
            "figures": dict(self.figures),
            "found_at": list(self.found_at),
            "sentence": self.sentence(),
            "timeline": [entry._asdict() for entry in self.timeline],
            "machine": self.machine.document(),
        }

    def restore(self, document: Mapping[str, Any], now_ns: int) -> None:
        """Go on where an earlier life of the monitor was."""
        self.machine.restore(document["machine"], now_ns)
        self.number, self.raised_ns = int(document["number"]), now_ns
        self.raised_wall_ns = int(document["raised_wall_ns"])
        self.held_back, self.held_why = str(document["held_back"]), str(document["held_why"])
        self.culprit = str(document["culprit"])
        self.told = bool(document["told"])
        self.acknowledged_by = str(document["acknowledged_by"])
        self.figures = dict(document["figures"])
        self.found_at = tuple(document["found_at"])
        self.timeline = [Entry(**entry) for entry in document["timeline"]]


def value_text(value: Figure) -> str:
    """Return a figure as a sentence has it."""
    return repr(value) if isinstance(value, str) else f"{value:.4g}"
