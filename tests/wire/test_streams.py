"""Streams: whatever order updates come in, the account of them is that of a plain set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isinglass.wire import streams
from isinglass.wire.journal import Journal
from isinglass.wire.streams import Inbox, Marks, SendTimes

SPANS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 8)), max_size=40)


@given(st.integers(0, 5), SPANS)
def test_an_inbox_is_a_set_of_numbers(received: int, spans: list[tuple[int, int]]) -> None:
    inbox, came = Inbox(received), set(range(1, received + 1))
    for place, (first, more) in enumerate(spans, 1):
        inbox.add(first, first + more, place)
        came |= set(range(first, first + more + 1))
        following = next(n for n in range(1, 100) if n not in came)
        assert inbox.received == following - 1
        assert inbox.known_last == inbox.highest == max(came, default=0)
        assert all(inbox.has(number) == (number in came) for number in range(1, 75))
        missing = [n for low, high in inbox.gaps(1000) for n in range(low, high + 1)]
        assert missing == [n for n in range(1, inbox.known_last) if n not in came]
        assert inbox.missing == len(missing)
        assert sum(high - low + 1 for low, high in inbox.gaps(3)) == min(3, len(missing))


@given(SPANS, st.integers(1, 70))
def test_applied_is_what_came_before_the_place(spans: list[tuple[int, int]], place: int) -> None:
    """A copy of the marks that keeps all of them says the same, or more."""
    inbox, reached = Inbox(), [(0, 0)]
    for at, (first, more) in enumerate(spans, 1):
        inbox.add(first, first + more, at)
        reached.append((at, inbox.received))
    exact = max(number for at, number in reached if at <= place)
    through = inbox.applied.through(place)
    assert through <= exact
    assert inbox.applied.advance(place) == through
    assert inbox.applied.advance(len(spans) + 1) == inbox.received


def test_ranges_beyond_the_limit_count_as_lost() -> None:
    inbox = Inbox()
    for number in range(2, 2 * streams.RANGE_LIMIT + 10, 2):
        inbox.add(number, number, number)
    assert len(inbox.ranges()) == streams.RANGE_LIMIT
    assert not inbox.has(inbox.known_last)
    inbox.add(1, inbox.known_last, 1)
    assert inbox.received == inbox.known_last and not inbox.ranges()


def test_marks_are_few() -> None:
    marks = Marks(0)
    for place in range(1, 10_000):
        marks.add(place, place)
    assert len(marks._marks) <= 10_000 / streams.MARK_STEP + 1
    assert 9_000 - streams.MARK_STEP <= marks.through(9_000) <= 9_000
    assert marks.advance(9_999) == 9_999


def test_the_place_where_a_batch_ends_is_exact() -> None:
    """Else the last of what a batch brings is not noted with it (seed 427689)."""
    marks = Marks(0)
    for number in range(1, 101):
        marks.add(number, number)
        if number % 7 == 0:
            marks.hold(number)
            marks.hold(number - 1)  # it changes nothing that is behind
    assert [marks.through(number) for number in range(7, 99, 7)] == list(range(7, 99, 7))
    assert marks.advance(98) == 98 and marks.advance(100) == 100


@given(st.lists(st.integers(0, 5_000_000), max_size=50))
def test_an_age_is_never_too_low(steps: list[int]) -> None:
    times, made, now = SendTimes(), [], 10
    for number, step in enumerate(steps, 1):
        now += step
        times.add(number, now)
        made.append(now)
    for number, at in enumerate(made, 1):
        assert times.age_ns(number, now + 7) >= now + 7 - at


@given(st.integers(1, 20), st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), max_size=60))
def test_a_journal_has_everything_from_its_floor_on(
    limit: int, additions: list[tuple[int, int]]
) -> None:
    journal, came = Journal(limit), dict[tuple[int, int], list[int]]()
    for origin, count in additions:
        stream = (origin, 1)
        numbers = came.setdefault(stream, [])
        entries = journal.open(stream, 1)
        for _ in range(count):
            numbers.append(len(numbers) + 1)
            entries[numbers[-1]] = ("t", b"%d" % numbers[-1])
        journal.trim()
        assert len(journal) <= limit
        for known, all_of_it in came.items():
            floor = journal.floor(known)
            assert all(journal.name(known, n) == ("t", b"%d" % n) for n in all_of_it[floor - 1 :])
    journal.raise_floor((1, 1), 1_000)
    assert journal.floor((1, 1)) == (1_000 if (1, 1) in came else 0)
    journal.drop((1, 1))
    assert journal.floor((1, 1)) == 0 and journal.name((1, 1), 1) is None
