"""The lines of source files that probes name, read once a version, with the proof that they match.

The segment holds the hash of each probed file. A file on disk with another hash was edited since
the process loaded it: its lines would lie, so a view says so beside them. Files are looked at again
when their size or time changes. What is not here as a process of another host runs it is asked for
there (`far_files`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

from isinglass.glass.schema import Site

LARGEST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it is on this machine now."""

    lines: tuple[str, ...]
    same: bool
    sentence: str


FarFile = Callable[[str, str], SourceFile | None]


def _nowhere(_path: str, _source_hash: str) -> SourceFile | None:
    return None


class SourceFiles:
    """Source files by path and wanted hash; keeps what it has read.

    Args:
        far: returns the file as a node of another host has it, by path and hash; None when none
            runs it.
    """

    def __init__(self, far: FarFile = _nowhere) -> None:
        self._far = far
        self._known: dict[tuple[str, str], tuple[tuple[int, int], SourceFile]] = {}

    def file(self, path: str, source_hash: str) -> SourceFile:
        """Return a file and whether it is the one that the process runs."""
        here = self._here(path, source_hash)
        if here.same or not source_hash:
            return here
        there = self._far(path, source_hash)
        if there is None or (here.lines and not there.lines):
            return replace(here, sentence=f"{here.sentence}; {there.sentence}") if there else here
        return there

    def _here(self, path: str, source_hash: str) -> SourceFile:
        stamp = _stamp(path)
        known = self._known.get((path, source_hash))
        if known is not None and known[0] == stamp:
            return known[1]
        file = _read(path, source_hash)
        self._known[path, source_hash] = (stamp, file)
        return file

    def line_text(self, site: Site | None) -> str:
        """Return the text of a mark's line when it is certain, else the mark's label."""
        if site is None:
            return ""
        file = self.file(site.path, site.source_hash)
        if not file.same or site.line > len(file.lines):
            return site.label or site.function
        return file.lines[site.line - 1].strip()


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _read(path: str, source_hash: str) -> SourceFile:
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_BYTES)
    except OSError as reason:
        return SourceFile((), False, f"the file cannot be read here: {reason.strerror}")
    return compared(content, source_hash)


def compared(content: bytes, source_hash: str, of: str = "") -> SourceFile:
    """Return a file's lines, and whether its hash is the wanted one.

    Args:
        content: what is in the file.
        source_hash: the hash of what the process runs; empty when it is not known.
        of: the node whose file it is; empty for one of this machine.
    """
    # Lines of bytes end where Python's do; those of text also at a form feed.
    lines = tuple(line.decode("utf-8", "replace").expandtabs(4) for line in content.splitlines())
    if not source_hash:
        return SourceFile(lines, True, "the file of that name; the process told no hash")
    if sha256(content).hexdigest().startswith(source_hash):
        origin = f", from {of}" if of else ""
        return SourceFile(lines, True, f"the file the process runs{origin}: same hash")
    where = f" at {of}" if of else ""
    return SourceFile(lines, False, f"NOT what the process runs: changed since{where}")
