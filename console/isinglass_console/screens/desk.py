"""What the operator has in front of him: the frames, where he looks, and what he set; no Textual.

The desk takes what the feed delivers and gives scenes. Everything that a key does to what is shown
is a method here, so it is tested without a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from isinglass.glass.severity import ERROR
from isinglass_console.configuration import Configuration
from isinglass_console.model import format as text
from isinglass_console.model import moments, spots
from isinglass_console.model.board import Board
from isinglass_console.model.cursor import Cursor
from isinglass_console.model.filter import Filter
from isinglass_console.model.frame import Frame
from isinglass_console.model.history import History
from isinglass_console.model.hub import Hub
from isinglass_console.model.layout import Column
from isinglass_console.model.log_page import LogRequest
from isinglass_console.model.reading import Reading
from isinglass_console.model.table import (
    Row,
    TableState,
    moved,
    next_match,
    selected_index,
)
from isinglass_console.model.told import Told
from isinglass_console.screens.scene import Scene
from isinglass_console.screens.settings import Settings

# Their rows are nodes: a row that is selected in one is the node of all views.
NODE_TABLES = ("nodes", "flow", "lag")
LOG_TABLE = "log"
THREAD_TABLE, ALL_THREADS = "threads", "all threads"
HEAT_OF = {
    spots.THREAD: "the thread",
    spots.PROCESS: "all threads of its process",
    spots.NODE: "all threads of its node",
    spots.EVERYWHERE: "all threads of all nodes",
}
INTERVALS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Desk:
    """The frames and the operator's settings."""

    def __init__(self, interval_seconds: float = 1.0, history: History | None = None) -> None:
        self.hub = Hub()
        self.history = history or History()
        self.cursor = Cursor()
        self.settings = Settings()
        self.interval_seconds = interval_seconds
        self.silent_seconds = 0.0
        self.told = Told()
        self._remembered = self.told.past

    def begin(self, configuration: Configuration) -> None:
        """Begin as the operator's file says."""
        settings = self.settings
        self.hub.board = Board(configuration.levels)
        settings.view = configuration.view
        settings.columns = configuration.columns
        settings.node = configuration.node or settings.node
        settings.filter = Filter.parse(configuration.filter)

    # ------------------------------------------------------------------ frames
    def absorb(self, readings: Iterable[Reading], wall_ns: int, interval_seconds: float) -> Frame:
        """Make a frame of readings and keep it."""
        frame = self.hub.take(tuple(readings), wall_ns, interval_seconds)
        self.history.append(frame)
        if not self.settings.node and frame.nodes:
            self.settings.node = frame.nodes[0].name
        return frame

    def hear(self, told: Told) -> None:
        """Take what a monitor told."""
        self.told = told
        if told.past is not self._remembered and self.history.newest >= 0:
            self._remembered = told.past
            self.hub.remember(told.past)

    @property
    def number(self) -> int:
        """The number of the frame that is shown now; -1 before the first."""
        return self.cursor.settled(self.history.oldest, self.history.newest)

    def scene(self, width: int, height: int) -> Scene:
        """Return all that a view needs, for a place of this size."""
        number = self.number
        frame = self.history.frame(number) or Frame(-1, 0, self.interval_seconds)
        baseline = self.settings.baseline
        earlier = self.history.frame(baseline if baseline is not None else number - 1)
        return Scene(
            frame=frame,
            earlier=earlier,
            newest=self.history.frame(self.history.newest) or frame,
            live=self.cursor.live,
            history=self.history,
            series=self.hub.series,
            log=self.hub.log.until(frame.wall_ns if not self.cursor.live else 2**63),
            whole_log=self.hub.log,
            told=self.told,
            request=self._log_request(frame),
            settings=self.settings,
            width=width,
            height=height,
            silent_seconds=self.silent_seconds,
        )

    def _log_request(self, frame: Frame) -> LogRequest:
        """Return the part of the log that belongs to the moment shown, as the operator set it."""
        choice = self.settings.log
        at_ns = choice.at_ns
        if at_ns is None and not self.cursor.live:
            at_ns = frame.wall_ns
        node = self.settings.node if choice.node_only else ""
        return LogRequest(at_ns, node, choice.severity, self.settings.filter)

    # ------------------------------------------------------------------ time
    def pause(self) -> None:
        """Hold the moment that is shown, or let go."""
        if self.cursor.live:
            self._look_at(self.cursor.held(self.history.oldest, self.history.newest))
        else:
            self.live()

    def live(self) -> None:
        """Show the newest frame from now on."""
        self._look_at(Cursor())

    def step(self, frames: int) -> None:
        """Hold a moment so many frames from the one that is shown."""
        self._look_at(self.cursor.moved(frames, self.history.oldest, self.history.newest))

    def go_to(self, wall_ns: int) -> None:
        """Hold the frame at a moment, or the oldest that is kept."""
        number = self.history.number_at(wall_ns)
        self._look_at(Cursor(number if number >= 0 else None))

    def _look_at(self, cursor: Cursor) -> None:
        """Move the cursor; the log goes with it, from wherever it was read."""
        self.cursor = cursor
        self.settings.log.at_ns = None
        self.settings.tables.pop(LOG_TABLE, None)

    def jump(self, wall_ns: int, event: str = "") -> str:
        """Hold the first frame that can show what happened at a moment; return what to say.

        The log stays at the moment also where the frames do not reach so far.

        Args:
            event: the key of the event that is selected in the log then; empty for the moment's.
        """
        history, settings = self.history, self.settings
        self._look_at(Cursor(history.number_from(wall_ns) if history.newest >= 0 else None))
        settings.log.at_ns = wall_ns
        if event:
            self.select(LOG_TABLE, event)
        oldest, at = history.frame(history.oldest), text.clock(wall_ns)
        if oldest is None or wall_ns >= oldest.wall_ns:
            return f"every view shows {at}; L: live again"
        return f"{at} is older than the other views reach: they show {text.clock(oldest.wall_ns)}"

    def next_trouble(self, least: int, step: int) -> str:
        """Go to the next moment (the one before, with -1) that is as bad as `least`; say which.

        While the screen is live there is nothing later, so it is the newest one.
        """
        scene = self.scene(0, 0)
        shown_ns = scene.request.at_ns or scene.frame.wall_ns
        found = moments.beyond(
            (
                *moments.of_log(self.hub.log.entries),
                *moments.of_alarms(self.told.sheet),
                *self.hub.raised,
            ),
            least,
            scene.newest.wall_ns + 1 if scene.live else shown_ns,
            -1 if scene.live else step,
        )
        word = "error" if least >= ERROR else "warning"
        if found is None:
            where = "before this moment" if step < 0 or scene.live else "after this moment"
            return f"no {word} is known {where}"
        reached = self.jump(found.wall_ns, found.event)
        if scene.newest.node(found.node) is not None:
            self.select(NODE_TABLES[0], found.node)
        at = text.moment(found.wall_ns, scene.newest.wall_ns)
        older = f"; {reached}" if "older" in reached else ""
        return f"{at} {found.node}: {found.sentence}{older}"

    def sum_up(self) -> str:
        """Take hot lines of the next larger scope; return what to say."""
        at = spots.SCOPES.index(self.settings.heat_of) + 1
        self.settings.heat_of = spots.SCOPES[at % len(spots.SCOPES)]
        return f"hot lines are of {HEAT_OF[self.settings.heat_of]}"

    def toggle_baseline(self) -> None:
        """Count from the shown frame on, or show rates again."""
        baseline = self.settings.baseline
        self.settings.baseline = self.number if baseline is None else None

    def next_interval(self, steps: int) -> float:
        """Return the next shorter (positive) or longer interval, and keep it."""
        nearest = min(INTERVALS, key=lambda each: abs(each - self.interval_seconds))
        at = min(max(INTERVALS.index(nearest) - steps, 0), len(INTERVALS) - 1)
        self.interval_seconds = INTERVALS[at]
        return self.interval_seconds

    # ------------------------------------------------------------------ nodes and rows
    def table(self, name: str) -> TableState:
        """Return the state of a table."""
        return self.settings.table(name)

    def move_node(self, steps: int) -> None:
        """Select the next node or the one before, round and round."""
        names = [node.name for node in self.scene(0, 0).frame.nodes]
        if names:
            at = names.index(self.settings.node) if self.settings.node in names else 0
            self.select(NODE_TABLES[0], names[(at + steps) % len(names)])

    def select(self, table: str, key: str) -> None:
        """Select a row; in a table of nodes this is the node of all other views."""
        of_nodes = table in NODE_TABLES and self.scene(0, 0).frame.node(key) is not None
        for each in NODE_TABLES if of_nodes else (table,):
            self.settings.tables[each] = replace(self.table(each), selected=key)
        if of_nodes:
            self.settings.node = key
        if table == ALL_THREADS:
            node, _, thread = key.rpartition(" ")
            self.select(NODE_TABLES[0], node)
            self.select(THREAD_TABLE, thread)

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


def rows_to_copy(desk: Desk, table: str, rows: list[Row]) -> list[Row]:
    """Return the tagged rows, or the selected one."""
    tagged = [row for row in rows if row.key in desk.settings.tags]
    if tagged or not rows:
        return tagged
    return [rows[selected_index(rows, desk.table(table))]]
