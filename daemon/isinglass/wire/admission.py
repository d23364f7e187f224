"""Who of a node's writers may write now, and who waits for how long; pure, about 1 µs when none do.

The pace of the node is a bucket that may go into debt by one request: a request passes while the
debt is small, and is paid for afterwards, so none is too large to pass. While the writers ask for
less than the pace nothing else is looked at. When they ask for more, each connection has a bucket
of its own, and all of these have the same rate, the level of max-min fairness: those who ask for
less than it never wait, and the others get equal shares of the rest. The level follows the demands
and, so that its errors do not add up, the debt of the node.

    open ──the node's debt is over BURST──▶ sharing ──less is asked for──▶ open

A connection's demand is what it asks for in the time in which it was not made to wait: a client
that waits most of its time would otherwise seem to ask for just what it gets. What was told to
wait is not counted again when it is asked for again.

One thread calls `admit`; another may call `allow` and read the totals. At most 1,024 connections
are told apart; the others share one bucket. Time is in monotonic nanoseconds.
"""

from __future__ import annotations

import math

from isinglass.clock import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from isinglass.wire.flow import fair_share

BURST_SECONDS = 0.1
"""Debt, in seconds of the pace, from which on the node's writers share it, and which they keep."""
FIRM_SECONDS, FIRM_REQUESTS = 0.3, 2.0
"""Debt, in seconds of the pace and in requests, from which on all wait, whatever their share."""
OWN_BURST_SECONDS = 0.02
LEAST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.002, 0.25
"""A longer wait is told in parts, since the pace may change."""
TURN_NS = 100 * NANOSECONDS_PER_MILLISECOND
MEMORY_SECONDS = 1.0
LEAST_FREE_SHARE = 0.1
"""A connection that waits all the time is taken to ask for ten times what it gets."""
PAY_BACK_SECONDS = 0.5
REQUEST_WEIGHT = 0.05
OPEN_BELOW = 0.9
CONNECTIONS = 1024
IDLE_NS = 10 * NANOSECONDS_PER_SECOND
RETURN_NS = NANOSECONDS_PER_SECOND
"""Who was told to wait and does not come within this after it has given up."""
_OTHERS = -1
_UNLIMITED = 1e15


class _Writer:
    """One connection."""

    __slots__ = ("asked", "asked_sum", "back", "debt", "due_ns", "free_sum", "held_ns", "last_ns",
                 "owed", "paid_ns", "time_sum", "waits_ns")  # fmt: skip

    def __init__(self, now_ns: int) -> None:
        # Updates: asked for in this turn; told to wait; of these, due to be asked for again.
        self.asked = self.owed = self.back = 0
        self.debt = self.asked_sum = self.free_sum = self.time_sum = 0.0
        self.last_ns = self.paid_ns = now_ns
        self.waits_ns = self.due_ns = self.held_ns = 0

    @property
    def demand(self) -> float:
        """What it asks for, in updates a second."""
        free = max(self.free_sum, LEAST_FREE_SHARE * self.time_sum)
        return self.asked_sum / free if free > 0 else 0.0

    def pay(self, now_ns: int, level: float) -> None:
        """Pay back what time has allowed since the last payment."""
        paid = (now_ns - self.paid_ns) / NANOSECONDS_PER_SECOND * level
        self.debt, self.paid_ns = max(self.debt - paid, 0.0), now_ns

    def hold(self, now_ns: int) -> int:
        """Return the nanoseconds of its wait since the last call; 0 when it does not wait."""
        if not self.waits_ns:
            return 0
        held = max(min(now_ns, self.due_ns + RETURN_NS) - self.waits_ns, 0)
        self.held_ns += held
        self.waits_ns = now_ns if now_ns < self.due_ns + RETURN_NS else 0
        return held

    def turn(self, passed_ns: int) -> None:
        """Take one more turn into the sums; the turns before it weigh less."""
        passed = passed_ns / NANOSECONDS_PER_SECOND
        kept = math.exp(-passed / MEMORY_SECONDS)
        free = max(passed - self.held_ns / NANOSECONDS_PER_SECOND, 0.0)
        self.asked_sum = self.asked_sum * kept + self.asked
        self.free_sum = self.free_sum * kept + free
        self.time_sum = self.time_sum * kept + passed
        self.asked = self.held_ns = 0


