"""Membership, placement and heartbeats: what a node may conclude from what others say."""

from __future__ import annotations

from typing import Any

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from isinglass.wire import reports
from isinglass.wire.datagrams import BODY_LIMIT
from isinglass.wire.membership import (
    DEAF,
    DOWN,
    LEFT,
    OFFSET_SAMPLES,
    SUSPECTED,
    UP,
    Member,
    Membership,
)
from isinglass.wire.placement import SLOTS, Placement
from isinglass.wire.replay import WINDOW, ReplayWindow
from isinglass.wire.reports import LEAVING, LIVE, Echo, Load, Progress, Report

SECOND = 1_000_000_000


def report(**changes: Any) -> Report:
    """Return a heartbeat."""
    plain = Report(
        "alder",
        "10.0.0.1",
        1,
        2,
        LIVE,
        0,
        0,
        0,
        Load(),
        7,
        (),
        {(1, 7): Progress(9, 8, 7, 6, 1)},
        {},
        {},
    )
    return plain._replace(**changes)


def test_a_heartbeat_comes_through_as_it_was() -> None:
    sent = report(echoes=(Echo(2, 5, 6),), let_go={3: 4}, forgotten={5: 6})
    body = msgpack.unpackb(msgpack.packb(sent.body()))
    assert reports.is_body(body) and reports.report_of(body) == sent


@given(st.integers(0, 18), st.sampled_from([-1, "x", None, [[1]], [[1, -2]], 1.5, b""]))
def test_what_is_no_heartbeat_is_refused(place: int, wrong: Any) -> None:
    body = report().body()
    same = type(wrong) is type(body[place]) and wrong != -1 and not isinstance(wrong, list)
    body[place] = wrong
    assert not reports.is_body(body) or same
    assert not reports.is_body(body[:-1])


def test_the_longest_heartbeat_fits_into_a_datagram() -> None:
    big = 1 << 41
    full = report(
        name="n" * 48, address="255.255.255.255", wall_ms=big, horizon=(1 << 64) - 1,
        echoes=tuple(Echo(65_535, 1 << 60, 1 << 31) for _ in range(reports.ECHO_LIMIT)),
        vector={
            (65_535, big + n): Progress(*[(1 << 32) - 1] * 5) for n in range(reports.VECTOR_LIMIT)
        },
        let_go={65_000 + n: big for n in range(reports.LET_GO_LIMIT)},
        forgotten={65_000 + n: big for n in range(reports.FORGOTTEN_LIMIT)},
    )  # fmt: skip
    assert len(msgpack.packb(full.body())) <= BODY_LIMIT


def test_a_member_goes_from_up_to_down_and_comes_back() -> None:
    member = Member("alder", 1, 7)
    member.hear(report(), 7, 1, SECOND)
    states = []
    for tenths in (5, 7, 19, 21):
        member.look((2, 1), 0, SECOND + tenths * SECOND // 10)
        states.append(member.state)
    assert states == [UP, SUSPECTED, SUSPECTED, DOWN]
    member.hear(report(phase=LEAVING), 7, 2, 5 * SECOND)
    member.look((2, 1), 0, 9 * SECOND)
    assert member.state == LEFT and not member.primary
    member.hear(report(), 8, 3, 10 * SECOND)
    assert member.state == UP and member.primary and member.restarts == 1


def test_a_node_that_stood_still_believes_no_member_until_it_is_heard() -> None:
    member = Member("alder", 1, 7)
    member.hear(report(), 7, 1, SECOND)
    member.step(DEAF)
    assert member.state == SUSPECTED and not member.primary
    member.look((2, 1), 0, SECOND + 1)
    assert member.state == SUSPECTED
    member.hear(report(), 7, 2, SECOND + 2)
    assert member.state == UP and member.primary


def test_it_is_seen_who_gets_on() -> None:
    member, own = Member("alder", 1, 7), (2, 1)
    for tenths in range(40):
        member.hear(report(vector={own: Progress(5, 5, tenths, 0, 1)}), 7, tenths, tenths + 1)
        member.look(own, 9, 1 + tenths * SECOND // 10)
    assert not member.receiving.ok and member.applying.ok


def test_a_closed_stream_is_kept_only_by_who_knows_that_it_is_closed() -> None:
    member, stream = Member("alder", 1, 7), (3, 10)
    assert not member.keeps(stream, 0)
    member.hear(report(vector={stream: Progress(5, 5, 5, 5, 1)}), 7, 1, 1)
    assert not member.keeps(stream, 5)
    member.hear(report(vector={(3, 11): Progress(0, 0, 0, 0, 1)}), 7, 2, 2)
    assert member.keeps(stream, 5) and not member.keeps(stream, 6)
    member.hear(report(let_go={3: 10}), 7, 3, 3)
    assert member.keeps(stream, 6)
    member.hear(report(), 8, 4, 4)
    assert not member.keeps(stream, 5)


def test_who_is_taken_out_may_join_again_with_nothing() -> None:
    members = Membership()
    members.know("alder", 1, 20, 10)
    assert members.forget(1, 15) == 20  # the store of life 10 is out in every life it has had
    assert members.is_forgotten(1, 10) and not members.members
    members.know("alder", 1, 30, 30)
    assert members.forget(1, 20) == 20
    assert list(members.members) == [1] and not members.is_forgotten(1, 30)


@given(st.sets(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 9))
def test_a_member_that_goes_moves_only_its_own_slots(origins: set[int], gone: int) -> None:
    before = Placement([(n, f"node{n}") for n in origins])
    after = Placement([(n, f"node{n}") for n in origins - {gone}])
    for slot in range(0, SLOTS, 17):
        if before.primary(slot) == gone:
            assert after.primary(slot) == before.second(slot)
        elif origins - {gone}:
            assert after.primary(slot) == before.primary(slot)
    assert sum(before.share(n) for n in origins) == 1
    assert max(before.share(n) for n in origins) < 1.5 / len(origins)


@given(st.lists(st.integers(0, 2 * WINDOW), max_size=60))
def test_a_number_passes_once(numbers: list[int]) -> None:
    window, passed = ReplayWindow(), set[int]()
    for number in numbers:
        fresh = number not in passed and number > max(passed, default=-1) - WINDOW
        assert window.take(number) == fresh
        if fresh:
            passed.add(number)
    assert window.received == len(passed)
    assert window.missing == (max(passed) - min(passed) + 1 - len(passed) if passed else 0)


@given(
    st.lists(
        st.tuples(st.integers(1, SECOND), st.integers(0, SECOND), st.integers(0, SECOND)),
        min_size=1,
        max_size=40,
    ),
    st.integers(-100 * SECOND, 100 * SECOND),
)
def test_the_clock_of_another_node_is_never_taken_for_less_than_it_is(
    trips: list[tuple[int, int, int]], ahead: int
) -> None:
    """Else a primary stamps a write too late; of each trip: the pause, the way there and back."""
    member, now = Member("alder", 1, 7), 200 * SECOND
    for pause, there, back in trips:
        asked = now + pause
        answered = asked + there
        now = answered + back
        member.hear(report(), 7, answered + ahead, now)
        member.measure(Echo(2, asked, 0), 0, now)
        assert now + ahead <= member.clock_ns(now)
    round_trips = [there + back for _, there, back in trips[-OFFSET_SAMPLES:]]
    assert member.clock_ns(now) <= now + ahead + min(round_trips)
