"""What makes a second of the watch cheap changes nothing in what it finds, keeps and writes."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarm_stage import AlarmStage
from isinglass_monitor.alarms.grammar import Condition
from isinglass_monitor.alarms.outlook import outlook
from isinglass_monitor.alarms.rules import Rule, default_rules
from isinglass_monitor.alarms.sights import InstanceSight, NodeFigures
from isinglass_monitor.kept_figures import KeptFigures
from isinglass_monitor.row_texts import RowTexts

CONDITIONS = (
    "peer.lag_seconds > 5",
    'peer.lag_seconds > 5 and peer.state != "left"',
    "abs(peer.clock_offset) > 0.5 and peer.lag_seconds > 1",
    "rate(stream.lost_network, 5) + rate(stream.lost_socket, 5) > 1",
    "rate(stream.lost_network, 5) > 0 or queue.length > 3",
    "not queue.length > 3",
    "queue.length > 3 and rate(queue.applied_through, 5) == 0",
)
NUMBERS = st.sampled_from([0, 1, 3, 6, 6.5, -7.0, math.nan, math.inf, "text"])
KEYS = (
    "queue.length",
    "queue.applied_through",
    "peer.birch.lag_seconds",
    "peer.cedar.lag_seconds",
    "peer.birch.state",
    "peer.birch.clock_offset",
    "stream.birch.lost_network",
    "stream.cedar.lost_socket",
)
FIGURES = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, NUMBERS))


@pytest.mark.slow
@given(st.lists(FIGURES, min_size=1, max_size=8), st.integers(0, 3))
def test_what_has_no_outlook_does_not_hold(
    seconds: list[dict[str, float | str]], rest: int
) -> None:
    scene = AlarmStage(default_rules() | {text: _rule(text) for text in CONDITIONS})
    for figures in seconds:
        scene.figures["alder"] = figures
        scene.run()
    if rest == 0:
        scene.silence("alder")
        scene.run(5)
    node = scene.book._sights.nodes["alder"]
    for rule in scene.book.rules.values():
        if not rule.outlook(node):
            assert not _holding(rule.when, node), rule.when


def _rule(text: str) -> Rule:
    some = default_rules()["lag"]
    return Rule(**{**vars(some), "name": text, "when": Condition(text), "clear": None})


def _holding(condition: Condition, node: NodeFigures) -> list[str]:
    instances = node.instances(condition.references)
    return [name for name in instances if condition.holds(InstanceSight(node, name))]


@pytest.mark.parametrize("name", ["lag", "clock-offset", "loss", "backlog", "no-progress"])
def test_the_rules_that_look_at_most_are_seen_through(name: str) -> None:
    scene = AlarmStage()
    scene.figures["alder"] = {
        "peer.birch.lag_seconds": 0.1, "peer.birch.clock_offset": -0.1, "flow.backlog": 0.3,
        "stream.birch.lost_network": 5, "stream.birch.lost_socket": 0, "queue.length": 0,
    }  # fmt: skip
    scene.run(20)
    assert not outlook(default_rules()[name].when)(scene.book._sights.nodes["alder"])


@given(st.lists(FIGURES, min_size=1, max_size=6))
def test_the_text_of_the_scoreboard_is_its_document(
    seconds: list[dict[str, float | str]],
) -> None:
    scene = AlarmStage()
    for figures in seconds:
        scene.figures = {"alder": figures, "birch": {"queue.length": 1}}
        scene.run()
        document = json.loads(json.dumps(scene.board.document(scene.now)))
        for row in document["nodes"]:
            row["figures"] = {k: _finite(v) for k, v in row["figures"].items()}
        assert json.loads(scene.board.text(scene.now)) == document


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(st.lists(FIGURES, min_size=1, max_size=6))
def test_every_number_without_a_time_of_day_is_kept(
    seconds: list[dict[str, float | str]],
) -> None:
    kept = KeptFigures()
    for figures in seconds:
        numbers = {k: repr(v) for k, v in figures.items() if not isinstance(v, str)}
        found = kept.of("alder", {**figures, "store.last_commit": 1e18, "store.state": "ready"})
        # What was text when it was looked up is not kept before the node reports other keys.
        assert {k: repr(v) for k, v in found.items()}.items() <= numbers.items()
    kept.forget_all_but(())
    found = kept.of("alder", seconds[-1])
    assert {k: repr(v) for k, v in found.items()} == {
        k: repr(v) for k, v in seconds[-1].items() if not isinstance(v, str)
    }


def test_the_order_of_figures_may_change() -> None:
    texts = RowTexts()
    assert texts.of("alder", {"a.b": 1, "a.c": math.inf}) == '{"a.b":1,"a.c":null}'
    assert texts.of("alder", {"a.c": 2.5, "a.b": "x\n"}) == '{"a.c":2.5,"a.b":"x\\n"}'
