"""Every default rule, on figures as a real node reports them: it is told, and it ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alarm_stage import AlarmStage, told
from import_graph import ROOT
from isinglass_monitor.alarms.rules import default_rules

Figures = dict[str, float | str]
Second = Callable[[int], Figures]
NODES = ("alder", "birch", "cedar")


def well(second: int) -> Figures:
    """Return what a node reports that is well and at work, in the nth second."""
    wall_ns = float(1_700_000_000 + second) * 1e9
    return {
        "queue.length": 20.0,
        "queue.applied_through": second * 1000.0,
        "queue.offered": second * 1000.0,
        "queue.written": second * 300.0,
        "queue.avoided": 0.7,
        "flow.backlog": 0.3,
        "applier.retry_since": 0.0,
        "store.state": "ready",
        "store.used_share": 0.4,
        "store.oldest_reader": 1.0,
        "store.last_commit": wall_ns,
        "timer.flush.interval": 1.0,
        "timer.flush.last_run": wall_ns,
        "timer.flush.failures": 0.0,
        "peer.birch.lag_seconds": 0.01,
        "peer.birch.state": "up",
        "peer.birch.clock_offset": 0.001,
        "stream.birch.lost_network": 0.0,
        "stream.birch.lost_socket": 0.0,
    }


TROUBLE: dict[str, Second] = {
    "no-progress": lambda second: {"queue.applied_through": 1.0},
    "applier-fails": lambda second: {"applier.retry_since": 1_700_000_100e9},
    "store-refuses": lambda second: {"store.state": "disk full"},
    "disk-nearly-full": lambda second: {"store.used_share": 0.9},
    "old-reader": lambda second: {"store.oldest_reader": 900.0},
    "backlog": lambda second: {"flow.backlog": 0.95},
    "lag": lambda second: {"peer.birch.lag_seconds": 9.0},
    "timer-overdue": lambda second: {"timer.flush.last_run": 1_700_000_100e9},
    "timer-fails": lambda second: {"timer.flush.failures": float(second)},
    "loss": lambda second: {"stream.birch.lost_network": second * 5.0},
    "clock-offset": lambda second: {"peer.birch.clock_offset": -0.8},
    "merge-share-collapsed": lambda second: {"queue.written": second * 990.0},
}
SILENT = {"node-silent", "monitor-deaf"}
OF_THE_MONITOR = {"monitor-behind", "monitor-loses"}


def play(scene: AlarmStage, seconds: int, trouble: Second | None = None) -> None:
    """Let seconds pass with all nodes at work, and alder in trouble."""
    for _ in range(seconds):
        second = round(scene.now.seconds) - 1000 + 1
        for node in NODES:
            seen = {k: v for k, v in well(second).items() if f".{node}." not in k}
            scene.figures[node] = seen
        if trouble is not None:
            scene.figures["alder"].update(trouble(second))
        if trouble is TROUBLE["clock-offset"]:
            scene.figures["cedar"].update(trouble(second))
        scene.run()


def test_every_default_rule_is_tried_here() -> None:
    assert set(TROUBLE) | SILENT | OF_THE_MONITOR == set(default_rules())


def test_every_default_rule_is_tried_on_real_nodes_too() -> None:
    files = (ROOT / "tests" / "system").glob("test_watched_*.py")
    told = "".join(path.read_text("utf-8") for path in files)
    assert [rule for rule in default_rules() if f'"{rule}", ' not in told] == []


def test_nodes_that_are_well_raise_nothing() -> None:
    scene = AlarmStage()
    play(scene, 300)
    assert scene.changes == []


@pytest.mark.parametrize("rule", sorted(TROUBLE))
def test_a_rule_is_told_and_ends(rule: str) -> None:
    scene = AlarmStage()
    play(scene, 100)
    play(scene, 120, TROUBLE[rule])
    about = "birch" if default_rules()[rule].about == "instance" else "alder"
    assert told(scene.notices) == [("raised", rule, about)]
    play(scene, 300)
    assert told(scene.notices) == [("raised", rule, about), ("cleared", rule, about)]


def test_a_monitor_that_comes_late_says_so() -> None:
    scene = AlarmStage()
    play(scene, 10)
    for _ in range(6):
        scene.now = scene.now.later(2.5)
        play(scene, 1)
    play(scene, 20)
    assert told(scene.notices) == [
        (what, "monitor-behind", "monitor:monitor") for what in ("raised", "cleared")
    ]


def test_a_monitor_that_waits_for_its_disk_or_loses_events_says_so() -> None:
    scene = AlarmStage()
    own = "monitor:monitor"
    well: Figures = {"spool.waiting": 0.0, "spool.waiting_limit": 100.0, "intake.lost": 4.0}
    scene.says(own, {**well, "spool.stalled": 0.0})
    play(scene, 40)
    scene.says(own, {"spool.stalled": 5.0, "intake.lost": 9.0})
    play(scene, 20)
    assert sorted(told(scene.notices)) == [
        ("raised", "monitor-behind", own),
        ("raised", "monitor-loses", own),
    ]
    scene.says(own, {"spool.stalled": 0.0})
    play(scene, 200)
    assert [what for what, _, _ in told(scene.notices)] == ["raised"] * 2 + ["cleared"] * 2


def test_the_manual_names_every_default_rule() -> None:
    page = (ROOT / "docs" / "alarms.md").read_text("utf-8")
    for name in default_rules():
        assert f"| `{name}` |" in page


@pytest.mark.parametrize("offset_seconds", [-3600, 3600])
def test_how_long_ago_does_not_depend_on_the_clocks_of_nodes(offset_seconds: int) -> None:
    """A node whose clock is an hour off has the same timers as any other."""

    def shifted(second: int) -> Figures:
        return {
            key: value + offset_seconds * 1e9
            for key, value in well(second).items()
            if key.startswith(("timer", "store.last")) and key.endswith(("_run", "_commit"))
            and isinstance(value, float)
        }  # fmt: skip

    scene = AlarmStage()
    play(scene, 200, shifted)
    assert scene.changes == []
