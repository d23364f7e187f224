"""Frames are kept packed, and come back as they were; what is too old or too much goes first."""

from __future__ import annotations

from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.same import plain_frame
from console.stage import FSYNC, PUT, SECOND, START_NS, Stage, filled_desk
from isinglass.glass.snapshot import Verdict
from isinglass_console.model import heat
from isinglass_console.model.frame import Condition, Frame, NodeFrame
from isinglass_console.model.history import History
from isinglass_console.model.hub import Hub
from isinglass_console.model.rates import Pair
from isinglass_console.model.reading import Reading
from isinglass_console.model.timeline import with_gaps
from isinglass_console.screens.desk import Desk


def test_a_frame_comes_back_the_same_from_its_row_and_is_small(alder: Stage) -> None:
    desk, kept = Desk(), []
    history = History()
    for tick in range(1, 26):
        frame = desk.absorb([alder.reading(tick)], START_NS + tick * SECOND, 1.0)
        history.append(frame)
        kept.append(frame)
    for number in (24, 3, 4, 11, 2, 19, 20, 0):
        assert plain_frame(history.frame(number)) == plain_frame(kept[number])
    assert history.size_bytes / 25 < 2_500, "a second of one process takes a kB or two"


def test_any_frame_of_the_past_can_be_had(alder: Stage) -> None:
    desk = filled_desk(alder, ticks=40)
    for number in (0, 7, 39):
        frame = desk.history.frame(number)
        assert frame is not None
        snapshot = frame.nodes[0].snapshot
        assert snapshot is not None
        queue = snapshot.panel("queue")
        assert queue is not None
        assert queue["offered"] == (number + 1) * 9340
    assert desk.history.frame(40) is None
    assert desk.history.number_at(START_NS + 8 * SECOND + 1) == 7


def test_the_samples_of_the_past_are_kept(alder: Stage) -> None:
    desk = filled_desk(alder, ticks=15)
    tally = heat.window(desk.history.tallies("alder", 11, 10.0))
    assert tally.taken == 200
    owner = desk.scene(80, 24).node
    assert owner is not None and owner.snapshot is not None and owner.snapshot.owner is not None
    applier = next(t for t in owner.snapshot.owner.threads if t.name == "applier")
    hottest = heat.hottest(tally, (0, owner.snapshot.owner.claim, applier.index))
    assert [(line.word & 0xFFFF, line.share) for line in hottest] == [(FSYNC, 0.8), (PUT, 0.2)]
    assert hottest[0].blocked == pytest.approx(0.8)
    assert hottest[1].running == pytest.approx(0.18)
    assert hottest[1].cpu_wait == pytest.approx(0.02)


def test_the_oldest_frames_go_by_time_and_by_bytes(alder: Stage) -> None:
    reading = alder.reading(1)
    node = NodeFrame("alder", Condition.ALIVE, snapshot=reading.snapshot)
    by_time = History(kept_seconds=5)
    by_bytes = History(kept_bytes=20_000)
    for number in range(100):
        frame = Frame(number, START_NS + number * SECOND, 1.0, (node,))
        by_time.append(frame)
        by_bytes.append(frame)
    assert (by_time.oldest, by_time.newest) == (94, 99)
    assert by_bytes.size_bytes <= 20_000
    assert 0 < by_bytes.oldest < by_bytes.newest == 99
    assert by_bytes.frame(0) is None


def test_rates_need_two_snapshots_of_one_life(alder: Stage) -> None:
    first, second = alder.reading(1).snapshot, alder.reading(3).snapshot
    assert first is not None and second is not None
    pair = Pair.of(first, second)
    assert pair.rate("queue", "offered") == pytest.approx(9340)
    assert isnan(Pair.of(None, second).rate("queue", "offered"))
    assert isnan(pair.rate("queue", "no such field"))
    assert isnan(Pair.of(second, first).rate("queue", "offered")), "a counter never goes back"
    second.generation = 2
    assert isnan(Pair.of(first, second).rate("queue", "offered"))


