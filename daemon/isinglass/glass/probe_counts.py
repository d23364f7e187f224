"""Where each thread of a node stands, looked at again and again, and counted by thread and word.

A look copies the probe lines of each living process with one call of the kernel into memory that is
there already, and picks the words out of it; nothing is decoded or counted then. That is done when
somebody takes the counts, together with the kernel's own account of each thread. Copied, not
mapped: a map of a file that somebody cuts short is a SIGBUS.

A look costs 2 us a process; 1,024 looks that nobody took are counted into one.
"""

from __future__ import annotations

import os
from operator import itemgetter

from isinglass.glass import layout
from isinglass.glass.schedstat import SchedStat, Usage
from isinglass.glass.snapshot import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from isinglass.glass.snapshot import Process, Snapshot

LINE_WORDS = layout.PROBE_LINE_BYTES // layout.WORD_BYTES
LIVING = (Verdict.ALIVE, Verdict.STALLED)
LOOKS_TOGETHER = 1024

ThreadKey = tuple[int, int, int]  # slot, claim, line of the thread in its region
LivingThreads = dict[tuple[ThreadKey, int], "Process"]  # with their thread ids


class ThreadCounts:
    """What one thread showed since the last time: looks by probe word, and the kernel's account."""

    __slots__ = ("counts", "key", "usage")

    def __init__(self, key: ThreadKey, counts: dict[int, int], usage: Usage | None) -> None:
        self.key, self.counts, self.usage = key, counts, usage


class _Thread:
    """One thread that is looked at: which column of its process's looks is its own."""

    __slots__ = ("column", "counts", "key", "stat")

    def __init__(self, key: ThreadKey, stat: SchedStat) -> None:
        self.key, self.stat, self.column = key, stat, 0
        self.counts: dict[int, int] = {}

    def count(self, words: tuple[int, ...]) -> None:
        """Count words that were seen, of which there is at least one."""
        first, counts = words[0], self.counts
        if words.count(first) == len(words):  # nearly always: most threads wait
            counts[first] = counts.get(first, 0) + len(words)
        else:
            for word in words:
                counts[word] = counts.get(word, 0) + 1


class _Region:
    """The probe lines of one process, and the looks that nobody has counted yet."""

    __slots__ = ("looks", "offset", "pick", "room", "threads", "words")

    def __init__(self, slot: int, threads: list[_Thread]) -> None:
        lines = max(thread.key[2] for thread in threads) + 1
        self.threads, self.offset = threads, layout.region_offset(slot) + layout.PROBES_OFFSET
        self.room = bytearray(lines * layout.PROBE_LINE_BYTES)
        self.words = memoryview(self.room).cast("Q")
        places = [thread.key[2] * LINE_WORDS for thread in threads]
        # With one place itemgetter returns a word, not a tuple: the first place stands twice.
        self.pick: Callable[[memoryview], tuple[int, ...]] = itemgetter(*places, places[0])
        self.looks: list[tuple[int, ...]] = []
        for column, thread in enumerate(threads):
            thread.column = column

    def look(self, descriptor: int) -> None:
        if os.preadv(descriptor, (self.room,), self.offset) == len(self.room):
            self.looks.append(self.pick(self.words))
            if len(self.looks) >= LOOKS_TOGETHER:
                self.count()

    def count(self) -> None:
        columns = list(zip(*self.looks, strict=True))
        self.looks = []
        for thread in self.threads if columns else ():
            thread.count(columns[thread.column])


class ProbeCounts:
    """Counts the words of the living threads of one node."""

    def __init__(self) -> None:
        self._threads: dict[tuple[ThreadKey, int], _Thread] = {}
        self._regions: list[_Region] = []

    def look(self, descriptor: int) -> None:
        """Look once where every thread is; `descriptor` is the segment's open file."""
        for region in self._regions:
            region.look(descriptor)

    def take(self) -> list[ThreadCounts]:
        """Return the counts since the last call."""
        for region in self._regions:
            region.count()
        found = []
        for thread in self._threads.values():
            found.append(ThreadCounts(thread.key, thread.counts, thread.stat.delta()))
            thread.counts = {}
        return found

    def follows(self, wanted: LivingThreads) -> bool:
        """Whether these are the threads that are looked at."""
        return wanted.keys() == self._threads.keys()

    def follow(self, wanted: LivingThreads) -> None:
        """Look at these threads from now on; what nobody took of the others is lost."""
        for key in self._threads.keys() - wanted.keys():
            self._threads.pop(key).stat.close()
        for key, process in wanted.items():
            if key not in self._threads:
                self._threads[key] = _Thread(key[0], SchedStat(process.pid, key[1]))
        by_slot: dict[int, list[_Thread]] = {}
        for thread in self._threads.values():
            by_slot.setdefault(thread.key[0], []).append(thread)
        for region in self._regions:
            region.count()
        self._regions = [_Region(slot, threads) for slot, threads in by_slot.items()]

    def close(self) -> None:
        """Let go of the kernel's accounts, and look at nothing."""
        for thread in self._threads.values():
            thread.stat.close()
        self._threads.clear()
        self._regions = []


def living_threads(snapshot: Snapshot) -> LivingThreads:
    """Return the threads of the living processes, out of the words: nobody asks for their names."""
    return {
        ((process.slot, process.claim, line), tid): process
        for process in snapshot.processes
        if process.verdict in LIVING
        for line, tid in enumerate(process.thread_ids)
        if tid
    }
