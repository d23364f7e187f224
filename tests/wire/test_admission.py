"""Admission: the pace is kept and used, writers share it fairly, demand is what is asked for."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass.wire.admission import (
    CONNECTIONS,
    FIRM_REQUESTS,
    FIRM_SECONDS,
    IDLE_NS,
    LEAST_WAIT_SECONDS,
    LONGEST_WAIT_SECONDS,
    Admission,
)

SECOND = 1_000_000_000


@dataclass
class Client:
    """Writes `updates` at once, waits as told, and thinks in between."""

    updates: int
    thinks: float
    written: int = 0
    times: list[float] = field(default_factory=list)


def run(admission: Admission, clients: list[Client], seconds: float, since: float = 0.0) -> None:
    """Let the clients write; each asks again after the wait that it was told."""
    chance = random.Random(1)
    due = [(int((since + chance.random() * 0.01) * SECOND), n) for n in range(len(clients))]
    heapq.heapify(due)
    while due[0][0] < (since + seconds) * SECOND:
        now, number = heapq.heappop(due)
        client = clients[number]
        wait = admission.admit(now, number, client.updates)
        if wait == 0.0:
            client.written += client.updates
            client.times.append(now / SECOND)
            wait = client.thinks + 0.0001
        heapq.heappush(due, (now + int(wait * SECOND), number))


def pace(client: Client, since: float, until: float) -> float:
    return client.updates * sum(since <= time < until for time in client.times) / (until - since)


def test_without_a_pace_nobody_waits() -> None:
    admission = Admission(0)
    assert all(admission.admit(now, 1, 100) == 0.0 for now in range(0, SECOND, 10_000_000))
    assert admission.admitted == 10_000
    assert admission.throttled == admission.throttled_ns == 0


def test_writers_below_the_pace_do_not_wait() -> None:
    admission = Admission(0)
    admission.allow(1000)
    clients = [Client(1, 0.01) for _ in range(5)]
    run(admission, clients, 5)
    assert admission.throttled == 0
    assert admission.demand(5 * SECOND) == pytest.approx(500, rel=0.1)


@pytest.mark.parametrize(("rate", "updates"), [(1000, 1), (1000, 250), (50_000, 250), (20, 1)])
def test_the_pace_is_kept_and_used(rate: int, updates: int) -> None:
    admission = Admission(0)
    admission.allow(rate)
    clients = [Client(updates, 0.0) for _ in range(4)]
    run(admission, clients, 20)
    written = sum(client.written for client in clients)
    assert written == admission.admitted
    assert written <= rate * (20 + FIRM_SECONDS) + 4 * updates
    assert sum(pace(client, 10, 20) for client in clients) == pytest.approx(rate, rel=0.05)


def test_equal_writers_get_equal_shares_whatever_they_write_at_once() -> None:
    admission = Admission(0)
    admission.allow(10_000)
    clients = [Client(1, 0.0), Client(10, 0.0), Client(100, 0.0), Client(250, 0.0)]
    run(admission, clients, 20)
    shares = [pace(client, 5, 20) for client in clients]
    assert shares == pytest.approx([2500] * 4, rel=0.1)


def test_small_writers_hardly_wait_beside_greedy_ones() -> None:
    admission = Admission(0)
    admission.allow(5000)
    small = [Client(1, 0.01), Client(1, 0.02)]
    clients = [*small, Client(250, 0.0), Client(250, 0.0)]
    run(admission, clients, 20)
    assert pace(small[0], 5, 20) == pytest.approx(99, rel=0.1)
    assert pace(small[1], 5, 20) == pytest.approx(49.75, rel=0.1)
    greedy = [pace(client, 5, 20) for client in clients[2:]]
    assert greedy == pytest.approx([2425, 2425], rel=0.1)


def test_demand_is_what_would_be_asked_for_without_waits_and_each_retry_counts_once() -> None:
    """Asks for 100 a second, and gets 50: it waits half of its time."""
    admission = Admission(0)
    admission.allow(50)
    run(admission, [Client(1, 0.01)], 20)
    assert admission.demand(20 * SECOND) == pytest.approx(100, rel=0.15)
    # Everything that was asked for was told to wait once, but for the burst at the start.
    assert admission.throttled <= admission.admitted
    assert admission.throttled_ns / SECOND == pytest.approx(10, rel=0.1)


def test_requests_sent_together_are_counted_once_each() -> None:
    admission, now = Admission(0), 0
    admission.allow(1000)
    admission.admit(now, 1, 400)
    waits = [admission.admit(now, 1, 250) for _ in range(3)]
    assert min(waits) > 0
    assert admission.throttled == 750
    while waits:
        now += int(max(waits) * SECOND)
        again = [admission.admit(now, 1, 250) for _ in waits]
        waits = [wait for wait in again if wait > 0]
    assert admission.throttled == 750
    assert admission.admitted == 1150


def test_one_who_gave_up_is_not_owed_for_ever() -> None:
    admission = Admission(0)
    admission.allow(10)
    admission.admit(0, 1, 100)
    assert admission.admit(0, 1, 100) > 0
    admission.admit(30 * SECOND, 1, 1)
    assert admission.throttled_ns <= 2 * SECOND
    assert admission.admit(31 * SECOND, 1, 1) == 0.0


def test_a_new_pace_counts_at_once() -> None:
    admission = Admission(0)
    admission.allow(0.0)
    assert admission.admit(1, 1, 1) == LONGEST_WAIT_SECONDS
    admission.allow(1e6)
    assert admission.admit(2, 1, 1) == 0.0
    clients = [Client(10, 0.0)]
    admission.allow(2000)
    run(admission, clients, 10, since=1)
    admission.allow(500)
    run(admission, clients, 10, since=11)
    assert pace(clients[0], 5, 11) == pytest.approx(2000, rel=0.05)
    assert pace(clients[0], 13, 21) == pytest.approx(500, rel=0.05)


def test_when_less_is_asked_for_nobody_waits_any_more() -> None:
    admission = Admission(0)
    admission.allow(1000)
    run(admission, [Client(10, 0.0)], 5)
    throttled = admission.throttled
    assert throttled
    calm = [Client(1, 0.01)]
    run(admission, calm, 10, since=6)
    assert admission.throttled <= throttled + 5
    assert pace(calm[0], 8, 16) == pytest.approx(99, rel=0.05)


def test_updates_that_did_not_fit_are_given_back() -> None:
    admission = Admission(0)
    admission.allow(1000)
    assert admission.admit(0, 1, 100) == 0.0
    admission.give_back(1, 100)
    assert admission.admitted == 0
    assert admission.admit(0, 1, 100) == 0.0
    assert admission.demand(0) == 0.0
    admission.admit(SECOND // 10, 1, 0)
    assert admission.demand(SECOND // 10) == pytest.approx(1000)  # a hundred, once


def test_a_flood_of_new_connections_is_held_to_the_pace_too() -> None:
    admission, passed = Admission(0), 0
    admission.allow(1000)
    for number in range(20_000):
        passed += admission.admit(number * SECOND // 10_000, number, 1) == 0.0
    assert 500 <= passed <= 1000 * (2 + FIRM_SECONDS) + 3
    assert len(admission._writers) <= CONNECTIONS + 1


def test_connections_that_ask_no_more_are_forgotten() -> None:
    admission = Admission(0)
    for number in range(100):
        admission.admit(number, number, 1)
    admission.admit(IDLE_NS + SECOND, 1000, 1)
    assert len(admission._writers) == 1


def test_demand_fades_when_nobody_asks() -> None:
    admission = Admission(0)
    run(admission, [Client(10, 0.01)], 3)
    assert admission.demand(3 * SECOND) == pytest.approx(1000, rel=0.1)
    assert admission.demand(10 * SECOND) < 10


@given(
    st.lists(
        st.tuples(st.integers(0, 10**9), st.integers(0, 9), st.integers(0, 500)), max_size=200
    ),
    st.floats(0, 1e5),
)
def test_no_more_than_the_pace_passes_whoever_asks(
    asked: list[tuple[int, int, int]], rate: float
) -> None:
    admission, now, largest = Admission(0), 0, 0
    admission.allow(rate)
    for later, connection, updates in asked:
        now += later
        wait = admission.admit(now, connection, updates)
        assert wait == 0.0 or LEAST_WAIT_SECONDS <= wait <= LONGEST_WAIT_SECONDS
        largest = max(largest, updates)
        most = rate * (now / SECOND + FIRM_SECONDS) * (1 + 1e-9)
        assert admission.admitted <= most + largest * (1 + FIRM_REQUESTS) + FIRM_REQUESTS
