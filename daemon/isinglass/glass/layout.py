"""Where every byte of a segment lies, and where the segment of a node lies on this machine.

Writers and readers share these numbers and nothing else, so this module imports almost nothing.
The geometry belongs to the major format number; what changes from program to program (panels,
fields, files) is described inside the segment instead. All words are 64 bits, aligned, native
byte order.

    offset      bytes        what
    0           4,096        header
    4,096       524,288      schema: append-only blocks (panels, probed files)
    528,384     65,536       shared: sequence, stamp, tables and indexes
    593,920     16,384       slots: 256 x 64, who has which region
    610,304     397,312 each 256 regions, pages allocated when claimed

    region      bytes        what
    0           4,096        header: counts, process name, command
    4,096       8,192        probes: 128 lines x 64, one a thread
    12,288      16,384       directory: 256 panel instances x 64
    28,672      8,192        files: 1,024 words, module id and schema block
    36,864      65,536       panels
    102,400     32,768       distinct errors: 64 x 512
    135,168     262,144      events: ring of bytes

A segment is 102,322,176 bytes long and sparse: 596 KiB and 388 KiB for each process use memory.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE_BYTES = 4096
WORD_BYTES = 8
MAGIC = int.from_bytes(b"ISINGLAS", "little")
FORMAT_MAJOR = 1
FORMAT_MINOR = 1
BYTE_ORDER_MARK = 0x0102030405060708

HEADER_BYTES = PAGE_BYTES
SCHEMA_OFFSET = HEADER_BYTES
SCHEMA_BYTES = 128 * PAGE_BYTES
SHARED_OFFSET = SCHEMA_OFFSET + SCHEMA_BYTES
SHARED_BYTES = 16 * PAGE_BYTES
SLOTS_OFFSET = SHARED_OFFSET + SHARED_BYTES
SLOT_BYTES = 64
REGION_COUNT = 256
REGIONS_OFFSET = SLOTS_OFFSET + SLOT_BYTES * REGION_COUNT

PROBES_OFFSET = PAGE_BYTES
PROBE_LINE_BYTES = 64
PROBE_LINES = 128
DIRECTORY_OFFSET = PROBES_OFFSET + PROBE_LINES * PROBE_LINE_BYTES
DIRECTORY_ENTRY_BYTES = 64
DIRECTORY_ENTRIES = 256
FILES_OFFSET = DIRECTORY_OFFSET + DIRECTORY_ENTRIES * DIRECTORY_ENTRY_BYTES
FILE_ENTRIES = 1024
PANELS_OFFSET = FILES_OFFSET + FILE_ENTRIES * WORD_BYTES
PANELS_BYTES = 16 * PAGE_BYTES
ERRORS_OFFSET = PANELS_OFFSET + PANELS_BYTES
ERROR_BYTES = 512
ERROR_ENTRIES = 64
EVENTS_OFFSET = ERRORS_OFFSET + ERROR_BYTES * ERROR_ENTRIES
EVENTS_BYTES = 256 * 1024
REGION_BYTES = EVENTS_OFFSET + EVENTS_BYTES
SEGMENT_BYTES = REGIONS_OFFSET + REGION_COUNT * REGION_BYTES


class HeaderWord:
    """Word numbers of the segment's header; GENERATION stands at both ends of the page."""

    MAGIC, FORMAT, BYTE_ORDER, GENERATION, STATE, SIZE_BYTES = range(6)
    PID, START_TICKS, PID_NAMESPACE, WALL_ANCHOR_NS, MONOTONIC_ANCHOR_NS = range(6, 11)
    GENERATION_END = 511


BOOT_ID_PLACE, BOOT_ID_BYTES = 256, 40
NODE_PLACE, NODE_BYTES = 320, 64


class State:
    """Values of the header's STATE word; it is stored last."""

    INIT, READY, CLEAN_EXIT = range(3)
    NAMES = ("init", "ready", "clean exit")


class SlotWord:
    """Word numbers of a slot; CLAIM counts the processes that have had this region."""

    STATE, CLAIM, PID, START_TICKS, CLAIMED_WALL_NS, HEARTBEAT_NS, ENDED_WALL_NS = range(7)


class SlotState:
    """Values of a slot's STATE word."""

    FREE, CLAIMING, LIVE, CLEAN_EXIT = range(4)


