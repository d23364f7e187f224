"""The tables of docs/alarms.md and docs/monitor.md say what the code does."""

from __future__ import annotations

import re

from import_graph import ROOT
from isinglass_monitor.alarms import rules
from isinglass_monitor.alarms.states import STATES, Timing, most_firings
from isinglass_monitor.ingest.window import CAUSES

ALARMS = (ROOT / "docs" / "alarms.md").read_text("utf-8")
MONITOR = (ROOT / "docs" / "monitor.md").read_text("utf-8")


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table that begins with a heading cell, without its head."""
    table = page[page.index(f"| {heading} |") :].partition("\n\n")[0]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.split("\n")
    ][2:]


def names(cells: list[str]) -> set[str]:
    """Return what stands between backquotes in cells."""
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_default_rule_is_on_the_page_with_its_severity() -> None:
    words = {number: word for word, number in rules.SEVERITIES.items()}
    expected = {name: words[rule.severity] for name, rule in rules.default_rules().items()}
    assert {name.strip("`"): severity for name, _, severity in rows(ALARMS, "rule")} == expected


def test_every_key_of_a_rule_is_on_the_page() -> None:
    shown = rows(ALARMS, "key")
    assert names([key for key, _, _ in shown]) | {"off"} == rules._KEYS
    assert names([key for key, needed, _ in shown if needed == "yes"]) == set(rules._NEEDED)


def test_every_state_is_on_the_page_and_flapping_is_as_bounded_as_it_says() -> None:
    assert tuple(state for state, _, _ in rows(ALARMS, "state")[:5]) == STATES
    often, seldom = re.findall(r"at most (\d+) times in any 15 minutes, (\d+) times with", ALARMS)[
        0
    ]
    assert int(often) == most_firings(Timing(0, 0))
    assert int(seldom) == most_firings(Timing(0, 60))


def test_every_cause_of_a_loss_is_on_the_page() -> None:
    assert names([cause for cause, _ in rows(MONITOR, "cause")]) == set(CAUSES)
