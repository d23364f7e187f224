"""The journal: what leaves it, in which order, and what its floor says of what is left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isinglass.wire.journal import Journal

STREAM, OTHER = (1, 1), (2, 1)
NAME = ("t", b"k")


def test_the_oldest_of_the_longest_stream_leave_first() -> None:
    journal = Journal(10)
    short, long = journal.open(OTHER, 1), journal.open(STREAM, 5)
    for number in range(1, 4):
        short[number] = NAME
    for number in range(5, 17):
        long[number] = NAME
        journal.trim()
    assert list(long) == list(range(10, 17))
    assert (journal.floor(STREAM), journal.floor(OTHER), len(journal)) == (10, 1, 10)


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=60), st.integers(1, 20))
def test_what_is_left_is_newer_than_what_left_whatever_the_gaps(
    numbers: list[int], limit: int
) -> None:
    journal = Journal(limit)
    entries = journal.open(STREAM, 1)
    for number in numbers:
        entries[number] = NAME
    journal.trim()
    assert sorted(entries) == sorted(set(numbers))[-limit:]
    assert min(entries) >= journal.floor(STREAM)
    entries[3] = NAME  # repaired late, below the floor
    journal.trim()
    assert len(entries) <= limit


@given(st.lists(st.lists(st.integers(1, 60), max_size=12), max_size=12), st.integers(1, 8))
def test_all_that_came_is_there_from_the_floor_on(runs: list[list[int]], limit: int) -> None:
    """A member that said so, and had let go of it, was asked for it for ever (seed 1000169)."""
    journal, came = Journal(limit), set[int]()
    entries = journal.open(STREAM, 1)
    for numbers in runs:
        new = [number for number in numbers if number not in came]
        entries.update(dict.fromkeys(new, NAME))
        came.update(new)
        journal.trim()
        floor = journal.floor(STREAM)
        assert {number for number in came if number >= floor} <= entries.keys()
