"""How long another node may take: four times what nearly all of its last replies took."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isinglass.wire.time_limits import FIRST_LIMIT_NS, LARGEST_LIMIT_NS, REPLIES_KEPT, TimeLimits


@given(st.lists(st.integers(0, LARGEST_LIMIT_NS), max_size=3 * REPLIES_KEPT), st.integers(0, 10**8))
def test_the_limit_follows_the_last_replies_alone(times: list[int], patience: int) -> None:
    limits = TimeLimits(patience)
    assert limits.limit_ns == max(FIRST_LIMIT_NS, patience)
    for count, took_ns in enumerate(times, 1):
        limits.replied(1, took_ns)
        last = sorted(times[:count][-REPLIES_KEPT:])
        most = 4 * last[len(last) * 95 // 100]
        assert limits.limit_ns == max(min(most, LARGEST_LIMIT_NS), patience)
