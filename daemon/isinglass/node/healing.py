"""Healing: how a node that is new, was away for too long, or was deaf becomes a full member again.

    joining ──copied──▶ healing ──has what the others had──▶ live
                           ▲                                  │
                           └── a gap that no journal reaches, ┘
                               a stop, a member that came back with more

A *copy* closes what journals cannot. The node asks one member for its applied vector and the
digests of its 4,096 buckets, compares them with its own, and fetches the buckets that differ, a
piece at a time: it never asks for more than it has room for, and the other one reads at a pace that
leaves its clients alone (`store_work`). To find the records of any buckets it reads its whole
store, so all are fetched in one go, and all from one life of the other one: a later one may have
lost, with the power, what the vector counts. Live updates go on arriving and are applied beside,
since applying is a join: nothing is kept back, and no writer waits. When everything fetched stands
in line, the node has what the vector said; what came later it has already, or asks for as usual. A
join is the same copy into an empty store; there is nothing to compare, so all buckets are fetched
at once. That saves the other one the digests, and tells this one the tables before live updates
come in numbers that no journal keeps.

While it is not live a node is nobody's primary and holds no writer up. MACHINE is the whole table
of its phases. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isinglass.errors import TableMissing
from isinglass.node.outside import Outside, Shelf
from isinglass.node.primary import DEAF_NS
from isinglass.node.repairs import Repairs
from isinglass.node.vectors import Vectors
from isinglass.store.buckets import COUNT
from isinglass.store.records import version_stamp
from isinglass.wire.journal import Journal
from isinglass.wire.machine import Machine
from isinglass.wire.membership import Member, Membership
from isinglass.wire.reports import HEALING, JOINING, LEAVING, LIVE

DIGESTS, BUCKETS = 3, 4  # operations of `peer_calls`
ANY_LIFE = 0
OFFERED_TOGETHER = 200  # copied records at one tick, which others wait for: a millisecond
IN_LINE = 20_000  # beyond so many updates in line copied records wait: the room is for live ones
SILENT_NS = 10_000_000_000  # a copy is given up when its source was not heard for so long
ALONE_SECONDS = 1.0
RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 5.0
ROOM_NS = 5_000_000
_NANOSECONDS = 1_000_000_000

COPIED, ALONE = "a copy stands in line", f"nobody is live for {ALONE_SECONDS:g} s, it is the first"
CAUGHT_UP = "it has what the others had"
STOOD_STILL = f"its process stood still for {DEAF_NS / _NANOSECONDS:g} s, and heard nobody"
CAME_BACK = "a member came back with more than it has"
GAP = "a gap that no journal reaches, or a member with another past"
LEAVES = "its daemon ends on purpose"
MACHINE: Machine[int] = Machine(
    (JOINING, HEALING),
    {
        (JOINING, COPIED): HEALING,
        (JOINING, ALONE): LIVE,
        (HEALING, CAUGHT_UP): LIVE,
        **{(LIVE, behind): HEALING for behind in (STOOD_STILL, CAME_BACK, GAP)},
        **{(phase, LEAVES): LEAVING for phase in (JOINING, HEALING, LIVE)},
    },
)


class _Copy:
    """One copy that is under way."""

    __slots__ = (
        "brought", "buckets", "cursor", "expected", "items", "let_go", "source", "vector",
        "waiting", "whole",
    )  # fmt: skip

    def __init__(self, source: Member, *, whole: bool) -> None:
        self.source, self.whole, self.waiting = source, whole, True
        self.vector: list[list[int]] = []
        self.let_go: dict[int, int] = {}
        self.buckets: list[int] = []
        self.cursor: list[Any] = []
        self.items: list[list[Any]] = []  # fetched, not yet in line
        self.brought, self.expected = 0, 0.0  # records that came, and about as many will have come

    @property
    def life(self) -> int:
        """The life of the source that the vector is of."""
        lives = (row[1] for row in self.vector if row[0] == self.source.origin)
        return max(lives, default=ANY_LIFE)


class Healing:
    """The phase of this node, and its copies.

    Args:
        fresh: the store was never part of the cluster.
        on_copying: told when a copy begins, and through which stamp everything is everywhere.
        on_copied: told when it has ended.
    """

    def __init__(
        self,
        vectors: Vectors,
        journal: Journal,
        members: Membership,
        repairs: Repairs,
        shelf: Shelf,
        outside: Outside,
        panel: Any,
        horizon: Callable[[], int],
        *,
        fresh: bool,
        now_ns: int,
        on_copying: Callable[[int], None],
        on_copied: Callable[[], None],
    ) -> None:
        self._vectors, self._journal, self._members = vectors, journal, members
        self._repairs, self._shelf, self._outside, self._panel = repairs, shelf, outside, panel
        self._horizon, self._on_copying, self._on_copied = horizon, on_copying, on_copied
        self.phase = JOINING if fresh else HEALING
        self.why = ""  # the event by which it was live no more
        self._since_ns = now_ns
        self._goal: dict[tuple[int, int], int] | None = None
        self._copy: _Copy | None = None
        self._number = 0
        self._next_ns, self._pause = now_ns, RETRY_SECONDS
        repairs.paused = fresh

    @property
    def copying(self) -> bool:
        """Whether a copy is under way."""
        return self._copy is not None

    @property
    def waiting(self) -> int:
        """How many copied records wait for room in line."""
        return len(self._copy.items) if self._copy is not None else 0

    # ------------------------------------------------------------------ phases
    def _step(self, event: str) -> None:
        self.phase = MACHINE.after(self.phase, event)

    def leave(self) -> None:
        """Say that this node ends on purpose."""
        self._step(LEAVES)

    def was_deaf(self, now_ns: int) -> None:
        """This process stood still: what it knows of the others is old."""
        self._catch_up(STOOD_STILL, now_ns)

    def hear_of_more(self, now_ns: int) -> None:
        """A member came back that has more than this node."""
        self._catch_up(CAME_BACK, now_ns)

    def _catch_up(self, event: str, now_ns: int) -> None:
        """Stop being live until this node has what the others have now."""
        if self.phase == LIVE:
            self.why = event
        self._step(event)
        self._goal, self._since_ns = None, now_ns

    def tick(self, now_ns: int) -> int:
        """Go on; return when to come again, monotonic nanoseconds."""
        if self._copy is not None:
            if now_ns - self._copy.source.heard_ns > SILENT_NS:
                self._failed(self._copy)
            elif self._copy.items:
                self._put_in_line(self._copy)
            return now_ns + ROOM_NS
        if self.phase == JOINING:
            self._join(now_ns)
        elif sources := self._able() or self._strange():
            if self.phase == LIVE:
                self._catch_up(GAP, now_ns)
            self._start(sources, now_ns)
        elif self.phase == HEALING and self._caught_up(now_ns):
            self._step(CAUGHT_UP)
        return now_ns + (ROOM_NS * 10 if self.phase != LIVE else _NANOSECONDS)

    def _join(self, now_ns: int) -> None:
        up = self._members.up()
        if sources := [member for member in up if member.primary]:
            self._start(sources, now_ns)
        elif now_ns - self._since_ns > ALONE_SECONDS * _NANOSECONDS:
            own = self._vectors.own[0]
            if all(m.report and m.report.phase == JOINING and m.origin > own for m in up):
                self._joined()
                self._step(ALONE)

    def _joined(self) -> None:
        self._repairs.paused = False
        self._repairs.out_of_reach.clear()

    def _caught_up(self, now_ns: int) -> bool:
        """Tell whether everything is here that the others had a moment ago.

        What only a joining node has is not waited for: it may itself wait for this one.
        """
        up = [m for m in self._members.up() if m.report and m.report.phase != JOINING]
        inboxes = self._vectors.inboxes
        waited = now_ns - self._since_ns
        if not up:
            return waited > ALONE_SECONDS * _NANOSECONDS
        if self._goal is None:
            if waited > ALONE_SECONDS * _NANOSECONDS / 4:
                self._goal = {stream: inbox.known_last for stream, inbox in inboxes.items()}
            return False
        for stream, goal in self._goal.items():
            inbox = inboxes.get(stream)
            if inbox is None or inbox.received >= goal:
                continue
            if any(m.progress(stream).received > inbox.received for m in up):
                return False
        return True

    # ------------------------------------------------------------------ copies
    def _able(self) -> list[Member]:
        """Return the members that have what is out of reach."""
        inboxes = self._vectors.inboxes
        streams = [stream for stream in self._repairs.out_of_reach if stream in inboxes]
        return [
            member
            for member in self._members.up()
            if member.report is not None
            and member.report.phase != JOINING
            and any(
                member.progress(s).applied > inboxes[s].received
                or member.let_go.get(s[0], 0) >= s[1]
                for s in streams
            )
        ]

    def _strange(self) -> list[Member]:
        """Return the members whose past this node had no part in: it began alone, and so did they.

        No number tells of what they have let go; only comparing finds it.
        """
        vectors = self._vectors
        return [
            member
            for member in self._members.up()
            if member.primary and member.let_go and vectors.never_had(member.let_go)
        ]

    def _start(self, sources: list[Member], now_ns: int) -> None:
        if not sources or now_ns < self._next_ns:
            return
        self._number += 1
        source = sources[self._number % len(sources)]
        whole = not any(True for _ in self._shelf.tables())  # nothing here to compare
        copy = self._copy = _Copy(source, whole=whole)
        self._panel.heal_source, self._panel.heal_progress = source.name, 0.0
        horizon = self._horizon()
        self._next_ns = now_ns + int(self._pause * _NANOSECONDS)
        self._pause = min(self._pause * 2, LONGEST_RETRY_SECONDS)
        self._outside.call(
            source.origin, [DIGESTS, horizon, not whole], lambda answer: self._compare(copy, answer)
        )

    def _failed(self, copy: _Copy) -> None:
        if copy is self._copy:
            self._on_copied()
            self._copy = None
            self._repairs.covered.clear()
            self._repairs.paused = self.phase == JOINING

    def _compare(self, copy: _Copy, answer: list[Any] | None) -> None:
        if copy is not self._copy:
            return
        if answer is None or len(answer) != 6:
            self._failed(copy)
            return
        copy.vector, horizon, theirs, tables, let_go, copy.expected = answer
        self._on_copying(horizon)
        copy.let_go = dict(let_go)
        copy.vector += self._let_go_by(copy.let_go)
        for table, key, record in tables:
            copy.items.append([table, key, record])
        self._repairs.covered = {(row[0], row[1]): row[2] for row in copy.vector}
        for origin, incarnation, applied in copy.vector:
            inbox = self._vectors.inbox((origin, incarnation))
            if inbox is not None:
                inbox.known_last = max(inbox.known_last, applied)
        self._repairs.paused = False
        if copy.whole:
            self._differ(copy, list(range(COUNT)))
        else:
            self._outside.digests(horizon, lambda own: self._compared(copy, theirs, own))

    def _let_go_by(self, let_go: dict[int, int]) -> list[list[int]]:
        """Return how far the source has the streams that it has let go: all there is of them.

        But for what came here above a gap and nowhere else: nobody waited for that.
        """
        ended = {
            stream: inbox
            for stream, inbox in self._vectors.inboxes.items()
            if stream[1] <= let_go.get(stream[0], 0)
        }
        self._repairs.orphaned |= {stream for stream, inbox in ended.items() if inbox.has_orphans}
        return [[*stream, inbox.known_last] for stream, inbox in ended.items()]

    def _compared(self, copy: _Copy, theirs: list[int], own: list[int] | None) -> None:
        if copy is not self._copy:
            return
        if own is None or len(own) != len(theirs):
            self._failed(copy)
            return
        pairs = enumerate(zip(own, theirs, strict=True))
        self._differ(copy, [bucket for bucket, (mine, other) in pairs if mine != other])

    def _differ(self, copy: _Copy, buckets: list[int]) -> None:
        copy.buckets = buckets
        copy.expected = copy.expected * len(buckets) / COUNT
        self._panel.divergent = len(buckets)
        copy.waiting = False
        if not copy.items:
            self._fetch(copy)

    def _fetch(self, copy: _Copy) -> None:
        """Ask for the next piece, or end."""
        if not copy.buckets:
            self._finish(copy)
            return
        copy.waiting = True
        request = [BUCKETS, copy.buckets, copy.cursor, copy.life]
        self._outside.call(copy.source.origin, request, lambda answer: self._came(copy, answer))

    def _came(self, copy: _Copy, answer: list[Any] | None) -> None:
        if copy is not self._copy:
            return
        if answer is None or len(answer) != 2:
            self._failed(copy)
            return
        copy.waiting = False
        items, copy.cursor = answer
        copy.items += items
        copy.brought += len(items)
        if not copy.cursor:
            copy.buckets = []
        self._panel.heal_progress = min(copy.brought / max(copy.expected, 1.0), 1.0)
        if not copy.items:
            self._fetch(copy)

    def _put_in_line(self, copy: _Copy) -> None:
        """Offer what was fetched, as far as there is room; then ask for more."""
        if self._shelf.last_place - self._shelf.applied_through > IN_LINE:
            return
        offered = 0
        for table, key, record in copy.items[:OFFERED_TOGETHER]:
            try:
                self._outside.observe(version_stamp(record))
                place = self._shelf.offer(table, key, record)
            except TableMissing:
                place = 1  # created after the list of tables was read: it comes with its stream
            if not place:
                break
            offered += 1
        del copy.items[:offered]
        self._panel.copied += offered
        if not copy.items and not copy.waiting:
            self._fetch(copy)

    def _finish(self, copy: _Copy) -> None:
        for origin, incarnation, applied in copy.vector:
            stream = (origin, incarnation)
            inbox = self._vectors.inbox(stream)
            if inbox is not None and applied > inbox.received and stream != self._vectors.own:
                inbox.jump(applied, self._shelf.last_place)
                self._journal.raise_floor(stream, applied + 1)
        self._vectors.take_over(copy.let_go)
        self._on_copied()
        self._copy, self._pause = None, RETRY_SECONDS
        self._repairs.covered.clear()
        self._joined()
        self._step(COPIED)
        self._goal = None
        self._panel.heals += 1
        self._panel.last_heal = self._outside.wall_ms() * 1_000_000
        self._panel.heal_progress = 1.0