class RegionWord:
    """Word numbers of a region's header; a count is stored after what it counts."""

    CLAIM, PID, DIRECTORY_COUNT, FILE_COUNT, LINE_COUNT = range(5)
    PANEL_BYTES_USED, ERROR_COUNT, EVENT_HEAD, EVENT_COUNT, SPARE_PROBE = range(5, 10)
    STREAM, TELLER, EVENTS_TOLD, DATAGRAMS_TOLD = range(10, 14)


class Teller:
    """Values of a region's TELLER word: who sends its events to the cluster's monitors.

    Whoever it is alone writes EVENTS_TOLD and DATAGRAMS_TOLD.
    """

    OTHERS, ITSELF, ENDED = range(3)  # the segment's owner, when it sends at all; all is told


PROCESS_NAME_PLACE, PROCESS_NAME_BYTES = 512, 64
COMMAND_PLACE, COMMAND_BYTES = 576, 1024


class LineWord:
    """Word numbers of a probe line; PROBE is the only one that the thread itself writes."""

    PROBE, NATIVE_ID, SINCE_NS, WATCHED_PROBE, WATCHED_SLICES = range(5)


LINE_NAME_PLACE, LINE_NAME_BYTES = 40, 24


class SharedWord:
    """Word numbers of the shared area."""

    SEQUENCE, STAMP, SCHEMA_USED, TABLE_COUNT = range(4)


TABLES_PLACE = PAGE_BYTES
TABLE_BYTES = 128
TABLE_ENTRIES = (SHARED_BYTES - TABLES_PLACE) // TABLE_BYTES
TABLE_NAME_PLACE, TABLE_NAME_BYTES = 32, 48
TABLE_INDEX_OF_PLACE = TABLE_NAME_PLACE + TABLE_NAME_BYTES


class TableWord:
    """Word numbers of a table entry; PRESENT is stored last."""

    PRESENT, ROWS, SIZE_BYTES = range(3)


LATCH_SLOTS = 8
LATCH_UNREAD = (1 << 64) - 1  # a reader's, never a writer's: this latch could not be read whole
HEARTBEAT_SECONDS = 1.0
STALLED_AFTER_SECONDS = 3.0
LINE_BITS = 16
MODULE_BITS = 14


def region_offset(slot: int) -> int:
    """Return where region `slot` starts in the segment, in bytes."""
    return REGIONS_OFFSET + slot * REGION_BYTES


def boot_id() -> str:
    """Return the kernel's identifier of this boot (random(4), `/proc/sys/kernel/random`)."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def on_tmpfs(path: str) -> bool:
    """Tell whether `path` lies on a tmpfs (proc(5), `/proc/self/mounts`)."""
    best, kind = "", ""
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            _, point, filesystem, *_ = line.split(" ", 3)
            covers = path == point or path.startswith(point.rstrip("/") + "/")
            if covers and len(point) >= len(best):
                best, kind = point, filesystem
    return kind == "tmpfs"


def _candidates() -> Iterable[str]:
    if os.geteuid() == 0:
        yield "/run/isinglass"
    elif runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield f"{runtime}/isinglass"


def runtime_directory() -> str:
    """Return the directory that holds one directory a node.

    `$ISINGLASS_RUNTIME_DIR` when set; else `/run/isinglass` for root, `$XDG_RUNTIME_DIR/isinglass`
    for others, if that lies on a tmpfs; else `/dev/shm/isinglass-UID`. A map on a disk filesystem
    stalls its writer for hundreds of milliseconds at each write-back.
    """
    if chosen := os.environ.get("ISINGLASS_RUNTIME_DIR"):
        return os.path.abspath(chosen)
    for candidate in _candidates():
        if on_tmpfs(candidate):
            return candidate
    return f"/dev/shm/isinglass-{os.geteuid()}"


def node_directory(node: str) -> str:
    """Return the directory of a node's segment, socket and lock."""
    return f"{runtime_directory()}/{node}"


def segment_path(node: str) -> str:
    """Return the path of a node's segment file; a name with a slash is a path already."""
    return node if "/" in node else f"{node_directory(node)}/segment"


def node_names() -> list[str]:
    """Return the nodes that have a segment file on this machine, sorted."""
    base = runtime_directory()
    try:
        names = os.listdir(base)
    except OSError:
        return []
    return sorted(name for name in names if os.path.exists(f"{base}/{name}/segment"))
