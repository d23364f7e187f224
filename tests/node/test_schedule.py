"""The schedule of periodic tasks: in step, never twice, the longest due first."""

from __future__ import annotations

import random

from isinglass.node.schedule import Schedule, Task

SECOND = 1_000_000_000


def nothing() -> None:
    """A task that does nothing."""


def test_nothing_is_due_before_its_interval_and_everything_after() -> None:
    tasks = [Task("fast", 1.0, nothing), Task("slow", 10.0, nothing)]
    schedule = Schedule(tasks, now_ns=0)
    assert schedule.due(SECOND - 1) is None
    assert schedule.seconds_to_next(0) == 1.0
    assert schedule.due(SECOND) is tasks[0]


def test_a_task_that_takes_long_does_not_drift() -> None:
    task = Task("statistics", 1.0, nothing)
    schedule = Schedule([task], now_ns=0)
    starts = []
    now = 0
    for _ in range(50):
        now = max(now, task.due_ns)
        assert schedule.due(now) is task
        starts.append(now)
        now += 300_000_000
        schedule.finished(task, now)
    assert starts == [SECOND * number for number in range(1, 51)]


def test_missed_intervals_are_skipped_and_shown_as_overdue() -> None:
    task = Task("statistics", 1.0, nothing)
    schedule = Schedule([task], now_ns=0)
    late = 5 * SECOND + SECOND // 2
    assert task.overdue_seconds(late) == 4.5
    schedule.finished(task, late)
    assert task.due_ns == 6 * SECOND
    assert task.overdue_seconds(late) == 0.0


def test_every_task_runs_as_often_as_its_interval_says() -> None:
    generator = random.Random(11)
    intervals = {"a": 0.1, "b": 0.25, "c": 1.0}
    schedule = Schedule([Task(name, every, nothing) for name, every in intervals.items()], now_ns=0)
    runs = dict.fromkeys(intervals, 0)
    now = 0
    while now < 100 * SECOND:
        if task := schedule.due(now):
            runs[task.name] += 1
            now += generator.randrange(2_000_000)
            schedule.finished(task, now)
        else:
            now += int(schedule.seconds_to_next(now) * SECOND)
    for name, every in intervals.items():
        assert abs(runs[name] - 100 / every) <= 1


def test_a_schedule_without_tasks_sleeps() -> None:
    assert Schedule([], now_ns=0).due(SECOND) is None
    assert Schedule([], now_ns=0).seconds_to_next(SECOND) == 1.0
