"""Where time goes: samples of probe words, counted by thread and line, summed over a window.

Shares are of *all* the thread's time, waiting included, so they never mislead an eye that compares
two threads. Running, waiting for a CPU and blocked come from the kernel's own account of the
thread, divided among the lines as `isinglass.cli.tally` says (the same as `isinglass top` does).

One interval of one thread on three lines takes about 500 bytes; ten seconds of ten threads 50 kB.
What was sampled stands beside it, so that whoever keeps a tally need not keep the division.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from operator import add
from typing import NamedTuple

from isinglass.cli.tally import Share, divide
from isinglass.glass.schedstat import Usage

ThreadKey = tuple[int, int, int]  # slot, claim, line of the thread in its region
Lines = dict[int, Share]  # by probe word
WINDOW_SECONDS = 10.0
MICROSECOND_NS = 1000  # samples are 50 ms apart: less says nothing, and would have to be kept


class Sampled(NamedTuple):
    """What was seen of one thread in one interval: samples by probe word, and what it used.

    `idle`: the words of them that wait on purpose; `usage`: None when the kernel does not say.
    """

    counts: Mapping[int, int]
    idle: frozenset[int]
    usage: Usage | None


@dataclass(slots=True)
class Tally:
    """The samples of one interval: by thread, by probe word.

    A thread's time is divided among its words when somebody asks for them: a screen shows some
    threads, a frame has those of all nodes.
    """

    taken: int = 0
    late: int = 0
    seconds: float = 0.0
    sampled: dict[ThreadKey, Sampled] = field(default_factory=dict)
    _lines: dict[ThreadKey, Lines] = field(default_factory=dict)

    def put(
        self,
        thread: ThreadKey,
        counts: Mapping[int, int],
        idle: Container[int],
        usage: Usage | None,
    ) -> None:
        """Store what one thread did in this interval.

        Args:
            counts: samples by probe word.
            idle: the words that wait on purpose.
            usage: what the kernel says the thread used; None when it does not say.
        """
        if counts:
            if len(counts) > 1:
                # In one order: the same samples give the same shares, to the last bit.
                counts = dict(sorted(counts.items()))
            if usage is not None and any(usage):
                running_ns, queued_ns = usage
                usage = Usage(
                    running_ns // MICROSECOND_NS * MICROSECOND_NS,
                    queued_ns // MICROSECOND_NS * MICROSECOND_NS,
                )
            waits = frozenset([word for word in counts if word in idle])
            self.sampled[thread] = Sampled(counts, waits, usage)

    def extend(self, later: Tally) -> None:
        """Let the interval go on with the samples of one that follows."""
        self.taken += later.taken
        self.late += later.late
        self.seconds += later.seconds
        for thread, (counts, idle, usage) in later.sampled.items():
            before = self.sampled.get(thread)
            if before is not None:
                both = Counter(before.counts)
                both.update(counts)
                counts, idle = both, before.idle | idle
                usage = _sum(before.usage, usage)
            self.put(thread, counts, idle, usage)
        self._lines.clear()

    def lines(self, thread: ThreadKey) -> Lines:
        """Return a thread's time by probe word; nothing of a thread that was not seen."""
        found = self._lines.get(thread)
        if found is None:
            found = self._lines[thread] = self._divided(thread)
        return found

    def _divided(self, thread: ThreadKey) -> Lines:
        sampled = self.sampled.get(thread)
        if sampled is None:
            return {}
        return divide(sampled.counts, sampled.idle, sampled.usage, self.seconds * 1e9)

    def looks(self, thread: ThreadKey) -> Mapping[int, int]:
        """Return how often a thread was seen on each word: of its lines the samples alone."""
        sampled = self.sampled.get(thread)
        return sampled.counts if sampled is not None else {}


