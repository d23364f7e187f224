"""Reading the store in the background: what another node wants to compare or to copy.

To digest a million records takes seconds; the listener and the port have milliseconds. So a thread
of its own reads, a fraction of a millisecond at a time (a longer snapshot keeps the data file
growing, and the other threads wait for the interpreter meanwhile), and rests after each piece: as
long as it worked, so that it takes at most half of a processor's time from the others, and many
times as long while clients are served, who should not feel it.
Jobs are done in turn; at most JOB_LIMIT wait, more are refused.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from isinglass import clock
from isinglass.errors import LockTimeout
from isinglass.glass.probe import mark
from isinglass.store.buckets import COUNT
from isinglass.store.reading import StoreReader

JOB_LIMIT = 64
PIECE_BYTES = 64 << 10  # of one answer, which the port packs in half a millisecond
LONGEST_REST_SECONDS = 0.1
# Times as long as the work, beside clients. What is read to be copied is also packed, sent, opened,
# put in line and applied, which is eight times the work, on processors that others may share.
DIGEST_REST, COPY_REST = 10.0, 30.0
SERVING_NS = 1_000_000_000  # clients are served as long as the last request is no older

Done = Callable[[Any], None]


class StoreWork:
    """The thread that reads for others.

    Args:
        deliver: calls `done(result)` under the node's lock.
        served: returns how many requests of clients were answered so far.
        report: shows an error in the table of distinct errors.
    """

    def __init__(
        self,
        store: StoreReader,
        deliver: Callable[[Done, Any], None],
        served: Callable[[], int],
        report: Callable[[Exception], None],
    ) -> None:
        self._store, self._deliver, self._report = store, deliver, report
        self._jobs: queue.Queue[tuple[Iterator[Any], float, Done] | None] = queue.Queue(JOB_LIMIT)
        self.thread = threading.Thread(target=self._run, name="copier")
        self._stopping = False
        self._served, self._seen, self._seen_ns = served, served(), 0

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def stop(self) -> None:
        """End after the piece in hand; what waits is not answered."""
        self._stopping = True
        try:
            self._jobs.put_nowait(None)
        except queue.Full:
            pass  # it looks at the flag after the job in hand

    def digests(self, horizon: int, done: Done) -> None:
        """Digest every bucket; `done` gets the list, or None."""
        self._add(self._store.bucket_digests(horizon), DIGEST_REST, done)

    def records(self, wanted: list[int], cursor: list[Any], done: Done) -> None:
        """Read records of some buckets; `done` gets `[[item...], next cursor]`, or None."""
        buckets = {bucket for bucket in wanted if type(bucket) is int and 0 <= bucket < COUNT}
        self._add(self._read(buckets, cursor), COPY_REST, done)

    def _read(self, buckets: set[int], cursor: list[Any]) -> Iterator[Any]:
        place = (str(cursor[0]), bytes(cursor[1])) if cursor else ("", b"")
        items: list[list[Any]] = []
        size = 0
        while size < PIECE_BYTES:
            found, following = self._store.bucket_records(buckets, place, PIECE_BYTES)
            items += [list(item) for item in found]
            size += sum(len(key) + len(record) for _, key, record in found)
            yield [items, list(following) if following else []]
            if following is None:
                return
            place = following

    def _add(self, pieces: Iterator[Any], rest: float, done: Done) -> None:
        try:
            self._jobs.put_nowait((pieces, rest, done))
        except queue.Full:
            done(None)

    # ------------------------------------------------------------------ the thread
    def _run(self) -> None:
        while not self._stopping:
            mark.waiting("for another node's question")
            job = self._jobs.get()
            if job is None:
                return
            pieces, rest, done = job
            try:
                result = self._work(pieces, rest)
            except Exception as error:
                self._report(error)
                result = None
            self._hand_over(done, result)

    def _hand_over(self, done: Done, result: Any) -> None:
        """Deliver a result: whoever waits for it, waits without a limit of its own."""
        waits = True
        while waits and not self._stopping:
            waits = False
            try:
                self._deliver(done, result)
            except LockTimeout as error:
                self._report(error)
                waits = True
            except Exception as error:
                self._report(error)

    def _work(self, pieces: Iterator[Any], rest: float) -> Any:
        result = None
        while not self._stopping:
            mark("reading the store for another node")
            started = clock.monotonic_ns()
            try:
                result = next(pieces)
            except StopIteration:
                break
            ended = clock.monotonic_ns()
            mark.waiting("to leave the processor to others")
            clock.sleep(self._rest_seconds(ended - started, rest, ended))
        return result

    def _rest_seconds(self, spent_ns: int, rest: float, now_ns: int) -> float:
        served = self._served()
        if served != self._seen:
            self._seen, self._seen_ns = served, now_ns
        times = rest if now_ns - self._seen_ns < SERVING_NS else 1.0
        return min(spent_ns * times / clock.NANOSECONDS_PER_SECOND, LONGEST_REST_SECONDS)
