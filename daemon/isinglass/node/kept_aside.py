"""Updates that were acknowledged but could not be applied before the daemon had to end.

A daemon that is told to end while the disk or the map is full cannot put its queue into the store,
and must not lose it: it writes the queue to a file beside the store or, when that disk is full, in
the node's runtime directory (a tmpfs: it lasts until the machine is switched off). The next daemon
applies it before anything newer (see `recovery`), and removes it once that is on the disk. Applying
is idempotent, so a crash in between is harmless.

    file       entries, one after the other; a last one that is cut short is ignored
    entry      u32 little-endian length; u32 CRC-32 of the rest; msgpack [kind, table, ...]
               ["writes", table, {key: record}, {group: {key: record}}, separator]
               ["create", table, group_by, [field, ...], version]     ["drop", table, version]
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import msgpack

from isinglass.store.changes import CreateTable, DropTable, Step, Writes
from isinglass.store.tables import TableShape

FILE_NAME = "kept-aside"
FILE_MODE = 0o640
_HEAD = struct.Struct("<II")


def save(folders: Iterable[Path], steps: Iterable[Step]) -> Path:
    """Append steps to the file in the first folder that takes them; return it, flushed to disk.

    Raises:
        OSError: no folder takes them; the last one's reason.
    """
    data = b"".join(_entry(step) for step in steps)
    failure: OSError | None = None
    for folder in folders:
        try:
            return _append(folder / FILE_NAME, data)
        except OSError as error:
            failure = error
    raise failure or OSError("no folder was given")


def _append(path: Path, data: bytes) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
    before = os.fstat(descriptor).st_size
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except OSError:
        # Half an entry at the end would hide what a later daemon appends.
        os.ftruncate(descriptor, before)
        raise
    finally:
        os.close(descriptor)
    return path


def load(folders: Iterable[Path]) -> tuple[list[Step], list[Path]]:
    """Return the steps that were kept aside, and the files they stand in."""
    steps: list[Step] = []
    files = [folder / FILE_NAME for folder in folders if (folder / FILE_NAME).exists()]
    for file in files:
        steps.extend(_steps(file.read_bytes()))
    return steps, files


def updates_of(steps: Iterable[Step]) -> int:
    """Return how many updates the steps hold."""
    return sum(
        len(step.records) + sum(map(len, step.groups.values())) if isinstance(step, Writes) else 1
        for step in steps
    )


def _entry(step: Step) -> bytes:
    body: bytes = msgpack.packb(_as_list(step))
    return _HEAD.pack(len(body), crc32(body)) + body


def _as_list(step: Step) -> list[Any]:
    if isinstance(step, Writes):
        return ["writes", step.table, step.records, step.groups, step.separator]
    if isinstance(step, DropTable):
        return ["drop", step.table, step.version]
    return ["create", step.table, step.shape.group_by, list(step.shape.indexes), step.version]


def _steps(data: bytes) -> Iterator[Step]:
    place = 0
    while place + _HEAD.size <= len(data):
        length, crc = _HEAD.unpack_from(data, place)
        body = data[place + _HEAD.size : place + _HEAD.size + length]
        if len(body) < length or crc32(body) != crc:
            return
        kind, *parts = msgpack.unpackb(body, strict_map_key=False)
        if kind == "writes":
            yield Writes(*parts)
        elif kind == "drop":
            yield DropTable(*parts)
        else:
            table, group_by, indexes, version = parts
            yield CreateTable(table, TableShape(group_by, tuple(indexes)), version)
        place += _HEAD.size + length
