"""Conditions and field paths, on snapshots of a real segment of this process's own making."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from isinglass.cli.conditions import Condition
from isinglass.cli.field_paths import FieldPath, rate_key
from isinglass.errors import UsageError
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Snapshot


@pytest.fixture
def snapshot(bakery: subprocess.Popen[str], customer: subprocess.Popen[str]) -> Iterator[Snapshot]:
    with SegmentReader("bakery") as reader:
        yield reader.snapshot()


CASES = {
    "oven.loaves > 1000000": True,
    "oven.loaves < 1": False,
    "oven.loaves >= 1234567": True,
    "oven.loaves <= 1234566": False,
    "oven.loaves = 1234567": True,
    "oven.loaves == 1234567": True,
    "oven.loaves != 1234567": False,
    "oven.waiting = -2": True,
    "oven.load = 0.5": True,
    "oven.state = baking": True,
    "oven.state = 'baking'": True,
    'oven.state != "resting"': True,
    "oven.state > 5": False,
    "oven.loaves = baking": False,
    "oven.queue.orders = 7": True,
    "oven.queue.oldest < 2": True,
    "oven.took.count = 3": True,
    "oven.took = 3": True,
    "oven.took.max = 4000": True,
    "oven.took.sum = 4030": True,
    "oven.took.p50 < 30": True,
    "timer[sweep].runs = 41": True,
    "timer.runs = 41": True,
    "timer[other].runs = 41": False,
    "customer/oven.loaves = 1234567": True,
    "nobody/oven.loaves = 1234567": False,
    "nothing.here != 5": False,
    "verdict = alive": True,
    "customer/verdict = alive": True,
    "nobody/verdict = alive": False,
    "heartbeat_age_seconds < 60": True,
    "oven.loaves < 1 or oven.waiting < 0": True,
    "oven.loaves < 1 or oven.waiting < 0 and timer.runs = 0": False,
    "oven.loaves > 1 and oven.waiting < 0 and timer.runs = 41": True,
    "rate(oven.loaves) > 0": False,
}


def test_every_form(snapshot: Snapshot) -> None:
    found = {text: Condition(text).holds(snapshot, {}) for text in CASES}
    assert found == CASES


def test_rates(snapshot: Snapshot) -> None:
    process, panel, field = next(FieldPath("oven.loaves").fields(snapshot))
    rates = {rate_key(process, panel, field): 12.5}
    assert Condition("rate(oven.loaves) = 12.5").holds(snapshot, rates)
    assert Condition("rate( oven.loaves ) < 13").holds(snapshot, rates)
    assert not Condition("rate(oven.burnt) >= 0").holds(snapshot, rates)


def test_globs_name_many_fields(snapshot: Snapshot) -> None:
    owners = {process.name for process, _, _ in FieldPath("*/oven.loaves").fields(snapshot)}
    assert owners == {"daemon", "customer"}
    named = [field.name for _, _, field in FieldPath("oven.queue").fields(snapshot)]
    assert named == ["queue.orders", "queue.oldest"]
    pid = snapshot.processes[1].pid
    assert len(list(FieldPath(f"customer:{pid}/oven.loaves").fields(snapshot))) == 1


@pytest.mark.parametrize("text", ["", "oven", "oven.loaves", "oven.loaves <", "< 3", "rate(x) = 1"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Condition(text)
