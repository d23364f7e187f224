"""The alarms of a monitor as the console shows them: at the newest moment, or at an earlier one.

A monitor's document says what is raised, what ended lately, and, in the timeline of each, when
which of it happened. So the alarms of any moment that the timelines reach can be told, and the view
of alarms obeys the same cursor as all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from isinglass.glass.severity import ERROR, WARNING
from isinglass_console.model.board import Severity

FIRING, ACKNOWLEDGED, CLEARING, CLEARED = "firing", "acknowledged", "clearing", "cleared"
TOLD = "told"
HELD_BACK = ("silenced", "expected", "caused", "waiting")
ENDED_SHOWN = 50
OWN = "the console's own thresholds"  # told what a recording without a monitor has


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to an alarm."""

    wall_ns: int
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm; `state` is a word of those above, `why` says more about it."""

    number: int
    rule: str
    node: str
    instance: str
    state: str
    level: int
    raised_ns: int
    ended_ns: int
    value: str
    help: str
    look: str
    why: str
    steps: tuple[Step, ...]

    @property
    def key(self) -> str:
        """What tells it from all others; in a recording, several may have had its number."""
        return f"{self.number} {self.raised_ns}"

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that it is about: where a panel's instance is a node, that one, too."""
        return tuple(name for name in (self.node, self.instance) if name)

    @property
    def about(self) -> str:
        """What it is about, in words."""
        return " ".join(self.nodes)

    @property
    def active(self) -> bool:
        """Whether somebody should do something: it is raised, and nothing explains it."""
        return self.state in (FIRING, CLEARING)

    @property
    def severity(self) -> Severity:
        """How bad it is, as the console says it of everything."""
        if self.level >= ERROR:
            return Severity.CRITICAL
        return Severity.WARNING if self.level >= WARNING else Severity.UNKNOWN


@dataclass(frozen=True, slots=True)
class Holding:
    """A silence or an announcement."""

    number: int
    kind: str
    of: str
    since_ns: int
    until_ns: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class AlarmSheet:
    """All alarms at a moment: those that are raised, the worst first; those that ended, newest."""

    monitor: str
    runs: bool = True
    written_ns: int = 0
    raised: tuple[Alarm, ...] = ()
    ended: tuple[Alarm, ...] = ()
    pending: int = 0
    holdings: tuple[Holding, ...] = ()

    @property
    def active(self) -> tuple[Alarm, ...]:
        """The alarms that somebody should do something about."""
        return tuple(alarm for alarm in self.raised if alarm.active)

    def active_of(self, node: str) -> tuple[Alarm, ...]:
        """Return those of them that are about a node, the worst first."""
        return tuple(alarm for alarm in self.active if node in alarm.nodes)

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """All alarms in the order in which they are shown."""
        return (*self.raised, *self.ended)

    def alarm(self, number: int) -> Alarm | None:
        """Return an alarm by its number."""
        return next((alarm for alarm in self.alarms if alarm.number == number), None)


def sheet_of(monitor: str, document: Mapping[str, Any], runs: bool) -> AlarmSheet:
    """Return the sheet of a document that a monitor wrote.

    Raises:
        KeyError, TypeError, ValueError: another version wrote it.
    """
    raised = [_alarm(each, over=False) for each in document["alarms"] if each["number"]]
    ended = [_alarm(each, over=True) for each in reversed(document["ended"][-ENDED_SHOWN:])]
    holdings = document["holdings"]
    return AlarmSheet(
        monitor,
        runs,
        int(document["written_wall_ns"]),
        worst_first(raised),
        tuple(ended),
        sum(1 for each in document["alarms"] if not each["number"]),
        tuple(_holding(each) for each in (*holdings["silences"], *holdings["announcements"])),
    )


def sheet_at(sheet: AlarmSheet, wall_ns: int) -> AlarmSheet:
    """Return the alarms as they were at a moment, as far as the monitor remembers them."""
    found = [_alarm_at(alarm, wall_ns) for alarm in sheet.alarms if alarm.raised_ns <= wall_ns]
    raised = worst_first(alarm for alarm in found if alarm.state != CLEARED)
    ended = tuple(alarm for alarm in found if alarm.state == CLEARED)
    holdings = tuple(one for one in sheet.holdings if one.since_ns <= wall_ns)
    return replace(sheet, raised=raised, ended=ended, pending=0, holdings=holdings)


def over(alarm: Alarm, wall_ns: int, why: str) -> Alarm:
    """Return an alarm as it is once it has ended."""
    steps = (*alarm.steps, Step(wall_ns, CLEARED, why))
    return replace(alarm, state=CLEARED, ended_ns=wall_ns, steps=steps)


def worst_first(alarms: Iterable[Alarm]) -> tuple[Alarm, ...]:
    """Return alarms in the order in which they are shown."""
    return tuple(sorted(alarms, key=lambda each: (not each.active, -each.level, -each.raised_ns)))


def _alarm(document: Mapping[str, Any], *, over: bool) -> Alarm:
    state, why = _state_of(document)
    steps = tuple(
        Step(int(each["wall_ns"]), str(each["what"]), str(each["text"]))
        for each in document["timeline"]
    )
    return Alarm(
        number=int(document["number"]),
        rule=str(document["rule"]),
        node=str(document["node"]),
        instance=str(document["instance"]),
        state=CLEARED if over else state,
        level=int(document["severity"]),
        raised_ns=int(document["raised_wall_ns"]),
        ended_ns=int(document["ended_wall_ns"]) if over else 0,
        value=", ".join(f"{name} = {_figure(v)}" for name, v in document["figures"].items()),
        help=str(document["help"]),
        look=" ".join(str(document["look"]).split()),
        why="" if over else why,
        steps=steps,
    )


def _state_of(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return the one word that matters most of what an alarm is in, and what explains it."""
    state, held = str(document["state"]), str(document["held_back"])
    if document["acknowledged_by"]:
        return ACKNOWLEDGED, f"by {document['acknowledged_by']}"
    if held:
        return held, str(document["held_why"])
    culprit = document["culprit"]
    return state, f"not well in time after {culprit}" if culprit else ""


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _alarm_at(alarm: Alarm, wall_ns: int) -> Alarm:
    """Return an alarm as its timeline says that it was."""
    steps = tuple(step for step in alarm.steps if step.wall_ns <= wall_ns)
    if len(steps) == len(alarm.steps):
        return alarm
    clears, held, in_hand = "", "", ""
    whys: dict[str, str] = {}
    for step in steps:
        whys[step.what] = step.text
        if step.what in HELD_BACK:
            held = step.what
        elif step.what == TOLD:
            held = ""
        elif step.what == ACKNOWLEDGED:
            in_hand = in_hand or ACKNOWLEDGED
        elif step.what in (CLEARING, CLEARED, FIRING):
            clears = "" if step.what == FIRING else step.what
    state = CLEARED if clears == CLEARED else in_hand or held or clears or FIRING
    why = whys.get(state, "") if state in (ACKNOWLEDGED, *HELD_BACK) else ""
    return replace(alarm, state=state, why=why, steps=steps, ended_ns=0)


def _holding(document: Mapping[str, Any]) -> Holding:
    silence = "rule" in document
    node = str(document["node"])
    return Holding(
        number=int(document["number"]),
        kind="silence" if silence else str(document["kind"]),
        of=f"{document['rule']} of {node}" if silence else node,
        since_ns=int(document["since_wall_ns"]),
        until_ns=int(document["until_wall_ns"]),
        by=str(document["by"]),
        reason=str(document["reason"]),
    )
