"""A node of this machine: its segment read, its probes sampled, its states as words.

Nothing here raises for what a node can be in: missing, half written, from before a reboot,
stopped, dead, restarted. A restart is noticed by the file's inode and attached to at once; a dead
node's last segment stays open, so it can be looked at even after its file is gone.
"""

from __future__ import annotations

import os
from collections import Counter

from isinglass import clock
from isinglass.cli.schedstat import SchedStat
from isinglass.emit.rings import place_text
from isinglass.errors import (
    MachineRebooted,
    SegmentError,
    SegmentHalfWritten,
    SegmentMissing,
)
from isinglass.glass import layout
from isinglass.glass.journal import Event
from isinglass.glass.layout import RegionWord
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Process, Snapshot, Verdict
from isinglass_console.model.frame import CONDITIONS, Condition
from isinglass_console.model.heat import Tally, ThreadKey
from isinglass_console.model.log import LogEntry
from isinglass_console.model.reading import Reading
from isinglass_monitor.query.text import harmless

PROBE_BYTES = layout.PROBE_LINES * layout.PROBE_LINE_BYTES
LINE_WORDS = layout.PROBE_LINE_BYTES // layout.WORD_BYTES
_CONDITION_OF: tuple[tuple[type[SegmentError], str], ...] = (
    (SegmentMissing, Condition.MISSING),
    (SegmentHalfWritten, Condition.STARTING),
    (MachineRebooted, Condition.REBOOTED),
    (SegmentError, Condition.UNREADABLE),
)


class _Probe:
    """One thread that is sampled: what it showed, and the kernel's account of it."""

    __slots__ = ("counts", "stat")

    def __init__(self, stat: SchedStat) -> None:
        self.stat = stat
        self.counts: Counter[int] = Counter()


class _ProbeFile:
    """The segment's probe words, read with pread: a map of a file that is cut is a SIGBUS."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def words(self, slot: int) -> memoryview | None:
        """Return the words of a region's probe lines; None when the file is shorter."""
        offset = layout.region_offset(slot) + layout.PROBES_OFFSET
        raw = os.pread(self._file, PROBE_BYTES, offset)
        return memoryview(raw).cast("Q") if len(raw) == PROBE_BYTES else None

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


