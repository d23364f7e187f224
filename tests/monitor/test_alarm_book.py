"""The book of alarms: what is told of what happened, and what keeps it from being told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alarm_stage import AlarmStage, rules_of, told
from isinglass_monitor.alarms.book import CAUSED, EXPECTED, RAISED_NOTICE, SILENCED, AlarmBook
from isinglass_monitor.moment import Moment
from isinglass_monitor.scoreboard import CHAOS, MAINTENANCE

HIGH = {"queue.length": 99.0}
LOW = {"queue.length": 0.0}
LONG = """
[[rule]]
name = "long"
help = "The queue is long."
when = "queue.length > 10"
clear = "queue.length < 5"
look = "At the queue."
"""
LONG_FOR = LONG + 'for = "3s"\nclear_for = "3s"\n'
HOUR_NS = 3_600 * 10**9


def stage(text: str = LONG) -> AlarmStage:
    return AlarmStage(rules_of(text))


def test_an_alarm_is_told_once_and_so_is_its_end() -> None:
    scene = stage(LONG_FOR)
    scene.says("alder", HIGH)
    assert told(scene.run(20)) == [("raised", "long", "alder")]
    scene.says("alder", LOW)
    assert told(scene.run(20)) == [("cleared", "long", "alder")]
    [document] = scene.book.ended
    assert [entry["what"] for entry in document["timeline"]] == [
        "raised", "told", "clearing", "cleared",
    ]  # fmt: skip
    assert document["figures"] == {"queue.length": 0.0}


def test_a_raised_alarm_has_a_number_and_the_next_one_another() -> None:
    scene = stage()
    for _ in range(2):
        scene.says("alder", HIGH)
        scene.run(2)
        scene.says("alder", LOW)
        scene.run(10)
    assert [document["number"] for document in scene.book.ended] == [1, 2]


def test_an_acknowledged_alarm_says_no_more() -> None:
    scene = stage()
    scene.says("alder", HIGH)
    scene.run()
    alarm = scene.book.acknowledge(scene.now, 1, "ada")
    assert alarm is not None
    assert scene.states() == {("long", "alder"): "acknowledged"}
    assert scene.book.acknowledge(scene.now, 2, "ada") is None
    scene.run(5)
    assert len(scene.notices) == 1


def test_a_silence_holds_back_until_its_end_and_no_longer() -> None:
    scene = stage()
    until = scene.now.later(10).wall_ns
    scene.book.holdings.silence(scene.now.wall_ns, "long", "al*", "known", "ada", until)
    scene.says("alder", HIGH)
    scene.says("birch", HIGH)
    assert told(scene.run(9)) == [("raised", "long", "birch")]
    [silenced] = [a for a in scene.book.alarms.values() if a.held_back == SILENCED]
    assert silenced.held_why == "by ada: known"
    assert told(scene.run(1)) == [("raised", "long", "alder")]


def test_a_silence_holds_also_when_the_clock_was_set_back() -> None:
    scene = stage()
    until = scene.now.later(600).wall_ns
    scene.book.holdings.silence(scene.now.wall_ns, "long", "al*", "known", "ada", until)
    scene.now = Moment(scene.now.monotonic_ns, scene.now.wall_ns - 60 * 10**9)
    scene.says("alder", HIGH)
    assert scene.run(9) == []


def test_a_silence_needs_a_reason_and_an_end() -> None:
    holdings = stage().book.holdings
    for reason, until in (("", 10), (" ", 10), ("why", 0), ("why", 31 * 24 * HOUR_NS)):
        with pytest.raises(ValueError, match="needs"):
            holdings.silence(0, "*", "*", reason, "ada", until)


def test_what_was_announced_is_expected_and_told_with_the_culprit_when_it_lasts() -> None:
    scene = AlarmStage()
    for node in ("alder", "birch"):
        scene.says(node, LOW)
    scene.run(3)
    until = scene.now.later(60).wall_ns
    scene.book.holdings.announce(
        scene.now.wall_ns, CHAOS, "alder", "stopped it", "the monkey", until
    )
    scene.silence("alder")
    assert scene.run(50) == []
    assert scene.board.rows["alder"].state == "stopped by chaos"
    [alarm] = [a for a in scene.book.alarms.values() if a.state == "firing"]
    assert (alarm.subject.rule, alarm.held_back) == ("node-silent", EXPECTED)
    assert scene.book.expected == 1
    assert told(scene.run(15)) == [("raised", "node-silent", "alder")]
    assert scene.notices[0].alarm["culprit"] == "chaos by the monkey: stopped it"


def test_of_two_announcements_the_newer_one_is_named() -> None:
    """The node went on after the first, and was killed after the second."""
    scene = AlarmStage()
    for node in ("alder", "birch"):
        scene.says(node, LOW)
    for seconds, reason in ((190, "stopped it"), (160, "killed it")):
        until = scene.now.later(seconds).wall_ns
        scene.book.holdings.announce(scene.now.wall_ns, CHAOS, "alder", reason, "ada", until)
        scene.run(3)
    scene.silence("alder")
    scene.run(40)
    [alarm] = [a for a in scene.book.alarms.values() if a.state == "firing"]
    assert alarm.held_why == "chaos by ada: killed it"


def test_what_is_well_again_in_time_is_never_told() -> None:
    scene = AlarmStage()
    for node in ("alder", "birch"):
        scene.says(node, LOW)
    until = scene.now.later(60).wall_ns
    scene.book.holdings.announce(scene.now.wall_ns, MAINTENANCE, "alder", "disk", "ada", until)
    scene.silence("alder")
    scene.run(30)
    del scene.silent["alder"]
    scene.run(60)
    assert scene.notices == []
    assert [document["rule"] for document in scene.book.ended] == ["node-silent"]


def test_a_cause_holds_back_its_consequences() -> None:
    scene = AlarmStage()
    scene.says("alder", {"queue.length": 1.0, "queue.applied_through": 1.0})
    for node in ("birch", "cedar"):
        scene.says(node, {"peer.alder.lag_seconds": 0.0, "peer.alder.state": "up"})
    scene.run(30)
    for second in range(40):
        if second == 0:
            scene.silence("alder")
        for node in ("birch", "cedar"):
            scene.says(node, {"peer.alder.lag_seconds": float(second)})
        scene.run()
    rules = {alarm.subject.rule: alarm for alarm in scene.book.alarms.values()}
    assert rules["lag"].state == "firing"
    assert rules["lag"].held_back == CAUSED
    assert rules["lag"].found_at == ("birch", "cedar")
    assert ("raised", "node-silent", "alder") in told(scene.notices)
    assert ("raised", "lag", "alder") not in told(scene.notices)


def tick_timer(scene: AlarmStage, seconds: int, *, clock_ns: int, ran: bool = True) -> None:
    """Let a node report that its tasks run, by a clock that is so far from the monitor's."""
    for _ in range(seconds):
        now_ns = scene.now.later(1).wall_ns + clock_ns
        if ran:
            times = {"timer.flush.last_run": now_ns, "timer.sweep.last_run": now_ns}
            scene.says("alder", {**times, "timer.flush.interval": 1, "timer.sweep.interval": 1})
        scene.run()


