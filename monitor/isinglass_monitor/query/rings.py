"""The log without a monitor: the event rings of the segments on this machine, laid together.

The newest 256 KiB of each process are there, also of those that are gone, for as long as nobody
else needed their region. An event has the stream and the number that it has at monitors.
"""

from __future__ import annotations

from collections.abc import Iterable

from isinglass.emit.rings import place_text
from isinglass.errors import SegmentError
from isinglass.glass import layout
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Process
from isinglass_monitor.spool.records import Entry


class Rings:
    """The rings of some nodes, or of all; each look returns what is new since the last one."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self._nodes = tuple(nodes)
        self._seen: dict[int, int] = {}

    def look(self) -> list[Entry]:
        """Return the events that came since the last look, in order of time."""
        found: list[Entry] = []
        for node in self._nodes or layout.node_names():
            try:
                with SegmentReader(node) as reader:
                    streams = {(ring.slot, ring.claim): ring.stream for ring in reader.rings()}
                    snapshot = reader.snapshot(events=True)
            except SegmentError:
                if self._nodes:
                    raise
                continue  # another user's, or just being made
            for process in snapshot.processes:
                stream = streams.get((process.slot, process.claim))
                if stream:
                    found += self._new(snapshot.node, stream, process)
        return sorted(found)

    def _new(self, node: str, stream: int, process: Process) -> list[Entry]:
        seen = self._seen.get(stream, 0)
        events = [event for event in process.events if event.sequence > seen]
        if events:
            self._seen[stream] = events[-1].sequence
        return [
            Entry(
                event.stamp,
                stream,
                event.sequence,
                node,
                process.name,
                event.severity,
                event.flag,
                event.message,
                "\t".join(f"{key}={value}" for key, value in event.fields.items()),
                place_text(event.path, event.line),
                0,
            )
            for event in events
        ]
