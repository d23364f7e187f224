"""The applier: the thread that takes batches from the queue into the store, one transaction each.

Its load is the node's load. It lets updates gather for some milliseconds before it takes a batch,
since updates that wait together merge (backlog buys merging); somebody who waits for a place ends
that wait, and so does a whole batch. Batches are sized so that a commit takes about
COMMIT_AIM_SECONDS: larger ones would come in lumps, smaller ones cost a commit each.

    waiting for work ──▶ gathering ──▶ applying ──▶ flushing (when somebody waits for the disk)
          ▲                                │ the store refuses        │
          │                                ▼                          │
          │                      keeping the batch, retrying          │
          └───────────────────────────────────────────────────────────┘

What else is to be written where only batches are (how far streams are, when all is quiet) it writes
itself, between two batches: two writers at once would put older notes over newer ones.

A batch that the store refuses (disk full, map full) is kept and tried again; the queue takes
nothing in meanwhile, so what was acknowledged is bounded, and stays.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from isinglass import clock
from isinglass.errors import StoreError
from isinglass.glass.flags import flag
from isinglass.glass.probe import mark
from isinglass.glass.severity import INFO, WARNING
from isinglass.node import ending
from isinglass.node.intake import Intake
from isinglass.node.load import LoadMeter
from isinglass.node.panels import ApplierPanel
from isinglass.node.recovery import Recovery
from isinglass.store.database import Store
from isinglass.store.line import Batch

QUEUE = flag("queue")
COMMIT_AIM_SECONDS = 0.1
SLOW_BATCH_SECONDS = 1.0
SMALLEST_BATCH = 256
RETRY_SECONDS = 0.25
LOOK_UP_SECONDS = 0.25
RESCUE_ENTRIES = 200
RESCUE_STEPS = 500
LAST_TURN_SECONDS = 5.0  # for the batch in hand when the time is up
_NANOSECONDS = clock.NANOSECONDS_PER_SECOND


class Applier:
    """The thread that applies; `stop` lets it finish what is queued.

    Args:
        recovery: what goes into the store before anything newer.
        batch_limit: the most updates that a batch may hold.
        gather_seconds: how long it lets updates gather.
        report: shows an error in the table of distinct errors.
        event: stores an event, as `Segment.event` does.
    """

    def __init__(
        self,
        intake: Intake,
        store: Store,
        recovery: Recovery,
        panel: ApplierPanel,
        *,
        batch_limit: int,
        gather_seconds: float,
        report: Callable[[Exception], None],
        event: Callable[..., None],
    ) -> None:
        self._intake, self._store, self._panel = intake, store, panel
        self._recovery, self._report, self._event = recovery, report, event
        self._batch_limit = batch_limit
        self._limit = intake.full = min(batch_limit, SMALLEST_BATCH * 4)
        self._gather_seconds = gather_seconds
        self._load = LoadMeter(clock.monotonic_ns())
        self._stopping = threading.Event()
        self._deadline_ns = 0
        self._between: deque[Callable[[], None]] = deque()
        self._thread = threading.Thread(target=self._run, name="applier")
        self.working = False

    def start(self) -> None:
        """Start to apply."""
        if self._recovery.waits:
            self._intake.work.set()
        self._thread.start()

    def stop(self, limit_seconds: float) -> None:
        """Apply what is queued, for at most so long, and end the thread.

        Raises:
            ThreadStuck: it does not end even LAST_TURN_SECONDS later.
        """
        self._deadline_ns = clock.monotonic_ns() + int(limit_seconds * _NANOSECONDS)
        self._stopping.set()
        self._intake.hurry.set()
        self._intake.work.set()
        ending.join(self._thread, limit_seconds + LAST_TURN_SECONDS)

    def between(self, work: Callable[[], None]) -> None:
        """Call this once on the applier's thread, the next time nothing waits; any thread may ask.

        What was asked for already is not called twice.
        """
        if work not in self._between:
            self._between.append(work)
            self._intake.work.set()

    def worked_ns(self, now_ns: int) -> int:
        """Return the time at work since the start, the batch in hand included; any thread may."""
        return self._load.worked_ns(now_ns)

    # ------------------------------------------------------------------ the thread
    def _run(self) -> None:
        while True:
            try:
                if self._turn():
                    return
            except Exception as error:
                # The one thread that empties the queue must not die of an error, a lock that was
                # not free in time above all: the batch in hand is applied again, to the same store.
                self._report(error)
                if self._out_of_time():
                    return
                clock.sleep(RETRY_SECONDS)

    def _out_of_time(self) -> bool:
        return self._stopping.is_set() and clock.monotonic_ns() > self._deadline_ns

    def _turn(self) -> bool:
        """Wait for a batch and apply it; True at the end."""
        self._gather()
        stopping = self._stopping.is_set()
        if self._recovery.waits and not self._recover():
            return stopping
        batch = self._intake.take(self._limit)
        if batch is None:
            if self._intake.trouble is not None and not stopping:
                self._intake.takes_again()
            while self._between:
                mark("writing what no batch has written")
                self._between.popleft()()
            self._answer()
            return stopping
        applied = self._apply(batch)
        if applied:
            self._answer()
        self._show_load()
        return stopping and (not applied or self._out_of_time())

    def _recover(self) -> bool:
        """Apply what the last daemon kept aside; False when the store refused it, after a while."""
        try:
            self._rescue()
            self._recovery.apply()
        except StoreError as error:
            self._refused(error)
            return False
        self._intake.takes_again()
        self._takes_again()
        return True

    def _gather(self) -> None:
        """Wait until something waits, and then a little for more."""
        self._rest()
        mark.waiting("for updates")
        # It may be told to end between its look at the flag and `take`, which takes the wake-up.
        while not self._intake.work.wait(LOOK_UP_SECONDS) and not self._stopping.is_set():
            self._load.account(clock.monotonic_ns())
            self._show_load()
        if not self._stopping.is_set():
            mark.waiting("for more updates to merge with")
            self._intake.hurry.wait(self._gather_seconds)
        self._load.work(clock.monotonic_ns())
        self.working = True
        mark("taking a batch")

    def _rest(self) -> None:
        self._load.wait(clock.monotonic_ns())
        self.working = False

    def _apply(self, batch: Batch) -> bool:
        """Apply a batch; False when the store refused it, after a while."""
        started = clock.monotonic_ns()
        try:
            self._rescue()
            mark("applying a batch")
            notes = self._intake.notes(batch.through)
            done = self._store.apply(batch.steps, notes=notes)
        except StoreError as error:
            self._refused(error)
            return False
        except Exception as error:
            # Whatever it was, the batch is not in the store: keep it, and say what happened.
            self._refused(StoreError(f"the store failed with {error!r:.120}: see its errors"))
            self._report(error)
            return False
        self._intake.applied(batch, done.written_bytes, notes)
        self._count(batch, clock.monotonic_ns() - started)
        return True

    def _rescue(self) -> None:
        """Drop tables before the batch in hand, when the store was full, and take their room."""
        for drop, done in self._intake.take_rescues():
            mark("dropping a table to make room")
            try:
                self._store.apply([drop], notes=self._intake.notes(0))
            except StoreError as error:
                done(error)
                raise
            done(None)
            # In many small transactions: LMDB gives what one frees to the next but one.
            for _ in range(RESCUE_STEPS):
                if not self._store.reclaim(RESCUE_ENTRIES).more:
                    break

    def _refused(self, error: StoreError) -> None:
        for waiter in self._intake.failed(error):
            waiter.done(error)
        self._report(error)
        self._panel.failures += 1
        self._panel.retry_since = self._panel.retry_since or clock.wall_ns()
        self._rest()
        mark.waiting("for the store to take writes again")
        clock.sleep(RETRY_SECONDS)

    def _count(self, batch: Batch, elapsed_ns: int) -> None:
        panel = self._panel
        panel.batches += 1
        panel.updates += batch.updates
        panel.writes += batch.writes
        if QUEUE:
            QUEUE("a batch is applied", updates=batch.updates, writes=batch.writes,
                  microseconds=elapsed_ns // 1000)  # fmt: skip
        self._takes_again()
        panel.last_commit = clock.wall_ns()
        panel.batch_time.record(elapsed_ns // 1000)
        if elapsed_ns > SLOW_BATCH_SECONDS * _NANOSECONDS:
            self._event(WARNING, "store", f"a batch took {elapsed_ns / _NANOSECONDS:.1f} s",
                        updates=batch.updates, writes=batch.writes)  # fmt: skip
        if batch.updates * 2 >= self._limit:
            fitting = int(batch.updates * COMMIT_AIM_SECONDS * _NANOSECONDS / max(elapsed_ns, 1))
            aim = max((self._limit + fitting) // 2, SMALLEST_BATCH)
            self._limit = self._intake.full = min(aim, self._batch_limit)
        panel.batch_limit = self._limit

    def _takes_again(self) -> None:
        if self._panel.retry_since:
            self._panel.retry_since = 0
            failures = self._panel.failures
            self._event(INFO, "store", "the store takes writes again", failures=failures)

    def _answer(self) -> None:
        """Tell those whose place is reached; flush first when one of them waits for the disk."""
        reached = self._intake.reached()
        if not reached:
            return
        error = self._flush() if any(waiter.durable for waiter in reached) else None
        mark("telling writers that it is done")
        for waiter in reached:
            waiter.done(error if waiter.durable else None)

    def _flush(self) -> StoreError | None:
        started = clock.monotonic_ns()
        mark.waiting("for the disk to take everything")
        try:
            self._store.flush()
        except StoreError as error:
            self._report(error)
            return error
        self._panel.flushes += 1
        self._panel.flush_time.record((clock.monotonic_ns() - started) // 1000)
        return None

    def _show_load(self) -> None:
        load, panel = self._load, self._panel
        panel.load_1s, panel.load_10s, panel.load_60s = load.averages
        panel.working_time = load.working_ns / _NANOSECONDS
        panel.waiting_time = load.waiting_ns / _NANOSECONDS
