"""The sampling loop of `isinglass top`: reads probe words a thousand times a second, cheaply.

A sample is one read of every live thread's word into a list; nothing is decoded or counted then.
After each window of about 100 ms the samples are turned into columns, one a thread, and joined
with the kernel's account of that thread (`tally`). Processes and threads that come and go are seen
between windows, by comparing a few words; only when those changed is a whole snapshot taken.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from isinglass import clock
from isinglass.cli.profiles import Frame, Track
from isinglass.cli.schedstat import SchedStat
from isinglass.cli.schedule import Schedule
from isinglass.cli.selection import fits
from isinglass.cli.tally import Tally, ThreadKey
from isinglass.errors import SegmentError
from isinglass.glass import layout
from isinglass.glass.layout import LineWord, RegionWord
from isinglass.glass.reader import SegmentReader
from isinglass.glass.schema import Site
from isinglass.glass.snapshot import Process, Snapshot

WINDOW_NS = 100_000_000
LIVING = frozenset(("alive", "stalled"))
_LINE_WORDS = layout.PROBE_LINE_BYTES // layout.WORD_BYTES
_PROBES = layout.PROBES_OFFSET // layout.WORD_BYTES

Mark = tuple[object, ...]


class _Thread:
    """One thread that is being sampled, and its column in the samples."""

    __slots__ = ("column", "idle", "key", "usage")

    def __init__(self, key: ThreadKey, column: int, idle: frozenset[int]) -> None:
        self.key, self.column, self.idle = key, column, idle
        self.usage = SchedStat(key.pid, key.tid)


class Sampler:
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
        self._reader = reader
        self._globs = globs
        self._threads: dict[ThreadKey, _Thread] = {}
        self._reads: list[Callable[[], list[int]]] = []
        self._sites: dict[tuple[int, int, int], Process] = {}
        self._seen: Mark = ()
        self.tally = Tally(keep_order=keep_order)
        self.restarts = 0
        self.snapshot = self._look()
        self.schedule = Schedule(rate_hz, clock.monotonic_ns(), random.random)

    def run(self, until_ns: int, each_window: Callable[[], None]) -> None:
        """Sample until `until_ns` on the monotonic clock; call `each_window` after each window."""
        start_ns = clock.monotonic_ns()
        while start_ns < until_ns:
            samples = self._collect(min(start_ns + WINDOW_NS, until_ns))
            end_ns = clock.monotonic_ns()
            self._account(samples, end_ns - start_ns)
            start_ns = end_ns
            self._follow()
            each_window()

    def _collect(self, end_ns: int) -> list[list[int]]:
        """Take samples until `end_ns`; this is the loop that must cost nothing."""
        samples: list[list[int]] = []
        reads, schedule, sleep, now = self._reads, self.schedule, clock.sleep, clock.monotonic_ns
        now_ns = now()
        while now_ns < end_ns:
            due_ns = schedule.next_due_ns(now_ns)
            if due_ns > now_ns:
                sleep((due_ns - now_ns) / clock.NANOSECONDS_PER_SECOND)
            now_ns = now()
            schedule.took(now_ns)
            sample: list[int] = []
            for read in reads:
                sample += read()
            samples.append(sample)
        return samples

    def _account(self, samples: list[list[int]], window_ns: int) -> None:
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
            self._reads = []
            self._reader.close()
            self._reader = fresh
            self.restarts += 1
        elif self._marks() == self._seen:
            return
        self.snapshot = self._look()

    def _marks(self) -> Mark:
        """Return the words whose change means that processes, threads or files came or went."""
        found: list[object] = []
        for slot, verdict in self._reader.verdicts().items():
            if verdict in LIVING:
                words = self._reader.region_words(slot)
                lines = words[RegionWord.LINE_COUNT]
                head = (slot, words[RegionWord.CLAIM], words[RegionWord.FILE_COUNT])
                tids = words[_PROBES + LineWord.NATIVE_ID :: _LINE_WORDS][:lines].tolist()
                found.append((*head, tuple(tids)))
            else:
                found.append((slot, verdict))
        return tuple(found)

    def _look(self) -> Snapshot:
        """Take a snapshot, and make what is sampled agree with it."""
        self._seen = self._marks()
        snapshot = self._reader.snapshot()
        threads: dict[ThreadKey, _Thread] = {}
        reads: list[Callable[[], list[int]]] = []
        column = 0
        for process in snapshot.processes:
            if process.verdict in LIVING and self._chosen(process):
                lines = max((thread.index for thread in process.threads), default=-1) + 1
                self._add_threads(process, column, threads)
                words = self._reader.region_words(process.slot)
                reads.append(words[_PROBES::_LINE_WORDS][:lines].tolist)
                column += lines
        for key in self._threads.keys() - threads.keys():
            self._threads[key].usage.close()
        self._threads, self._reads = threads, reads
        return snapshot

    def _chosen(self, process: Process) -> bool:
        return fits(process.name, self._globs) or fits(str(process.pid), self._globs)

    def _add_threads(
        self, process: Process, column: int, threads: dict[ThreadKey, _Thread]
    ) -> None:
        self._sites[process.slot, process.claim, process.pid] = process
        idle = frozenset(
            module << layout.LINE_BITS | line
            for module, file in process.files.items()
            for line, site in file.sites.items()
            if site.waits
        )
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
            known = self._threads.get(key) or _Thread(key, 0, idle)
            known.column, known.idle = column + thread.index, idle
            threads[key] = known

    # ------------------------------------------------------------------ what was seen
    def site(self, key: ThreadKey, word: int) -> Site | None:
        """Return the mark that a word of a thread stands for."""
        return self._sites[key.slot, key.claim, key.pid].site(word)

    def frame(self, key: ThreadKey, word: int) -> Frame:
        """Return the mark that a word of a thread stands for, as a frame of a profile."""
        site = self.site(key, word)
        if site is None:
            return Frame("", 0, "", "", False)
        return Frame(site.path, site.line, site.function, site.label, site.waits)

    def tracks(self) -> list[Track]:
        """Return the samples of each thread in their order; empty unless they were kept."""
        return [
            Track(
                key.process,
                key.pid,
                key.thread,
                [(self.frame(key, word), count) for word, count in runs],
            )
            for key, runs in self.tally.runs.items()
        ]

    def close(self) -> None:
        """Let go of the segment and of the kernel's accounts."""
        self._reads = []
        for thread in self._threads.values():
            thread.usage.close()
        self._reader.close()