class Window:
    """The sum of several intervals, mostly of the last ten seconds; it moves on with them.

    What was asked for of a thread is kept, and moved on: what came is added to it, what went is
    taken out of it.
    """

    def __init__(self) -> None:
        self.taken = self.late = 0
        self.seconds = 0.0
        self._parts: list[Tally] = []
        self._looks: dict[ThreadKey, dict[int, int]] = {}
        self._lines: dict[ThreadKey, Lines] = {}

    def move(self, tallies: Sequence[Tally]) -> None:
        """Be the sum of these intervals, the newest of which is the first, from now on."""
        before, self._parts = self._parts, [part for part in tallies if part.sampled]
        came = _came(before, self._parts)
        if came is None:
            self._looks.clear()
            self._lines.clear()
        else:
            for part in self._parts[:came]:
                self._put(part)
            for part in before[len(self._parts) - came :]:
                self._take_out(part)
        self.taken = sum([part.taken for part in tallies])
        self.late = sum([part.late for part in tallies])
        self.seconds = sum([part.seconds for part in tallies])

    @property
    def samples_per_second(self) -> float:
        """How often each thread was looked at."""
        return self.taken / self.seconds if self.seconds > 0 else 0.0

    def lines(self, thread: ThreadKey) -> Lines:
        """Return a thread's time by probe word; nothing of a thread that was not seen."""
        found = self._lines.get(thread)
        if found is None:
            found = self._lines[thread] = {}
            for part in self._parts:
                _put_lines(found, part.lines(thread))
        return found

    def looks(self, thread: ThreadKey) -> Mapping[int, int]:
        """Return how often a thread was seen on each word: of its lines the samples alone."""
        found = self._looks.get(thread)
        if found is None:
            found = self._looks[thread] = {}
            for part in self._parts:
                _put_looks(found, part.looks(thread))
        return found

    def _put(self, part: Tally) -> None:
        for thread, looks in self._looks.items():
            _put_looks(looks, part.looks(thread))
        for thread, lines in self._lines.items():
            _put_lines(lines, part.lines(thread))

    def _take_out(self, part: Tally) -> None:
        for thread, looks in self._looks.items():
            for word, count in part.looks(thread).items():
                looks[word] -= count
                if not looks[word]:
                    del looks[word]
        for thread, lines in self._lines.items():
            for word, share in part.lines(thread).items():
                lines[word].remove(share)
                if not lines[word].samples:
                    del lines[word]


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    return None if one is None or other is None else Usage(*map(add, one, other))


def _put_looks(looks: dict[int, int], more: Mapping[int, int]) -> None:
    for word, count in more.items():
        looks[word] = looks.get(word, 0) + count


def _put_lines(lines: Lines, more: Lines) -> None:
    for word, share in more.items():
        if word not in lines:
            lines[word] = Share()
        lines[word].add(share)


def _came(before: Sequence[Tally], now: Sequence[Tally]) -> int | None:
    """Return how many intervals came before those that were there; None when it is no move on."""
    came = next((at for at, part in enumerate(now) if before and part is before[0]), None)
    if came is None or len(now) - came > len(before):
        return None
    stayed = all(new is old for new, old in zip(now[came:], before, strict=False))
    return came if stayed else None


@dataclass(frozen=True, slots=True)
class LineHeat:
    """How hot one line is: shares of the thread's time (0..1); the split is NaN when unknown."""

    word: int
    share: float
    running: float = nan
    cpu_wait: float = nan
    blocked: float = nan


def window(tallies: Sequence[Tally]) -> Window:
    """Return the sum of the tallies of several intervals."""
    whole = Window()
    whole.move(tallies)
    return whole


def hottest(tally: Tally | Window, thread: ThreadKey) -> list[LineHeat]:
    """Return the lines of a thread, hottest first."""
    lines = tally.lines(thread)
    total = sum(share.samples for share in lines.values())
    found = [_heat(word, share, total) for word, share in lines.items()]
    return sorted(found, key=lambda heat: (-heat.share, heat.word))


def hottest_line(tally: Tally | Window, thread: ThreadKey) -> tuple[int, float] | None:
    """Return word and share of the hottest line alone: for that no time must be divided."""
    looks = tally.looks(thread)
    if not looks:
        return None
    most = max(looks.values())
    return min([word for word, count in looks.items() if count == most]), most / sum(looks.values())


def _heat(word: int, share: Share, total: int) -> LineHeat:
    part = share.samples / total if total else 0.0
    known_ns = share.running_ns + share.queued_ns + share.blocked_ns
    if known_ns <= 0:
        return LineHeat(word, part)
    scale = part / share.total_ns
    return LineHeat(
        word, part, share.running_ns * scale, share.queued_ns * scale, share.blocked_ns * scale
    )
