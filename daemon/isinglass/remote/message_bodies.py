"""The bytes of what a relay and its client say to each other, behind the head of each message.

    HELLO    JSON: protocol, version (isinglass), python, minor (of the segment's format), nodes,
             source: whether texts of source files are handed out
    OPEN     name of a node: that channel is this node from now on
    GRANT    8 granted_ns   8 delay_ns   2 looks a second   1 flags: 1 whole, 2 with the rings
    LIST     nothing; the answer is NODES: names, a line each
    SOURCE   4 number   4 offset   path of a source file of the channel's node
    TEXT     4 number   4 offset   4 bytes of the file   4 CRC-32 of the file   the bytes from the
             offset on, some of them, deflated by themselves; of a file of 0 bytes it is why not
    REFUSED  name of the error's class, tab, sentence; of channel 0: the relay ends
    FRAME    8 granted_ns   8 held_ns   4 looks taken   4 late   4 missed   8 span_ns   1 flags
             flags: 1 whole, 2 the node restarted, 4 it cannot be read: as REFUSED follows
             else parts, 1 tag   4 bytes   the part, in a deflated stream that begins with whole:
             1  snapshot (`isinglass.glass.snapshot_codec`)
             2  counts of looks: each thread   2 slot   8 claim   2 line   8 ns running
                8 ns waiting for a CPU   1 whether these are known
                2 words, each   8 word   4 looks
             3  events: each process   2 slot   8 claim   4 events, each   8 sequence   8 stamp
                1 severity   8 where   2, 2, 4 bytes of the flag, the message and the fields, they

`granted_ns` is the near side's own clock, sent back untouched, and `held_ns` the time from the
grant's arrival to the look on the far side's: together they say how old a frame is at most, on the
near side's clock alone, without comparing two machines' clocks. Pure.
"""

from __future__ import annotations

import json
import struct

from isinglass.glass.look import Sampling
from isinglass.glass.probe_counts import ThreadCounts
from isinglass.glass.schedstat import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from isinglass.glass.journal import RawEvent

    Events = tuple[int, int, list[RawEvent]]  # slot, claim, events

PROTOCOL = 1
GRANT = struct.Struct("<QQHB")
FRAME = struct.Struct("<QQIIIQB")
PART = struct.Struct("<BI")
THREAD = struct.Struct("<HQHQQBH")
WORD = struct.Struct("<QI")
TAIL = struct.Struct("<HQI")
EVENT = struct.Struct("<QQBQHHI")
SOURCE = struct.Struct("<II")
TEXT = struct.Struct("<IIII")
WHOLE, RINGS = 1, 2
RESTARTED, UNREADABLE = 2, 4


class Part:
    """Tags of the parts of a frame."""

    SNAPSHOT, COUNTS, EVENTS = 1, 2, 3


class Grant:
    """Leave to send one frame, `delay_ns` from now on."""

    __slots__ = ("delay_ns", "flags", "granted_ns", "looks_per_second")

    def __init__(
        self, granted_ns: int, delay_ns: int = 0, looks_per_second: int = 0, flags: int = 0
    ) -> None:
        self.granted_ns, self.delay_ns = granted_ns, delay_ns
        self.looks_per_second, self.flags = looks_per_second, flags

    def packed(self) -> bytes:
        """Return the body of the message."""
        return GRANT.pack(self.granted_ns, self.delay_ns, self.looks_per_second, self.flags)


def read_grant(body: bytes) -> Grant:
    """Return the grant of a message's body; raises struct.error for another length."""
    return Grant(*GRANT.unpack(body))


class FrameHead:
    """What stands before the parts of a frame."""

    __slots__ = ("flags", "granted_ns", "held_ns", "sampling")

    def __init__(self, granted_ns: int, held_ns: int, sampling: Sampling, flags: int) -> None:
        self.granted_ns, self.held_ns = granted_ns, held_ns
        self.sampling, self.flags = sampling, flags

    def packed(self) -> bytes:
        """Return the head's bytes."""
        how = self.sampling
        return FRAME.pack(
            self.granted_ns, self.held_ns, how.taken, how.late, how.missed, how.span_ns, self.flags
        )


def read_frame(body: bytes) -> tuple[FrameHead, bytes]:
    """Return the head of a frame and what follows; raises struct.error when it is cut."""
    granted, held, taken, late, missed, span_ns, flags = FRAME.unpack_from(body)
    head = FrameHead(granted, held, Sampling(taken, late, missed, span_ns), flags)
    return head, body[FRAME.size :]


