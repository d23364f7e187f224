"""What the hub makes of a node whose link brings nothing new, or is down: old, and never up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from console.stage import START_NS, Stage
from isinglass_console.model.frame import Condition, node_freshness
from isinglass_console.model.hub import Hub
from isinglass_console.model.reading import Reading
from isinglass_console.screens import words
from isinglass_console.sources.remote import aged

SECOND = 10**9
RATE = "offered"


def remote(reading: Reading, wall_ns: int) -> Reading:
    return replace(reading, taken_wall_ns=wall_ns - SECOND // 10)


def later(reading: Reading, seconds: float, **changes: Any) -> Reading:
    """Return what a source says when nothing has come for so long."""
    assert reading.snapshot is not None
    older = replace(
        reading,
        snapshot=aged(reading.snapshot, seconds),
        taken_wall_ns=reading.taken_wall_ns + int(seconds * SECOND),
        repeated=True,
        events=(),
    )
    return replace(older, **changes)


def test_a_tick_without_a_frame_keeps_the_rates_of_before(alder: Stage) -> None:
    hub, now = Hub(), START_NS
    readings = [remote(alder.reading(tick), now + tick * SECOND) for tick in (1, 2, 3)]
    hub.take(readings[:1], now + SECOND, 1.0)
    second = hub.take(readings[1:2], now + 2 * SECOND, 1.0).nodes[0]
    repeated = hub.take([later(readings[1], 1.0)], now + 3 * SECOND, 1.0).nodes[0]
    rates = {name for name, value in second.figures.items() if value == value}
    assert rates and {name for name in rates if second.figures[name] == repeated.figures[name]}
    assert repeated.figures.keys() == second.figures.keys()


def test_a_node_behind_a_dead_link_is_old_and_has_no_rates(alder: Stage) -> None:
    hub, now = Hub(), START_NS
    readings = [remote(alder.reading(tick), now + tick * SECOND) for tick in (1, 2, 3)]
    for tick, reading in enumerate(readings[:2], 1):
        live = hub.take([reading], now + tick * SECOND, 1.0).nodes[0]
    assert not node_freshness(live, 1.0).dim
    sentence = "LINK DOWN since 14:03:12: the cable"
    for seconds in (2, 5, 30):
        wall_ns = now + (2 + seconds) * SECOND
        down = later(readings[1], seconds, condition=Condition.LINK_DOWN, sentence=sentence)
        node = hub.take([down], wall_ns, 1.0).nodes[0]
        fresh = node_freshness(node, 1.0)
        assert fresh.dim
        assert abs(fresh.age_seconds - max(seconds, fresh.age_seconds)) < 0.5
        assert "queue.offered" not in node.figures or node.figures != live.figures
        assert sentence in words.life_sentence(node, wall_ns, 1.0)
        assert words.state_word(node) == "link down"
    assert node_freshness(node, 1.0).blank
    assert [entry.message for entry in hub.log.entries if entry.process == "console"] == [sentence]
    back = hub.take([remote(readings[2], wall_ns)], wall_ns, 1.0).nodes[0]
    assert back.condition == Condition.ALIVE
    assert hub.log.entries[-1].message == "the link is up again"
    assert back.restarted_wall_ns == 0


def test_a_node_that_died_while_its_link_was_down_died_then(alder: Stage) -> None:
    hub, now = Hub(), START_NS
    first = remote(alder.reading(1), now + SECOND)
    hub.take([first], now + SECOND, 1.0)
    down = later(first, 20.0, condition=Condition.LINK_DOWN, sentence="LINK DOWN")
    hub.take([down], now + 21 * SECOND, 1.0)
    killed = later(first, 40.0, condition=Condition.KILLED)
    node = hub.take([killed], now + 41 * SECOND, 1.0).nodes[0]
    assert node.condition == Condition.KILLED
    assert node.ended_wall_ns < now + 3 * SECOND, "when it was seen last, not when the link came"
