"""Whether to tell the service manager that the daemon is well: only while every thread gets on.

A timer that pats the watchdog by itself proves that the timer runs. So the pat depends on the
threads that do the work: one that waits for work is well, however long; one that works must take a
step (any change of its steps) within a limit. When one does not, no more pats are sent and the
service manager ends the daemon, after its own limit, with the stuck thread's line in the
post-mortem. A state of each thread:

    waiting ◀──▶ working ──no step for the limit──▶ stuck ──step, or waits──▶ waiting, working

Pure: the caller brings the progress and the time.
"""

from __future__ import annotations

from isinglass.clock import NANOSECONDS_PER_SECOND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MICROSECONDS = 1_000_000


class Progress:
    """Where a thread is: any number that changes when it gets on, and whether it waits for work."""

    __slots__ = ("name", "steps", "waits")

    def __init__(self, name: str, steps: int, waits: bool) -> None:
        self.name, self.steps, self.waits = name, steps, waits


class Watchdog:
    """Remembers when each thread last got on."""

    def __init__(self, limit_seconds: float) -> None:
        """Allow every thread `limit_seconds` for one step of work."""
        self._limit_ns = int(limit_seconds * NANOSECONDS_PER_SECOND)
        self._last: dict[str, tuple[int, int]] = {}

    def stuck(self, now_ns: int, threads: Iterable[Progress]) -> list[str]:
        """Return the threads that work and have not got on for the limit, longest first.

        Args:
            now_ns: monotonic time.
            threads: the progress of every thread now; one that is no longer named is forgotten.
        """
        last: dict[str, tuple[int, int]] = {}
        for thread in threads:
            steps, since_ns = self._last.get(thread.name, (thread.steps, now_ns))
            moved = thread.waits or steps != thread.steps
            last[thread.name] = (thread.steps, now_ns if moved else since_ns)
        self._last = last
        late = [
            (since, name) for name, (_, since) in last.items() if now_ns - since > self._limit_ns
        ]
        return [name for _, name in sorted(late)]


def pat_interval_seconds(environment: Mapping[str, str], pid: int) -> float | None:
    """Return how often the service manager wants a pat, halved to be safe; None: not at all.

    It says so in WATCHDOG_USEC, meant for the process in WATCHDOG_PID (sd_watchdog_enabled(3)).
    """
    limit = environment.get("WATCHDOG_USEC", "")
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    if not limit.isascii() or not limit.isdigit() or int(limit) == 0:
        return None
    return int(limit) / _MICROSECONDS / 2