def test_a_clock_that_is_set_back_makes_no_task_overdue() -> None:
    scene = AlarmStage()
    tick_timer(scene, 30, clock_ns=5 * 10**9)
    scene.says("alder", {"store.last_commit": scene.now.wall_ns + 5 * 10**9})
    tick_timer(scene, 120, clock_ns=-60 * 10**9)
    assert not [change for change in scene.changes if change.alarm.subject.rule == "timer-overdue"]
    tick_timer(scene, 30, clock_ns=0, ran=False)
    assert [subject[0] for subject in scene.states()] == ["timer-overdue"]


def test_tasks_that_a_hung_timer_holds_up_are_one_alarm_that_names_them() -> None:
    scene = AlarmStage()
    tasks = ("flush", "lag", "sweep")
    late = {task: set[int]() for task in tasks}
    late["flush"], late["sweep"] = set(range(10, 80)), set(range(20, 40))
    for second in range(120):
        for task in tasks:
            last = 10 if second in late[task] else second
            scene.says("alder", {f"timer.{task}.interval": 1.0})
            scene.says("alder", {f"timer.{task}.last_run": float(1_700_000_000 + last) * 1e9})
        scene.run()
        if second == 35:
            (alarm,) = scene.book.alarms.values()
            assert alarm.found_at == ("flush", "sweep")
            assert alarm.sentence().startswith("alder: ")
            assert alarm.sentence().endswith("(at flush, sweep)")
    about = ("timer-overdue", "alder")
    assert told(scene.notices) == [("raised", *about), ("cleared", *about)]


def test_all_nodes_silent_at_once_is_one_alarm() -> None:
    scene = AlarmStage()
    for node in ("alder", "birch", "cedar"):
        scene.says(node, LOW)
    scene.run(5)
    for node in ("alder", "birch", "cedar"):
        scene.silence(node)
    scene.run(60)
    assert told(scene.notices) == [("raised", "monitor-deaf", "monitor:monitor")]
    for node in ("alder", "birch", "cedar"):
        del scene.silent[node]
    scene.run(30)
    assert told(scene.notices)[1:] == [("cleared", "monitor-deaf", "monitor:monitor")]


def test_a_node_that_says_goodbye_ends_its_alarms() -> None:
    scene = AlarmStage()
    for node in ("alder", "birch"):
        scene.says(node, {"store.state": "disk full"})
    scene.run(10)
    scene.ended.add("alder")
    scene.run(10)
    assert {subject[:2] for subject in scene.states()} == {("store-refuses", "birch")}


