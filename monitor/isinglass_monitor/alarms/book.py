"""The book of alarms: every second it takes the scoreboard, and says what has changed; pure.

    scoreboard ─▶ sights ─▶ findings (rule × subject) ─▶ states ─▶ what holds back ─▶ notices

An alarm is *told* (goes to the notifiers) once it is raised and nothing holds it back: no silence,
no announcement, no cause, and nobody has acknowledged it. What ends its being held back tells it
then, if it is still raised. A rule that names causes waits some seconds for them to show, since an
effect is often seen before its cause. The end is told of what was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from isinglass.clock import NANOSECONDS_PER_SECOND
from isinglass_monitor.alarms.alarm import Alarm
from isinglass_monitor.alarms.findings import NOT_THERE, UNKNOWN, Finding, Subject, find
from isinglass_monitor.alarms.holding import Holdings
from isinglass_monitor.alarms.rules import Rule
from isinglass_monitor.alarms.sights import Sights
from isinglass_monitor.alarms.states import FIRING, OK, PENDING, RAISED
from isinglass_monitor.moment import Moment
from isinglass_monitor.scoreboard import Scoreboard
from isinglass_monitor.views import MONITOR_PREFIX

CAUSE_WAIT_SECONDS = 5.0
ENDED_KEPT = 200
DOCUMENT_FORMAT = 2

SILENCED, EXPECTED, CAUSED, WAITING = "silenced", "expected", "caused", "waiting"
HELD_BACK = (SILENCED, EXPECTED, CAUSED, WAITING)
RAISED_NOTICE, CLEARED_NOTICE = "raised", "cleared"


class Change(NamedTuple):
    """Something happened to an alarm: goes to the log, and into its timeline.

    `number` is the alarm's then: one that has ended gives it back.
    """

    number: int
    alarm: Alarm
    what: str
    text: str


class Notice(NamedTuple):
    """Something that people are told: an alarm was raised, or one that was told has cleared."""

    what: str
    alarm: dict[str, Any]


class AlarmBook:
    """All alarms of a monitor; `observe` it once a second.

    Args:
        monitor: the monitor's own name.
    """

    def __init__(self, monitor: str, rules: Mapping[str, Rule]) -> None:
        self.rules = dict(rules)
        conditions = [c for rule in self.rules.values() for c in rule.conditions]
        self._sights = Sights(monitor, conditions)
        self.alarms: dict[Subject, Alarm] = {}
        self.ended: list[dict[str, Any]] = []  # documents of those that ended, oldest first
        self.holdings = Holdings()
        self.expected = 0  # alarms that an announcement held back, ever
        self._numbers = 0
        self._changes: list[Change] = []
        self._notices: list[Notice] = []
        self._causes: dict[tuple[str, str], Alarm] = {}
        self._now = Moment(0, 0)

    def observe(self, now: Moment, board: Scoreboard) -> tuple[list[Change], list[Notice]]:
        """Take in one second; return what has changed and what is to be told."""
        self._now = now
        self.holdings.forget_ended(now.wall_ns)
        self._sights.take(now, board)
        found = dict(find(self.rules.values(), self._sights.nodes, self.alarms))
        for subject in self.alarms.keys() - found.keys():
            found[subject] = self._not_found(subject, board)
        for subject, finding in found.items():
            self._step(subject, finding)
        self._causes = self._explaining()
        for alarm in self._raised():
            self._hold_or_tell(alarm)
        return self._taken()

    def _not_found(self, subject: Subject, board: Scoreboard) -> Finding:
        """A subject of which nothing was reported: gone, or its node is silent."""
        row = board.rows.get(subject.node)
        if row is None and not subject.node.startswith(MONITOR_PREFIX):
            return NOT_THERE
        return NOT_THERE if row is None or row.live or row.ended else UNKNOWN

    def _step(self, subject: Subject, finding: Finding) -> None:
        alarm = self.alarms.get(subject)
        if alarm is None:
            if not finding.holds:
                return
            alarm = self.alarms[subject] = Alarm(subject, self.rules[subject.rule])
        if finding.holds is not None and finding.figures:
            alarm.figures, alarm.found_at = finding.figures, finding.found_at
        before = alarm.state
        state = alarm.machine.step(
            self._now.monotonic_ns, finding.holds, finding.clears, alarm.rule.timing
        )
        if state in RAISED and before not in RAISED:
            self._raise(alarm)
        elif state != before and before in RAISED and state in RAISED:
            self._change(alarm, state, alarm.figures_text())
        elif state == OK:
            self._end(alarm, before in RAISED)

    def _raise(self, alarm: Alarm) -> None:
        self._numbers += 1
        alarm.number = self._numbers
        alarm.raised_ns, alarm.raised_wall_ns = self._now.monotonic_ns, self._now.wall_ns
        self._change(alarm, "raised", alarm.sentence())

    def _end(self, alarm: Alarm, was_raised: bool) -> None:
        if was_raised:
            alarm.ended_wall_ns = self._now.wall_ns
            alarm.held_back = alarm.held_why = ""
            self._change(alarm, "cleared", alarm.figures_text())
            document = alarm.document()
            if alarm.told:
                self._notices.append(Notice(CLEARED_NOTICE, document))
            self.ended = [*self.ended[-ENDED_KEPT + 1 :], document]
            alarm.number, alarm.told, alarm.culprit, alarm.acknowledged_by = 0, False, "", ""
            alarm.timeline = []
        # Its firings damp the next one: it stays until none of them is recent.
        if not alarm.machine.fired_ns:
            del self.alarms[alarm.subject]

    def _raised(self) -> list[Alarm]:
        return [alarm for alarm in self.alarms.values() if alarm.state in RAISED]

    def _hold_or_tell(self, alarm: Alarm) -> None:
        kind, why = self._holding(alarm)
        if kind != alarm.held_back:
            if alarm.held_back == EXPECTED and kind != EXPECTED:
                alarm.culprit = alarm.held_why
            alarm.held_back, alarm.held_why = kind, why
            if kind and kind != WAITING:
                self.expected += kind == EXPECTED
                self._change(alarm, kind, why)
        if not kind and not alarm.told and alarm.state == FIRING:
            alarm.told = True
            late = f"not well in time after {alarm.culprit}" if alarm.culprit else ""
            self._change(alarm, "told", late)
            self._notices.append(Notice(RAISED_NOTICE, alarm.document()))

    def _holding(self, alarm: Alarm) -> tuple[str, str]:
        """Return what holds an alarm back, and in a sentence why; empty when nothing does."""
        wall_ns, nodes = self._now.wall_ns, alarm.nodes
        for one in reversed(self.holdings.announcements):  # the newest is the likeliest cause
            if alarm.rule.announced and one.covers(wall_ns, nodes):
                return EXPECTED, one.sentence()
        for silence in self.holdings.silences:
            if silence.covers(wall_ns, alarm.subject.rule, nodes):
                return SILENCED, f"by {silence.by}: {silence.reason}"
        cause = self._cause_of(alarm)
        if cause is not None:
            return CAUSED, f"by {cause.subject.rule} of {' '.join(cause.nodes)}"
        waited = (self._now.monotonic_ns - alarm.raised_ns) / NANOSECONDS_PER_SECOND
        if alarm.rule.caused_by and not alarm.told and waited < CAUSE_WAIT_SECONDS:
            return WAITING, "for its cause to show"
        return "", ""

    def _cause_of(self, alarm: Alarm) -> Alarm | None:
        """Return the raised or pending alarm that explains this one."""
        for rule in sorted(alarm.rule.caused_by):
            for node in (*alarm.nodes, MONITOR_PREFIX):
                if (cause := self._causes.get((rule, node))) is not None:
                    return cause
        return None

    def _explaining(self) -> dict[tuple[str, str], Alarm]:
        """Return the alarms that may explain others, by rule and node; a monitor's explain all."""
        found = {}
        for alarm in self.alarms.values():
            if alarm.state in RAISED or alarm.state == PENDING:
                is_own = alarm.subject.node.startswith(MONITOR_PREFIX)
                node = MONITOR_PREFIX if is_own else alarm.subject.node
                found[alarm.subject.rule, node] = alarm
        return found

    def acknowledge(self, now: Moment, number: int, by: str) -> Alarm | None:
        """Note that somebody has an alarm in hand; return it, or None when it is not raised."""
        for alarm in self._raised():
            if alarm.number == number and alarm.machine.acknowledge(now.monotonic_ns):
                self._now = now
                alarm.acknowledged_by = by
                self._change(alarm, "acknowledged", f"by {by}")
                return alarm
        return None

    def _change(self, alarm: Alarm, what: str, text: str) -> None:
        alarm.note(self._now.wall_ns, what, text)
        self._changes.append(Change(alarm.number, alarm, what, text))

    def _taken(self) -> tuple[list[Change], list[Notice]]:
        taken = self._changes, self._notices
        self._changes, self._notices = [], []
        return taken

    def document(self) -> dict[str, Any]:
        """Return what outlives the monitor, and what commands print."""
        return {
            "format": DOCUMENT_FORMAT,
            "numbers": self._numbers,
            "expected": self.expected,
            "alarms": [alarm.document() for alarm in self.alarms.values() if alarm.state != OK],
            "ended": self.ended,
            "holdings": self.holdings.document(),
        }

    def restore(self, document: Mapping[str, Any], now: Moment) -> None:
        """Go on where an earlier life of the monitor was; alarms of rules that are gone end."""
        if document.get("format") != DOCUMENT_FORMAT:
            return
        self._numbers, self.expected = int(document["numbers"]), int(document["expected"])
        self.ended = list(document["ended"])
        self.holdings.restore(document["holdings"])
        for entry in document["alarms"]:
            subject = Subject(entry["rule"], entry["node"], entry["instance"])
            rule = self.rules.get(subject.rule)
            if rule is not None and entry["machine"]["raised"]:
                alarm = self.alarms[subject] = Alarm(subject, rule)
                alarm.restore(entry, now.monotonic_ns)


def worst_first(alarms: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return documents of alarms, the worst first, and of these the newest."""
    return sorted(alarms, key=lambda alarm: (-alarm["severity"], -alarm["raised_wall_ns"]))