def read_parts(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the parts of a frame, inflated; raises struct.error when they are cut."""
    at = 0
    while at < len(raw):
        tag, length = PART.unpack_from(raw, at)
        at += PART.size
        yield tag, raw[at : at + length]
        at += length


def part(tag: int, body: bytes) -> bytes:
    """Return a part of a frame; nothing of an empty one."""
    return PART.pack(tag, len(body)) + body if body else b""


def pack_hello(facts: Mapping[str, object]) -> bytes:
    """Return the body of a HELLO."""
    return json.dumps(facts).encode()


def read_hello(body: bytes) -> dict[str, object]:
    """Return the facts of a HELLO; an empty one when it is none."""
    try:
        facts = json.loads(body)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def pack_wrong(reason: Exception) -> bytes:
    """Return an error as its class's name and its sentence."""
    return f"{type(reason).__name__}\t{reason}".encode("utf-8", "replace")


def read_wrong(body: bytes) -> tuple[str, str]:
    """Return the name of the error's class, and its sentence."""
    name, _, sentence = body.decode("utf-8", "replace").partition("\t")
    return name, sentence


def pack_source(number: int, offset: int, path: str) -> bytes:
    """Return the body of a SOURCE: the piece of a file that is asked for."""
    return SOURCE.pack(number, offset) + path.encode("utf-8", "surrogateescape")


def read_source(body: bytes) -> tuple[int, int, str]:
    """Return number, offset and path; raises struct.error when it is cut."""
    number, offset = SOURCE.unpack_from(body)
    return number, offset, body[SOURCE.size :].decode("utf-8", "surrogateescape")


def pack_counts(threads: Iterable[ThreadCounts]) -> bytes:
    """Return the counts of the threads that were looked at; nothing when there are none."""
    parts = []
    for thread in threads:
        if not thread.counts:
            continue
        slot, claim, line = thread.key
        usage = thread.usage
        known = usage is not None
        running_ns, queued_ns = usage if usage is not None else (0, 0)
        parts.append(
            THREAD.pack(slot, claim, line, running_ns, queued_ns, known, len(thread.counts))
        )
        parts.extend(WORD.pack(word, count) for word, count in thread.counts.items())
    return b"".join(parts)


def read_counts(body: bytes) -> list[ThreadCounts]:
    """Return the counts that `pack_counts` packed."""
    at, found = 0, []
    while at < len(body):
        slot, claim, line, running_ns, queued_ns, known, words = THREAD.unpack_from(body, at)
        at += THREAD.size
        end = at + words * WORD.size
        counts = dict(WORD.iter_unpack(memoryview(body)[at:end]))
        usage = Usage(running_ns, queued_ns) if known else None
        found.append(ThreadCounts((slot, claim, line), counts, usage))
        at = end
    return found


def pack_events(tails: Iterable[Events]) -> bytes:
    """Return new events by process; nothing when there are none."""
    parts = []
    for slot, claim, events in tails:
        parts.append(TAIL.pack(slot, claim, len(events)))
        parts.extend(_packed_event(event) for event in events)
    return b"".join(parts)


def _packed_event(event: RawEvent) -> bytes:
    sequence, stamp, severity, where, *texts = event
    stored = [text.encode("utf-8", "replace") for text in texts]
    return EVENT.pack(sequence, stamp, severity, where, *map(len, stored)) + b"".join(stored)


def read_events(body: bytes) -> Iterator[Events]:
    """Yield what `pack_events` packed."""
    raw, at = memoryview(body), 0
    while at < len(raw):
        slot, claim, count = TAIL.unpack_from(raw, at)
        at += TAIL.size
        events = []
        for _ in range(count):
            event, at = _read_event(raw, at)
            events.append(event)
        yield slot, claim, events


def _read_event(raw: memoryview, at: int) -> tuple[RawEvent, int]:
    sequence, stamp, severity, where, *lengths = EVENT.unpack_from(raw, at)
    at += EVENT.size
    texts = []
    for length in lengths:
        texts.append(bytes(raw[at : at + length]).decode("utf-8", "replace"))
        at += length
    flag, message, fields = texts
    return (sequence, stamp, severity, where, flag, message, fields), at
