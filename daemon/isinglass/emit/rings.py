"""Taking events out of rings: this process's own as it grows, and those of the whole segment.

The own ring is copied from where the last look ended, under the interpreter's lock, so that no
event is half written; what was overwritten before it was looked at shows as a gap in the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from isinglass.glass import layout
from isinglass.glass.journal import raw_events
from isinglass.glass.layout import RegionWord
from isinglass.glass.reader import SegmentReader
from isinglass.glass.region import OWN
from isinglass.glass.schema import place_text
from isinglass.glass.snapshot import Process
from isinglass.wire.event_bodies import WireEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.glass.journal import RawEvent

PLACES_LIMIT = 4096

Numbered = tuple[int, WireEvent]


def runs(events: Iterable[Numbered]) -> Iterator[tuple[int, list[WireEvent]]]:
    """Yield the events in runs of consecutive numbers, each with its first number."""
    first, run = 0, list[WireEvent]()
    for sequence, event in events:
        if run and sequence != first + len(run):
            yield first, run
            run = []
        if not run:
            first = sequence
        run.append(event)
    if run:
        yield first, run


class OwnRing:
    """This process's ring; one thread takes from it."""

    def __init__(self) -> None:
        self.told = OWN.words[RegionWord.EVENTS_TOLD]
        self._position = 0
        self._copy = memoryview(bytearray(layout.EVENTS_BYTES))
        self._places: dict[int, str] = {0: ""}

    def take(self) -> list[Numbered]:
        """Return the events that came since the last call, as far as the ring has them."""
        if OWN.words[RegionWord.EVENT_COUNT] == self.told:
            return []
        head = OWN.words[RegionWord.EVENT_HEAD]
        count = OWN.words[RegionWord.EVENT_COUNT]
        found = [pair for pair in self._events(self._position, head) if pair[0] > self.told]
        self._position = head
        self.told = found[-1][0] if found else count  # nothing: the missing ones are gone for good
        if not found or self.told < count:
            self._position = 0  # a writer went round the ring: look through all of it next time
        return found

    def skip(self) -> int:
        """Leave out what came since the last call of `take`; return how many events."""
        before, self.told = self.told, OWN.words[RegionWord.EVENT_COUNT]
        self._position = OWN.words[RegionWord.EVENT_HEAD]
        return int(self.told - before)

    def everything(self) -> Iterator[Numbered]:
        """Yield all events that the ring has."""
        return self._events(0, OWN.words[RegionWord.EVENT_HEAD])

    def oldest(self) -> int:
        """Return the number of the oldest event that the ring has; of the next one when none."""
        head = OWN.words[RegionWord.EVENT_HEAD]
        events = raw_events(OWN.bytes[layout.EVENTS_OFFSET :], head)
        return next((event[0] for event in events), OWN.words[RegionWord.EVENT_COUNT] + 1)

    def _events(self, low: int, head: int) -> Iterator[Numbered]:
        ring = OWN.bytes[layout.EVENTS_OFFSET :]
        start, end = low % layout.EVENTS_BYTES, head % layout.EVENTS_BYTES
        if head - low >= layout.EVENTS_BYTES:
            self._copy[:] = ring
        elif start <= end:
            self._copy[start:end] = ring[start:end]
        else:
            self._copy[start:], self._copy[:end] = ring[start:], ring[:end]
        return ((event[0], self._told(event)) for event in raw_events(self._copy, head, low))

    def _told(self, event: RawEvent) -> WireEvent:
        _, stamp, severity, where, flag, message, fields = event
        place = self._places.get(where)
        if place is None:
            if len(self._places) >= PLACES_LIMIT:
                self._places = {0: ""}
            module, line = where >> layout.LINE_BITS, where & (1 << layout.LINE_BITS) - 1
            place = self._places[where] = place_text(OWN.file_path(module), line)
        return WireEvent(stamp, severity, flag, message, fields, place)


def events_of(process: Process) -> Iterator[Numbered]:
    """Yield the events in the copied ring of any process."""
    places = {0: ""}
    for sequence, stamp, severity, where, flag, message, fields in process.raw_events():
        if where not in places:
            site = process.site(where)
            places[where] = place_text(site.path, site.line) if site else ""
        yield sequence, WireEvent(stamp, severity, flag, message, fields, places[where])


def process_of(reader: SegmentReader, slot: int, claim: int) -> Process | None:
    """Return one process with its ring, if its region is still the same process's."""
    processes = reader.snapshot(events=True, slots=(slot,)).processes
    return next((process for process in processes if process.claim == claim), None)
