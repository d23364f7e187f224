"""The used parts of a region and of the shared area in a row, and spread out again.

A region is 135 kB without its events, of which a few kB are used: the counts in its first page say
which. They are believed only as far as a region reaches.
"""

from __future__ import annotations

from isinglass.glass import layout
from isinglass.glass.layout import RegionWord, SharedWord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

Parts = list[tuple[int, int]]


def region_parts(page: bytes | memoryview) -> Parts:
    """Return start and length of each used part of a region behind its first page."""
    words = memoryview(page).cast("Q")
    lines = min(words[RegionWord.LINE_COUNT], layout.PROBE_LINES)
    entries = min(words[RegionWord.DIRECTORY_COUNT], layout.DIRECTORY_ENTRIES)
    files = min(words[RegionWord.FILE_COUNT], layout.FILE_ENTRIES)
    panels = min(words[RegionWord.PANEL_BYTES_USED], layout.PANELS_BYTES)
    errors = min(words[RegionWord.ERROR_COUNT], layout.ERROR_ENTRIES)
    return [
        (layout.PROBES_OFFSET, lines * layout.PROBE_LINE_BYTES),
        (layout.DIRECTORY_OFFSET, entries * layout.DIRECTORY_ENTRY_BYTES),
        (layout.FILES_OFFSET, files * layout.WORD_BYTES),
        (layout.PANELS_OFFSET, panels - panels % layout.WORD_BYTES),
        (layout.ERRORS_OFFSET, errors * layout.ERROR_BYTES),
    ]


def shared_parts(page: bytes | memoryview) -> Parts:
    """Return start and length of the used part of the shared area behind its first page."""
    tables = min(memoryview(page).cast("Q")[SharedWord.TABLE_COUNT], layout.TABLE_ENTRIES)
    return [(layout.TABLES_PLACE, tables * layout.TABLE_BYTES)]


def compact(raw: bytes, parts_of: Callable[[memoryview], Parts]) -> bytes:
    """Return the first page and the used parts; what was not copied is zero."""
    view = memoryview(raw)
    page = view[: layout.PAGE_BYTES]
    parts: list[bytes | memoryview] = [page]
    for start, length in parts_of(page):
        part = view[start : start + length]
        parts.append(part if len(part) == length else bytes(part).ljust(length, b"\0"))
    return b"".join(parts)


def checked(packed: bytes, parts_of: Callable[[memoryview], Parts]) -> Parts:
    """Return the used parts of an area that `compact` gave.

    Raises:
        ValueError: it is not what `compact` gives.
    """
    page = memoryview(packed)[: layout.PAGE_BYTES]
    if len(page) < layout.PAGE_BYTES:
        raise ValueError("an area without its first page")
    parts = parts_of(page)
    if len(packed) != layout.PAGE_BYTES + sum(length for _, length in parts):
        raise ValueError("an area of another length than its first page says")
    return parts


def expand(packed: bytes, size_bytes: int, parts_of: Callable[[memoryview], Parts]) -> bytes:
    """Return an area of `size_bytes`, or up to its last used part when that is further.

    Raises:
        ValueError: the bytes are not what `compact` gives.
    """
    parts = checked(packed, parts_of)
    raw = bytearray(max(size_bytes, *(start + length for start, length in parts if length), 0))
    at = layout.PAGE_BYTES
    raw[:at] = packed[:at]
    for start, length in parts:
        raw[start : start + length] = packed[at : at + length]
        at += length
    return bytes(raw)