def test_an_instance_that_is_gone_ends_its_alarm() -> None:
    scene = stage(LONG.replace("queue.length", "timer.overdue"))
    scene.says("alder", {"timer.flush.overdue": 99.0, "timer.sweep.overdue": 99.0})
    scene.run(2)
    assert set(scene.states()) == {("long", "alder", "flush"), ("long", "alder", "sweep")}
    del scene.figures["alder"]["timer.flush.overdue"]
    scene.run(5)
    assert set(scene.states()) == {("long", "alder", "sweep")}


def test_figures_of_a_silent_node_raise_nothing_and_clear_nothing() -> None:
    scene = stage(LONG_FOR)
    scene.says("alder", HIGH)
    scene.run(5)
    scene.silence("alder")
    scene.says("birch", LOW)
    scene.run(60)
    assert scene.states() == {("long", "alder"): "firing"}


def test_the_book_outlives_the_monitor() -> None:
    scene = stage()
    scene.says("alder", HIGH)
    scene.says("birch", HIGH)
    scene.run(3)
    scene.book.acknowledge(scene.now, 2, "ada")
    holdings = scene.book.holdings
    holdings.silence(scene.now.wall_ns, "x", "*", "why", "ada", scene.now.wall_ns + HOUR_NS)
    document = json.loads(json.dumps(scene.book.document()))
    later = stage()
    later.now = scene.now.later(100)
    later.figures = scene.figures
    later.book.restore(document, later.now)
    assert later.run(10) == []
    assert later.states() == {
        ("long", "alder"): "firing",
        ("long", "birch"): "acknowledged",
    }
    assert [silence.reason for silence in later.book.holdings.silences] == ["why"]
    later.says("alder", LOW)
    assert told(later.run(10)) == [("cleared", "long", "alder")]
    assert later.book.ended[-1]["number"] == 1


def test_what_was_expected_is_told_with_its_culprit_by_the_next_life() -> None:
    scene = stage()
    until = scene.now.later(60).wall_ns
    scene.book.holdings.announce(scene.now.wall_ns, CHAOS, "alder", "why", "the monkey", until)
    scene.says("alder", HIGH)
    scene.run(10)
    assert scene.book.expected == 1
    lives = [stage(), stage()]
    for life, at in zip(lives, (20, 100), strict=True):
        life.now, life.figures = scene.now.later(at), scene.figures
        life.book.restore(json.loads(json.dumps(scene.book.document())), life.now)
        life.run(2)
    assert [life.book.expected for life in lives] == [1, 1]
    assert lives[0].notices == []
    assert lives[1].notices[0].alarm["culprit"] == "chaos by the monkey: why"


def test_a_document_of_another_format_is_left_alone() -> None:
    book = AlarmBook("monitor", rules_of(LONG))
    book.restore({"format": 99}, AlarmStage().now)
    assert book.alarms == {}


WORLDS = st.lists(
    st.tuples(
        st.sampled_from((0.0, 7.0, 99.0)),  # the queue's length
        st.booleans(),  # the node is heard
        st.sampled_from(("", "", "", "silence", "announce", "end", "acknowledge")),
        st.integers(1, 30),  # how long a silence or an announcement is asked for
    ),
    max_size=80,
)


@settings(max_examples=150)
@given(WORLDS)
def test_no_silence_is_missed_and_none_is_outlived(
    world: list[tuple[float, bool, str, int]],
) -> None:
    """Whatever happens: told only when nothing holds back, and at once when nothing does."""
    scene = stage(LONG_FOR)
    holdings = scene.book.holdings
    for length, heard, deed, seconds in world:
        wall_ns, until = scene.now.wall_ns, scene.now.later(seconds).wall_ns
        if deed == "silence":
            holdings.silence(wall_ns, "lo*", "alder", "why", "ada", until)
        elif deed == "announce":
            holdings.announce(wall_ns, MAINTENANCE, "alder", "why", "ada", until)
        elif deed == "end" and holdings.silences:
            holdings.end(holdings.silences[0].number)
        elif deed == "acknowledge":
            scene.book.acknowledge(scene.now, scene.book.document()["numbers"], "ada")
        scene.says("alder", {"queue.length": length})
        scene.silent.pop("alder", None)
        if not heard:
            scene.silent["alder"] = scene.now.later(-60)
        notices = scene.run()
        ends = [silence.until_wall_ns for silence in holdings.silences]
        ends += [announcement.until_wall_ns for announcement in holdings.announcements]
        held = any(scene.now.wall_ns < end for end in ends)
        raised = [notice for notice in notices if notice.what == RAISED_NOTICE]
        assert not (held and raised)
        for alarm in scene.book.alarms.values():
            if alarm.state == "firing" and not held:
                assert alarm.told
    assert json.loads(json.dumps(scene.book.document()))["format"] == 2
