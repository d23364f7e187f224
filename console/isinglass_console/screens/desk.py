"""What the operator has in front: the frames, where the eye is, and what was set; no Textual.

The desk takes what the feed delivers and gives scenes. Everything that a key does to what is shown
is a method here, so it is tested without a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from isinglass.errors import IsinglassError
from isinglass.glass.severity import ERROR
from isinglass_console.configuration import Configuration
from isinglass_console.model import format as text
from isinglass_console.model import moments, spots
from isinglass_console.model.board import Board
from isinglass_console.model.comparison import Beside, Comparison
from isinglass_console.model.cursor import Cursor
from isinglass_console.model.filter import Filter
from isinglass_console.model.frame import Frame
from isinglass_console.model.heat_windows import HeatWindows
from isinglass_console.model.history import History
from isinglass_console.model.hub import Hub
from isinglass_console.model.log import KEPT, Log
from isinglass_console.model.log_page import LogRequest
from isinglass_console.model.moments import Moment
from isinglass_console.model.player import Player, next_speed
from isinglass_console.model.reading import Reading
from isinglass_console.model.timeline import Events, Replayed, Timeline, Trends
from isinglass_console.model.told import Told
from isinglass_console.screens.desk_tables import DeskTables
from isinglass_console.screens.scene import Scene
from isinglass_console.screens.settings import Settings

# Their rows are nodes: a row that is selected in one is the node of all views.
NODE_TABLES = ("nodes", "flow", "lag")
LOG_TABLE = "log"  # and its view
EVENTS_BELOW = 100  # the newest, for what a filter lets through below other views
THREAD_TABLE, ALL_THREADS = "threads", "all threads"
HEAT_OF = {
    spots.THREAD: "the thread",
    spots.PROCESS: "all threads of its process",
    spots.NODE: "all threads of its node",
    spots.EVERYWHERE: "all threads of all nodes",
}
INTERVALS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


MARK = "the mark"
NO_ALARMS = "what was recorded at this moment has no alarms; view 7 has its events"


class Desk(DeskTables):
    """The frames and the operator's settings.

    Args:
        recorded: what is replayed; None: the console's own memory, which `absorb` fills.
        comparison: another recording beside it.
    """

    def __init__(
        self,
        interval_seconds: float = 1.0,
        recorded: Replayed | None = None,
        comparison: Comparison | None = None,
    ) -> None:
        self.hub = Hub()
        self.recorded, self.comparison = recorded, comparison
        self.memory = History()
        self.history: Timeline = recorded or self.memory
        self._heats = HeatWindows()
        self._trends: Trends = recorded or self.hub.series
        self._events: Events = recorded or self.hub.log
        self.cursor = Cursor() if recorded is None else Cursor(recorded.oldest)
        self.player: Player | None = None
        self.speed = 1.0
        self.recording = ""  # what is told of the recording that is being made; "" without one
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
        self.memory.append(frame)
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

    @property
    def is_live(self) -> bool:
        """Whether the newest frame is shown, and is of now."""
        return self.cursor.live and self.recorded is None

    @property
    def expects_frames(self) -> bool:
        """Whether another frame is shown within a second, as far as anybody knows."""
        begun = self.history.newest >= 0
        return begun and self.is_live and self.interval_seconds <= 1.0 and not self.silent_seconds

    def scene(self, width: int, height: int) -> Scene:
        """Return all that a view needs, for a place of this size."""
        number = self.number
        baseline = self.settings.baseline
        # The earlier one first: the next is then one step from it.
        earlier = self._frame(baseline if baseline is not None else number - 1)
        frame = self._frame(number) or Frame(-1, 0, self.interval_seconds)
        log = self._log(frame.wall_ns)
        return Scene(
            frame=frame,
            earlier=earlier,
            beside=self._beside(frame, earlier),
            newest=self._frame(self.history.newest) or frame,
            live=self.is_live,
            history=self.history,
            heats=self._heats,
            series=self._trends,
            log=log.until(frame.wall_ns if not self.is_live else 2**63),
            whole_log=log,
            told=self._told(number),
            request=self._log_request(frame),
            settings=self.settings,
            width=width,
            height=height,
            silent_seconds=self.silent_seconds,
            mode=self._mode(),
            recording=self.recording,
        )

    def _beside(self, frame: Frame, earlier: Frame | None) -> Beside | None:
        """Return the moment to compare with: the mark's, or the other recording's."""
        if self.settings.baseline is not None:
            return Beside(self.history, self._trends, earlier, MARK) if earlier else None
        comparison = self.comparison
        number = comparison.number(frame.wall_ns) if comparison is not None else None
        if comparison is None or number is None:
            return None
        there = self._frame_of(comparison.other, number)
        return Beside(comparison.other, comparison.other, there, comparison.name) if there else None

    def _told(self, number: int) -> Told:
        """Return what a monitor tells, or told when this was recorded."""
        if self.recorded is None:
            return self.told
        sheet = self.recorded.sheet(number)
        return Told(sheet=sheet, sentence=NO_ALARMS if sheet is None else "")

    def _log(self, wall_ns: int) -> Log:
        """Return the events about a moment; those that cannot be read are none, and it is told."""
        least = KEPT if self.settings.view == LOG_TABLE else EVENTS_BELOW
        try:
            return self._events.around(wall_ns, least)
        except IsinglassError as reason:
            self.settings.notice = str(reason)
            return Log()

    def _frame(self, number: int) -> Frame | None:
        return self._frame_of(self.history, number)

    def _frame_of(self, timeline: Timeline, number: int) -> Frame | None:
        """Return a frame; one that cannot be read is none, and the last row says why."""
        try:
            return timeline.frame(number)
        except IsinglassError as reason:
            self.settings.notice = str(reason)
            return None

    def _mode(self) -> str:
        """Return what the status row says of replaying; empty when nothing is."""
        if self.player is not None:
            return f"REPLAY ×{self.player.speed:g}"
        if self.recorded is None:
            return ""
        if self._goes_on and self.cursor.live:
            return "REPLAY FOLLOWS"
        at_end = self.number >= self.history.newest and not self._goes_on
        return "REPLAY END" if at_end else "REPLAY PAUSED"

    @property
    def _goes_on(self) -> bool:
        """Whether there will be newer frames: of now, or of a recorder that still writes."""
        return self.recorded is None or self.recorded.grows

    def follow(self) -> bool:
        """Take in what a recorder has added; return whether the screen is another one then."""
        recorded = self.recorded
        if recorded is None:
            return False
        grew = recorded.grows
        try:
            changed = recorded.follow()
        except IsinglassError as reason:
            self.settings.notice = str(reason)
            return True
        if grew and not recorded.grows:
            self.settings.notice = "its recorder has ended: this is all of it"
        elif recorded.grows and not grew:
            self.settings.notice = "a recorder goes on with it: L follows"
        return changed

    def _log_request(self, frame: Frame) -> LogRequest:
        """Return the part of the log that belongs to the moment shown, as the operator set it."""
        choice = self.settings.log
        at_ns = choice.at_ns
        if at_ns is None and not self.is_live:
            at_ns = frame.wall_ns
        node = self.settings.node if choice.node_only else ""
        return LogRequest(at_ns, node, choice.severity, self.settings.filter)

    # ------------------------------------------------------------------ time
    def pause(self) -> None:
        """Hold the moment that is shown, or let go."""
        if self.cursor.live or self.player is not None:
            self._look_at(self.cursor.held(self.history.oldest, self.history.newest))
        else:
            self.live()

    def live(self) -> None:
        """Show the newest frame from now on; of a recording, its end."""
        self._look_at(Cursor() if self._goes_on else Cursor(self.history.newest))

    def step(self, frames: int) -> None:
        """Hold a moment so many frames from the one that is shown."""
        self._look_at(self.cursor.moved(frames, self.history.oldest, self.history.newest))

    def go_to(self, wall_ns: int) -> None:
        """Hold the frame at a moment, or the oldest that is kept."""
        number = self.history.number_at(wall_ns)
        self._look_at(Cursor(number if number >= 0 else None))

    def play(self, now_ns: int) -> str:
        """Play from the moment that is shown on, or stop there; return what to say.

        Args:
            now_ns: monotonic time.
        """
        if self.player is not None:
            self._look_at(self.cursor)
            return ""
        if self.recorded is not None and self.cursor.live:
            self._look_at(self.cursor.held(self.history.oldest, self.history.newest))
            return ""
        if self.is_live:
            return "this is now: go back with [ or b, then play it"
        at_end = self.number >= self.history.newest
        if at_end and self._goes_on:
            self.live()
            return ""
        if at_end:
            self._look_at(Cursor(self.history.oldest))
        moment_ns = self.history.wall_ns(self.number)
        self._look_at(Cursor(self.number))
        self.player = Player(self.speed, moment_ns, now_ns)
        return ""

    def change_speed(self, steps: int, now_ns: int) -> str:
        """Play faster (positive) or slower; return what to say."""
        self.speed = next_speed(self.speed, steps)
        if self.player is not None:
            self.player = self.player.at_speed(self.speed, now_ns)
        return f"replay at {self.speed:g} times the speed"

    def advance(self, now_ns: int) -> bool:
        """Show what playing has come to; return whether that is another frame than before."""
        if self.player is None:
            return False
        before = self.number
        frame = self._frame(before)
        interval = frame.interval_seconds if frame is not None else 1.0
        self.player, number = self.player.number(self.history, before, interval, now_ns)
        if number >= self.history.newest:
            self._look_at(Cursor(None if self._goes_on else number))
            return True
        if number != before:
            self.cursor = Cursor(number)
        return number != before

    def _look_at(self, cursor: Cursor) -> None:
        """Move the cursor, and play no more; the log goes with it, from wherever it was read."""
        self.player = None
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
        at = text.clock(wall_ns)
        oldest_ns = history.wall_ns(history.oldest) if history.newest >= 0 else wall_ns
        if wall_ns >= oldest_ns:
            return f"every view shows {at}; L: {'live again' if not self.recorded else 'the end'}"
        return f"{at} is older than the other views reach: they show {text.clock(oldest_ns)}"

    def next_trouble(self, least: int, step: int) -> str:
        """Go to the next moment (the one before, with -1) that is as bad as `least`; say which.

        While the screen is live there is nothing later, so it is the newest one.
        """
        scene = self.scene(0, 0)
        shown_ns = scene.request.at_ns or scene.frame.wall_ns
        step = -1 if scene.live else step
        at_ns = scene.newest.wall_ns + 1 if scene.live else shown_ns
        try:
            found = moments.beyond(self._moments(least, at_ns, step), least, at_ns, step)
        except IsinglassError as reason:
            return str(reason)
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

    def _moments(self, least: int, at_ns: int, step: int) -> list[Moment]:
        """Return the moments at which something went wrong, those next to a moment among them."""
        if self.recorded is None:
            alarms = self.told.sheet.alarms if self.told.sheet is not None else ()
            told = moments.of_log(self.hub.log.entries)
            return [*told, *moments.of_alarms(alarms), *self.hub.raised]
        bad = (each for each in self.recorded.warnings(at_ns, step) if each.severity >= least)
        return [*moments.of_log(islice(bad, 1)), *moments.of_alarms(self.recorded.alarms)]

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
