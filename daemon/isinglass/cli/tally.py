"""Where time went: samples of probe words, divided by the kernel's own account of each thread.

A sample says on which line a thread stood; the kernel (`schedstat`) says how long the thread ran,
how long it waited for a CPU, and so how long it was blocked. Neither says how long it ran *on that
line*, so the two are joined window by window (a quarter of a second): a window's blocked time goes
first to lines that wait on purpose (`mark.waiting`), since they are there to block, then to the
others in proportion to their samples; what remains of each line is divided as the whole thread's
was.

Pure: no clock, no file, no segment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

from isinglass.glass.schedstat import Usage


class ThreadKey(NamedTuple):
    """A thread of one life of one process, as the segment knows it."""

    slot: int
    claim: int
    line: int
    process: str
    pid: int
    thread: str
    tid: int


class Share:
    """The time of one thread on one line: samples, and nanoseconds by kind.

    They are whole, so that sums are the same in any order, and what was added can be taken out.
    """

    __slots__ = ("blocked_ns", "queued_ns", "running_ns", "samples", "unknown_ns")

    def __init__(self) -> None:
        self.samples = 0
        self.running_ns = self.queued_ns = self.blocked_ns = self.unknown_ns = 0

    @property
    def total_ns(self) -> int:
        """All the time on the line."""
        return self.running_ns + self.queued_ns + self.blocked_ns + self.unknown_ns

    def add(self, other: Share) -> None:
        """Add another share to this one."""
        self.samples += other.samples
        self.running_ns += other.running_ns
        self.queued_ns += other.queued_ns
        self.blocked_ns += other.blocked_ns
        self.unknown_ns += other.unknown_ns

    def remove(self, other: Share) -> None:
        """Take a share that was added out of this one."""
        self.samples -= other.samples
        self.running_ns -= other.running_ns
        self.queued_ns -= other.queued_ns
        self.blocked_ns -= other.blocked_ns
        self.unknown_ns -= other.unknown_ns


def divide(
    counts: Mapping[int, int], idle: Container[int], usage: Usage | None, window_ns: float
) -> dict[int, Share]:
    """Divide one thread's window among the words that were seen in it.

    Args:
        counts: samples by word; at least one.
        idle: the words whose marks wait on purpose.
        usage: what the thread ran and waited for a CPU in the window; None when not known.
        window_ns: the length of the window.
    """
    samples = sum(counts.values())
    times = {word: window_ns * count / samples for word, count in counts.items()}
    shares = {word: Share() for word in counts}
    for word, count in counts.items():
        shares[word].samples = count
    if usage is None:
        for word, time in times.items():
            shares[word].unknown_ns = round(time)
        return shares
    active = min(float(usage.running_ns + usage.queued_ns), window_ns)
    idle_time = sum(time for word, time in times.items() if word in idle)
    blocked = window_ns - active
    idle_blocked = min(blocked, idle_time)
    for word, time in times.items():
        if word in idle:
            part = time / idle_time * idle_blocked
        else:
            part = time / (window_ns - idle_time) * (blocked - idle_blocked)
        _fill(shares[word], time, part, usage)
    return shares


def _fill(share: Share, time: float, blocked: float, usage: Usage) -> None:
    awake = usage.running_ns + usage.queued_ns
    share.blocked_ns = round(blocked)
    if awake:
        share.running_ns = round((time - blocked) * usage.running_ns / awake)
        share.queued_ns = round((time - blocked) * usage.queued_ns / awake)


class Tally:
    """All shares so far, by thread and word, and, when asked, the order the words came in."""

    def __init__(self, *, keep_order: bool = False) -> None:
        self.shares: dict[tuple[ThreadKey, int], Share] = {}
        self.runs: dict[ThreadKey, list[tuple[int, int]]] = {}
        self._keep_order = keep_order

    def add_window(
        self,
        thread: ThreadKey,
        words: Iterable[int],
        idle: Container[int],
        usage: Usage | None,
        window_ns: float,
    ) -> None:
        """Add what one thread did in one window; `words` is its column of samples, in order."""
        words = tuple(words)
        if not words:
            return
        for word, share in divide(Counter(words), idle, usage, window_ns).items():
            self.shares.setdefault((thread, word), Share()).add(share)
        if self._keep_order:
            self._append_runs(thread, words)

    def _append_runs(self, thread: ThreadKey, words: tuple[int, ...]) -> None:
        runs = self.runs.setdefault(thread, [])
        for word, group in groupby(words):
            length = sum(1 for _ in group)
            if runs and runs[-1][0] == word:
                length += runs.pop()[1]
            runs.append((word, length))
