"""Where time goes: whatever the samples and the kernel say, no time is lost or made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from isinglass.cli.tally import Tally, ThreadKey, divide
from isinglass.glass.schedstat import Usage

WINDOW = 100e6
THREAD = ThreadKey(0, 1, 0, "daemon", 10, "applier", 11)
WORKS, WAITS, OTHER = 0x10001, 0x10002, 0x10003


def test_a_busy_thread_runs_on_the_lines_it_was_seen_on() -> None:
    shares = divide({WORKS: 75, OTHER: 25}, (), Usage(100_000_000, 0), WINDOW)
    assert shares[WORKS].running_ns == pytest.approx(75e6)
    assert shares[OTHER].running_ns == pytest.approx(25e6)
    assert shares[WORKS].blocked_ns == shares[OTHER].queued_ns == 0


def test_blocked_time_goes_to_lines_that_wait_on_purpose() -> None:
    shares = divide({WORKS: 40, WAITS: 60}, {WAITS}, Usage(30_000_000, 10_000_000), WINDOW)
    assert shares[WAITS].blocked_ns == pytest.approx(60e6)
    assert shares[WORKS].running_ns == pytest.approx(30e6)
    assert shares[WORKS].queued_ns == pytest.approx(10e6)
    assert shares[WORKS].blocked_ns == pytest.approx(0)


def test_what_blocks_beyond_them_is_blocked_at_work() -> None:
    shares = divide({WORKS: 80, WAITS: 20}, {WAITS}, Usage(10_000_000, 0), WINDOW)
    assert shares[WAITS].blocked_ns == pytest.approx(20e6)
    assert shares[WORKS].blocked_ns == pytest.approx(70e6)
    assert shares[WORKS].running_ns == pytest.approx(10e6)


def test_without_the_kernels_account_only_the_sum_is_known() -> None:
    shares = divide({WORKS: 1, WAITS: 3}, {WAITS}, None, WINDOW)
    assert shares[WAITS].unknown_ns == pytest.approx(75e6)
    assert shares[WAITS].running_ns == shares[WAITS].blocked_ns == 0


@given(
    counts=some.dictionaries(some.integers(0, 5), some.integers(1, 200), min_size=1),
    idle=some.sets(some.integers(0, 5)),
    running=some.integers(0, 300_000_000),
    queued=some.integers(0, 300_000_000),
)
def test_no_time_is_lost_or_made_up(
    counts: dict[int, int], idle: set[int], running: int, queued: int
) -> None:
    shares = divide(counts, idle, Usage(running, queued), WINDOW)
    samples = sum(counts.values())
    awake = min(float(running + queued), WINDOW)
    for word, share in shares.items():
        assert share.samples == counts[word]
        assert share.total_ns == pytest.approx(WINDOW * counts[word] / samples, abs=2)
        assert min(share.running_ns, share.queued_ns, share.blocked_ns) >= -1e-3
    blocked = sum(share.blocked_ns for share in shares.values())  # each rounded to whole ones
    assert blocked == pytest.approx(WINDOW - awake, abs=len(counts))


def test_windows_add_up_and_keep_their_order_when_asked() -> None:
    tally = Tally(keep_order=True)
    tally.add_window(THREAD, [WORKS, WORKS, WAITS], {WAITS}, None, 3.0)
    tally.add_window(THREAD, [WAITS, WORKS], {WAITS}, None, 2.0)
    tally.add_window(THREAD, [], {WAITS}, None, 1.0)
    assert tally.shares[THREAD, WORKS].samples == 3
    assert tally.shares[THREAD, WAITS].total_ns == pytest.approx(2.0)
    assert tally.runs[THREAD] == [(WORKS, 2), (WAITS, 2), (WORKS, 1)]
    plain = Tally()
    plain.add_window(THREAD, [WORKS], (), None, 1.0)
    assert plain.runs == {}
