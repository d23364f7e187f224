"""The first page of a segment: who wrote it, when, in which format, and whether it can be believed.

word 0   magic "ISINGLAS"      1  format, major << 32 | minor    2  byte order mark
     3   generation            4  state: init, ready, clean exit  5  size of the file, bytes
     6   pid of the creator    7  its start, clock ticks since boot
     8   its pid namespace     9  wall clock at creation, ns     10  monotonic clock then, ns
     511 generation again
byte 256 boot id, 40 bytes     320 node name, 64 bytes
"""

from __future__ import annotations

import os
import stat

from isinglass.errors import (
    FormatTooNew,
    MachineRebooted,
    NotASegment,
    SegmentForeign,
    SegmentHalfWritten,
    SegmentTruncated,
)
from isinglass.glass import layout
from isinglass.glass.layout import HeaderWord, State


def text_at(raw: bytes, place: int, room: int) -> str:
    """Return the zero-padded text at a place; bytes that are not UTF-8 are shown as such."""
    return raw[place : place + room].split(b"\0", 1)[0].decode("utf-8", "replace")


class Header:
    """The header page as it was read; every number is a whole number, times in nanoseconds."""

    __slots__ = (
        "boot_id", "generation", "minor", "monotonic_anchor_ns", "node", "pid", "state",
        "wall_anchor_ns",
    )  # fmt: skip

    def __init__(self, raw: bytes) -> None:
        words = memoryview(raw).cast("Q")
        self.minor = words[HeaderWord.FORMAT] & 0xFFFF_FFFF
        self.generation, self.pid = words[HeaderWord.GENERATION], words[HeaderWord.PID]
        self.state = State.NAMES[words[HeaderWord.STATE]]
        self.wall_anchor_ns = words[HeaderWord.WALL_ANCHOR_NS]
        self.monotonic_anchor_ns = words[HeaderWord.MONOTONIC_ANCHOR_NS]
        self.boot_id = text_at(raw, layout.BOOT_ID_PLACE, layout.BOOT_ID_BYTES)
        self.node = text_at(raw, layout.NODE_PLACE, layout.NODE_BYTES)


def header_bytes(header: Header) -> bytes:
    """Return a page that says what a header does."""
    raw = bytearray(layout.HEADER_BYTES)
    words = memoryview(raw).cast("Q")
    for number, value in (
        (HeaderWord.MAGIC, layout.MAGIC),
        (HeaderWord.FORMAT, layout.FORMAT_MAJOR << 32 | header.minor),
        (HeaderWord.BYTE_ORDER, layout.BYTE_ORDER_MARK),
        (HeaderWord.GENERATION, header.generation),
        (HeaderWord.STATE, State.NAMES.index(header.state)),
        (HeaderWord.SIZE_BYTES, layout.SEGMENT_BYTES),
        (HeaderWord.PID, header.pid),
        (HeaderWord.WALL_ANCHOR_NS, header.wall_anchor_ns),
        (HeaderWord.MONOTONIC_ANCHOR_NS, header.monotonic_anchor_ns),
        (HeaderWord.GENERATION_END, header.generation),
    ):
        words[number] = value
    for text, place, room in (
        (header.boot_id, layout.BOOT_ID_PLACE, layout.BOOT_ID_BYTES),
        (header.node, layout.NODE_PLACE, layout.NODE_BYTES),
    ):
        encoded = text.encode()[:room]
        raw[place : place + len(encoded)] = encoded
    return bytes(raw)


def check_file(descriptor: int, path: str) -> os.stat_result:
    """Return what the kernel says of a segment file: a plain file of this user or of root, whole.

    Raises:
        SegmentForeign: it is not.
        NotASegment: it is too short for one, and does not begin as one does.
        SegmentTruncated: it is shorter than any segment.
    """
    status, own = os.fstat(descriptor), os.geteuid()
    if not stat.S_ISREG(status.st_mode):
        raise SegmentForeign(f"{path} is not a segment of isinglass: it is no plain file")
    if own != 0 and status.st_uid not in (0, own):
        raise SegmentForeign(f"{path} belongs to user {status.st_uid}: run as that user or root")
    if status.st_size < layout.SEGMENT_BYTES:
        _check_magic(os.pread(descriptor, layout.WORD_BYTES, 0), path)
        raise SegmentTruncated(
            f"{path} has {status.st_size:,} of {layout.SEGMENT_BYTES:,} bytes, somebody cut it:"
            " restart the node"
        )
    return status


def _check_magic(raw: bytes, path: str) -> None:
    if int.from_bytes(raw[: layout.WORD_BYTES], "little") != layout.MAGIC:
        raise NotASegment(f"{path} is not a segment of isinglass: look what else wrote it")


def check_words(raw: bytes, path: str) -> None:
    """Check the first page of a segment.

    Raises:
        NotASegment, FormatTooNew, SegmentHalfWritten, SegmentTruncated: what is wrong with it.
    """
    if len(raw) < layout.HEADER_BYTES:
        raise SegmentTruncated(f"{path} has only {len(raw):,} bytes: restart the node")
    words = memoryview(raw).cast("Q")
    if not any(raw):
        raise SegmentHalfWritten(f"{path} is empty so far: its writer has just begun, or is gone")
    _check_magic(raw, path)
    if words[HeaderWord.BYTE_ORDER] != layout.BYTE_ORDER_MARK:
        raise NotASegment(f"{path} was written on a machine of the other byte order")
    major = words[HeaderWord.FORMAT] >> 32
    if major != layout.FORMAT_MAJOR:
        raise FormatTooNew(
            f"{path} has format {major}, this isinglass reads format {layout.FORMAT_MAJOR}:"
            " use the isinglass that wrote it"
        )
    if words[HeaderWord.GENERATION] != words[HeaderWord.GENERATION_END]:
        raise SegmentHalfWritten(f"{path} is half written: restart the node")
    if words[HeaderWord.STATE] >= len(State.NAMES):
        raise SegmentHalfWritten(f"{path} has a state that does not exist: restart the node")
    if words[HeaderWord.SIZE_BYTES] != layout.SEGMENT_BYTES:
        raise SegmentTruncated(f"{path} says it has another size than it has: restart the node")


def check_boot(header: Header, path: str) -> None:
    """Check that the segment was written since this machine booted.

    Raises:
        MachineRebooted: it was not; its processes are gone, whatever it says.
    """
    if header.boot_id != layout.boot_id():
        raise MachineRebooted(
            f"{path} is from before the last boot of this machine: node {header.node} is not"
            f" running, start it (`isinglass daemon start {header.node}`)"
        )
