"""The samples of `isinglass top ssh://...`: taken and counted on the far side, told a few times a
second.

The relay looks at the threads where they run, at up to a thousand times a second, so neither the
link's delay nor its width is in the samples. What comes are counts by thread and word with the
kernel's account of each thread; the order of the samples within a quarter of a second is not told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import random

from isinglass import clock
from isinglass.cli.sampled import Sampled, idle_words
from isinglass.cli.selection import fits
from isinglass.cli.tally import ThreadKey
from isinglass.glass.schedule import Schedule
from isinglass.glass.snapshot import Process, Snapshot
from isinglass.remote.arrivals import Arrival
from isinglass.remote.attach import Follower

WINDOW_SECONDS = 0.25


class RemoteSampler(Sampled):
    """Samples one node on another host.

    Args:
        follower: the node; the sampler closes it.
        rate_hz: samples a second.
        globs: only the processes whose name or pid fits.
        keep_order: remember the order of the windows, for speedscope.
    """

    def __init__(
        self,
        follower: Follower,
        rate_hz: float,
        globs: Sequence[str] = (),
        *,
        keep_order: bool = False,
    ) -> None:
        super().__init__(keep_order=keep_order)
        self._follower, self._globs = follower, globs
        self._keys: dict[tuple[int, int, int], ThreadKey] = {}
        self._idle: dict[tuple[int, int], frozenset[int]] = {}
        self._rate_hz = round(rate_hz)
        self.snapshot = follower.first
        self._learn(self.snapshot)
        self.seen_ns = clock.monotonic_ns()
        self.schedule = Schedule(rate_hz, self.seen_ns, random)

    def run(self, until_ns: int, each_window: Callable[[], None]) -> None:
        """Sample until `until_ns` on the monotonic clock; call `each_window` after each window."""
        self._follower.next(self._rate_hz)  # From this frame on the far side looks.
        self.schedule.begin(clock.monotonic_ns())
        while (rest_ns := until_ns - clock.monotonic_ns()) > 0:
            window = min(WINDOW_SECONDS, rest_ns / clock.NANOSECONDS_PER_SECOND)
            self._account(self._follower.next(self._rate_hz, window))
            each_window()

    def _account(self, arrival: Arrival) -> None:
        if arrival.snapshot is None:
            return
        self.snapshot, self.seen_ns = arrival.snapshot, clock.monotonic_ns()
        self.restarts += arrival.restarted
        how = arrival.sampling
        self.schedule.count(how.taken, how.late, how.missed)
        self._learn(self.snapshot)
        for thread in arrival.threads:
            key = self._keys.get(thread.key)
            if key is not None:
                words = Counter(thread.counts).elements()
                idle = self._idle[key.slot, key.claim]
                self.tally.add_window(key, words, idle, thread.usage, how.span_ns)

    def _learn(self, snapshot: Snapshot) -> None:
        """Remember what threads and words of this snapshot are called."""
        for process in snapshot.processes:
            if fits(process.name, self._globs) or fits(str(process.pid), self._globs):
                self._learn_process(process)

    def _learn_process(self, process: Process) -> None:
        self.remember(process)
        self._idle[process.slot, process.claim] = idle_words(process)
        head = (process.name, process.pid)
        for thread in process.threads:
            place = (process.slot, process.claim, thread.index)
            self._keys[place] = ThreadKey(*place, *head, thread.name, thread.tid)

    def close(self) -> None:
        """End the link."""
        self._follower.close()
