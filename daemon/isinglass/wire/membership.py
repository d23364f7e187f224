"""Membership: which nodes there are, which of them are heard, and what each last said of itself.

A member is known from its first heartbeat until an operator forgets it, away or not: what deletes
may be forgotten, and how many nodes a majority is, depend on all of them. Three signals are kept
apart, since they fail apart: *heard* (heartbeats come), *receiving* (it gets on with what was sent)
and *applying* (it gets on with what it received).

A store belongs to the cluster from the life in which it *joined*. An operator who forgets a node
names a life: a store that joined in that life or before is out for good, whatever life its node
lives, because the others no longer keep for it what deletes. Its node joins anew, with nothing.

    state      by                                   is a primary   counts for a majority
    up         a heartbeat                          when live      yes
    suspected  none for SUSPECT_SECONDS             no             yes
    down       none for DOWN_SECONDS                no             yes
    left       it said so                           no             yes

MACHINE is the whole table. Pure: the time is an argument.
"""

from __future__ import annotations

from isinglass.wire.machine import Machine
from isinglass.wire.reports import LEAVING, LIVE, NOT_TO_GO, Echo, Load, Progress, Report
from isinglass.wire.streams import StreamId

UP, SUSPECTED, DOWN, LEFT = "up", "suspected", "down", "left"
SUSPECT_SECONDS = 0.6
DOWN_SECONDS = 2.0
OFFSET_SAMPLES = 16
STUCK_SECONDS = 2.0
_NANOSECONDS = 1_000_000_000

STATES = (UP, SUSPECTED, DOWN, LEFT)
HEARD, GOODBYE = "a heartbeat", "its last heartbeat, it left"
QUIET, SILENT = f"no heartbeat for {SUSPECT_SECONDS:g} s", f"none for {DOWN_SECONDS:g} s"
DEAF = "this node stood still itself"
MACHINE: Machine[str] = Machine(
    (DOWN,),
    {
        **{(state, HEARD): UP for state in STATES},
        **{(state, GOODBYE): LEFT for state in STATES},
        (UP, QUIET): SUSPECTED,
        (UP, DEAF): SUSPECTED,
        (UP, SILENT): DOWN,
        (SUSPECTED, SILENT): DOWN,
    },
)


class Signal:
    """Whether something that is behind gets on."""

    __slots__ = ("_at_ns", "_reached", "ok")

    def __init__(self) -> None:
        self._reached, self._at_ns, self.ok = 0, 0, True

    def look(self, reached: int, goal: int, now_ns: int) -> None:
        """Note how far it is now."""
        if reached >= goal or reached != self._reached or not self._at_ns:
            self._reached, self._at_ns, self.ok = reached, now_ns, True
        elif now_ns - self._at_ns > STUCK_SECONDS * _NANOSECONDS:
            self.ok = False


