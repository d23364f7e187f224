"""Tables as data: rows with a key each, and which of them are shown in which order.

A selection is a row's key, never its number, so it stays on the same node or thread while rows
come, go and change places. Frozen order keeps every row where it is and adds new ones at the end,
which is what an eye that compares two rows needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from isinglass_console.model.filter import Filter

SortValue = float | str
Cell = tuple[tuple[str, str], ...]
Value = TypeVar("Value")


class Late(Mapping[str, Value]):
    """Values by column that are made when the first is asked for: of 600 rows a screen shows 50."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Mapping[str, Value]]) -> None:
        self._make = make
        self._made: Mapping[str, Value] | None = None

    @property
    def _values(self) -> Mapping[str, Value]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getitem__(self, column: str) -> Value:
        return self._values[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what its cells show, what they sort by, and what a filter searches."""

    key: str
    cells: Mapping[str, Cell]
    sort: Mapping[str, SortValue] = field(default_factory=dict)
    search: str = ""
    stale: bool = False


@dataclass(frozen=True, slots=True)
class TableState:
    """What the operator did to a table: the order, the selection, the scroll position."""

    sort: str = ""
    descending: bool = False
    selected: str = ""
    top: int = 0
    frozen: tuple[str, ...] | None = None

    def sorted_by(self, key: str) -> TableState:
        """Return the state sorted by a column; the same column again turns the order round."""
        if key == self.sort:
            return replace(self, descending=not self.descending, frozen=None)
        return replace(self, sort=key, descending=False, frozen=None)


def arrange(rows: Sequence[Row], state: TableState, shown: Filter) -> list[Row]:
    """Return the rows that the filter lets through, in the order the state asks for."""
    kept = [row for row in rows if shown.lets_through(row.search or row.key)]
    if state.frozen is not None:
        place = {key: number for number, key in enumerate(state.frozen)}
        return sorted(kept, key=lambda row: place.get(row.key, len(place)))
    if not state.sort:
        return kept[::-1] if state.descending else kept
    return sorted(kept, key=lambda row: _order(row.sort.get(state.sort)), reverse=state.descending)


def _order(value: SortValue | None) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, str):
        return (2, 0.0, value)
    return (1, float("-inf") if value != value else value, "")


def selected_index(rows: Sequence[Row], state: TableState) -> int:
    """Return where the selected row is, 0 when it is gone."""
    for number, row in enumerate(rows):
        if row.key == state.selected:
            return number
    return 0


def moved(rows: Sequence[Row], state: TableState, steps: int) -> TableState:
    """Return the state with the selection so many rows on, held within the table."""
    if not rows:
        return state
    number = min(max(selected_index(rows, state) + steps, 0), len(rows) - 1)
    return replace(state, selected=rows[number].key)


def scrolled(count: int, selected: int, top: int, height: int) -> int:
    """Return the first row to show so that the selected one is visible, moving as little."""
    if height <= 0:
        return 0
    top = min(top, selected)
    top = max(top, selected - height + 1)
    return max(0, min(top, count - height))


def next_match(rows: Sequence[Row], state: TableState, pattern: Filter, steps: int) -> TableState:
    """Return the state with the next (or, with -1, the previous) row the pattern finds selected."""
    if not rows or not pattern:
        return state
    start = selected_index(rows, state)
    for distance in range(1, len(rows) + 1):
        row = rows[(start + steps * distance) % len(rows)]
        if pattern.lets_through(row.search or row.key):
            return replace(state, selected=row.key)
    return state
