"""The reorder window: every event is stored once or reported lost, whatever the network does.

A simulated sender with a ring, a network that loses, doubles and delays datagrams both ways, and a
monitor that can be refused room. What the window says is compared with what was really stored.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass_monitor.ingest import window as windows
from isinglass_monitor.ingest.drops import Drops
from isinglass_monitor.ingest.window import Gap, Taken, Window
from isinglass_monitor.spool.interval_set import Intervals

STEP_NS = 5_000_000
LATE: list[int] = []


class Simulation:
    """One stream from a sender to a window."""

    def __init__(self, seed: int, loss: float, ring: int) -> None:
        self.chance = random.Random(seed)
        self.loss, self.ring = loss, ring
        self.drops = Drops()
        self.window = Window(self.drops.claim)
        self.now_ns = 1
        self.sent = self.counter = 0
        self.stored: set[int] = set()
        self.lost: set[int] = set()
        self.way: list[tuple[int, tuple[int, ...]]] = []  # when it arrives, and what

    # ---------------------------------------------------------------- sender and network
    def send(self, *what: int) -> None:
        copies = 0 if self.chance.random() < self.loss else 1 + (self.chance.random() < 0.05)
        for _ in range(copies):
            steps = self.chance.expovariate(1 / 4)
            if self.chance.random() < 0.05:
                steps = self.chance.random() * 600  # so late that it may be given up
            delay = int(steps * STEP_NS)
            self.way.append((self.now_ns + delay, what))

    def log(self, count: int) -> None:
        self.counter += 1
        self.send(0, self.counter, self.sent + 1, self.sent + count)
        self.sent += count

    def status(self) -> None:
        self.counter += 1
        oldest = max(self.sent - self.ring + 1, 1)
        self.send(1, self.counter, self.sent, oldest)

    def answer(self, first: int, last: int) -> None:
        oldest = max(self.sent - self.ring + 1, 1)
        if first < oldest:
            self.send(3, first, min(last, oldest - 1))
        for start in range(max(first, oldest), last + 1, 5):
            self.send(2, start, min(start + 4, last))

    # ---------------------------------------------------------------- the monitor
    def step(self) -> None:
        self.now_ns += STEP_NS
        arriving = sorted(item for item in self.way if item[0] <= self.now_ns)
        self.way = [item for item in self.way if item[0] > self.now_ns]
        for _, what in arriving:
            self.arrive(what)
        for first, last in self.window.due(self.now_ns):
            if self.chance.random() >= self.loss:
                self.answer(first, last)
        self.check()

    def arrive(self, what: tuple[int, ...]) -> None:
        kind, a, b = what[:3]
        if kind == 0 and self.chance.random() < 0.03:
            self.window.refuse(a, b, what[3], 7, windows.DISK, self.now_ns)
        elif kind == 0:
            self.take(self.window.events(a, b, what[3], 7, self.now_ns))
        elif kind == 1:
            self.window.announce(a, b, what[3], 0, 7, self.now_ns)
        elif kind == 2:
            self.take(self.window.events(0, a, b, 7, self.now_ns, again=True))
        else:
            self.window.gone(a, b)
        self.check()

    def take(self, taken: list[Taken]) -> None:
        for part in taken:
            numbers = set(range(part.first, part.last + 1))
            assert not numbers & self.stored, "stored twice"
            assert numbers <= self.lost if part.late else not numbers & self.lost
            undone = {n for gap in part.undone for n in range(gap.first, gap.last + 1)}
            left = {n for gap in part.left for n in range(gap.first, gap.last + 1)}
            assert undone - left == (numbers if part.late else set())
            self.lost -= numbers
            self.stored |= numbers

    def check(self) -> None:
        window, counts = self.window, self.window.counts
        for gap in window.given_up():
            numbers = set(range(gap.first, gap.last + 1))
            assert not numbers & (self.stored | self.lost)
            self.lost |= numbers
        assert len(self.stored) == counts.received + counts.repaired
        assert len(self.lost) == counts.all_lost
        assert counts.received + counts.repaired + counts.all_lost + window.open == window.through
        assert len(window.holes) <= windows.HOLES_LIMIT


@settings(max_examples=60)
@given(
    st.integers(0, 1 << 32), st.sampled_from((0.0, 0.05, 0.3, 0.7)), st.sampled_from((30, 10**6))
)
def test_received_repaired_and_lost_are_what_was_sent(seed: int, loss: float, ring: int) -> None:
    run = Simulation(seed, loss, ring)
    for turn in range(600):
        for _ in range(run.chance.randrange(3)):
            run.log(run.chance.randrange(1, 8))
        if turn % 40 == 0:
            run.status()
        run.step()
    run.loss = 0.0
    for turn in range(3000):  # 15 seconds in which nothing is lost
        if turn % 200 == 0:
            run.status()
        run.step()
    window = run.window
    assert window.open == 0
    assert window.through == run.sent
    assert window.counts.received + window.counts.repaired + window.counts.all_lost == run.sent
    assert run.stored | run.lost == set(range(1, run.sent + 1))
    if ring > run.sent:
        assert not run.lost, "the ring had everything still"
    LATE.append(window.counts.late)


def test_some_of_these_runs_had_events_that_came_late() -> None:
    assert not LATE or any(LATE)


@settings(max_examples=20)
@given(st.integers(0, 1 << 32))
def test_who_is_never_answered_gives_up_within_a_minute(seed: int) -> None:
    run = Simulation(seed, 0.2, 10**6)
    for _ in range(200):
        run.log(3)
    run.way.sort()
    for _ in range(400):
        run.step()
    run.loss, run.way = 1.0, []
    for _ in range(60 * 1_000_000_000 // STEP_NS // 10):
        run.now_ns += 9 * STEP_NS
        run.step()
    assert run.window.open == 0
    assert run.window.counts.all_lost == len(run.lost)


def taken(window: Window, counter: int, first: int, last: int, now_ns: int = 0) -> list[Taken]:
    return window.events(counter, first, last, 7, now_ns)


def test_a_hole_is_asked_for_when_it_is_ripe() -> None:
    window = Window(lambda _: 0)
    taken(window, 1, 1, 3)
    taken(window, 3, 7, 9)
    assert window.due(windows.RIPE_NS - 1) == []
    assert window.due(windows.RIPE_NS) == [(4, 6)]
    assert window.due(windows.RIPE_NS + windows.FIRST_PAUSE_NS - 1) == []
    assert window.due(windows.RIPE_NS + windows.FIRST_PAUSE_NS) == [(4, 6)]


def test_many_datagrams_ripen_a_hole_before_its_time() -> None:
    window = Window(lambda _: 0)
    taken(window, 1, 1, 1)
    for number in range(3, 3 + windows.RIPE_DATAGRAMS):
        assert window.due(1) == []
        taken(window, number, number, number, 1)
    taken(window, 99, 99, 99, 1)
    assert window.due(1)[0] == (2, 2)


def test_what_was_overtaken_is_reordered_and_not_lost() -> None:
    window = Window(lambda _: 0)
    taken(window, 1, 1, 3)
    taken(window, 3, 7, 9)
    assert taken(window, 2, 4, 6) == [Taken(4, 6)]
    assert (window.counts.reordered, window.counts.received, window.open) == (3, 9, 0)
    assert taken(window, 2, 4, 6) == []
    assert window.counts.duplicate == 3


def test_a_lost_tail_shows_in_the_status() -> None:
    window = Window(lambda _: 0)
    taken(window, 1, 1, 3)
    window.announce(3, 6, 1, 0, 7, 0)
    assert window.open == 3
    assert window.due(windows.RIPE_NS) == [(4, 6)]


@pytest.mark.parametrize(
    ("missing", "dropped", "refused", "cause"),
    [
        (1, 0, 0, windows.NETWORK),
        (1, 1, 0, windows.SOCKET),
        (1, 0, 1, windows.SENDER),
        (0, 0, 0, windows.SENDER),
        (0, 1, 0, windows.SENDER),
    ],
)
def test_a_gap_has_a_cause(missing: int, dropped: int, refused: int, cause: str) -> None:
    drops = Drops()
    drops.look(5)
    window = Window(drops.claim)
    taken(window, 1, 1, 3)
    drops.look(5 + dropped)
    taken(window, 2 + missing, 7, 9)
    window.announce(3 + missing, 9, 1, refused, 7, 0)
    assert window.due(windows.RIPE_NS) == [(4, 6)]
    window.gone(1, 6)
    assert window.given_up() == [Gap(4, 6, 7, cause)]
    assert window.counts.lost[cause] == 3


def test_what_came_before_the_monitor_is_told_apart() -> None:
    window = Window(lambda _: 0)
    taken(window, 900, 100, 103)
    window.announce(901, 103, 60, 0, 7, 0)
    assert window.due(windows.RIPE_NS) == [(60, 99)]
    assert window.given_up() == [Gap(1, 59, 7, windows.BEFORE)]


def test_a_monitor_that_was_away_goes_on_where_the_spool_ends() -> None:
    window = Window(lambda _: 0, Intervals([(1, 50), (53, 60)]), [(20, 22, windows.NETWORK)])
    assert window.due(0) == [(51, 52)]
    taken(window, 900, 100, 103)
    assert (61, 99) in window.due(windows.RIPE_NS)
    window.gone(51, 70)
    assert {gap.cause for gap in window.given_up()} == {windows.AWAY}
    (late,) = taken(window, 10, 20, 22)
    assert late.late
    assert late.undone[0].stamp == 0, "nobody knows any more where its gap stands"


def test_a_flood_of_holes_is_bounded() -> None:
    window = Window(lambda _: 0)
    for number in range(1, 4000, 2):
        taken(window, number, number, number)
    assert len(window.holes) == windows.HOLES_LIMIT
    assert window.open == windows.HOLES_LIMIT
    assert window.counts.all_lost == window.through - window.counts.received - window.open


def test_nothing_is_asked_while_there_is_no_room() -> None:
    window = Window(lambda _: 0)
    taken(window, 1, 1, 3)
    window.refuse(2, 4, 6, 7, windows.SHARE, 0)
    assert window.due(10 * windows.RIPE_NS, ask=False) == []
    assert window.due(10 * windows.RIPE_NS) == [(4, 6)]
    assert window.events(0, 4, 6, 7, 0, again=True) == [Taken(4, 6)]
    assert (window.counts.repaired, window.open) == (3, 0)


def test_drops_that_nothing_explains_are_forgotten() -> None:
    drops = Drops()
    drops.look(2**32 - 1)
    drops.look(1)
    assert drops.total == 2
    assert drops.claim(1) == 1
    for _ in range(20):
        drops.look(1)
    assert drops.claim(5) == 0
