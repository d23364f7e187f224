"""The control page of a node: a file beside the segment, by which debug logging is switched.

Whoever may write the file switches flags by storing words; every process of the node has it mapped,
so a switch needs nobody's help: it works while the daemon hangs or is stopped. A flag's place is a
hash of its name, so that no process has to agree on it with another; of two names with the same
place only the first one can be switched, and the command says so. A flag is on until a time that
always stands beside it.

Flags whose names begin with `node.` switch the daemon itself, and are no debug flags.

    file, 65,536 bytes, mode 0660: 1,024 entries of 64 bytes; entry 0 is the header
    header   8 "ISINCTRL"   8 version, 1
    flag     8 on: 1 or 0   8 until, wall ns   8 most events a second and process   8 user id of who
             switched it, less 1   32 name
"""

from __future__ import annotations

import os
import struct
from zlib import crc32

from isinglass.errors import SegmentError, UsageError
from isinglass.glass import layout
from isinglass.glass.header import text_at

ENTRIES = 1024
ENTRY_BYTES = 64
PAGE_BYTES = ENTRIES * ENTRY_BYTES
MAGIC = b"ISINCTRL"
VERSION = 1
MODE = 0o660
RESERVED = "node."  # flags of these names are no debug flags: they switch the node itself
DRAINED = RESERVED + "drained"
NAME_PLACE, NAME_BYTES = 32, 32
_HEADER = struct.Struct("=8sQ")
_WORDS = struct.Struct("=QQQQ")
_OPEN_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class FlagState:
    """One flag as it stands in the page."""

    __slots__ = ("name", "on", "rate", "until_wall_ns", "user_id")

    def __init__(self, name: str, words: tuple[int, int, int, int]) -> None:
        self.name = name
        self.on, self.until_wall_ns, self.rate, self.user_id = words
        self.user_id -= 1


def page_path(node: str) -> str:
    """Return the path of a node's control page."""
    return os.path.join(os.path.dirname(layout.segment_path(node)), "control")


def place_of(name: str) -> int:
    """Return where a flag's entry starts in the page, in bytes."""
    return (1 + crc32(name.encode()) % (ENTRIES - 1)) * ENTRY_BYTES


def create(path: str) -> None:
    """Make the page when it is not there, or is none; one that is there keeps its flags.

    Raises:
        OSError: it cannot be made.
    """
    try:
        os.close(open_page(path, write=False))
        return
    except (FileNotFoundError, SegmentError):
        pass
    fresh = f"{path}.new"
    descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _OPEN_FLAGS, MODE)
    try:
        os.fchmod(descriptor, MODE)  # whatever the umask
        os.posix_fallocate(descriptor, 0, PAGE_BYTES)  # a full tmpfs must not be a SIGBUS later
        os.pwrite(descriptor, _HEADER.pack(MAGIC, VERSION), 0)
        os.rename(fresh, path)
    except OSError:
        os.unlink(fresh)
        raise
    finally:
        os.close(descriptor)


def open_page(path: str, *, write: bool) -> int:
    """Return the page's open file.

    Raises:
        OSError: it is not there, or may not be opened.
        SegmentError: it is no control page.
    """
    descriptor = os.open(path, (os.O_RDWR if write else os.O_RDONLY) | _OPEN_FLAGS)
    head = os.pread(descriptor, _HEADER.size, 0)
    size = os.fstat(descriptor).st_size
    if size != PAGE_BYTES or head != _HEADER.pack(MAGIC, VERSION):
        os.close(descriptor)
        raise SegmentError(f"{path} is no control page of this version: restart the node")
    return descriptor


def states(descriptor: int) -> list[FlagState]:
    """Return the flags that any process of the node has declared, by name."""
    raw = os.pread(descriptor, PAGE_BYTES, 0)
    places = range(ENTRY_BYTES, len(raw) - ENTRY_BYTES + 1, ENTRY_BYTES)
    named = ((text_at(raw, place + NAME_PLACE, NAME_BYTES), place) for place in places)
    found = [FlagState(name, _WORDS.unpack_from(raw, place)) for name, place in named if name]
    return sorted(found, key=lambda state: state.name)


def switch(descriptor: int, name: str, until_wall_ns: int, rate: int, user_id: int) -> None:
    """Switch a flag on until a time; with a time that is past, off.

    Raises:
        UsageError: no process of the node has a flag of that name.
    """
    place = place_of(name)
    raw = os.pread(descriptor, ENTRY_BYTES, place)
    if text_at(raw, NAME_PLACE, NAME_BYTES) != name:
        known = ", ".join(state.name for state in states(descriptor))
        raise UsageError(f"the node has no debug flag {name!r}; there are {known or 'none'}.")
    # The word that is looked at comes last, so that nobody meets it without its end.
    os.pwrite(descriptor, _WORDS.pack(0, until_wall_ns, rate, user_id + 1)[8:], place + 8)
    os.pwrite(descriptor, int(until_wall_ns > 0).to_bytes(8, "little"), place)
