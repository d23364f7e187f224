"""The sum of the last ten seconds moves on with them, and is what it would be if made anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from isinglass.cli.tally import Share
from isinglass.glass.schedstat import Usage
from isinglass_console.model.heat import Tally, Window, window

THREADS = [(0, 1, 0), (0, 1, 1), (2, 7, 0)]
WORDS = [0x10001, 0x10002, 0x20001]
usages = some.none() | some.builds(
    Usage, some.integers(0, 2_000_000_000), some.integers(0, 2_000_000_000)
)


@some.composite
def tallies(draw: some.DrawFn) -> Tally:
    """One interval; of nobody, too, as between two counts."""
    tally = Tally(draw(some.integers(0, 9)), draw(some.integers(0, 3)), draw(some.floats(0.05, 2)))
    for thread in draw(some.sets(some.sampled_from(THREADS))):
        counts = draw(some.dictionaries(some.sampled_from(WORDS), some.integers(1, 9)))
        tally.put(thread, counts, draw(some.sets(some.sampled_from(WORDS))), draw(usages))
    return tally


def plain(share: Share) -> list[int]:
    """All that a share says."""
    return [getattr(share, name) for name in share.__slots__]


def shown(whole: Window) -> object:
    """All that a window says of the threads."""
    lines = [{word: plain(it) for word, it in whole.lines(key).items()} for key in THREADS]
    return (
        whole.taken,
        whole.late,
        whole.seconds,
        lines,
        [dict(whole.looks(key)) for key in THREADS],
    )


@given(
    some.lists(tallies(), min_size=1, max_size=12),
    some.lists(some.tuples(some.integers(0, 12), some.integers(0, 6)), max_size=12),
    some.sets(some.sampled_from(THREADS)),
)
def test_a_window_that_was_moved_is_the_same_as_a_new_one(
    every: list[Tally], moves: list[tuple[int, int]], asked: set[tuple[int, int, int]]
) -> None:
    moved = Window()
    for end, length in moves:
        newest_first = every[max(0, end - length) : end][::-1]
        moved.move(newest_first)
        for thread in asked:
            assert sum(moved.looks(thread).values()) == sum(
                share.samples for share in moved.lines(thread).values()
            )
    moved.move(every[::-1])
    assert shown(moved) == shown(window(every[::-1]))


@given(tallies(), tallies())
def test_an_interval_that_goes_on_has_the_samples_of_both(first: Tally, second: Tally) -> None:
    both = Tally()
    both.extend(first)
    both.extend(second)
    assert (both.taken, both.seconds) == (
        first.taken + second.taken,
        first.seconds + second.seconds,
    )
    for thread in THREADS:
        assert dict(both.looks(thread)) == dict(window([first, second]).looks(thread))
        used = [part.sampled[thread].usage for part in (first, second) if thread in part.sampled]
        if len(used) == 2 and None not in used:
            assert both.sampled[thread].usage == Usage(
                *(sum(each) for each in zip(*filter(None, used), strict=True))
            )
