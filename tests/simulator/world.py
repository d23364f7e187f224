"""The simulated world: virtual time, one seeded source of chance, and a network that misbehaves.

Everything that happens is an event at a virtual time; events at one time happen in the order in
which they were made. All chance comes from one `random.Random(seed)`, so a seed repeats a run to
the last byte.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

MILLISECOND = 1_000_000
SECOND = 1_000_000_000


class World:
    """Virtual time and its events."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = SECOND  # nothing starts at zero, as on a real machine
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()
        self.steps = 0

    def at(self, when: int, what: Callable[[], None]) -> None:
        """Let something happen at a virtual time."""
        heapq.heappush(self._events, (max(when, self.now), next(self._numbers), what))

    def after(self, delay: int, what: Callable[[], None]) -> None:
        """Let something happen after a delay."""
        self.at(self.now + delay, what)

    def run_until(self, when: int, step_limit: int = 3_000_000) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= when:
            self.now, _, what = heapq.heappop(self._events)
            what()
            self.steps += 1
            if self.steps > step_limit:
                raise RuntimeError("the simulation does not come to rest")
        self.now = when


@dataclass
class Weather:
    """How bad the network is."""

    loss: float = 0.0
    duplication: float = 0.0
    delay: int = 2 * MILLISECOND  # at most, each datagram its own: so they overtake each other
    spikes: float = 0.0  # share of datagrams that take fifty times as long


class Network:
    """Links between hosts by number; each direction can be cut by itself."""

    def __init__(self, world: World) -> None:
        self.world, self.weather = world, Weather()
        self.cut: set[tuple[int, int]] = set()
        self.sent = self.lost = 0

    def send(self, source: int, target: int, deliver: Callable[[], None]) -> None:
        """Carry a datagram, perhaps; `deliver` is called when it comes."""
        chance, weather = self.world.random, self.weather
        self.sent += 1
        if (source, target) in self.cut or chance.random() < weather.loss:
            self.lost += 1
            return
        copies = 2 if chance.random() < weather.duplication else 1
        for _ in range(copies):
            delay = chance.randrange(weather.delay // 10, weather.delay)
            if chance.random() < weather.spikes:
                delay *= 50
            self.world.after(delay, deliver)

    def connected(self, source: int, target: int) -> bool:
        """Tell whether a stream between two hosts works: both directions do."""
        return (source, target) not in self.cut and (target, source) not in self.cut

    def partition(self, one: set[int], other: set[int], *, both: bool = True) -> None:
        """Cut what goes from one side to the other; `both` the other way, too."""
        for a in one:
            for b in other:
                self.cut.add((a, b))
                if both:
                    self.cut.add((b, a))

    def heal(self) -> None:
        """Mend every link."""
        self.cut.clear()
