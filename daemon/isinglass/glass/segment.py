"""Make, join and leave the segment of a node: the writer's side of the glass.

One process creates the file and renames it over the last one, so that readers see a whole segment
or none, and the dead one's segment stays until then. Every process takes a region: it holds an
open-file-description lock on the region's bytes for as long as it lives, and that lock, which the
kernel releases whatever happens, is how readers tell the living from the dead. A process has one
segment at a time.
"""

from __future__ import annotations

import atexit
import mmap
import os
import sys
from contextlib import suppress

from isinglass import clock
from isinglass.errors import (
    RegionsTaken,
    SegmentError,
    SegmentForeign,
    SegmentMissing,
    SegmentNoSpace,
)
from isinglass.glass import flags, layout, locks, schema
from isinglass.glass.events import ERRORS, EVENTS
from isinglass.glass.header import check_file, check_words
from isinglass.glass.heartbeat import Heartbeat
from isinglass.glass.layout import HeaderWord, RegionWord, SharedWord, SlotState, SlotWord, State
from isinglass.glass.permission import not_opened
from isinglass.glass.processes import command_of, start_ticks
from isinglass.glass.region import OWN, fit
from isinglass.glass.severity import WARNING
from isinglass.glass.shared import Draws, FileLock, TableList

_OPEN_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
MAKING_LIMIT_SECONDS = 10.0
_SLOT_WORDS = layout.SLOT_BYTES // layout.WORD_BYTES
_current: Segment | None = None


def _allocate(descriptor: int, offset: int, length: int) -> None:
    """Allocate pages now: on a full tmpfs the first store would otherwise be a SIGBUS."""
    try:
        os.posix_fallocate(descriptor, offset, length)
    except OSError as error:
        raise SegmentNoSpace(
            f"the tmpfs under {layout.runtime_directory()} has no room for {length:,} bytes"
            f" ({error.strerror}): free some or make it larger"
        ) from error


