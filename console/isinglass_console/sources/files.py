"""The lines of source files that probes name, read once a version, with the proof that they match.

The segment holds the hash of each probed file. A file on disk with another hash was edited since
the process loaded it: its lines would lie, so a view says so beside them. Files are looked at again
when their size or time changes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256

from isinglass.glass.schema import Site

LARGEST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it is on this machine now."""

    lines: tuple[str, ...]
    same: bool
    sentence: str


class SourceFiles:
    """Source files by path and wanted hash; keeps what it has read."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[tuple[int, int], SourceFile]] = {}

    def file(self, path: str, source_hash: str) -> SourceFile:
        """Return a file and whether it is the one that the process runs."""
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
    lines = tuple(content.decode("utf-8", "replace").expandtabs(4).splitlines())
    if not source_hash:
        return SourceFile(lines, True, "the file of that name; the process told no hash")
    if sha256(content).hexdigest().startswith(source_hash):
        return SourceFile(lines, True, "the file the process runs: same hash")
    return SourceFile(lines, False, "NOT what the process runs: changed since")
