"""Updates that were acknowledged but could not be applied before the daemon had to end.

A daemon that is told to end while the disk or the map is full cannot put its queue into the store,
and must not lose it: it writes the queue to a file beside the store or, when that disk is full, in
the node's runtime directory (a tmpfs: it lasts until the machine is switched off). The next daemon
applies it before anything newer (see `recovery`), and removes it once that is on the disk. Applying
is idempotent, so a crash in between is harmless.

    file       entries, one after the other
    entry      4 bytes "KEPT"; u32 little-endian length; u32 CRC-32 of the rest; msgpack [kind, ...]
               ["writes", table, {key: record}, {group: {key: record}}, separator]
               ["create", table, group_by, [field, ...], version]     ["drop", table, version]

Of a file that is damaged, or ends within an entry because the machine lost power, every whole
entry is used, and the file stays under another name for whoever can make out the rest.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import msgpack

from isinglass.folders import flush_folder
from isinglass.store.changes import CreateTable, DropTable, Step, Writes
from isinglass.store.tables import TableShape
from isinglass.wire.journal import Name

FILE_NAME = "kept-aside"
DAMAGED_NAME = "kept-aside.damaged"
FILE_MODE = 0o640
_BEGIN = b"KEPT"
_HEAD = struct.Struct("<4sII")


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
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
    before = os.fstat(descriptor).st_size
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
        if is_new:
            flush_folder(path.parent)
    except OSError:
        # Half an entry at the end would hide what a later daemon appends.
        os.ftruncate(descriptor, before)
        raise
    finally:
        os.close(descriptor)
    return path


class Kept(NamedTuple):
    """What was kept aside.

    Attributes:
        steps: in the order in which they were kept.
        files: where they stand.
        damaged: the files of which a part cannot be read.
    """

    steps: list[Step]
    files: list[Path]
    damaged: list[Path]


def load(folders: Iterable[Path]) -> Kept:
    """Return what was kept aside in these folders."""
    found = Kept([], [], [])
    for file in (folder / FILE_NAME for folder in folders):
        if not file.exists():
            continue
        data = file.read_bytes()
        found.files.append(file)
        read_bytes = 0
        for step, size_bytes in _steps(data):
            found.steps.append(step)
            read_bytes += size_bytes
        if read_bytes < len(data):
            found.damaged.append(file)
    return found


def remove(kept: Kept) -> None:
    """Remove the files, now that their steps are on the disk; a damaged one is renamed."""
    for file in kept.files:
        if file in kept.damaged:
            file.replace(file.with_name(DAMAGED_NAME))
        else:
            file.unlink()


def updates_of(steps: Iterable[Step]) -> int:
    """Return how many updates the steps hold."""
    return sum(
        len(step.records) + sum(map(len, step.groups.values())) if isinstance(step, Writes) else 1
        for step in steps
    )


def names_of(steps: Iterable[Step]) -> set[Name]:
    """Return the names of all that the steps change; an empty key is the table itself."""
    names: set[Name] = set()
    for step in steps:
        if isinstance(step, Writes):
            for part in (step.records, *step.groups.values()):
                names.update((step.table, key) for key in part)
        else:
            names.add((step.table, b""))
    return names


def _entry(step: Step) -> bytes:
    body: bytes = msgpack.packb(_as_list(step))
    return _HEAD.pack(_BEGIN, len(body), crc32(body)) + body


def _as_list(step: Step) -> list[Any]:
    if isinstance(step, Writes):
        return ["writes", step.table, step.records, step.groups, step.separator]
    if isinstance(step, DropTable):
        return ["drop", step.table, step.version]
    return ["create", step.table, step.shape.group_by, list(step.shape.indexes), step.version]


def _steps(data: bytes) -> Iterator[tuple[Step, int]]:
    """Yield the steps of the entries that are whole, each with the bytes of its entry."""
    place = data.find(_BEGIN)
    while 0 <= place <= len(data) - _HEAD.size:
        _, length, crc = _HEAD.unpack_from(data, place)
        end = place + _HEAD.size + length
        body = data[place + _HEAD.size : end]
        if len(body) == length and crc32(body) == crc:
            yield _step(*msgpack.unpackb(body, strict_map_key=False)), end - place
        else:
            end = place + 1
        place = data.find(_BEGIN, end)


def _step(kind: str, *parts: Any) -> Step:
    if kind == "writes":
        return Writes(*parts)
    if kind == "drop":
        return DropTable(*parts)
    table, group_by, indexes, version = parts
    return CreateTable(table, TableShape(group_by, tuple(indexes)), version)
