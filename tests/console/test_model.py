"""The small parts of the model: filter, columns, tables, cursor, trends, thresholds."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass.glass.severity import severity_name
from isinglass_console.model.board import Board, Levels, Severity, Threshold
from isinglass_console.model.cursor import Cursor, parse_moment
from isinglass_console.model.filter import Filter
from isinglass_console.model.layout import Column, place, split
from isinglass_console.model.log import Log, LogEntry
from isinglass_console.model.series import Series, SeriesBook, sparkline
from isinglass_console.model.table import (
    Row,
    TableState,
    arrange,
    moved,
    next_match,
    scrolled,
)

SECOND = 1_000_000_000


# ---------------------------------------------------------------------- filter
def test_a_filter_is_a_pattern_and_its_inverse() -> None:
    assert Filter.parse("app.*er").lets_through("daemon applier")
    assert not Filter.parse("!applier").lets_through("daemon applier")
    assert Filter.parse("!applier").lets_through("daemon timer")
    assert Filter.parse("").lets_through("anything")
    assert not Filter.parse("")


def test_upper_case_makes_a_filter_exact() -> None:
    assert Filter.parse("warn").lets_through("WARN")
    assert not Filter.parse("WARN").lets_through("warn")


def test_half_a_pattern_is_text_and_says_so() -> None:
    half = Filter.parse("[a")
    assert half.lets_through("x[a]")
    assert "plain text" in half.sentence


@pytest.mark.parametrize(
    "typed",
    ["a{99999999999}", "(" * 5000, "(" * 5000 + ")" * 5000],
    ids=["repeated", "begun", "nested"],
)
def test_what_is_too_large_for_a_pattern_is_text(typed: str) -> None:
    pasted = Filter.parse(typed)
    assert pasted.lets_through(f"x{typed}y") and not pasted.lets_through("a")
    assert "plain text" in pasted.sentence


# ---------------------------------------------------------------------- columns
COLUMNS = [
    Column("name", "NAME", 10, 0),
    Column("help", "HELP", 30, 5, grow=1),
    Column("value", "VALUE", 12, 1),
    Column("unit", "UNIT", 8, 3),
]


@given(st.integers(1, 300))
def test_columns_never_pass_the_width(width: int) -> None:
    placed = place(COLUMNS, width)
    assert placed[-1].left + placed[-1].width <= max(width, 1)
    lefts = [item.left for item in placed]
    assert lefts == sorted(lefts)


def test_columns_go_by_their_priority() -> None:
    assert [item.column.key for item in place(COLUMNS, 70)] == ["name", "help", "value", "unit"]
    assert [item.column.key for item in place(COLUMNS, 40)] == ["name", "value", "unit"]
    assert [item.column.key for item in place(COLUMNS, 25)] == ["name", "value"]
    assert [item.column.key for item in place(COLUMNS, 11)] == ["name"]


def test_spare_width_goes_to_the_column_that_grows() -> None:
    widths = {item.column.key: item.width for item in place(COLUMNS, 100)}
    assert widths == {"name": 10, "help": 64, "value": 12, "unit": 8}
    assert sum(widths.values()) + 3 * 2 == 100


@given(st.integers(10, 300), st.integers(1, 5))
def test_panes_and_rules_fill_the_width(width: int, parts: int) -> None:
    assert sum(split(width, parts)) + parts - 1 == width


# ---------------------------------------------------------------------- tables
ROWS = [Row(name, {}, {"n": number}, name) for name, number in [("b", 2.0), ("a", 9.0), ("c", nan)]]


def keys(state: TableState, shown: str = "") -> list[str]:
    return [row.key for row in arrange(ROWS, state, Filter.parse(shown))]


def test_rows_are_sorted_and_not_a_number_is_least() -> None:
    assert keys(TableState()) == ["b", "a", "c"]
    assert keys(TableState(sort="n")) == ["c", "b", "a"]
    assert keys(TableState(sort="n", descending=True)) == ["a", "b", "c"]
    assert keys(TableState(), "a|c") == ["a", "c"]


def test_frozen_rows_stay_and_new_ones_come_last() -> None:
    assert keys(TableState(sort="n", frozen=("a", "b"))) == ["a", "b", "c"]


def test_sorting_by_a_column_again_turns_it_round() -> None:
    once = TableState().sorted_by("n")
    assert (once.sort, once.descending) == ("n", False)
    assert once.sorted_by("n").descending


def test_the_selection_follows_its_row() -> None:
    state = moved(ROWS, TableState(), 1)
    assert state.selected == "a"
    assert moved(ROWS[::-1], state, 1).selected == "b"
    assert moved(ROWS, state, 100).selected == "c"
    assert moved([], state, 1) == state


def test_matches_are_found_round_the_end() -> None:
    state = TableState(selected="c")
    assert next_match(ROWS, state, Filter.parse("a|b"), 1).selected == "b"
    assert next_match(ROWS, state, Filter.parse("a|b"), -1).selected == "a"
    assert next_match(ROWS, state, Filter.parse("nothing"), 1).selected == "c"


@given(st.integers(0, 60), st.integers(0, 80), st.integers(1, 30), st.data())
def test_the_selected_row_is_always_in_sight(
    count: int, top: int, height: int, data: st.DataObject
) -> None:
    selected = data.draw(st.integers(0, max(count - 1, 0)))
    first = scrolled(count, selected, top, height)
    assert first >= 0
    assert first <= selected < first + height
    assert first + height <= count or first == 0


# ---------------------------------------------------------------------- cursor
def test_pause_and_steps_stay_within_the_history() -> None:
    live = Cursor()
    assert live.settled(3, 9) == 9
    paused = live.held(3, 9)
    assert paused.settled(3, 20) == 9
    assert paused.moved(-4, 3, 20).number == 5
    assert paused.moved(-40, 3, 20).number == 3
    assert paused.moved(40, 3, 20).number == 20
    assert paused.settled(15, 20) == 15, "a moment that was forgotten is the oldest kept"


NOON = 12 * 3600 * SECOND


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("-3m", NOON - 180 * SECOND),
        ("-90", NOON - 90 * SECOND),
        ("-1h 2m", NOON - 3720 * SECOND),
        ("11:59:30", NOON - 30 * SECOND),
        ("13:00", NOON + 3600 * SECOND - 86_400 * SECOND),
        ("25:00", None),
        ("soon", None),
        ("-", None),
        ("-99999h", 0),
        pytest.param("-" + "9" * 400, 0, id="before all times"),
    ],
)
def test_moments_are_understood(typed: str, moment: int | None) -> None:
    assert parse_moment(typed, NOON) == moment


# ---------------------------------------------------------------------- trends
def test_a_series_keeps_the_newest_and_its_gaps() -> None:
    series = Series(4)
    for number in (0, 1, 4, 5):
        series.put(number, float(number))
    tail = series.tail(5, 5)
    assert isnan(tail[0]), "forgotten"
    assert isnan(tail[1]), "never there"
    assert isnan(tail[2])
    assert tail[3:] == [4.0, 5.0]
    assert isnan(series.tail(1, 9)[0]), "not there yet"


@given(st.lists(st.tuples(st.integers(1, 9), st.floats(0, 9)), min_size=1, max_size=40))
def test_a_series_equals_a_dictionary(steps: list[tuple[int, float]]) -> None:
    series, known, number = Series(16), {}, -1
    for step, value in steps:
        number += step
        series.put(number, value)
        known[number] = value
    shown = series.tail(16, number)
    for at, value in zip(range(number - 15, number + 1), shown, strict=True):
        assert value == known[at] if at in known else isnan(value)


def test_sparklines_show_zero_top_and_gaps() -> None:
    assert sparkline([0.0, nan, 1.0, 0.5]) == "▁ █▅"
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([0.5], top=1.0) == "▅"


def test_the_book_forgets_nothing_it_was_not_asked() -> None:
    book = SeriesBook()
    book.put(0, [(("a", "load"), 1.0)])
    assert book.tail(("a", "load"), 1, 0) == [1.0]
    assert isnan(book.tail(("b", "load"), 1, 0)[0])


# ---------------------------------------------------------------------- thresholds and the log
def test_a_threshold_clears_lower_than_it_raises() -> None:
    loaded = Threshold("load", 0.9, 0.8, Severity.WARNING, "loaded", "share", "load")
    board = Board(Levels((loaded,)))
    seen = [bool(board.judge("a", {"load": load})) for load in (0.85, 0.91, 0.85, 0.79, 0.85)]
    assert seen == [False, True, True, False, False]
    assert not board.judge("b", {"load": 0.85}), "nodes are judged apart"
    assert not board.judge("a", {}), "what is not known raises nothing"


def test_the_worst_threshold_of_a_figure_is_told() -> None:
    levels = Levels(
        (
            Threshold("map", 0.8, 0.7, Severity.WARNING, "map", "share", "map used"),
            Threshold("map", 0.9, 0.85, Severity.CRITICAL, "full", "share", "map used"),
        )
    )
    board = Board(levels)
    (trouble,) = board.judge("a", {"map": 0.95})
    assert trouble.threshold.word == "full"
    assert trouble.sentence() == "map used 95 %"


def test_a_threshold_holds_only_after_its_time() -> None:
    slow = Threshold("lag", 1, 0.5, Severity.WARNING, "lag", "seconds", "behind", for_seconds=5)
    board = Board(Levels((slow,)))

    def seen(second: int, lag: float) -> bool:
        return bool(board.judge("a", {"lag": lag}, second * 10**9))

    assert [seen(at, 2.0) for at in (10, 12, 14)] == [False] * 3
    assert not seen(14, 0.9), "a peak that ended begins anew"
    assert [seen(at, 2.0) for at in (15, 19, 20)] == [False, False, True]
    assert seen(21, 0.6), "above what clears it"
    assert not seen(22, 0.4)


def test_a_clock_that_is_set_back_puts_no_threshold_off() -> None:
    slow = Threshold("lag", 1, 0.5, Severity.WARNING, "lag", "seconds", "behind", for_seconds=5)
    board = Board(Levels((slow,)))
    seen = [bool(board.judge("a", {"lag": 2.0}, at * 10**9)) for at in (9_000, 100, 104, 105)]
    assert seen == [False, False, False, True]


def test_a_node_has_thresholds_of_its_own_and_low_may_be_bad() -> None:
    every = Threshold("merged", 0.2, 0.3, Severity.WARNING, "unmerged", "share", "merged")
    own = replace(every, raise_at=0.05, clear_at=0.1, nodes=("ce*",))
    board = Board(Levels((every, own)))
    assert board.judge("alder", {"merged": 0.1}) and not board.judge("cedar", {"merged": 0.1})
    assert board.judge("alder", {"merged": 0.25}) and not board.judge("alder", {"merged": 0.31})
    assert Levels((every, own)).severity_of("cedar", "merged", 0.04) == Severity.WARNING
    assert Levels((every, own)).severity_of("cedar", "merged", nan) == Severity.WELL


def test_late_events_are_put_where_they_belong() -> None:
    log = Log()
    entry = [LogEntry(at, "a", "daemon", 9, "", f"event {at}") for at in range(5)]
    log.add([entry[1], entry[3], entry[2], entry[0], entry[4]])
    assert [each.wall_ns for each in log.entries] == [0, 1, 2, 3, 4]
    assert [each.wall_ns for each in log.until(2)] == [0, 1, 2]
    log.add([LogEntry(2, "a", "daemon", 9, "", message) for message in ("z", "a")])
    assert [each.message for each in log.until(2)][-2:] == ["z", "a"], "as they came"


def test_severities_have_their_words() -> None:
    assert [severity_name(n) for n in (1, 5, 9, 13, 17, 21)] == [
        *("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    ]
