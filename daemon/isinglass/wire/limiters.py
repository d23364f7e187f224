"""Who held the writers up, by which limit, and for how long; and how much a pace swings; pure.

A node is the limiter from the moment when more is asked for than it can take, until clearly less
is. What ended is kept for 24 hours, a thousand spells at most; a spell that goes on within a second
is one spell, so that a limiter on the edge does not fill the history by itself.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from isinglass.clock import NANOSECONDS_PER_SECOND

KEPT_NS = 24 * 3600 * NANOSECONDS_PER_SECOND
KEPT_SPELLS = 1000
SAME_SPELL_NS = NANOSECONDS_PER_SECOND
ENDS_BELOW = 0.9
"""Nobody is held up any more once this share of what can be taken is asked for."""
SWING_NS = 10 * NANOSECONDS_PER_SECOND
SWING_SAMPLES = 200


class Spell(NamedTuple):
    """One node limited the writers by one limit, from and until a monotonic time."""

    node: str
    limited_by: str
    since_ns: int
    until_ns: int


class Limiters:
    """The present limiter and those of the last 24 hours; "" for node and limit when none is."""

    def __init__(self) -> None:
        self.node = self.limited_by = ""
        self.since_ns = 0
        self.spells: deque[Spell] = deque(maxlen=KEPT_SPELLS)

    def turn(self, now_ns: int, node: str, limited_by: str, rate: float, demand: float) -> None:
        """Follow which node can take least, what that is, and what all writers ask for."""
        if demand <= rate * (ENDS_BELOW if self.node else 1.0):
            node = limited_by = ""
        if (node, limited_by) != (self.node, self.limited_by):
            self._change(now_ns, node, limited_by)
        while self.spells and self.spells[0].until_ns < now_ns - KEPT_NS:
            self.spells.popleft()

    def _change(self, now_ns: int, node: str, limited_by: str) -> None:
        if self.node:
            self.spells.append(Spell(self.node, self.limited_by, self.since_ns, now_ns))
        self.node, self.limited_by, self.since_ns = node, limited_by, now_ns
        last = self.spells[-1] if self.spells else None
        if last and last[:2] == (node, limited_by) and now_ns - last.until_ns <= SAME_SPELL_NS:
            self.since_ns = self.spells.pop().since_ns


class Swing:
    """The spread of a rate over its mean, over the last 10 s."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, float]] = deque(maxlen=SWING_SAMPLES)

    def note(self, now_ns: int, rate: float) -> None:
        """Take the rate as it is now."""
        samples = self._samples
        if samples and now_ns - samples[-1][0] < SWING_NS // SWING_SAMPLES:
            return
        samples.append((now_ns, rate))
        while samples[0][0] < now_ns - SWING_NS:
            samples.popleft()

    @property
    def share(self) -> float:
        """Standard deviation over mean; 0.0 for a rate without a limit, or of zero."""
        rates = [rate for _, rate in self._samples if rate < math.inf]
        mean = math.fsum(rates) / len(rates) if rates else 0.0
        if mean <= 0:
            return 0.0
        return math.sqrt(math.fsum((rate - mean) ** 2 for rate in rates) / len(rates)) / mean
