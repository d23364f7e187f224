"""Looking at one node of this machine again and again: its state, its threads, its new events.

The console does it here, and `isinglass relay` does it on the far side of a connection, so that a
remote node shows exactly what a local one does. A restart is noticed by the file's inode and
followed at once; a dead node's last segment stays open, so it can be looked at although its file is
gone.
"""

from __future__ import annotations

from isinglass import clock
from isinglass.errors import SegmentError
from isinglass.glass import layout
from isinglass.glass.probe_counts import ProbeCounts, living_threads
from isinglass.glass.reader import SegmentReader
from isinglass.glass.ring_tails import RingTails

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.glass.probe_counts import ThreadCounts
    from isinglass.glass.ring_tails import Tail
    from isinglass.glass.snapshot import Snapshot


class Sampling:
    """How looking at the threads went: looks taken, late and missed, in `span_ns`."""

    __slots__ = ("late", "missed", "span_ns", "taken")

    def __init__(self, taken: int = 0, late: int = 0, missed: int = 0, span_ns: int = 0) -> None:
        self.taken, self.late, self.missed, self.span_ns = taken, late, missed, span_ns


class Look:
    """A node as it was at one look, and what came since the look before."""

    __slots__ = ("restarted", "sampling", "snapshot", "tails", "threads")

    def __init__(
        self,
        snapshot: Snapshot,
        threads: list[ThreadCounts],
        sampling: Sampling,
        tails: list[Tail],
        *,
        restarted: bool,
    ) -> None:
        self.snapshot, self.threads, self.sampling = snapshot, threads, sampling
        self.tails, self.restarted = tails, restarted


class Looker:
    """Looks at one node; all calls come from one thread.

    Args:
        node: its name, or the path of its segment.
        most_event_bytes: of each ring at most the newest so many bytes a look.
    """

    def __init__(self, node: str, most_event_bytes: int = layout.EVENTS_BYTES) -> None:
        self.node = node
        self._reader: SegmentReader | None = None
        self._counts = ProbeCounts()
        self._tails = RingTails(most_event_bytes)
        self._sampling = Sampling()
        self._taken_ns = clock.monotonic_ns()
        self._restarted = False

    def look(self, *, events: bool = False, least_span_ns: int = 0) -> Look:
        """Return the node as it is now.

        Args:
            events: with its whole event rings.
            least_span_ns: what was seen of the threads is left for a later look until it spans so
                long, or other threads live than before.

        Raises:
            SegmentError: it cannot be read, and why.
        """
        reader = self._attach()
        snapshot = reader.snapshot(events=events)
        tails = self._tails.take(reader, snapshot)
        living = living_threads(snapshot)
        changed = not self._counts.follows(living)
        now_ns = clock.monotonic_ns()
        threads: list[ThreadCounts] = []
        sampling = Sampling()
        if changed or now_ns - self._taken_ns >= least_span_ns:
            threads, sampling = self._take_counts(now_ns)
        if changed:
            self._counts.follow(living)
        restarted, self._restarted = self._restarted, False
        return Look(snapshot, threads, sampling, tails, restarted=restarted)

    def _take_counts(self, now_ns: int) -> tuple[list[ThreadCounts], Sampling]:
        threads, sampling = self._counts.take(), self._sampling
        sampling.span_ns = now_ns - self._taken_ns
        self._taken_ns, self._sampling = now_ns, Sampling()
        return threads, sampling

    def sample(self, late: bool, missed: int = 0) -> None:
        """Look once where every thread is.

        Args:
            late: this look comes a period or more after its instant.
            missed: how many instants went by before it without a look.
        """
        self._sampling.taken += 1
        self._sampling.late += late
        self._sampling.missed += missed
        if self._reader is not None:
            self._counts.look(self._reader.descriptor)

    def source_paths(self) -> set[str]:
        """Return the source files that marks of its processes lie in, of those it has a hash of.

        Raises:
            SegmentError: it cannot be read, and why.
        """
        snapshot = self._attach().snapshot()
        files = (file for process in snapshot.processes for file in process.files.values())
        return {file.path for file in files if file.source_hash}

    def close(self) -> None:
        """Let go of the segment and of the kernel's accounts."""
        self._counts.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _attach(self) -> SegmentReader:
        """Return the reader of the segment, or of the newer one that took its place."""
        reader = self._reader
        if reader is None:
            reader = self._reader = SegmentReader(self.node)
        elif reader.replaced():
            try:
                newer = SegmentReader(self.node)
            except SegmentError:
                return reader  # Not whole yet: the old one is shown until it is.
            self.close()
            reader = self._reader = newer
            self._restarted = True
        return reader
