"""Placement: fair, the same everywhere, and nothing moves but what must."""

from __future__ import annotations

from isinglass import clock
from isinglass.wire.placement import SLOTS, Placement, placement_of

MEMBERS = [(977, "alder"), (31, "birch"), (65_535, "cedar"), (1, "damson"), (4096, "elm")]


def test_every_member_gets_its_share_and_the_order_of_members_does_not_matter() -> None:
    placement = Placement(MEMBERS)
    assert placement.primaries == Placement(reversed(MEMBERS)).primaries
    assert placement.view == Placement(reversed(MEMBERS)).view
    shares = [placement.share(origin) for origin, _ in MEMBERS]
    assert abs(sum(shares) - 1) < 1e-9
    assert all(0.17 < share < 0.23 for share in shares)


def test_a_member_that_leaves_gives_its_slots_to_the_second_of_each_and_no_other_moves() -> None:
    before, after = Placement(MEMBERS), Placement(MEMBERS[1:])
    for slot in range(SLOTS):
        if before.primary(slot) == 977:
            assert after.primary(slot) == before.second(slot)
        else:
            assert after.primary(slot) == before.primary(slot)


def test_one_member_has_all_and_none_has_nothing() -> None:
    alone, empty = Placement(MEMBERS[:1]), Placement([])
    assert alone.share(977) == 1.0
    assert [alone.primary(7), alone.second(7)] == [977, 0]
    assert [empty.primary(7), empty.second(7), empty.share(977)] == [0, 0, 0.0]
    assert empty.view != alone.view


def test_a_new_view_holds_nobody_up() -> None:
    Placement(MEMBERS)
    started = clock.thread_cpu_ns()
    for number in range(5):
        placement_of(tuple(MEMBERS[:number] + MEMBERS[number + 1 :]))
    assert (clock.thread_cpu_ns() - started) / 5 < 10_000_000