def test_the_hub_tells_death_stop_and_restart(alder: Stage) -> None:
    hub = Hub()

    def take(tick: int, verdict: str, silent: float = 0.2, restarted: bool = False) -> NodeFrame:
        reading = alder.reading(tick, verdict, silent)
        reading = Reading(
            reading.node, reading.condition, "", reading.snapshot, restarted=restarted
        )
        return hub.take([reading], START_NS + tick * SECOND, 1.0).nodes[0]

    assert take(1, Verdict.ALIVE).ended_wall_ns == 0
    assert take(2, Verdict.ALIVE).figure("offered_rate") == pytest.approx(9340)
    stopped = take(6, Verdict.STALLED, 4.0)
    assert (stopped.condition, stopped.age_seconds) == (Condition.STOPPED, 4.0)
    assert stopped.figure("load") == pytest.approx(0.97), "values stay; they are shown old"
    assert isnan(stopped.figure("offered_rate")), "rates do not"
    killed = take(7, Verdict.KILLED, 5.0)
    assert killed.ended_wall_ns == START_NS + 7 * SECOND
    assert take(9, Verdict.KILLED, 7.0).ended_wall_ns == killed.ended_wall_ns
    back = take(10, Verdict.ALIVE, restarted=True)
    assert back.restarted_wall_ns == START_NS + 10 * SECOND
    assert back.ended_wall_ns == 0
    told = [entry.message for entry in hub.log.entries]
    assert told == [
        "the daemon does not move any more",
        "the daemon was killed",
        "the node restarted; attached to it again",
    ]


def test_what_was_dead_before_the_console_came_was_last_seen_then(alder: Stage) -> None:
    reading = alder.reading(60, Verdict.KILLED, 50.0)
    frame = Hub().take([reading], START_NS + 60 * SECOND, 1.0)
    assert frame.nodes[0].ended_wall_ns == START_NS + 10 * SECOND


@given(st.lists(st.integers(1, 20), max_size=30), st.integers(1, 40))
def test_where_nothing_was_read_a_trend_has_a_gap_as_long(steps: list[int], length: int) -> None:
    history, second, expected = History(), 0, [0.0]
    history.append(Frame(0, START_NS, 1.0))
    for number, step in enumerate(steps, start=1):
        second += step
        history.append(Frame(number, START_NS + second * SECOND, 1.0))
        expected += [nan] * (step - 1 if step > 5 else 0) + [float(number)]
    newest = len(steps)
    values = [float(at) if at >= 0 else nan for at in range(newest - length + 1, newest + 1)]
    shown = with_gaps(values, history, newest, 1.0)
    assert str(shown) == str(([nan] * length + expected)[-length:])


def test_the_chart_of_a_console_that_slept_is_empty_for_that_time(alder: Stage) -> None:
    desk = Desk()
    for tick in (1, 2, 3, 60, 61, 62):
        desk.absorb([alder.reading(tick)], START_NS + tick * SECOND, 1.0)
    scene = desk.scene(80, 24)
    assert scene.node is not None
    trend = scene.trend(scene.node, "length", 62)
    assert [tick for tick, value in enumerate(trend, start=1) if value == value] == [
        1, 2, 3, 60, 61, 62,
    ]  # fmt: skip


@given(
    st.lists(st.sampled_from([1, 1, 1, 2, 40, 400]), min_size=1, max_size=90),
    st.lists(st.integers(0, 90), max_size=6),
    st.sampled_from([3, 50, 900]),
    st.sampled_from([5_000, 10_000_000]),
)
def test_each_frame_that_is_kept_can_be_had_whenever_it_is_asked_for(
    steps: list[int], asked: list[int], kept_seconds: int, kept_bytes: int
) -> None:
    history, times, second = History(kept_seconds, kept_bytes), list[int](), 0
    for number, step in enumerate(steps):
        second += step
        times.append(START_NS + second * SECOND)
        history.append(Frame(number, times[-1], 1.0, (NodeFrame(f"n{number}", "up"),)))
        assert history.newest == number
        assert (
            history.oldest == number or times[history.oldest] >= times[-1] - kept_seconds * SECOND
        )
        for each in asked:
            frame = history.frame(each)
            assert (frame is not None) == (history.oldest <= each <= number)
            if frame is not None:
                assert (frame.wall_ns, frame.nodes[0].name) == (times[each], f"n{each}")
                assert len(history.tallies(f"n{each}", each, 10.0)) == 1
    kept = [frame.wall_ns for frame in history.frames_since(0)]
    assert kept == times[history.oldest :]
