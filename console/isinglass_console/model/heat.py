"""Where time goes: samples of probe words, counted by thread and line, summed over a window.

Shares are of *all* the thread's time, waiting included, so they never mislead an eye that compares
two threads. Running, waiting for a CPU and blocked come from the kernel's own account of the
thread, divided among the lines as `isinglass.cli.tally` says (the same as `isinglass top` does).

One interval of one thread on three lines takes about 500 bytes; ten seconds of ten threads 50 kB.
What was sampled stands beside it, so that whoever keeps a tally need not keep the division.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from math import nan
from typing import NamedTuple

from isinglass.cli.tally import Share, divide
from isinglass.glass.schedstat import Usage

ThreadKey = tuple[int, int, int]  # slot, claim, line of the thread in its region
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

    `sampled` is what one interval's division was made from; sums have none.
    """

    threads: dict[ThreadKey, dict[int, Share]] = field(default_factory=dict)
    taken: int = 0
    late: int = 0
    seconds: float = 0.0
    sampled: dict[ThreadKey, Sampled] = field(default_factory=dict)

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
            # In one order: the same samples give the same shares, to the last bit.
            counts = dict(sorted(counts.items()))
            if usage is not None:
                usage = Usage(*(ns // MICROSECOND_NS * MICROSECOND_NS for ns in usage))
            waits = frozenset(word for word in counts if word in idle)
            self.sampled[thread] = Sampled(counts, waits, usage)
            self.threads[thread] = divide(counts, waits, usage, self.seconds * 1e9)

    def add(self, other: Tally) -> None:
        """Add the samples of another interval."""
        self.taken += other.taken
        self.late += other.late
        self.seconds += other.seconds
        for thread, lines in other.threads.items():
            mine = self.threads.setdefault(thread, {})
            for word, share in lines.items():
                mine.setdefault(word, Share()).add(share)

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
    lines = tally.threads.get(thread, {})
    total = sum(share.samples for share in lines.values())
    found = [_heat(word, share, total) for word, share in lines.items()]
    return sorted(found, key=lambda heat: (-heat.share, heat.word))


def _heat(word: int, share: Share, total: int) -> LineHeat:
    part = share.samples / total if total else 0.0
    known_ns = share.running_ns + share.queued_ns + share.blocked_ns
    if known_ns <= 0:
        return LineHeat(word, part)
    scale = part / share.total_ns
    return LineHeat(
        word, part, share.running_ns * scale, share.queued_ns * scale, share.blocked_ns * scale
    )


def by_line(tally: Tally, thread: ThreadKey, lines: Mapping[int, int]) -> dict[int, LineHeat]:
    """Return the heat of the lines of one file, by line number.

    Args:
        lines: probe word to line number, for the words of that file.
    """
    return {lines[heat.word]: heat for heat in hottest(tally, thread) if heat.word in lines}
