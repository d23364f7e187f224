"""What LMDB leaves to whoever opens its files to write: two faults of a disk that is, or was, full.

It writes its reader table through a map, where a page without room is a signal (SIGBUS) that ends
the process: the table gets all its room first. And it finds a file damaged for good that has only
one of the two pages with which it begins, because there was no room for the other: such a file
never held anything, and is emptied, for LMDB to begin anew.

    table    128 bytes, then a slot of 64 bytes for each reader
    page     16 bytes, then 0xBEEFC0DE, of the first two pages
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from pathlib import Path

HEADER_BYTES, SLOT_BYTES = 128, 64
_MAGIC_PLACE, _MAGIC = 16, (0xBEEFC0DE).to_bytes(4, "little")
_FIRST_PAGES_BYTES = 2 * mmap.PAGESIZE


def prepare(data: Path, table: Path, readers: int, mode: int) -> None:
    """Prepare LMDB's files before LMDB opens them to write.

    Args:
        data: where the records are, or will be.
        table: LMDB's lock file.
        readers: what LMDB is told as `max_readers`.
        mode: of the table, if it is made.

    Raises:
        OSError: the disk is full, or a file cannot be used.
    """
    descriptor = os.open(table, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
    try:
        os.posix_fallocate(descriptor, 0, HEADER_BYTES + readers * SLOT_BYTES)
    finally:
        os.close(descriptor)
    with suppress(FileNotFoundError), data.open("r+b") as file:
        begun = file.read(_FIRST_PAGES_BYTES)
        if len(begun) < _FIRST_PAGES_BYTES and begun.startswith(_MAGIC, _MAGIC_PLACE):
            file.truncate(0)