class Admission:
    """Holds a node's writers to the pace that `allow` gave; without limit before that."""

    def __init__(self, now_ns: int) -> None:
        self._rate = self._level = _UNLIMITED
        self._debt, self._paid_ns, self._turned_ns = 0.0, now_ns, now_ns
        self._sharing, self._request = False, 1.0
        self._demand = 0.0
        self._writers: dict[int, _Writer] = {}
        self.admitted = 0
        """Updates let through since the start."""
        self.throttled = 0
        """Updates told to wait, each counted once."""
        self.throttled_ns = 0
        """Time for which connections waited."""

    def allow(self, rate: float) -> None:
        """Set the pace, in updates a second."""
        self._rate = min(max(rate, 0.0), _UNLIMITED)

    def demand(self, now_ns: int) -> float:
        """Return what all writers ask for, in updates a second."""
        # Nobody may ask any more, and then nobody takes turns either.
        idle = now_ns - self._turned_ns - 2 * TURN_NS
        if idle <= 0:
            return self._demand
        return self._demand * math.exp(-idle / NANOSECONDS_PER_SECOND / MEMORY_SECONDS)

    def admit(self, now_ns: int, connection: int, updates: int) -> float:
        """Return 0.0 when a request may pass, else the seconds after which it may be tried again.

        Args:
            connection: any number that tells it from the others.
            updates: how many the request holds.
        """
        rate = self._rate
        debt = self._debt - (now_ns - self._paid_ns) * rate * 1e-9
        self._paid_ns = now_ns
        if debt < 0.0:
            debt = 0.0
        self._debt = debt
        if now_ns - self._turned_ns >= TURN_NS:
            self._turn(now_ns)
        writer = self._writers.get(connection) or self._meet(now_ns, connection)
        writer.last_ns = now_ns
        if self._sharing or debt >= rate * BURST_SECONDS:
            return self._share(now_ns, writer, updates)
        self._debt = debt + updates
        writer.debt += updates
        self.admitted += updates
        if writer.owed or writer.back:
            updates = self._fresh(now_ns, writer, updates)
            self._end_wait(now_ns, writer)
        writer.asked += updates
        return 0.0

    def give_back(self, connection: int, updates: int) -> None:
        """Say that updates that were let through did not fit into the queue."""
        writer = self._writers.get(connection) or self._writers[_OTHERS]
        self._debt = max(self._debt - updates, 0.0)
        writer.debt = max(writer.debt - updates, 0.0)
        writer.owed += updates
        writer.due_ns = writer.last_ns
        self.admitted -= updates

    # ------------------------------------------------------------------ when there is too much
    def _share(self, now_ns: int, writer: _Writer, updates: int) -> float:
        if not self._sharing:
            self._sharing = True
            self._spread()
        rate, level = self._rate, self._level
        writer.pay(now_ns, level)
        fresh = self._fresh(now_ns, writer, updates)
        writer.asked += fresh
        own = writer.debt - level * OWN_BURST_SECONDS
        node = self._debt - rate * FIRM_SECONDS - FIRM_REQUESTS * self._request
        if own <= 0 and node <= 0 and rate > 0:
            self._end_wait(now_ns, writer)
            writer.debt += updates
            self._debt += updates
            self._request += (updates - self._request) * REQUEST_WEIGHT
            self.admitted += updates
            return 0.0
        seconds = LONGEST_WAIT_SECONDS
        if level > 0 and rate > 0:
            seconds = min(max(own / level, node / rate, LEAST_WAIT_SECONDS), seconds)
        self.throttled += fresh
        writer.owed += updates
        writer.waits_ns = writer.waits_ns or now_ns
        writer.due_ns = now_ns + int(seconds * NANOSECONDS_PER_SECOND)
        return seconds

    def _fresh(self, now_ns: int, writer: _Writer, updates: int) -> int:
        """Return how many of these updates were not told to wait before.

        Nobody asks again before the wait is over, so what comes earlier is new; what comes later is
        what was told to wait, as much as that was.
        """
        if writer.owed and now_ns >= writer.due_ns:
            writer.back = writer.owed if now_ns <= writer.due_ns + RETURN_NS else 0
            writer.owed = 0
        again = min(writer.back, updates)
        writer.back -= again
        return updates - again

    def _end_wait(self, now_ns: int, writer: _Writer) -> None:
        self.throttled_ns += writer.hold(now_ns)
        writer.waits_ns = 0

    # ------------------------------------------------------------------ ten times a second
    def _meet(self, now_ns: int, connection: int) -> _Writer:
        if len(self._writers) >= CONNECTIONS:
            connection = _OTHERS
        writer = self._writers.get(connection)
        if writer is None:
            writer = self._writers[connection] = _Writer(now_ns)
        return writer

    def _turn(self, now_ns: int) -> None:
        passed = now_ns - self._turned_ns
        self._turned_ns = now_ns
        idle = []
        for connection, writer in self._writers.items():
            self.throttled_ns += writer.hold(now_ns)
            writer.turn(passed)
            if now_ns - writer.last_ns > IDLE_NS:
                idle.append(connection)
        for connection in idle:
            del self._writers[connection]
        self._spread()
        if self._sharing and self._demand < self._rate * OPEN_BELOW:
            self._sharing = self._debt > self._rate * BURST_SECONDS

    def _spread(self) -> None:
        """Compute the demand of all, and the level of their equal shares."""
        demands = [writer.demand for writer in self._writers.values()]
        self._demand = math.fsum(demands)
        # Too much let through, or too little, shows in the debt: errors of the level do not add up.
        usual = self._rate * BURST_SECONDS + self._request
        wrong = (usual - self._debt) / PAY_BACK_SECONDS
        total = self._rate + max(min(wrong, self._rate), -self._rate * 0.9)
        if demands:
            demands.remove(max(demands))
        self._level = fair_share(total, demands)
