"""What the operator does to tables: select, scroll, sort, freeze, tag; no Textual."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from isinglass_console.model.layout import Column
from isinglass_console.model.table import (
    Row,
    TableState,
    moved,
    next_match,
    selected_index,
)
from isinglass_console.screens.settings import Settings


class DeskTables:
    """The desk's part that is about tables; their states are in the settings."""

    settings: Settings

    @abstractmethod
    def select(self, table: str, key: str) -> None:
        """Select a row."""

    def table(self, name: str) -> TableState:
        """Return the state of a table."""
        return self.settings.table(name)

    def move(self, table: str, rows: list[Row], steps: int) -> None:
        """Move the selection by rows."""
        state = moved(rows, self.table(table), steps)
        self.select(table, state.selected)

    def scroll(self, table: str, hidden: int, steps: int) -> None:
        """Scroll what stands below a page's table, of which `hidden` lines have no room."""
        at = min(self.settings.scrolled.get(table, 0), hidden)
        self.settings.scrolled[table] = min(max(at + steps, 0), hidden)

    def match(self, table: str, rows: list[Row], steps: int) -> None:
        """Select the next row that the filter's pattern finds."""
        state = next_match(rows, self.table(table), self.settings.filter, steps)
        self.select(table, state.selected)

    def sort(self, table: str, key: str) -> None:
        """Sort by a column; by the same again: the other way round."""
        self.settings.tables[table] = self.table(table).sorted_by(key)

    def sort_next(self, table: str, columns: list[Column], steps: int) -> None:
        """Sort by the next column to the right (or left); past the ends: not sorted."""
        keys = ["", *(column.key for column in columns)]
        state = self.table(table)
        at = keys.index(state.sort) if state.sort in keys else 0
        self.settings.tables[table] = replace(
            state, sort=keys[(at + steps) % len(keys)], frozen=None
        )

    def invert(self, table: str) -> None:
        """Turn the order of a table round."""
        state = self.table(table)
        self.settings.tables[table] = replace(state, descending=not state.descending, frozen=None)

    def freeze(self, table: str, rows: list[Row]) -> bool:
        """Freeze the order of the rows as they are, or let them move; return whether frozen."""
        state = self.table(table)
        frozen = None if state.frozen is not None else tuple(row.key for row in rows)
        self.settings.tables[table] = replace(state, frozen=frozen)
        return frozen is not None

    def tag(self, table: str, rows: list[Row]) -> None:
        """Tag the selected row or take its tag away, and go on to the next."""
        if rows:
            row = rows[selected_index(rows, self.table(table))]
            self.settings.tags.symmetric_difference_update({row.key})
            self.move(table, rows, 1)


def rows_to_copy(desk: DeskTables, table: str, rows: list[Row]) -> list[Row]:
    """Return the tagged rows, or the selected one."""
    tagged = [row for row in rows if row.key in desk.settings.tags]
    if tagged or not rows:
        return tagged
    return [rows[selected_index(rows, desk.table(table))]]
