"""Where time goes: samples of probe words, counted by thread and line, summed over a window.

Shares are of *all* the thread's time, waiting included, so they never mislead an eye that compares
two threads. Running, waiting for a CPU and blocked come from the kernel's own account of the
thread, divided among the lines as `isinglass.cli.tally` says (the same as `isinglass top` does).

One interval of one thread on three lines takes about 500 bytes; ten seconds of ten threads 50 kB.
What was sampled stands beside it, so that whoever keeps a tally need not keep the division.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import nan
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
    """The samples of one interval or of several: by thread, by probe word.

    A thread's time is divided among its words when somebody asks for them: a screen shows some
    threads, a frame has those of all nodes.

    `sampled` is what one interval's division is made from; `parts` are the intervals of a sum.
    """

    taken: int = 0
    late: int = 0
    seconds: float = 0.0
    sampled: dict[ThreadKey, Sampled] = field(default_factory=dict)
    parts: list[Tally] = field(default_factory=list)
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

    def add(self, other: Tally) -> None:
        """Add the samples of another interval."""
        self.taken += other.taken
        self.late += other.late
        self.seconds += other.seconds
        self.parts.append(other)
        self._lines.clear()

    def lines(self, thread: ThreadKey) -> Lines:
        """Return a thread's time by probe word; nothing of a thread that was not seen."""
        found = self._lines.get(thread)
        if found is None:
            found = self._lines[thread] = self._divided(thread)
        return found

    def _divided(self, thread: ThreadKey) -> Lines:
        sampled = self.sampled.get(thread)
        if sampled is not None:
            return divide(sampled.counts, sampled.idle, sampled.usage, self.seconds * 1e9)
        found: Lines = {}
        for part in self.parts:
            for word, share in part.lines(thread).items():
                if word not in found:
                    found[word] = Share()
                found[word].add(share)
        return found

    def looks(self, thread: ThreadKey) -> Mapping[int, int]:
        """Return how often a thread was seen on each word: of its lines the samples alone."""
        own = self.sampled.get(thread)
        if own is not None:
            return own.counts
        parts = [own.counts for part in self.parts if (own := part.sampled.get(thread)) is not None]
        parts += [part.looks(thread) for part in self.parts if part.parts]
        words = set[int]().union(*parts)
        return {word: sum([part.get(word, 0) for part in parts]) for word in words}

    @property
    def threads(self) -> list[ThreadKey]:
        """The threads that were seen."""
        return list(dict.fromkeys(self._seen()))

    def _seen(self) -> Iterator[ThreadKey]:
        yield from self.sampled
        for part in self.parts:
            yield from part._seen()

    @property
    def samples_per_second(self) -> float:
        """How often each thread was looked at."""
        return self.taken / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class LineHeat:
    """How hot one line is: shares of the thread's time (0..1); the split is NaN when unknown."""

    word: int
    share: float
    running: float = nan
    cpu_wait: float = nan
    blocked: float = nan


def window(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of the tallies of several intervals."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole


def hottest(tally: Tally, thread: ThreadKey) -> list[LineHeat]:
    """Return the lines of a thread, hottest first."""
    lines = tally.lines(thread)
    total = sum(share.samples for share in lines.values())
    found = [_heat(word, share, total) for word, share in lines.items()]
    return sorted(found, key=lambda heat: (-heat.share, heat.word))


def hottest_line(tally: Tally, thread: ThreadKey) -> tuple[int, float] | None:
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
