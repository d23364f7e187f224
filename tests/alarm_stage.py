"""A stage for alarms: a clock, nodes that say what a test wants, and the real board and book."""

from __future__ import annotations

from collections.abc import Mapping

from isinglass_monitor.alarms.book import AlarmBook, Change, Notice
from isinglass_monitor.alarms.rules import Rule, default_rules, parse_rules
from isinglass_monitor.moment import Moment
from isinglass_monitor.scoreboard import Scoreboard
from isinglass_monitor.views import NodeView

START = Moment(10**12, 1_700_000_000 * 10**9)


def rules_of(text: str) -> dict[str, Rule]:
    """Return the rules of a TOML text alone."""
    return parse_rules(text, "rules.toml", {})


class AlarmStage:
    """Nodes by name with what they report; `run` lets seconds pass."""

    def __init__(self, rules: dict[str, Rule] | None = None) -> None:
        self.book = AlarmBook("monitor", default_rules() if rules is None else rules)
        self.board = Scoreboard("monitor")
        self.now = START
        self.figures: dict[str, dict[str, float | str]] = {}
        self.silent: dict[str, Moment] = {}
        self.ended: set[str] = set()
        self.changes: list[Change] = []
        self.notices: list[Notice] = []

    def says(self, node: str, figures: Mapping[str, float | str]) -> None:
        """Let a node report these figures from now on, beside what it says already."""
        self.figures.setdefault(node, {}).update(figures)

    def silence(self, node: str) -> None:
        """Let nothing be heard of a node from now on."""
        self.silent[node] = self.now

    def run(self, seconds: int = 1) -> list[Notice]:
        """Let seconds pass, one look each; return the notices of these."""
        told: list[Notice] = []
        for _ in range(seconds):
            self.now = self.now.later(1)
            wall_ns = self.now.wall_ns
            announced = self.book.holdings.announced(wall_ns, self.figures)
            self.board.update(self.now, self._views(), announced)
            changes, notices = self.book.observe(self.now, self.board)
            self.changes += changes
            told += notices
        self.notices += told
        return told

    def _views(self) -> dict[str, NodeView]:
        return {
            node: NodeView(
                node,
                self.silent.get(node, self.now).monotonic_ns,
                "daemon",
                node in self.ended,
                dict(figures),
            )
            for node, figures in self.figures.items()
        }

    def states(self) -> dict[tuple[str, ...], str]:
        """Return the state of every alarm that is not ok, by rule, node and instance."""
        return {
            tuple(part for part in subject if part): alarm.state
            for subject, alarm in self.book.alarms.items()
            if alarm.state != "ok"
        }


def told(notices: list[Notice]) -> list[tuple[str, str, str]]:
    """Return what was told: raised or cleared, the rule, the node."""
    return [(n.what, n.alarm["rule"], n.alarm["node"]) for n in notices]
