"""When each periodic task is due, and how late it is; pure, so that tests own the clock.

A task is due one interval after it was last due, not after it last ended: a task that takes long
does not drift. One that missed whole intervals runs once and goes on in step, since nobody gains
from running the statistics five times in a row. The state of a task:

    waiting ──now ≥ due──▶ due ──started──▶ running ──finished──▶ waiting, due on the next step
"""

from __future__ import annotations

from isinglass.clock import NANOSECONDS_PER_SECOND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Task:
    """One periodic task; times are monotonic nanoseconds."""

    __slots__ = ("due_ns", "interval_ns", "name", "run")

    def __init__(self, name: str, interval_seconds: float, run: Callable[[], None]) -> None:
        self.name, self.run = name, run
        self.interval_ns = int(interval_seconds * NANOSECONDS_PER_SECOND)
        self.due_ns = 0

    def overdue_seconds(self, now_ns: int) -> float:
        """Return how long ago the task should have run; 0.0 when it is not due yet."""
        return max(0, now_ns - self.due_ns) / NANOSECONDS_PER_SECOND


class Schedule:
    """The tasks of one thread; the first run of each is one interval after the start."""

    def __init__(self, tasks: Iterable[Task], now_ns: int) -> None:
        self.tasks = list(tasks)
        for task in self.tasks:
            task.due_ns = now_ns + task.interval_ns

    def due(self, now_ns: int) -> Task | None:
        """Return the task that has been due for longest, if any is."""
        first = min(self.tasks, key=lambda task: task.due_ns, default=None)
        return first if first is not None and first.due_ns <= now_ns else None

    def finished(self, task: Task, now_ns: int) -> None:
        """Put a task that ran back in step: its next due time is the first that is not past."""
        missed = max(0, now_ns - task.due_ns) // task.interval_ns
        task.due_ns += (missed + 1) * task.interval_ns

    def seconds_to_next(self, now_ns: int) -> float:
        """Return how long nothing is due."""
        soonest = min((task.due_ns for task in self.tasks), default=now_ns + NANOSECONDS_PER_SECOND)
        return max(0, soonest - now_ns) / NANOSECONDS_PER_SECOND
