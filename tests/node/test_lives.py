"""The numbers of a node's lives: later ones are greater, and no two are the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from isinglass.node.lives import DRAWN_BITS, later_life
from isinglass.wire.bodies import INCARNATION_LIMIT
from simulator.scenario import Scenario

LIVES = some.integers(0, 1 << 62)
WALL = some.integers(0, 1 << 44)  # to the year 2527
DRAWN = some.integers(0, (1 << DRAWN_BITS) - 1)


@given(LIVES, WALL, DRAWN)
def test_a_later_life_is_greater_and_fits_its_word(than: int, wall_ms: int, drawn: int) -> None:
    assert than < later_life(than, wall_ms, drawn) < INCARNATION_LIMIT


@given(LIVES, WALL, DRAWN, DRAWN)
def test_lives_after_the_same_one_differ(than: int, wall_ms: int, one: int, other: int) -> None:
    lives = {later_life(than, wall_ms, one), later_life(than, wall_ms, other)}
    assert len(lives) == len({one, other})


def test_a_node_without_its_disk_never_counts_as_a_life_that_others_know_of_later() -> None:
    """Cedar is told to be later than its first life by who does not know of its second one."""
    Scenario(203096).run()