class Segment:
    """This process's place in a node's segment; `create`, `attach`, `open_or_create` make it."""

    def __init__(self, node: str, path: str, descriptor: int, process: str) -> None:
        self.node, self.path, self.process = node, path, process
        self._file = descriptor
        self._memory = mmap.mmap(descriptor, layout.REGIONS_OFFSET)
        self._bytes = memoryview(self._memory)
        self._words = self._bytes.cast("Q")
        shared = self._bytes[layout.SHARED_OFFSET : layout.SLOTS_OFFSET]
        self._shared = shared.cast("Q")
        self._reopen()
        self.tables = TableList(shared)
        self.region = -1
        self._heartbeat: Heartbeat | None = None

    def _reopen(self) -> None:
        # On an open file of their own: a map keeps a copy of its descriptor, through which a forked
        # child would go on holding its parent's lock.
        self._locks = os.open(f"/proc/self/fd/{self._file}", os.O_RDWR | os.O_CLOEXEC)
        self.draws = Draws(self._shared, self._locks)
        self._schema_lock = FileLock(self._locks, layout.SCHEMA_OFFSET, "the node's schema")

    # ------------------------------------------------------------------ regions
    def claim(self, wanted: range) -> None:
        """Take the first free region of `wanted`: unused ones first, then the longest dead.

        Raises:
            RegionsTaken: all of them belong to live processes.
            SegmentNoSpace: the tmpfs is full.
        """
        for slot in sorted(wanted, key=self._last_use):
            offset = layout.region_offset(slot)
            if locks.try_lock(self._locks, offset, layout.REGION_BYTES):
                self._take(slot, offset)
                return
        raise RegionsTaken(
            f"all {len(wanted)} regions of node {self.node} belong to live processes:"
            " end some clients or share one between threads"
        )

    def _last_use(self, slot: int) -> tuple[bool, int]:
        words = self._slot(slot)
        live = words[SlotWord.STATE] == SlotState.LIVE
        return live, max(words[SlotWord.ENDED_WALL_NS], words[SlotWord.CLAIMED_WALL_NS])

    def _slot(self, slot: int) -> memoryview:
        first = layout.SLOTS_OFFSET // layout.WORD_BYTES + slot * _SLOT_WORDS
        return self._words[first : first + _SLOT_WORDS]

    def _take(self, slot: int, offset: int) -> None:
        words = self._slot(slot)
        words[SlotWord.STATE] = SlotState.CLAIMING
        _allocate(self._file, offset, layout.REGION_BYTES)
        OWN.back(self._file, offset, self._register)
        own = OWN.words
        for place, room, text in (
            (layout.PROCESS_NAME_PLACE, layout.PROCESS_NAME_BYTES, self.process),
            (layout.COMMAND_PLACE, layout.COMMAND_BYTES, command_of(os.getpid())),
        ):
            OWN.bytes[place : place + room] = fit(text, room)
        claim = words[SlotWord.CLAIM] + 1
        own[RegionWord.CLAIM], own[RegionWord.PID] = claim, os.getpid()
        words[SlotWord.CLAIM], words[SlotWord.PID] = claim, os.getpid()
        words[SlotWord.START_TICKS] = start_ticks(os.getpid())
        words[SlotWord.CLAIMED_WALL_NS], words[SlotWord.ENDED_WALL_NS] = clock.wall_ns(), 0
        self.region = slot
        self._heartbeat = Heartbeat(words)
        flags.PAGE.attach(self.path, create=slot == 0)
        EVENTS.follow(self._shared[SharedWord.STAMP : SharedWord.STAMP + 1])
        words[SlotWord.STATE] = SlotState.LIVE

    def _register(self, kind: int, payload: bytes) -> int:
        """Append a schema block unless the segment has it already; return its place."""
        with self._schema_lock:
            used = self._shared[SharedWord.SCHEMA_USED]
            area = self._bytes[layout.SCHEMA_OFFSET : layout.SHARED_OFFSET]
            for place, known_kind, known in schema.blocks(area, used):
                if known == payload and known_kind == kind:
                    return place
            block = schema.block_bytes(kind, payload)
            if used + len(block) > layout.SCHEMA_BYTES:
                raise SegmentError(
                    f"the schema of node {self.node} is full ({layout.SCHEMA_BYTES:,} bytes):"
                    " restart the node to drop panels that are no longer used"
                )
            area[used : used + len(block)] = block
            area.cast("Q")[used // layout.WORD_BYTES + 2] = len(payload)
            self._shared[SharedWord.SCHEMA_USED] = used + len(block)
            return int(used)

    # ------------------------------------------------------------------ life
    def ready(self) -> None:
        """Say that the node has started: its state goes from "init" to "ready"."""
        self._words[HeaderWord.STATE] = State.READY

    @property
    def generation(self) -> int:
        """The number of this segment; a restarted node has another one."""
        return self._words[HeaderWord.GENERATION]

    def replaced(self) -> bool:
        """Tell whether the node was restarted, so that its path is another file now."""
        try:
            return os.stat(self.path).st_ino != os.fstat(self._file).st_ino
        except FileNotFoundError:
            return True

    def close(self) -> None:
        """Leave: a clean exit. The region stays readable; the process goes on without a glass."""
        global _current
        if self.region < 0:
            return
        words, owner = self._slot(self.region), self.region == 0
        if self._heartbeat:
            self._heartbeat.stop()
        OWN.unback()
        flags.PAGE.detach()
        EVENTS.follow(None)
        words[SlotWord.ENDED_WALL_NS] = clock.wall_ns()
        words[SlotWord.STATE] = SlotState.CLEAN_EXIT
        if owner:
            self._words[HeaderWord.STATE] = State.CLEAN_EXIT
        self.region = -1
        os.close(self._locks)
        os.close(self._file)
        if _current is self:
            _current = None

    def __enter__(self) -> Segment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def after_fork(self) -> None:
        """In a forked child: let go of the parent's lock and claim a region of its own."""
        global _current
        # First: should the rest fail, the child's end must not be told as its parent's.
        self._heartbeat, self.region, _current = None, -1, None
        os.close(self._locks)
        self.process = f"{self.process.removesuffix(' child')} child"
        try:
            self._reopen()
            _become(self, range(1, layout.REGION_COUNT))
        except (SegmentError, OSError):
            return  # The child works on without a glass; it must not fail for want of one.
        if (util := sys.modules.get("multiprocessing.util")) is not None:
            util.Finalize(None, self.close, exitpriority=0)

    # ------------------------------------------------------------------ what processes say
    def sequences(self, count: int = 1) -> int:
        """Return the first of `count` numbers of the node's sequence; see `Draws.sequences`."""
        return self.draws.sequences(count)

    def stamp(self, count: int = 1, above: int = 0) -> int:
        """Return the first of `count` stamps of the node's clock; see `Draws.stamps`."""
        return self.draws.stamps(count, above)

    def observe(self, stamp: int) -> None:
        """Make every later stamp of the node greater than `stamp`."""
        self.draws.observe(stamp)

    def event(self, severity: int, flag: str, message: str, /, **fields: object) -> None:
        """Store an event in this process's ring; severity 1 to 24 as in OpenTelemetry."""
        EVENTS.emit(severity, flag, message, fields)

    def error(self, error: BaseException) -> None:
        """Count an error in the table of distinct errors, by its kind and where it was raised."""
        ERRORS.raised(error)


# ---------------------------------------------------------------------- making and joining
def _become(segment: Segment, wanted: range) -> Segment:
    global _current
    if _current is not None and _current.region >= 0:
        _current.close()
    try:
        segment.claim(wanted)
    except BaseException:
        # Without the lock the region is anybody's: nothing may be stored into it any more.
        OWN.unback()
        segment.region = -1
        os.close(segment._locks)
        os.close(segment._file)
        raise
    _current = segment
    return segment


def event(severity: int, flag: str, message: str, /, **fields: object) -> None:
    """Store an event in this process's ring, which is seen once it joins; see `Segment.event`."""
    EVENTS.emit(severity, flag, message, fields)


def current() -> Segment | None:
    """Return the segment that this process has a region of, if any."""
    return _current


def _owner_lives(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return locks.is_locked(descriptor, layout.region_offset(0))
    finally:
        os.close(descriptor)


def _write_header(memory: memoryview, node: str) -> None:
    words = memory.cast("Q")
    generation = clock.wall_ns()
    words[HeaderWord.FORMAT] = layout.FORMAT_MAJOR << 32 | layout.FORMAT_MINOR
    words[HeaderWord.BYTE_ORDER] = layout.BYTE_ORDER_MARK
    words[HeaderWord.GENERATION] = words[HeaderWord.GENERATION_END] = generation
    words[HeaderWord.SIZE_BYTES] = layout.SEGMENT_BYTES
    words[HeaderWord.PID] = os.getpid()
    words[HeaderWord.START_TICKS] = start_ticks(os.getpid())
    words[HeaderWord.PID_NAMESPACE] = os.stat("/proc/self/ns/pid").st_ino
    words[HeaderWord.WALL_ANCHOR_NS] = clock.wall_ns()
    words[HeaderWord.MONOTONIC_ANCHOR_NS] = clock.monotonic_ns()
    for place, room, text in (
        (layout.BOOT_ID_PLACE, layout.BOOT_ID_BYTES, layout.boot_id()),
        (layout.NODE_PLACE, layout.NODE_BYTES, node),
    ):
        memory[place : place + room] = fit(text, room)
    words[HeaderWord.MAGIC] = layout.MAGIC


def create(node: str, process: str = "daemon") -> Segment:
    """Make the segment of a node, replace the last one, and claim its first region.

    Args:
        node: the node's name; its directory is made when missing (mode 0750).
        process: what readers call this process.

    Raises:
        SegmentError: a live process already is this node, or the file cannot be made.
        SegmentNoSpace: the tmpfs is full.
    """
    path = layout.segment_path(node)
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o750, exist_ok=True)
        turn = locks.lock_folder(folder, MAKING_LIMIT_SECONDS, f"making node {node}'s segment")
    except OSError as error:
        raise SegmentError(f"{folder} cannot be used: {error.strerror}") from error
    try:
        return _make(node, path, process)
    finally:
        os.close(turn)


def _make(node: str, path: str, process: str) -> Segment:
    """Make the segment, while nobody else does."""
    if _owner_lives(path):
        raise SegmentError(
            f"node {node} is alive already: end its process (see `isinglass ps {node}`) first"
        )
    fresh = f"{path}.new"
    try:
        with suppress(FileNotFoundError):
            os.unlink(fresh)  # of a maker that was killed
        descriptor = os.open(fresh, _OPEN_FLAGS | os.O_CREAT | os.O_EXCL, 0o640)
    except OSError as error:
        raise SegmentError(f"{fresh} cannot be made: {error.strerror}") from error
    try:
        os.ftruncate(descriptor, layout.SEGMENT_BYTES)
        _allocate(descriptor, 0, layout.REGIONS_OFFSET)
        segment = Segment(node, path, descriptor, process)
        _write_header(segment._bytes, node)
        _become(segment, range(1))
        os.rename(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise
    if not layout.on_tmpfs(path):
        segment.event(
            WARNING, "glass", "the segment is not on a tmpfs: stores may stall", path=path
        )
    return segment


def attach(node: str, process: str = "client") -> Segment:
    """Claim a region in the segment of a node that was made by another process.

    Raises:
        SegmentMissing: the node has no segment.
        NotASegment, FormatTooNew, SegmentHalfWritten, SegmentTruncated, SegmentForeign: it cannot
            be used, and why.
        RegionsTaken: 255 other processes live in it.
    """
    path = layout.segment_path(node)
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except FileNotFoundError as error:
        raise SegmentMissing(
            f"node {node} has no segment at {path}: start it (`isinglass daemon start {node}`)"
        ) from error
    except OSError as error:
        raise SegmentForeign(not_opened(path, error)) from error
    try:
        check_file(descriptor, path)
        check_words(os.pread(descriptor, layout.HEADER_BYTES, 0), path)
    except SegmentError:
        os.close(descriptor)
        raise
    return _become(Segment(node, path, descriptor, process), range(1, layout.REGION_COUNT))


def open_or_create(node: str, process: str = "main") -> Segment:
    """Put this process behind the glass: join the live node of that name, or make it, ready.

    Raises:
        SegmentError: as `create` and `attach`.
    """
    path = layout.segment_path(node)
    if _owner_lives(path):
        return attach(node, process)
    try:
        segment = create(node, process)
    except SegmentError:
        if not _owner_lives(path):
            raise
        return attach(node, process)  # Another process was quicker.
    segment.ready()
    return segment


def _after_fork() -> None:
    OWN.after_fork()
    EVENTS.after_fork()
    ERRORS.after_fork()
    flags.PAGE.after_fork()
    if _current is not None:
        _current.after_fork()


def _at_exit() -> None:
    if _current is not None:
        _current.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
