"""The primary of a record: who stamps immediate writes, who answers immediate reads, and who waits.

A record's primary is the member its key hashes to (`wire/placement`). It stamps the write above
everything it has for that record, so all writes of a record are ordered by one clock; a read asks
the same node, so it sees them. When the primary does not answer in time the node goes on alone: the
write is accepted here, the read answered from here, and the receipt says so.

    write   here is the primary ─▶ stamped ──enough nodes hold it──▶ answered ("primary")
            another one is      ─▶ asked ──answer──▶ answered ("primary")
                                     └── silence, refusal, breaker open ──▶ stamped here ("local")
    read    asked ──answer──▶ ("primary")     silence ──▶ second replica's or own, newest ("local")

*Time limit* and *circuit breaker*: `wire/time_limits`. *Hedge*: only a read, and only one that is
marked local anyway, may take the answer of a second replica: it is no primary, but often newer than
the own copy.
*Deadline*: a write that was given up is stamped elsewhere, and its client goes on; were it stamped
by a primary that comes to it late, it would win over what the client wrote since. So a request says
until when it may be stamped, on the asker's monotonic clock, of which every heartbeat tells.

Pure: the time is an argument. A write that waits for others takes about 200 bytes; at most
WAITING_LIMIT wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from isinglass.errors import IsinglassError
from isinglass.node.outside import Answered, Outside, Shelf
from isinglass.node.vectors import Vectors
from isinglass.store.buckets import bucket_of
from isinglass.wire.membership import Membership
from isinglass.wire.placement import Placement
from isinglass.wire.primary_calls import (
    ACK_LIMIT_NS,
    ACK_MAJORITY,
    ACK_ONE,
    ACK_PRIMARY,
    DONE,
    FAILED,
    NOT_PRIMARY,
    READ,
    WRITE,
)
from isinglass.wire.streams import StreamId
from isinglass.wire.time_limits import LARGEST_LIMIT_NS, PATIENCE_NS, TimeLimits

WAITING_LIMIT = 10_000
DEAF_NS = 500_000_000  # less than others take to suspect a member


class Receipt(NamedTuple):
    """Who answered: `by` is the node's number, `primary` whether it is the record's primary.

    held: how many nodes are known to hold the write, this one included.
    error: why this node refused the write, after its primary was asked in vain; held is 0 then.
    """

    by: int
    primary: bool
    held: int = 1
    error: IsinglassError | None = None


class _Question:
    """A request to another node that is under way."""

    __slots__ = ("give_up", "limit_ns", "origin", "started_ns")

    def __init__(
        self, origin: int, started_ns: int, limit_ns: int, give_up: Callable[[], None]
    ) -> None:
        self.origin, self.started_ns, self.limit_ns = origin, started_ns, limit_ns
        self.give_up = give_up


class _UnheldWrite(NamedTuple):
    """A write that too few nodes hold yet; `number`: its place in the own stream."""

    number: int
    needed: int
    until_ns: int
    done: Callable[[int], None]


class Primary:
    """Immediate writes and reads of this node's clients, and those that others ask of it.

    Args:
        stamp: stamps and queues `(table, key, payload)` here; returns the record, its place in line
            and its number in the own stream. Raises what refuses the write.
        hurry: called when a client waits until others hold the newest own update.
        take_in: see `Receiving.answered`.
        clock: monotonic nanoseconds.
        patience_ns: the least that another primary may take.
    """

    def __init__(
        self,
        vectors: Vectors,
        members: Membership,
        shelf: Shelf,
        outside: Outside,
        panel: Any,
        stamp: Callable[[str, bytes, bytes | None], tuple[bytes, int, int]],
        hurry: Callable[[], None],
        take_in: Callable[[StreamId, int, str, bytes, bytes], bool],
        clock: Callable[[], int],
        patience_ns: int = PATIENCE_NS,
    ) -> None:
        self._hurry, self._take_in = hurry, take_in
        self._vectors, self._members, self._shelf = vectors, members, shelf
        self._outside, self._panel, self._stamp, self._clock = outside, panel, stamp, clock
        self._own = vectors.own[0]
        self.placement = Placement(())
        self.limits = TimeLimits(patience_ns)
        self._questions: dict[int, _Question] = {}
        self._waiting: list[_UnheldWrite] = []
        self._next = 0
        self._ticked_ns = clock()

    @property
    def waiting(self) -> int:
        """How many requests and writes wait for other nodes."""
        return len(self._questions) + len(self._waiting)

    def primary_of(self, table: str, key: bytes) -> int:
        """Return the origin of a record's primary; 0 when there is none.

        A process that stood still does not know whether the others still take it for one.
        """
        primary = self.placement.primary(bucket_of(table.encode(), key))
        if primary == self._own and self._clock() - self._ticked_ns > DEAF_NS:
            return 0
        return primary

    # ------------------------------------------------------------------ this node's clients
    def write(
        self,
        table: str,
        key: bytes,
        payload: bytes | None,
        ack: int,
        done: Callable[[int, Receipt], None],
    ) -> None:
        """Write one record at once; `done` gets its place in this node's line, and a receipt.

        The place is 0 where the primary has taken the write, and it does not stand in line here:
        there is no room, or this node has not heard of its table yet.

        Raises:
            IsinglassError: this node refuses it; `done` is not called then.
        """
        primary = self.primary_of(table, key)
        if primary in (0, self._own):
            self._write_here(table, key, payload, ack, done, primary=primary == self._own)
            return

        def fall_back() -> None:
            try:
                self.take_here(table, key, payload, ack, done)
            except IsinglassError as error:
                done(0, Receipt(self._own, False, 0, error))

        def answered(answer: list[Any]) -> None:
            record, held, *update = answer[1:]
            self._panel.forwarded += 1
            here = self._take_in((primary, update[0]), update[1], table, key, record)
            done(self._shelf.last_place if here else 0, Receipt(primary, True, held))

        deadline_ns = self._clock() + self.limits.limit_ns * 3 // 4
        request = [WRITE, table, key, payload, ack, self._own, deadline_ns]
        self._ask(primary, request, answered, fall_back)

    def take_here(
        self,
        table: str,
        key: bytes,
        payload: bytes | None,
        ack: int,
        done: Callable[[int, Receipt], None],
    ) -> None:
        """Write one record whose primary was asked in vain; as `write`."""
        self._write_here(table, key, payload, ack, done, primary=False)
        self._panel.accepted_locally += 1

    def _write_here(
        self,
        table: str,
        key: bytes,
        payload: bytes | None,
        ack: int,
        done: Callable[[int, Receipt], None],
        *,
        primary: bool,
    ) -> None:
        _, place, number = self._stamp(table, key, payload)
        self._panel.stamped += primary
        self.await_held(number, ack, lambda held: done(place, Receipt(self._own, primary, held)))

    def read(self, table: str, key: bytes, done: Callable[[bytes | None, Receipt], None]) -> None:
        """Read one record at once; `done` gets the stored record, and a receipt."""
        slot = bucket_of(table.encode(), key)
        primary = self.primary_of(table, key)
        if primary in (0, self._own):
            done(self._shelf.current(table, key), Receipt(self._own, primary == self._own))
            return
        hedged: list[bytes | None] = []
        second = self.placement.second(slot)

        def fall_back() -> None:
            own = self._shelf.current(table, key)
            other = max((record for record in hedged if record is not None), default=b"")
            self._panel.answered_locally += 1
            if other > (own or b""):
                self._panel.hedges_used += 1
                done(other, Receipt(second, False))
            else:
                done(own, Receipt(self._own, False))

        self._panel.asked += 1
        asked = self._ask(
            primary, [READ, table, key, True],
            lambda answer: done(answer[1], Receipt(primary, True)), fall_back,
        )  # fmt: skip
        if asked and second not in (0, self._own) and self.limits.open(self._clock()):
            # somebody is silent now: have a second answer at hand, should this one be it
            self._panel.hedged += 1
            self._outside.call(
                second, [READ, table, key, False],
                lambda answer: hedged.append(answer[1] if answer and answer[0] == DONE else None),
            )  # fmt: skip

    def _ask(
        self,
        origin: int,
        request: list[Any],
        answered: Callable[[list[Any]], None],
        fall_back: Callable[[], None],
    ) -> bool:
        now_ns = self._clock()
        if not self.limits.asks(origin, now_ns):
            fall_back()
            return False
        self._next += 1
        number = self._next
        limit_ns = self.limits.limit_ns + (
            ACK_LIMIT_NS if request[0] == WRITE and request[4] else 0
        )
        question = self._questions[number] = _Question(origin, now_ns, limit_ns, fall_back)

        def came(answer: list[Any] | None) -> None:
            if self._questions.pop(number, None) is None:
                return  # too late: it was given up
            if answer is not None and answer[0] == DONE:
                took_ns = self._clock() - question.started_ns
                self.limits.replied(origin, took_ns)
                self._panel.reply_time.record(took_ns // 1000)
                answered(answer)
                return
            if answer is None:
                self.limits.silent(origin, self._clock())
            fall_back()

        self._outside.call(origin, request, came)
        return True

    # ------------------------------------------------------------------ other nodes
    def serve(self, request: list[Any], reply: Answered) -> None:
        """Answer a WRITE or READ of another node."""
        kind, table, key = request[:3]
        mine = self.primary_of(table, key) == self._own
        if not mine and (kind == WRITE or request[3]):
            self._panel.not_primary += 1
            reply([NOT_PRIMARY])
        elif kind == READ:
            self._panel.served += 1
            reply([DONE, self._shelf.current(table, key)])
        elif self._is_late(*request[5:]):
            reply([NOT_PRIMARY])
        else:
            try:
                record, _, number = self._stamp(table, key, request[3])
            except IsinglassError as error:
                reply([FAILED, type(error).__name__, str(error)])
                return
            self._panel.stamped += 1
            update = self._vectors.own[1], number
            self.await_held(number, request[4], lambda held: reply([DONE, record, held, *update]))

    def _is_late(self, asker: int, deadline_ns: int) -> bool:
        """Tell whether the asker of a write may have given it up already."""
        member = self._members.members.get(asker)
        return member is None or member.clock_ns(self._clock()) >= deadline_ns

    # ------------------------------------------------------------------ who holds it
    def await_held(self, number: int, ack: int, done: Callable[[int], None]) -> None:
        """Call `done` with how many nodes hold own update `number`, once they are enough."""
        needed = self._needed(ack)
        if needed <= 1 or len(self._waiting) >= WAITING_LIMIT:
            done(1)
            return
        self._hurry()
        until_ns = self._clock() + ACK_LIMIT_NS
        self._waiting.append(_UnheldWrite(number, needed, until_ns, done))
        self._panel.waiting_acks = len(self._waiting)

    def _needed(self, ack: int) -> int:
        known = len(self._members.members) + 1
        return {ACK_PRIMARY: 1, ACK_ONE: min(2, known), ACK_MAJORITY: known // 2 + 1}[ack]

    def held(self, number: int) -> int:
        """Return how many nodes are known to hold own update `number`, this one included."""
        own = self._vectors.own
        members = self._members.members.values()
        return 1 + sum(member.progress(own).received >= number for member in members)

    def acknowledged(self) -> None:
        """Look at the writes that wait, after another node said what it holds."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for write in waiting:
            held = self.held(write.number)
            if held >= write.needed:
                write.done(held)
            else:
                self._waiting.append(write)
        self._panel.waiting_acks = len(self._waiting)

    def tick(self, now_ns: int) -> int:
        """Give up what took too long; return when to come again."""
        self._ticked_ns = now_ns
        late = [
            number
            for number, asked in self._questions.items()
            if now_ns - asked.started_ns > asked.limit_ns
        ]
        for number in late:
            question = self._questions.pop(number)
            self.limits.silent(question.origin, now_ns)
            question.give_up()
        if self._waiting and self._waiting[0].until_ns <= now_ns:
            expired = [write for write in self._waiting if write.until_ns <= now_ns]
            self._waiting = [write for write in self._waiting if write.until_ns > now_ns]
            for write in expired:
                self._panel.ack_timeouts += 1
                write.done(self.held(write.number))
        due = [asked.started_ns + asked.limit_ns for asked in self._questions.values()]
        due += [write.until_ns for write in self._waiting[:1]]
        return min(due, default=now_ns + LARGEST_LIMIT_NS)