class Member:
    """Another node as this one knows it."""

    def __init__(self, name: str, origin: int, incarnation: int, joined: int = 0) -> None:
        self.name, self.origin, self.incarnation = name, origin, incarnation
        self.joined = joined
        self.state = DOWN
        self.report: Report | None = None
        self.heard_ns = 0
        self.sent_ns = 0  # its clock, of its newest heartbeat
        self.restarts = 0
        self.vector: dict[StreamId, Progress] = {}
        self.let_go: dict[int, int] = {}
        self._lives: dict[int, int] = {}  # of each origin, the newest that it reports a stream of
        self.receiving, self.applying = Signal(), Signal()
        self.round_trip_ns = 0
        self.clock_offset_seconds = 0.0
        self._offsets: list[tuple[int, float]] = []
        self._leads: list[int] = []  # its clock less the own one, or less than that
        self._bounds: list[int] = []  # the same, or more than that

    @property
    def heard(self) -> bool:
        """Whether its heartbeats come."""
        return self.state == UP

    @property
    def primary(self) -> bool:
        """Whether records may have it as their primary."""
        return self.state == UP and self.report is not None and self.report.phase == LIVE

    @property
    def load(self) -> Load:
        """What it last said of its backlog."""
        return self.report.load if self.report else Load()

    def progress(self, stream: StreamId) -> Progress:
        """Return how far it said it is with a stream."""
        return self.vector.get(stream, _NOTHING)

    def keeps(self, stream: StreamId, number: int) -> bool:
        """Tell whether it keeps a closed stream through a number, and can get no more of it.

        It can get more from the stream's origin until it knows that the stream is closed.
        """
        origin, incarnation = stream
        if self.let_go.get(origin, 0) >= incarnation:
            return True
        if self.report is None:
            return False
        later = max(self._lives.get(origin, 0), self.incarnation * (origin == self.origin))
        closed = later > incarnation or self.report.forgotten.get(origin, 0) >= incarnation
        return closed and number <= self.progress(stream).kept < NOT_TO_GO

    def hear(self, report: Report, incarnation: int, sent_ns: int, now_ns: int) -> None:
        """Take over what a heartbeat says."""
        if incarnation != self.incarnation:
            self.restarts += 1
            self.incarnation = incarnation
            self.vector, self.let_go = {}, {}  # what it had only in memory is gone
            self._offsets, self._leads, self._bounds = [], [], []
        self._leads = [*self._leads[1 - OFFSET_SAMPLES :], sent_ns - now_ns]
        self.vector.update(report.vector)
        self.let_go.update(report.let_go)
        for origin, life in report.vector:
            self._lives[origin] = max(life, self._lives.get(origin, 0))
        self.joined = report.joined
        self.report, self.heard_ns, self.sent_ns = report, now_ns, sent_ns
        self.step(GOODBYE if report.phase == LEAVING else HEARD)

    def step(self, event: str) -> None:
        """Follow an event of MACHINE."""
        self.state = MACHINE.after(self.state, event)

    def clock_ns(self, now_ns: int) -> int:
        """Return its monotonic clock, or a little more: by what a round trip takes at best.

        A heartbeat that brings an echo was on its way for no longer than both took. Before the
        first echo, or after this host slept, it is a little less: by what a heartbeat takes.
        """
        least = max(self._leads, default=0)
        return now_ns + max(min(self._bounds, default=least), least)

    def measure(self, echo: Echo, own_wall_ms: int, now_ns: int) -> None:
        """Estimate round trip and clock offset from an own heartbeat that came back.

        Of the last samples the one with the shortest round trip counts (RFC 5905, section 10).
        """
        round_trip = now_ns - echo.sent_ns - echo.held_ns
        if round_trip < 0 or self.report is None:
            return
        bound = self.sent_ns - now_ns + round_trip
        self._bounds = [*self._bounds[1 - OFFSET_SAMPLES :], bound]
        offset = (self.report.wall_ms + round_trip / 2e6 - own_wall_ms) / 1000
        self._offsets = [*self._offsets[1 - OFFSET_SAMPLES :], (round_trip, offset)]
        self.round_trip_ns, self.clock_offset_seconds = min(self._offsets)

    def look(self, stream: StreamId, sequence: int, now_ns: int) -> None:
        """Bring state and signals up to the present."""
        age = (now_ns - self.heard_ns) / _NANOSECONDS
        if age > SUSPECT_SECONDS:
            self.step(SILENT if age > DOWN_SECONDS else QUIET)
        progress = self.progress(stream)
        self.receiving.look(progress.received, sequence, now_ns)
        self.applying.look(progress.applied, progress.received, now_ns)


_NOTHING = Progress(0, 0, 0, 0, 0)


class Membership:
    """All other nodes that this one knows."""

    def __init__(self) -> None:
        self.members: dict[int, Member] = {}
        self.forgotten: dict[int, int] = {}  # origin: the last life that is out

    def know(self, name: str, origin: int, incarnation: int, joined: int) -> Member:
        """Return a member, known from now on."""
        member = self.members.get(origin)
        if member is None:
            member = self.members[origin] = Member(name, origin, incarnation, joined)
        return member

    def up(self) -> list[Member]:
        """Return the members whose heartbeats come."""
        return [member for member in self.members.values() if member.state == UP]

    def forget(self, origin: int, life: int) -> int:
        """Take out what joined in a life of a node or before; return the last life that is out."""
        member = self.members.get(origin)
        if member is not None and member.joined <= life:
            del self.members[origin]
            life = max(life, member.incarnation)
        self.forgotten[origin] = life = max(life, self.forgotten.get(origin, 0))
        return life

    def is_forgotten(self, origin: int, incarnation: int) -> bool:
        """Tell whether this life of a node is out."""
        return incarnation <= self.forgotten.get(origin, 0)
