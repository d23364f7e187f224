"""Sections as text and as columns of a terminal: aligned, and never wider than there is room."""

from __future__ import annotations

import subprocess

from hypothesis import given
from hypothesis import strategies as some

from cli.commands import on_terminal
from isinglass.cli.sheet import GAP, LEAST_WIDTH, Section, fit, plain

FRUIT = Section(
    "fruit",
    ("name", "count>", "note"),
    [("apple", "12", "green"), ("fig", "7", "")],
    lines=["two kinds"],
    droppable=("count>",),
)


def test_plain_text_is_aligned_and_ends_without_blanks() -> None:
    assert plain([FRUIT]) == (
        "fruit\ntwo kinds\n  name   count  note\n  apple     12  green\n  fig        7\n"
    )


def test_sections_without_heading_headers_or_rows() -> None:
    assert plain([Section("", ("a", "b"), [("1", "22")], headers=False)]) == "1  22\n"
    assert plain([Section("alone"), Section("two", lines=["x"])]) == "alone\n\ntwo\nx\n"


def test_control_characters_of_what_others_named_never_reach_the_terminal() -> None:
    evil = Section("a\x1b[2J", ("name",), [("b\x07\n",)], lines=["c\x1b]0;", "one\ntwo"])
    assert plain([evil]) == "a·[2J\nc·]0;\none\ntwo\n  name\n  b··\n"


def test_what_fits_is_not_touched() -> None:
    assert fit(FRUIT, 80) == [(0, 5), (1, 5), (2, 5)]


def test_droppable_columns_go_first_then_the_widest_is_cut() -> None:
    assert fit(FRUIT, 18) == [(0, 5), (2, 5)]
    wide = Section("", ("a", "b"), [("x" * 50, "y" * 20)])
    assert fit(wide, 42) == [(0, 20), (1, 20)]
    assert fit(wide, 32) == [(0, 15), (1, 15)]


@given(
    widths=some.lists(some.integers(1, 80), min_size=1, max_size=6),
    room=some.integers(1, 200),
    dropped=some.integers(0, 3),
)
def test_it_fits_or_everything_is_as_narrow_as_it_gets(
    widths: list[int], room: int, dropped: int
) -> None:
    names = [f"c{number}" for number in range(len(widths))]
    row = tuple("x" * width for width in widths)
    droppable = names[: min(dropped, len(names) - 1)]
    found = fit(Section("", names, [row], headers=False, droppable=droppable), room)
    total = sum(width for _, width in found) + len(GAP) * (len(found) - 1)
    assert total <= room or all(width <= LEAST_WIDTH for _, width in found)
    for column, width in found:
        assert width <= widths[column]
    if sum(widths) + len(GAP) * (len(widths) - 1) <= room:
        assert [width for _, width in found] == widths


def test_a_narrow_terminal_keeps_what_matters(bakery: subprocess.Popen[str]) -> None:
    _code, wide = on_terminal("ps", columns=150)
    assert "mark('kneading')" in wide and "bakery" in wide
    _code, narrow = on_terminal("ps", columns=80)
    assert "mark('kneading')" not in narrow
    for words in ("oven.py:2", "kneading", "alive", "MainThread"):
        assert words in narrow
