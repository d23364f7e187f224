"""What the owner of a segment does for other processes of its node: sends what they do not.

A process that may not read the cluster's key does not send its events; one that was killed has not
sent its last ones. The owner looks at all rings ten times a second, and goes on with the very
stream: its number and its count of datagrams stand beside the ring. A process that lives and has
just come is left GRACE_NS to begin by itself. For some minutes the segment that this one has
replaced is looked at, too: it has what a daemon that was killed did not send.

    others' region    sent by itself, alive ──▶ left alone
                      not sent by itself    ──▶ relayed each turn, status each second
                      killed, or left unsent ─▶ the rest, one last status, marked ENDED
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

from isinglass.emit.panel import LogPanel
from isinglass.emit.rings import events_of, process_of, runs
from isinglass.emit.stream import Note, Stream, Who
from isinglass.glass import layout
from isinglass.glass.layout import RegionWord, Teller
from isinglass.glass.reader import RingHead, SegmentReader
from isinglass.glass.snapshot import Verdict

GRACE_NS = 1_000_000_000
CLIENT, DAEMON = "client", "daemon"
_WORD = struct.Struct("=Q")
_NUMBERS = struct.Struct("=QQ")
_LIVES = (Verdict.ALIVE, Verdict.STALLED)

MakeStream = Callable[[int, Who, int, int, Note], Stream]


class Relay:
    """The owner's view of one segment's other regions; one thread uses it.

    Args:
        make: makes a stream from its number, whose it is, and how many events and datagrams of it
            were sent before.
        past: it is the segment that was replaced: only who was killed in it is told. Who lives, or
            has left it, has taken its ring along.
    """

    def __init__(
        self,
        reader: SegmentReader,
        node: str,
        make: MakeStream,
        panel: LogPanel,
        *,
        past: bool = False,
    ) -> None:
        self.reader, self._node, self._make, self._panel = reader, node, make, panel
        self.past = past
        self._streams: dict[tuple[int, int], Stream] = {}
        self._told: dict[tuple[int, int], int] = {}
        self._file = os.open(f"/proc/self/fd/{reader.descriptor}", os.O_RDWR | os.O_CLOEXEC)

    def close(self) -> None:
        """Let go of the segment's file."""
        os.close(self._file)
        self.reader.close()

    def turn(self, now_wall_ns: int, *, status: bool) -> None:
        """Send what has come, and the status of each stream when a second has passed.

        Raises:
            SegmentError, OSError: the segment cannot be read.
        """
        rings = self.reader.rings()
        for ring in rings:
            if self._is_ours(ring, now_wall_ns):
                self._send(ring, status)
        present = {(ring.slot, ring.claim) for ring in rings if ring.teller != Teller.ENDED}
        for gone in self._streams.keys() - present:
            del self._streams[gone], self._told[gone]

    def _is_ours(self, ring: RingHead, now_wall_ns: int) -> bool:
        """Tell whether a ring is to be told by the owner."""
        if ring.teller == Teller.ENDED or not ring.stream:
            return False
        if ring.verdict == Verdict.KILLED:
            return True
        if self.past or ring.slot == 0 or ring.teller == Teller.ITSELF:
            return False
        young = now_wall_ns - ring.claimed_wall_ns < GRACE_NS
        return not (ring.verdict in _LIVES and young)

    def _send(self, ring: RingHead, status: bool) -> None:
        key, lives = (ring.slot, ring.claim), ring.verdict in _LIVES
        told = self._told.get(key, ring.events_told)
        silent = not ring.events and not ring.datagrams_told
        if lives and (silent or (told == ring.events and not status)):
            return
        process = None if silent else process_of(self.reader, ring.slot, ring.claim)
        if process is not None:
            stream = self._streams.get(key)
            if stream is None:
                stream = self._streams[key] = self._begin(ring, process.name)
            oldest = 0
            for first, events in runs(events_of(process)):
                oldest = oldest or first
                left = events[max(0, told + 1 - first) :]
                start = first + len(events) - len(left)
                if left:
                    self._panel.overtaken += start - told - 1
                    self._panel.relayed += len(left)
                    stream.tell(start, left)
                    told = start + len(left) - 1
            told = self._told[key] = max(told, ring.events)
            if status or not lives:
                stream.status(told, oldest or told + 1, ended=not lives)
        if not lives:
            self._store(ring, RegionWord.TELLER, _WORD.pack(Teller.ENDED))

    def _begin(self, ring: RingHead, name: str) -> Stream:
        def note(told: int, sent: int) -> None:
            self._store(ring, RegionWord.EVENTS_TOLD, _NUMBERS.pack(told, sent))

        who = Who(self._node, name, max(ring.pid, 1), CLIENT if ring.slot else DAEMON)
        return self._make(ring.stream, who, ring.events_told, ring.datagrams_told, note)

    def _store(self, ring: RingHead, word: int, data: bytes) -> None:
        """Store words beside the ring, unless the region is another process's by now."""
        offset = layout.region_offset(ring.slot)
        claim = _WORD.unpack(os.pread(self._file, layout.WORD_BYTES, offset))[0]
        if claim == ring.claim:
            os.pwrite(self._file, data, offset + word * layout.WORD_BYTES)
