"""What the operator set: which view, node and filter, and every table's state."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from isinglass_console.model.filter import Filter
from isinglass_console.model.log_page import LogChoice
from isinglass_console.model.stacks import Stacks, shelf
from isinglass_console.model.table import TableState


@dataclass(slots=True)
class Settings:
    """The operator's choices; they last as long as the console runs."""

    view: str = "overview"
    node: str = ""
    filter: Filter = field(default_factory=Filter)
    zoomed: bool = False
    columns: bool = False  # a column a node, not a row
    everywhere: bool = False  # threads of all nodes
    heat_of: str = "thread"  # whose time the hot lines are shares of
    tags: set[str] = field(default_factory=set)
    tables: dict[str, TableState] = field(default_factory=dict)
    scrolled: dict[str, int] = field(default_factory=dict)  # by a page's table: lines
    baseline: int | None = None
    log: LogChoice = field(default_factory=LogChoice)
    notice: str = ""
    own_keys: Mapping[str, str] = field(default_factory=dict)  # by the ids of bindings
    stacks: deque[Stacks] = field(default_factory=shelf)  # that were taken, with their instants

    def table(self, name: str) -> TableState:
        """Return the state of a table."""
        return self.tables.get(name, TableState())