class LocalSource:
    """Reads one node; all calls come from one thread."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._reader: SegmentReader | None = None
        self._probe_file: _ProbeFile | None = None
        self._probes: dict[tuple[ThreadKey, int], _Probe] = {}
        self._seen_events: dict[tuple[int, int, int], int] = {}
        self._tallied_ns = clock.monotonic_ns()
        self._taken = 0
        self._late = 0

    def read(self) -> Reading:
        """Return the node as it is now."""
        try:
            restarted = self._attach()
            reader = self._reader
            if reader is None:
                return Reading(self.node, Condition.MISSING)
            snapshot = reader.snapshot()
            events = self._new_events(reader, snapshot)
        except SegmentError as reason:
            return Reading(self.node, _condition_of(reason), str(reason))
        tally = self._tally(snapshot)
        self._follow_threads(snapshot)
        condition = _condition(snapshot)
        return Reading(self.node, condition, "", snapshot, tally, events, restarted)

    def sample(self, late: bool) -> None:
        """Look once where every thread is."""
        self._taken += 1
        self._late += late
        words: dict[int, memoryview | None] = {}
        for ((slot, _, line), _), probe in self._probes.items():
            if slot not in words:
                words[slot] = self._probe_file.words(slot) if self._probe_file else None
            region = words[slot]
            if region is not None:
                probe.counts[region[line * LINE_WORDS]] += 1

    def close(self) -> None:
        """Let go of the segment and of the kernel's accounts."""
        self._drop_probes()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._probe_file is not None:
            self._probe_file.close()
            self._probe_file = None

    def _attach(self) -> bool:
        """Open the segment, or the newer one that took its place; return whether it restarted."""
        if self._reader is None:
            self._hold(SegmentReader(self.node))
            return False
        if not self._reader.replaced():
            return False
        try:
            newer = SegmentReader(self.node)
        except SegmentError:
            return False  # Not whole yet: the old one is shown until it is.
        self.close()
        self._hold(newer)
        return True

    def _hold(self, reader: SegmentReader) -> None:
        self._reader = reader
        self._probe_file = _ProbeFile(reader.path)

    def _new_events(self, reader: SegmentReader, snapshot: Snapshot) -> tuple[LogEntry, ...]:
        """Return the events since the last reading; the rings are copied only when there are."""
        counts = {
            (snapshot.generation, process.slot, process.claim): _event_count(process)
            for process in snapshot.processes
        }
        grown = {key for key, count in counts.items() if count > self._seen_events.get(key, 0)}
        if not grown:
            return ()
        entries: list[LogEntry] = []
        for process in reader.snapshot(events=True).processes:
            key = (snapshot.generation, process.slot, process.claim)
            if key in grown:
                seen = self._seen_events.get(key, 0)
                news = [event for event in process.events if event.sequence > seen]
                counts[key] = max((event.sequence for event in news), default=counts[key])
                entries.extend(self._entry(process, event) for event in news)
        self._seen_events = counts
        return tuple(entries)

    def _entry(self, process: Process, event: Event) -> LogEntry:
        facts = (f"{name}={value}" for name, value in event.fields.items())
        return LogEntry(
            event.wall_ns,
            self.node,
            harmless(process.name),
            event.severity,
            harmless(event.flag),
            harmless(" ".join([event.message, *facts])),
            harmless(place_text(event.path, event.line)),
            (event.stamp, process.claim << 32 | process.slot, event.sequence),
        )

    def _tally(self, snapshot: Snapshot) -> Tally:
        now_ns = clock.monotonic_ns()
        tally = Tally(taken=self._taken, late=self._late)
        tally.seconds = (now_ns - self._tallied_ns) / 1e9
        processes = {(process.slot, process.claim): process for process in snapshot.processes}
        for (thread, _), probe in self._probes.items():
            process = processes.get(thread[:2])
            if process is not None:
                idle = {word for word in probe.counts if _waits(process, word)}
                tally.put(thread, probe.counts, idle, probe.stat.delta())
            probe.counts = Counter()
        self._tallied_ns, self._taken, self._late = now_ns, 0, 0
        return tally

    def _follow_threads(self, snapshot: Snapshot) -> None:
        """Sample the threads of this snapshot's living processes from now on."""
        wanted: dict[tuple[ThreadKey, int], Process] = {
            ((process.slot, process.claim, thread.index), thread.tid): process
            for process in snapshot.processes
            if process.verdict in (Verdict.ALIVE, Verdict.STALLED)
            for thread in process.threads
        }
        for key in [key for key in self._probes if key not in wanted]:
            self._probes.pop(key).stat.close()
        for key, process in wanted.items():
            if key not in self._probes:
                self._probes[key] = _Probe(SchedStat(process.pid, key[1]))

    def _drop_probes(self) -> None:
        for probe in self._probes.values():
            probe.stat.close()
        self._probes.clear()


def _waits(process: Process, word: int) -> bool:
    site = process.site(word)
    return site is not None and site.waits


def _event_count(process: Process) -> int:
    at = RegionWord.EVENT_COUNT * 8
    return int.from_bytes(process.raw[at : at + 8], "little")


def _condition_of(reason: SegmentError) -> str:
    return next(condition for kind, condition in _CONDITION_OF if isinstance(reason, kind))


def _condition(snapshot: Snapshot) -> str:
    """Return what the node is in, by its daemon; by any live process when the daemon's is gone."""
    owner = snapshot.owner
    if owner is None:
        lives = any(process.verdict == Verdict.ALIVE for process in snapshot.processes)
        return Condition.ALIVE if lives else Condition.KILLED
    if owner.verdict == Verdict.ALIVE and snapshot.state == "init":
        return Condition.STARTING
    return CONDITIONS[owner.verdict]
