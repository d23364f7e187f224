"""Decode the event ring and the table of distinct errors out of a region's copied bytes.

The ring may have been written while it was copied, so no record is believed unless its first word
says where it stands, and the part that a writer may have been inside of is left out. See `events`
for the bytes.
"""

from __future__ import annotations

import struct

from isinglass.clock import stamp_wall_ns
from isinglass.glass import layout
from isinglass.glass.header import text_at
from isinglass.glass.layout import RegionWord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isinglass.glass.schema import Site

    # sequence, stamp, severity, probe word of the thread that stored it, flag, message, fields
    RawEvent = tuple[int, int, int, int, str, str, str]

EVENT = struct.Struct("<QIBBHQQQHHI")
EVENT_MAGIC = 0x1517_6C61_5500_0000
KIND_EVENT, KIND_PADDING = 0, 1
MAXIMUM_EVENT_BYTES = 4096
ERROR_KIND, ERROR_MESSAGE, ERROR_WHERE = (64, 64), (128, 256), (384, 128)


class Event:
    """One event as it was read from a ring."""

    __slots__ = (
        "fields", "flag", "line", "message", "path", "sequence", "severity", "stamp", "wall_ns",
    )  # fmt: skip

    def __init__(
        self,
        head: tuple[int, int, int],
        texts: tuple[str, str, str],
        site: Site | None,
    ) -> None:
        self.severity, self.stamp, self.sequence = head
        self.wall_ns = stamp_wall_ns(self.stamp)
        self.flag, self.message, fields = texts
        pairs = (pair.partition("=") for pair in fields.split("\t") if pair)
        self.fields = {key: value for key, _, value in pairs}
        self.path, self.line = (site.path, site.line) if site else ("", 0)


class DistinctError:
    """An error by its kind and place: how often, first and last."""

    __slots__ = ("count", "first_wall_ns", "kind", "last_wall_ns", "message", "site", "where")

    def __init__(self, numbers: list[int], texts: tuple[str, str, str], site: Site | None) -> None:
        self.count, self.first_wall_ns, self.last_wall_ns = numbers
        self.kind, self.message, self.where = texts
        self.site = site


def read_errors(raw: bytes, site: Callable[[int], Site | None]) -> tuple[DistinctError, ...]:
    """Return the distinct errors in a region's bytes, in the order in which they first came."""
    words = memoryview(raw).cast("Q")
    found = []
    for entry in range(min(words[RegionWord.ERROR_COUNT], layout.ERROR_ENTRIES)):
        start = layout.ERRORS_OFFSET + entry * layout.ERROR_BYTES
        if start + layout.ERROR_BYTES > len(raw):
            break
        numbers = words[start // 8 + 1 : start // 8 + 4].tolist()
        kind, message, where = (
            text_at(raw, start + place, room)
            for place, room in (ERROR_KIND, ERROR_MESSAGE, ERROR_WHERE)
        )
        if numbers[0]:
            texts = (kind, message, where)
            found.append(DistinctError(numbers, texts, site(words[start // 8 + 4])))
    return tuple(found)


def _first_record(ring: memoryview, low: int, head: int) -> int:
    """Return the position of the first whole record at or after `low`."""
    words = ring.cast("Q")
    position = low + (-low % layout.WORD_BYTES)
    while position < head:
        if words[position % layout.EVENTS_BYTES // 8] == position ^ EVENT_MAGIC:
            return position
        position += layout.WORD_BYTES
    return head


def _records(ring: memoryview, low: int, head: int) -> Iterator[tuple[int, ...]]:
    position = _first_record(ring, low, head)
    while position < head:
        at = position % layout.EVENTS_BYTES
        if at + EVENT.size > layout.EVENTS_BYTES:
            position += layout.EVENTS_BYTES - at
            continue
        record = EVENT.unpack_from(ring, at)
        length = record[1]
        if record[0] != position ^ EVENT_MAGIC or length < 8 or at + length > layout.EVENTS_BYTES:
            return
        if record[3] == KIND_EVENT and EVENT.size + sum(record[8:11]) <= length:
            yield (at, *record)
        position += length + (-length % layout.WORD_BYTES)


def raw_events(ring: memoryview, head: int, low: int = 0) -> Iterator[RawEvent]:
    """Yield the events in a copied ring, oldest first.

    Args:
        head: the position behind the newest event, read before the ring was copied.
        low: an earlier position, from which on to look.
    """
    # The writer may be inside the next record, which overwrites the oldest bytes.
    if head > layout.EVENTS_BYTES:
        low = max(low, head + MAXIMUM_EVENT_BYTES - layout.EVENTS_BYTES)
    for at, _, _, severity, _, _, stamp, sequence, where, *lengths in _records(ring, low, head):
        texts, start = [], at + EVENT.size
        for length in lengths:
            texts.append(bytes(ring[start : start + length]).decode("utf-8", "replace"))
            start += length
        flag, message, fields = texts
        yield sequence, stamp, severity, where, flag, message, fields


def read_events(raw: bytes, site: Callable[[int], Site | None]) -> tuple[Event, ...]:
    """Return the events in a region's bytes, oldest first; none when the ring was not copied."""
    if len(raw) < layout.REGION_BYTES:
        return ()
    ring = memoryview(raw)[layout.EVENTS_OFFSET :]
    head = memoryview(raw).cast("Q")[RegionWord.EVENT_HEAD]
    return tuple(
        Event((severity, stamp, sequence), (flag, message, fields), site(where))
        for sequence, stamp, severity, where, flag, message, fields in raw_events(ring, head)
    )
