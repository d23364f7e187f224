"""The sampling loop of `isinglass top`: reads probe words a thousand times a second, cheaply.

A sample is one read of every live thread's word into a list; nothing is decoded or counted then.
After each window of a quarter of a second the samples are turned into columns, one a thread, and
joined with the kernel's account of that thread (`tally`). Processes and threads that come and go
are seen between windows, by comparing a few words; only when those changed is a whole snapshot
taken.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from operator import itemgetter

from isinglass import clock
from isinglass.cli.sampled import Sampled, idle_words
from isinglass.cli.selection import fits
from isinglass.cli.tally import ThreadKey
from isinglass.errors import SegmentError
from isinglass.glass import layout
from isinglass.glass.layout import LineWord, RegionWord
from isinglass.glass.reader import SegmentReader
from isinglass.glass.schedstat import SchedStat
from isinglass.glass.schedule import Schedule
from isinglass.glass.snapshot import Process, Snapshot

WINDOW_NS = 250_000_000
FOLLOW_EVERY_WINDOWS = 2
SECONDS_PER_NANOSECOND = 1e-9
LIVING = frozenset(("alive", "stalled"))
_LINE_WORDS = layout.PROBE_LINE_BYTES // layout.WORD_BYTES
_PROBES = layout.PROBES_OFFSET // layout.WORD_BYTES

Mark = tuple[object, ...]
Sample = tuple[int, ...]


def _nothing(_live: memoryview) -> Sample:
    return ()


class _Thread:
    """One thread that is being sampled, and its column in the samples."""

    __slots__ = ("column", "idle", "key", "usage")

    def __init__(self, key: ThreadKey) -> None:
        self.key, self.column = key, 0
        self.idle: frozenset[int] = frozenset()
        self.usage = SchedStat(key.pid, key.tid)


class Sampler(Sampled):
    """Samples one node until told to stop; follows restarts.

    Args:
        reader: the node's reader; the sampler closes it, and any that follows it.
        rate_hz: samples a second.
        globs: only the processes whose name or pid fits.
        keep_order: remember the order of the samples, for speedscope.
    """

    def __init__(
        self,
        reader: SegmentReader,
        rate_hz: float,
        globs: Sequence[str] = (),
        *,
        keep_order: bool = False,
    ) -> None:
        super().__init__(keep_order=keep_order)
        self._reader = reader
        self._globs = globs
        self._threads: dict[ThreadKey, _Thread] = {}
        self._live: memoryview | None = None
        self._pick: Callable[[memoryview], Sample] = _nothing
        self._seen: Mark = ()
        self.snapshot = self._look()
        self.seen_ns = clock.monotonic_ns()
        self.schedule = Schedule(rate_hz, self.seen_ns, random.random)

    def run(self, until_ns: int, each_window: Callable[[], None]) -> None:
        """Sample until `until_ns` on the monotonic clock; call `each_window` after each window."""
        start_ns, windows = clock.monotonic_ns(), 0
        self.schedule.begin(start_ns)
        while start_ns < until_ns:
            samples = self._collect(start_ns + WINDOW_NS, until_ns)
            end_ns = clock.monotonic_ns()
            self._account(samples, end_ns - start_ns)
            self.seen_ns = start_ns = end_ns
            windows += 1
            if windows % FOLLOW_EVERY_WINDOWS == 0:
                self._follow()
            each_window()

    def _collect(self, end_ns: int, until_ns: int) -> list[Sample]:
        """Take the samples of a window; this is the loop that must cost nothing."""
        samples: list[Sample] = []
        live, pick, take = self._live_words(), self._pick, samples.append
        sleep, now, period_ns = clock.sleep, clock.monotonic_ns, self.schedule.period_ns
        self.schedule.pass_over(now())
        dues = [due for due in self.schedule.instants(end_ns) if due < until_ns]
        late, due_before = 0, now()
        for due_ns in dues:
            now_ns = now()  # The last sample was taken just now, so this tells its lateness, too.
            late += now_ns - due_before >= period_ns
            due_before = now_ns
            if due_ns > now_ns:
                sleep((due_ns - now_ns) * SECONDS_PER_NANOSECOND)
            elif now_ns - due_ns >= period_ns:
                continue
            take(pick(live))
            due_before = due_ns
        now_ns = now()
        late += now_ns - due_before >= period_ns
        self.schedule.count(len(samples), late, len(dues) - len(samples))
        rest_ns = min(end_ns, until_ns) - now_ns
        if not dues and rest_ns > 0:
            sleep(rest_ns * SECONDS_PER_NANOSECOND)
        return samples

    def _live_words(self) -> memoryview:
        if self._live is None:
            self._live = self._reader.live_words()
        return self._live

    def _account(self, samples: list[Sample], window_ns: int) -> None:
        columns = list(zip(*samples, strict=True))
        if not columns:
            return
        for thread in self._threads.values():
            usage = thread.usage.delta()
            column = columns[thread.column]
            self.tally.add_window(thread.key, column, thread.idle, usage, window_ns)

    # ------------------------------------------------------------------ who is there
    def _follow(self) -> None:
        """Look again at who is there, when something about it has changed."""
        if self._reader.replaced():
            try:
                fresh = SegmentReader(self._reader.path)
            except SegmentError:
                return  # Half made; look again after the next window.
            self._live = None
            self._reader.close()
            self._reader = fresh
            self.restarts += 1
        elif self._marks() == self._seen:
            return
        self.snapshot = self._look()

    def _marks(self) -> Mark:
        """Return the words whose change means that processes, threads or files came or went."""
        found: list[object] = []
        live = self._live_words()
        for slot, verdict in self._reader.verdicts().items():
            if verdict not in LIVING:
                found.append((slot, verdict))
                continue
            at = layout.region_offset(slot) // layout.WORD_BYTES
            lines = min(live[at + RegionWord.LINE_COUNT], layout.PROBE_LINES)
            first = at + _PROBES + LineWord.NATIVE_ID
            tids = live[first : first + lines * _LINE_WORDS : _LINE_WORDS].tolist()
            head = (slot, live[at + RegionWord.CLAIM], live[at + RegionWord.FILE_COUNT])
            found.append((*head, *tids))
        return tuple(found)

    def _look(self) -> Snapshot:
        """Take a snapshot, and make what is sampled agree with it."""
        self._seen = self._marks()
        snapshot = self._reader.snapshot()
        threads: dict[ThreadKey, _Thread] = {}
        for process in snapshot.processes:
            if process.verdict in LIVING and self._chosen(process):
                self._add_threads(process, threads)
        for key in self._threads.keys() - threads.keys():
            self._threads[key].usage.close()
        self._threads = threads
        places = [
            layout.region_offset(key.slot) // layout.WORD_BYTES + _PROBES + key.line * _LINE_WORDS
            for key in threads
        ]
        # With one place itemgetter returns a word, not a tuple: the first place stands twice.
        self._pick = itemgetter(*places, places[0]) if places else _nothing
        return snapshot

    def _chosen(self, process: Process) -> bool:
        return fits(process.name, self._globs) or fits(str(process.pid), self._globs)

    def _add_threads(self, process: Process, threads: dict[ThreadKey, _Thread]) -> None:
        self.remember(process)
        idle = idle_words(process)
        for thread in process.threads:
            key = ThreadKey(
                process.slot,
                process.claim,
                thread.index,
                process.name,
                process.pid,
                thread.name,
                thread.tid,
            )
            known = self._threads.get(key) or _Thread(key)
            known.column, known.idle = len(threads), idle
            threads[key] = known

    def close(self) -> None:
        """Let go of the segment and of the kernel's accounts."""
        self._live = None
        for thread in self._threads.values():
            thread.usage.close()
        self._reader.close()
