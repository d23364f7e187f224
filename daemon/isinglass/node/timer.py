"""The timer: one thread that runs the daemon's periodic tasks, each with a row of its own.

A task that fails is counted, shown as a distinct error, and runs again when it is due: the
statistics must go on while the disk is full.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from isinglass import clock
from isinglass.glass.probe import mark
from isinglass.node import ending
from isinglass.node.panels import TimerPanel
from isinglass.node.schedule import Schedule, Task


class Timer:
    """Runs tasks on a thread.

    Args:
        tasks: what to run, and how often.
        report: shows an error in the table of distinct errors.
        name: of the thread.
    """

    def __init__(
        self, tasks: Iterable[Task], report: Callable[[Exception], None], name: str = "timer"
    ) -> None:
        self._schedule = Schedule(tasks, clock.monotonic_ns())
        self._report = report
        self._rows = {task.name: _row(task) for task in self._schedule.tasks}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        """Start to run tasks."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the task that it runs now.

        Raises:
            ThreadStuck: the task does not end.
        """
        self._stopping.set()
        ending.join(self._thread)

    def _run(self) -> None:
        mark.waiting("for the next task")
        while not self._stopping.wait(self._schedule.seconds_to_next(clock.monotonic_ns())):
            mark("looking what is due")
            while not self._stopping.is_set():
                task = self._schedule.due(clock.monotonic_ns())
                if task is None:
                    break
                self._run_one(task)
            mark.waiting("for the next task")

    def _run_one(self, task: Task) -> None:
        started, row = clock.monotonic_ns(), self._rows[task.name]
        row.last_run, row.overdue = clock.wall_ns(), task.overdue_seconds(started)
        mark("running a task")
        try:
            task.run()
        except Exception as error:
            row.failures += 1
            self._report(error)
        mark("noting what the task took")
        ended = clock.monotonic_ns()
        row.last_duration = (ended - started) / clock.NANOSECONDS_PER_SECOND
        row.runs += 1
        self._schedule.finished(task, ended)
        row.next_run = clock.wall_ns() + task.due_ns - ended


def _row(task: Task) -> TimerPanel:
    row = TimerPanel(task.name)
    row.interval = task.interval_ns / clock.NANOSECONDS_PER_SECOND
    row.next_run = clock.wall_ns() + task.interval_ns
    return row
