"""All that a view may look at for one paint: two frames, the past, the settings, the size.

A view is a function from a scene to a page, and nothing else: the same scene gives the same page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from typing import NamedTuple

from isinglass_console.model import heat
from isinglass_console.model.alarms import OWN, AlarmSheet, sheet_at
from isinglass_console.model.comparison import Beside
from isinglass_console.model.frame import Frame, Freshness, NodeFrame, node_freshness
from isinglass_console.model.heat_windows import HeatWindows
from isinglass_console.model.hub import LAGS
from isinglass_console.model.layout import Column
from isinglass_console.model.log import Log, LogEntry
from isinglass_console.model.log_page import LogRequest
from isinglass_console.model.members import companions
from isinglass_console.model.rates import Pair
from isinglass_console.model.table import Row, arrange
from isinglass_console.model.timeline import Timeline, Trends, with_gaps
from isinglass_console.model.told import Told
from isinglass_console.screens.settings import Settings
from isinglass_console.widgets.line import Block, noted_rule
from isinglass_console.widgets.table import paint_table


class Scene(NamedTuple):
    """One paint's worth of facts.

    `earlier` is the frame before, or the baseline; `beside` is what is compared with, if anything.
    `silent_seconds` is how long no reading came, when that is longer than it should be. `log` is
    what the rings said up to the frame, `whole_log` all of it; `told` is what a monitor said last,
    `request` the part of its log that is wanted.
    `mode` says how something is replayed, `recording` what is recorded now; both may be empty.
    """

    frame: Frame
    earlier: Frame | None
    beside: Beside | None
    newest: Frame
    live: bool
    history: Timeline
    heats: HeatWindows
    series: Trends
    log: list[LogEntry]
    whole_log: Log
    told: Told
    request: LogRequest
    settings: Settings
    width: int
    height: int
    silent_seconds: float = 0.0
    mode: str = ""
    recording: str = ""

    @property
    def node(self) -> NodeFrame | None:
        """The selected node, or the first."""
        chosen = self.frame.node(self.settings.node)
        return chosen or (self.frame.nodes[0] if self.frame.nodes else None)

    @property
    def sheet(self) -> AlarmSheet | None:
        """The alarms of a monitor at the moment shown; None without one."""
        sheet = self.every_alarm
        return None if sheet is None or sheet.monitor == OWN else sheet

    @property
    def every_alarm(self) -> AlarmSheet | None:
        """The alarms at the moment shown, of a monitor or of the console's own thresholds."""
        sheet = self.told.sheet
        return sheet if sheet is None or self.live else sheet_at(sheet, self.frame.wall_ns)

    @property
    def counting(self) -> bool:
        """Whether counters are shown since a baseline, not a second."""
        return self.settings.baseline is not None

    def pair(self, node: NodeFrame) -> Pair | None:
        """Return the node's two snapshots; None when it never had one."""
        if node.snapshot is None:
            return None
        earlier = self.earlier.node(node.name) if self.earlier is not None else None
        return Pair.of(earlier.snapshot if earlier is not None else None, node.snapshot)

    def pairs(self, node: NodeFrame) -> dict[str, Pair]:
        """Return the two snapshots of every node of a node's cluster that is read here, by name."""
        found = ((each.name, self.pair(each)) for each in companions(self.frame, node))
        return {name: pair for name, pair in found if pair is not None}

    def freshness(self, node: NodeFrame) -> Freshness:
        """Return how old the node's figures are."""
        return node_freshness(node, self.frame.interval_seconds)

    def figure(self, node: NodeFrame, name: str) -> float:
        """Return a figure by which nodes are compared: NaN once it is too old to be one of now.

        How far a node is behind the others measure, so this is not as old as the node.
        """
        too_old = name not in LAGS and self.freshness(node).blank
        return nan if too_old else node.figure(name)

    def trend(self, node: NodeFrame, figure: str, length: int) -> list[float]:
        """Return the last values of a figure, up to the frame shown; gaps are NaN."""
        frame = self.frame
        values = self.series.tail((node.name, figure), length, frame.number)
        return with_gaps(values, self.history, frame.number, frame.interval_seconds)

    def heat(self, node: NodeFrame) -> heat.Window:
        """Return the probe samples of the ten seconds before the frame shown."""
        return self.heats.of(self.history, node.name, self.frame.number)

    def resized(self, width: int, height: int) -> Scene:
        """Return the scene for a part of the screen."""
        return self._replace(width=width, height=height)


@dataclass(slots=True)
class Page:
    """What a view gives: the lines, and the table that the keys act on.

    `hidden`: how many lines of the part below the table have no room, and can be scrolled to;
    `window`: how many have.
    """

    block: Block
    table: str = ""
    rows: list[Row] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    hidden: int = 0
    window: int = 0


def append_scrolled(scene: Scene, page: Page, part: Block) -> None:
    """Append to a page what stands below its table, as far as it was scrolled when it is too long.

    Args:
        part: begins with a rule, which stays, and says how many lines are above and below.
    """
    room = max(0, scene.height - len(page.block.lines))
    page.hidden = max(0, len(part.lines) - room)
    if page.hidden:
        above = min(scene.settings.scrolled.get(page.table, 0), page.hidden)
        page.window = max(0, room - 1)
        note = f"{above} lines above, {page.hidden - above} below: PgUp, PgDn"
        page.block.lines.append(noted_rule(scene.width, note))
        part = part.without(1 + above).sized(page.window)
    page.block.extend(part)


def table_block(
    scene: Scene,
    name: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    height: int,
    *,
    width: int | None = None,
    filtered: bool = True,
    active: bool = True,
) -> tuple[Block, list[Row]]:
    """Return a table painted with the operator's order, filter and tags, and its rows in order."""
    settings = scene.settings
    state = settings.table(name)
    shown = settings.filter if filtered else type(settings.filter)()
    ordered = arrange(rows, state, shown)
    block = paint_table(
        name,
        columns,
        ordered,
        state,
        scene.width if width is None else width,
        height,
        tags=settings.tags,
        active=active,
    )
    return block, ordered
