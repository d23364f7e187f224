"""What conditions see: the figures that rules name, of every node, with their recent growth; pure.

Only figures that some rule names are kept, so a second costs what the rules cost and not what the
nodes report. Figures of a node that is not heard are old: they are there for the eye, but a
condition on them is unknown. What the monitor derives itself (node.*, scoreboard.*) is always
known.

A node's timestamps are of its own wall clock. How far that is from the monitor's is estimated as in
a one-way filter: the newest time that it reports is never later than its clock, so the greatest
difference seen within ten minutes is the best estimate, and "seconds ago" does not depend on how
well the two clocks agree. Only a time that has just changed tells anything of the clock now; one
that is earlier than before tells that the clock was set back, and all that was estimated is void.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from isinglass.clock import NANOSECONDS_PER_SECOND
from isinglass_monitor.alarms.grammar import Condition, Reference
from isinglass_monitor.figure_names import DERIVED, split
from isinglass_monitor.moment import Moment
from isinglass_monitor.scoreboard import Scoreboard
from isinglass_monitor.views import MONITOR_PREFIX, Figure

CLOCK_REFERENCES = (
    Reference("timer", "last_run"),
    Reference("peer", "last_heard"),
    Reference("store", "last_commit"),
)
CLOCK_WINDOW_SECONDS = 600.0
CLOCK_STEP_SECONDS = 10.0
KEYS_KNOWN = 100_000
RATE_SLACK_SECONDS = 1.5  # one sample older than the window, so that it is spanned whole


class Growth:
    """How a counter grew lately; a counter that falls has started again from zero."""

    __slots__ = ("_points", "_seconds", "_total", "_value")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds + RATE_SLACK_SECONDS
        self._points: deque[tuple[float, float]] = deque()  # (when, grown in total)
        self._total, self._value = 0.0, 0.0

    def add(self, now_seconds: float, value: float) -> None:
        """Take in the value of this second."""
        if self._points:
            self._total += value - self._value if value >= self._value else value
        self._value = value
        self._points.append((now_seconds, self._total))
        while now_seconds - self._points[0][0] > self._seconds:
            self._points.popleft()

    @property
    def has_grown(self) -> bool:
        """Tell whether it grew at all in that time."""
        return bool(self._points) and self._points[0][1] != self._total

    def rate(self, seconds: float) -> float | None:
        """Return the growth a second; None until half of the time was watched."""
        if not self._points:
            return None
        last, total = self._points[-1]
        earliest = last - seconds - RATE_SLACK_SECONDS
        at, before = self._points[0]  # all of them, unless a shorter time is asked for
        if at < earliest:
            at, before = next(point for point in self._points if point[0] >= earliest)
        return (total - before) / (last - at) if last - at >= seconds / 2 and last > at else None


class Wanted(dict[str, tuple[Reference, str, float] | None]):
    """Of a figure's key: reference, instance, and over how long its rate is asked, if it is at all.

    None for what no rule names. Each key is looked up once, then known: nodes report the same keys
    every second.
    """

    def __init__(self, rates: Mapping[Reference, float]) -> None:
        super().__init__()
        self._rates = rates

    def __missing__(self, key: str) -> tuple[Reference, str, float] | None:
        name = split(key)
        reference = Reference(name.panel, name.field)
        seconds = self._rates.get(reference)
        place = None if seconds is None else (reference, name.instance, seconds)
        if len(self) < KEYS_KNOWN:
            self[key] = place
        return place


class NodeFigures:
    """The figures of one node that rules name, and what they were lately.

    A node reports the same keys every second, so where each of them belongs is looked up only when
    they are others than before.
    """

    def __init__(self, node: str) -> None:
        self.node = node
        self.live = False
        self.table: dict[Reference, dict[str, Figure]] = {}
        self.valid: dict[Reference, dict[str, Figure]] = {}  # of these, what is not old
        self.wall_ns = 0
        self._keys: frozenset[str] = frozenset()
        self._places: dict[Reference, list[tuple[str, str]]] = {}  # of each: instances and keys
        self._growing: list[tuple[Growth, str]] = []  # with the key of its figure
        self._counters: dict[Reference, list[Growth]] = {}
        self._growths: dict[tuple[Reference, str], Growth] = {}
        self._offsets: deque[tuple[float, int]] = deque()  # (when, its clock less ours at least)
        self._times: dict[tuple[Reference, str], float] = {}  # of its clock, as it reported last

    def take(
        self,
        now: Moment,
        figures: Mapping[str, Figure],
        live: bool,
        wanted: Wanted,
    ) -> None:
        """Take in one second.

        Args:
            live: the figures are of this second.
        """
        if figures.keys() != self._keys:
            self._look_up(figures, wanted)
        self.live = live
        self.table = {
            reference: {instance: figures[key] for instance, key in places}
            for reference, places in self._places.items()
        }
        if live:
            self.valid = self.table
            for growth, key in self._growing:
                if isinstance(value := figures[key], int | float):
                    growth.add(now.seconds, value)
            self._note_clock(now)
        else:
            self.valid = {r: values for r, values in self.table.items() if r.panel in DERIVED}
        self.wall_ns = now.wall_ns + max((offset for _, offset in self._offsets), default=0)

    def _look_up(self, figures: Mapping[str, Figure], wanted: Wanted) -> None:
        self._keys, self._places, self._growing = frozenset(figures), {}, []
        self._counters = {}
        for key in figures:
            place = wanted[key]
            if place is None:
                continue
            reference, instance, seconds = place
            self._places.setdefault(reference, []).append((instance, key))
            if seconds:
                known = self._growths.get((reference, instance))
                growth = self._growths[reference, instance] = known or Growth(seconds)
                self._growing.append((growth, key))
                self._counters.setdefault(reference, []).append(growth)

    def _note_clock(self, now: Moment) -> None:
        times = {
            (reference, instance): float(value)
            for reference in CLOCK_REFERENCES
            for instance, value in self.table.get(reference, {}).items()
            if isinstance(value, int | float) and value > 0
        }
        before, self._times = self._times, times
        told = [value for place, value in times.items() if value != before.get(place)]
        set_back = [value for place, value in times.items() if value < before.get(place, value)]
        if set_back:
            self._offsets.clear()
            told = set_back  # another one may have been told before the clock was set
        if not told:
            return
        offset = round(max(told)) - now.wall_ns
        if self._offsets and now.seconds - self._offsets[-1][0] < CLOCK_STEP_SECONDS:
            at, known = self._offsets.pop()
            self._offsets.append((at, max(known, offset)))
        else:
            self._offsets.append((now.seconds, offset))
        while now.seconds - self._offsets[0][0] > CLOCK_WINDOW_SECONDS:
            self._offsets.popleft()

    def instances(self, references: Iterable[Reference]) -> list[str]:
        """Return the instances for which these figures are reported; "" for none."""
        found = {name for reference in references for name in self.table.get(reference, ())}
        return sorted(found - {""}) or sorted(found)

    def has_grown(self, reference: Reference) -> bool:
        """Tell whether a counter grew lately, of any instance."""
        return any(growth.has_grown for growth in self._counters.get(reference, ()))

    def rate(self, reference: Reference, instance: str, seconds: float) -> float | None:
        """Return how much a figure grew a second, lately."""
        growth = self._growths.get((reference, instance)) or self._growths.get((reference, ""))
        return growth.rate(seconds) if growth is not None else None


class InstanceSight:
    """One instance of one node, as a condition sees it."""

    __slots__ = ("_figures", "_instance")

    def __init__(self, figures: NodeFigures, instance: str) -> None:
        self._figures, self._instance = figures, instance

    def figure(self, reference: Reference) -> Figure | None:
        """Return the figure, or None when it is not there or old."""
        values = self._figures.valid.get(reference)
        if values is None:
            return None
        found = values.get(self._instance)
        return values.get("") if found is None else found

    def rate(self, reference: Reference, seconds: float) -> float | None:
        """Return the growth a second, or None when it is not known."""
        if self.figure(reference) is None:
            return None
        return self._figures.rate(reference, self._instance, seconds)

    def age(self, reference: Reference) -> float | None:
        """Return how many seconds ago a reported time was, or None when it was never."""
        at = self.figure(reference)
        if not isinstance(at, int | float) or at <= 0:
            return None
        return max(self._figures.wall_ns - at, 0) / NANOSECONDS_PER_SECOND

    def named(self, condition: Condition) -> dict[str, Figure]:
        """Return the figures that the condition names, by their names, as they are now."""
        found = {f"{r.panel}.{r.field}": self.figure(r) for r in sorted(condition.references)}
        return {name: value for name, value in found.items() if value is not None}


class Sights:
    """The figures of all nodes, for a set of conditions."""

    def __init__(self, monitor: str, conditions: Iterable[Condition]) -> None:
        self._monitor = MONITOR_PREFIX + monitor
        rates = dict.fromkeys(CLOCK_REFERENCES, 0.0)
        for condition in conditions:
            for reference in condition.references:
                seconds = condition.rates.get(reference, 0.0)
                rates[reference] = max(rates.get(reference, 0.0), seconds)
        self._wanted = Wanted(rates)
        self.nodes: dict[str, NodeFigures] = {}

    def take(self, now: Moment, board: Scoreboard) -> None:
        """Take in one second of the board; nodes that are off the board are let go."""
        for node in self.nodes.keys() - board.rows.keys() - {self._monitor}:
            del self.nodes[node]
        for node, row in board.rows.items():
            # What a node that has left said last is over, and not only old.
            figures = {**({} if row.ended else row.figures), **row.derived()}
            if node == self._monitor:
                figures.update(board.derived())
            self._of(node).take(now, figures, row.live, self._wanted)
        if self._monitor not in board.rows:
            self._of(self._monitor).take(now, board.derived(), True, self._wanted)

    def _of(self, node: str) -> NodeFigures:
        return self.nodes.setdefault(node, NodeFigures(node))
