"""What is new in the event rings of a node since the last look, copied without the rest of them.

Of each ring the place is kept up to which it has been looked at, so a second in which ten events
came costs a copy of about a thousand bytes, and one without events nothing. A ring that went round
meanwhile shows as a gap in the numbers of its events.
"""

from __future__ import annotations

from isinglass.glass import layout
from isinglass.glass.journal import raw_events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.glass.journal import RawEvent
    from isinglass.glass.reader import SegmentReader
    from isinglass.glass.snapshot import Process, Snapshot

Life = tuple[int, int, int]  # generation of the segment, slot, claim


class Tail:
    """The new events of one process, oldest first."""

    __slots__ = ("events", "process")

    def __init__(self, process: Process, events: list[RawEvent]) -> None:
        self.process, self.events = process, events


class RingTails:
    """Takes what is new out of the rings of one node.

    Args:
        most_bytes: of each ring only the newest so many, when more came in between.
    """

    def __init__(self, most_bytes: int = layout.EVENTS_BYTES) -> None:
        self._most_bytes = most_bytes
        self._ends: dict[Life, int] = {}
        self._ring: memoryview | None = None

    def take(self, reader: SegmentReader, snapshot: Snapshot) -> list[Tail]:
        """Return what is new as of a snapshot of the reader's.

        Raises:
            SegmentTruncated: the file was cut.
        """
        ends: dict[Life, int] = {}
        found = []
        for process in snapshot.processes:
            life = (snapshot.generation, process.slot, process.claim)
            end, before = process.event_head, self._ends.get(life, 0)
            ends[life] = end
            if end == before:
                continue
            low = before if before < end else 0  # A ring that was emptied starts anew.
            low = max(low, end - self._most_bytes)
            found.append(Tail(process, list(self._events(reader, process.slot, low, end))))
        self._ends = ends
        return [tail for tail in found if tail.events]

    def _events(self, reader: SegmentReader, slot: int, low: int, end: int) -> list[RawEvent]:
        if self._ring is None:
            self._ring = memoryview(bytearray(layout.EVENTS_BYTES))
        reader.copy_ring(slot, low, end, self._ring)
        return list(raw_events(self._ring, end, low))
