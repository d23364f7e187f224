"""Which columns fit: each declares its width and its priority, and the least important go first.

Nothing ever wraps or is squeezed: a column is there at its declared width, or it is not there. What
is left over goes to the columns that said they can grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

SEPARATION = 2


class Column(NamedTuple):
    """A column of a table: priority 0 is dropped last; `grow` is its part of the spare width."""

    key: str
    title: str
    width: int
    priority: int = 0
    right: bool = False
    grow: int = 0
    largest: int = 10_000


class Placed(NamedTuple):
    """A column with its place in the line."""

    column: Column
    left: int
    width: int


def place(columns: Sequence[Column], width: int, separation: int = SEPARATION) -> Sequence[Placed]:
    """Return the columns that fit into `width` cells, in declared order, with their places."""
    return _placed(tuple(columns), width, separation)


@lru_cache(maxsize=64)
def _placed(columns: tuple[Column, ...], width: int, separation: int) -> tuple[Placed, ...]:
    kept = list(columns)
    while len(kept) > 1 and _needed(kept, separation) > width:
        # The last of equals goes first: columns are declared from left to right by use.
        kept.remove(max(reversed(kept), key=lambda column: column.priority))
    spare = max(0, width - _needed(kept, separation))
    widths = _grown(kept, spare)
    placed = []
    left = 0
    for column, cells in zip(kept, widths, strict=True):
        placed.append(Placed(column, left, max(0, min(cells, width - left))))
        left += cells + separation
    return tuple(placed)


def _needed(columns: Sequence[Column], separation: int) -> int:
    return sum(column.width for column in columns) + separation * (len(columns) - 1)


def _grown(columns: Sequence[Column], spare: int) -> list[int]:
    widths = [column.width for column in columns]
    while spare > 0:
        growing = [
            (index, column.grow)
            for index, column in enumerate(columns)
            if column.grow and widths[index] < column.largest
        ]
        if not growing:
            break
        total = sum(weight for _, weight in growing)
        given = 0
        for index, weight in growing:
            room = columns[index].largest - widths[index]
            part = min(room, spare * weight // total)
            widths[index] += part
            given += part
        if given == 0:
            widths[growing[0][0]] += 1
            given = 1
        spare -= given
    return widths


def split(width: int, parts: int, rule: int = 1) -> list[int]:
    """Return the widths of panes side by side with rules between them; the first take the rest."""
    inner = width - rule * (parts - 1)
    base, rest = divmod(inner, parts)
    return [base + (1 if index < rest else 0) for index in range(parts)]
