"""Rules and conditions as text: what they mean, and where an error is when they mean nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass.errors import SettingsError
from isinglass_monitor.alarms.grammar import Condition, Reference
from isinglass_monitor.alarms.rules import DEFAULT_FILE, default_rules, load_rules, parse_rules
from isinglass_monitor.figure_names import FigureName, catalogue, split
from isinglass_monitor.views import Figure

RULE = """
[[rule]]
name = "mine"
help = "Too long."
when = "queue.length > 10"
look = "At the queue."
"""


class Figures:
    """Figures by name, with a rate and an age that a test gives."""

    def __init__(self, figures: dict[str, Figure], rate: float = 0.0, age: float = 0.0) -> None:
        self._figures, self._rate, self._age = figures, rate, age

    def figure(self, reference: Reference) -> Figure | None:
        return self._figures.get(".".join(reference))

    def rate(self, reference: Reference, seconds: float) -> float | None:
        return self._rate

    def age(self, reference: Reference) -> float | None:
        return self._age


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("queue.length > 9", True),
        ("queue.length > 10", False),
        ("queue.length / queue.limit >= 0.1", True),
        ("not queue.length == 10", False),
        ("queue.length == 10 and store.state == 'ready'", True),
        ("queue.length == 11 or store.state != 'ready'", False),
        ("queue.backlog.entries + 1 == 8", True),
        ("-queue.length < -9", True),
        ("abs(peer.clock_offset) > 0.5", True),
        ("rate(queue.offered, 10) > 100", True),
        ("age(applier.last_commit) < 5", True),
        ("queue.size > 1", None),
        ("queue.size > 1 or queue.length > 1", True),
        ("queue.size > 1 and queue.length > 100", False),
        ("queue.size > 1 and queue.length > 1", None),
        ("not queue.size > 1", None),
        ("queue.length / queue.refused > 1", None),
    ],
)
def test_what_a_condition_means(text: str, holds: bool | None) -> None:
    figures: dict[str, Figure] = {
        "queue.length": 10.0,
        "queue.limit": 100.0,
        "queue.refused": 0.0,
        "queue.backlog.entries": 7.0,
        "peer.clock_offset": -0.7,
        "store.state": "ready",
    }
    assert Condition(text).holds(Figures(figures, rate=150.0, age=2.0)) is holds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("queue.length", "a condition compares something"),
        ("queue.lenght > 1", "did you mean length"),
        ("quue.length > 1", "did you mean queue"),
        ("queue.length > 'ready'", "compares a number with text"),
        ("store.state > 'ready'", "orders text"),
        ("rate(queue.length, 0) > 1", "over 1 to 600 seconds"),
        ("rate(queue.length) > 1", "is none of rate("),
        ("open('file') > 1", "is none of rate("),
        ("1 < queue.length < 3", "cannot stand in a condition"),
        ("queue.length > 1 and 5", "is a number, where a comparison is needed"),
        ("queue.length is 1", "compares with none of"),
        ("queue.length >", "is no condition"),
        ("(" * 5000, "is no condition"),
        ("queue.length > True", "is not used here"),
        ("[queue.length] == 1", "cannot stand"),
        ("", "is no condition"),
        ("-" * 900 + "queue.length > 0", "nested too deep"),
    ],
)
def test_what_is_no_condition(text: str, why: str) -> None:
    with pytest.raises(SettingsError, match=r".*") as raised:
        Condition(text)
    assert why in str(raised.value)


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_an_error(text: str) -> None:
    try:
        Condition(text)
    except SettingsError as error:
        assert str(error)


def test_the_default_rules_are_whole() -> None:
    rules = default_rules()
    wanted = """node-silent no-progress lag backlog timer-overdue loss disk-nearly-full clock-offset
        merge-share-collapsed monitor-behind monitor-deaf"""
    assert set(wanted.split()) <= set(rules)
    for rule in rules.values():
        assert rule.help.endswith(".")
        assert len(rule.look) > 40


def test_own_rules_replace_add_and_switch_off(tmp_path: Path) -> None:
    path = tmp_path / "alarms.toml"
    path.write_text(
        RULE
        + '[[rule]]\nname = "lag"\noff = true\n'
        + RULE.replace("mine", "backlog").replace("10", "20")
    )
    rules = load_rules(path)
    assert "lag" not in rules
    odd = '[[rule]]\nname = "lag"\noff = true\ncaused_by = 3'
    assert "lag" not in parse_rules(odd, "own.toml", default_rules())
    assert rules["mine"].when.text == "queue.length > 10"
    assert rules["backlog"].when.text == "queue.length > 20"
    assert "no-progress" in rules


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (RULE.replace("length", "lenght"), 5, "did you mean length"),
        (RULE.replace("mine", "My Rule"), 3, "is no name"),
        (RULE.replace('look = "At the queue."', ""), 2, "a rule needs look"),
        (RULE + 'for = "soon"', 7, "a length of time"),
        (RULE + "for = true", 7, "a length of time"),
        (RULE + 'severity = "bad"', 7, "one of info, warning, error, fatal"),
        (RULE + 'colour = "red"', 7, "colour is no key of a rule"),
        (RULE + 'caused_by = ["theirs"]', 7, "no rule 'theirs'"),
        (RULE + 'caused_by = ["mine"]', 7, "among its own causes"),
        (RULE + RULE, 9, "stands twice"),
        (RULE + '[[rule]]\nname = "other"\noff = true', 9, "no rule other to switch off"),
        ("# nothing\n\nrule = [", 3, "not TOML"),
        ("\nrule = " + "[" * 3000, 2, "not TOML"),
        ("rule = " + "1" * 5000, 1, "not TOML"),
        ('text = """\n[[rule]]\n"""\n' + RULE, 0, "text is none of"),
        (RULE.replace('"Too long."', '"""\n[[rule]]\nname = "x"\n"""') + "off = 1\nfor = []", 11,
         "for is a length"),
    ],
)  # fmt: skip
def test_an_error_in_a_rule_names_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_rules(text, "own.toml", {})
    assert why in str(raised.value)
    assert str(raised.value).startswith(f"own.toml:{line}: " if line else "own.toml: ")


def test_causes_that_cause_each_other_are_refused() -> None:
    first = RULE + 'caused_by = ["other"]\n'
    second = RULE.replace("mine", "other") + 'caused_by = ["mine"]\n'
    with pytest.raises(SettingsError, match="among its own causes"):
        parse_rules(first + second, "own.toml", {})


def test_panels_of_ones_own_are_named_first() -> None:
    own = RULE.replace("queue.length", "orders.open")
    with pytest.raises(SettingsError, match="names no panel"):
        parse_rules(own, "own.toml", {})
    assert parse_rules('panels = ["orders"]\n' + own, "own.toml", {})["mine"]


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_rules(tmp_path / "none.toml")


def test_the_default_file_is_in_the_package() -> None:
    assert DEFAULT_FILE.is_file()


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("queue.length", FigureName("queue", "", "length")),
        ("queue.backlog.size", FigureName("queue", "", "backlog.size")),
        ("queue.size", FigureName("queue", "", "size")),
        ("timer.flush.last_run", FigureName("timer", "flush", "last_run")),
        ("peer.web.example.org.lag_seconds", FigureName("peer", "web.example.org", "lag_seconds")),
        ("store.commit_time.p99", FigureName("store", "", "commit_time.p99")),
        ("orders.open", FigureName("orders", "", "open")),
        ("orders.north.open", FigureName("orders", "north", "open")),
    ],
)
def test_figures_are_told_apart_by_the_catalogue(key: str, name: FigureName) -> None:
    assert split(key) == name


@given(st.text(max_size=30))
def test_any_key_can_be_split(key: str) -> None:
    assert len(split(key)) == 3


def test_every_field_of_the_catalogue_is_found_again() -> None:
    for panel, fields in catalogue().items():
        for field in fields:
            assert split(f"{panel}.{field}") == (panel, "", field)
            assert split(f"{panel}.some.name.{field}") == (panel, "some.name", field)
