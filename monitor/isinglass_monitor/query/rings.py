"""The log without a monitor: the event rings of the segments on this machine, laid together.

The newest 256 KiB of each process are there, also of those that are gone, for as long as nobody
else needed their region. An event has the stream and the number that it has at monitors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isinglass.errors import SegmentError
from isinglass.glass import layout
from isinglass.glass.reader import SegmentReader
from isinglass.glass.schema import place_text
from isinglass.glass.snapshot import Process, Snapshot
from isinglass_monitor.spool.records import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.glass.journal import RawEvent
    from isinglass.remote.message_bodies import Events


class Told:
    """Events out of rings as entries of the log, each once."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def news(self, snapshot: Snapshot, tails: Sequence[Events] | None = None) -> list[Entry]:
        """Return what was not returned before.

        Args:
            snapshot: a node, with its rings unless the events come beside it.
            tails: new events by slot and claim.
        """
        apart = {(slot, claim): events for slot, claim, events in tails or ()}
        found: list[Entry] = []
        for process in snapshot.processes:
            if process.event_stream:
                events = process.raw_events()
                if tails is not None:
                    events = iter(apart.get((process.slot, process.claim), ()))
                found += self._new(snapshot.node, process, events)
        return found

    def _new(self, node: str, process: Process, events: Iterable[RawEvent]) -> list[Entry]:
        stream = process.event_stream
        seen = self._seen.get(stream, 0)
        found = []
        for sequence, stamp, severity, where, flag, message, fields in events:
            if sequence > seen:
                site = process.site(where)
                place = place_text(site.path, site.line) if site else ""
                head = (stamp, stream, sequence, node, process.name, severity)
                found.append(Entry(*head, flag, message, fields, place, 0))
        if found:
            self._seen[stream] = found[-1].sequence
        return found


class Rings:
    """The rings of some nodes, or of all; each look returns what is new since the last one."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self._nodes = tuple(nodes)
        self._told = Told()

    def look(self) -> list[Entry]:
        """Return the events that came since the last look, in order of time."""
        found: list[Entry] = []
        for node in self._nodes or layout.node_names():
            try:
                with SegmentReader(node) as reader:
                    found += self._told.news(reader.snapshot(events=True))
            except SegmentError:
                if self._nodes:
                    raise
                continue  # another user's, or just being made
        return sorted(found)
