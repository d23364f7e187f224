"""Losses: what the network lost, and what the own socket dropped."""

from __future__ import annotations

from isinglass.node.losses import KEPT_LOOKS, Losses

OAK, ELM = (1, 10), (2, 10)


def test_what_is_missing_is_lost_in_the_network_when_nothing_was_dropped() -> None:
    losses = Losses()
    assert losses.look(0, {OAK: 3}) == {}  # it may only be late
    assert losses.look(0, {OAK: 3}) == {OAK: (3, 0)}
    assert losses.look(0, {OAK: 3}) == {}
    assert losses.look(0, {OAK: 5}) == {}
    assert losses.look(0, {OAK: 5}) == {OAK: (2, 0)}


def test_what_was_overtaken_is_not_lost() -> None:
    losses = Losses()
    for missing in (4, 0, 3, 0, 1, 0):
        assert losses.look(0, {OAK: missing}) == {}


def test_what_came_late_after_all_can_be_lost_again() -> None:
    losses = Losses()
    losses.look(0, {OAK: 2})
    assert losses.look(0, {OAK: 2}) == {OAK: (2, 0)}
    assert losses.look(0, {OAK: 0}) == {}
    losses.look(0, {OAK: 1})
    assert losses.look(0, {OAK: 1}) == {OAK: (1, 0)}


def test_drops_wait_for_their_gaps() -> None:
    losses = Losses()
    assert losses.look(7, {OAK: 0, ELM: 0}) == {}
    losses.look(7, {OAK: 4, ELM: 5})
    assert losses.look(7, {OAK: 4, ELM: 5}) == {OAK: (0, 4), ELM: (2, 3)}


def test_drops_that_nobody_misses_excuse_no_later_loss_of_the_network() -> None:
    losses = Losses()
    for _ in range(KEPT_LOOKS + 1):
        losses.look(9, {OAK: 0})
    losses.look(9, {OAK: 2})
    assert losses.look(9, {OAK: 2}) == {OAK: (2, 0)}


def test_a_new_life_starts_anew_and_the_kernel_s_count_may_wrap() -> None:
    losses = Losses()
    losses.look((1 << 32) - 1, {OAK: 1})
    assert losses.look((1 << 32) - 1, {OAK: 1}) == {OAK: (0, 1)}
    later = (OAK[0], 11)
    for _ in range(KEPT_LOOKS):
        losses.look((1 << 32) - 1, {later: 0})
    losses.look(1, {later: 3})  # two more drops
    assert losses.look(1, {later: 3}) == {later: (1, 2)}
