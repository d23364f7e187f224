"""The demo's work: count every identifier in the Python standard library's own source.

One update an occurrence: a worker keeps its own counts, and stores the new count each time it meets
an identifier. Natural text has hot keys (`self`, `None` is a keyword, `x`), so updates that wait in
the queue supersede each other, and the counts of all workers of one identifier share a storage
group, so they roll into one write. Nothing here knows of processes or of the daemon.

    table   "identifiers"    group_by "/"    index on "count"
    key     IDENTIFIER/WORKER
    value   {"identifier": ..., "worker": ..., "count": so far, "file": where it was met last}
"""

from __future__ import annotations

import keyword
import sysconfig
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

TABLE = "identifiers"
GROUP_BY = "/"
INDEXES = ("count",)
LONGEST_IDENTIFIER_BYTES = 300
"""Longer ones would not fit a key; the standard library's tests have a few, for the parser."""
OUTSIDE = {"site-packages", "dist-packages", "__pycache__"}


def standard_library() -> Path:
    """Return the directory of this Python's standard library."""
    return Path(sysconfig.get_paths()["stdlib"])


def source_files(root: Path) -> list[Path]:
    """Return all Python files under a directory, installed packages apart, in a fixed order."""
    return sorted(
        path
        for path in root.rglob("*.py")
        if OUTSIDE.isdisjoint(path.relative_to(root).parts) and path.is_file()
    )


def share_of(files: list[Path], worker: int, workers: int) -> list[Path]:
    """Return the files that one of several workers takes; every file has one taker."""
    return files[worker::workers]


def identifiers(path: Path) -> list[str]:
    """Return every identifier in a file, each as often as it stands there, in its order.

    Keywords are none. A file that is not Python of this version (the library keeps some for its
    tests) has none.
    """
    try:
        with tokenize.open(path) as source:
            return [
                token.string
                for token in tokenize.generate_tokens(source.readline)
                if token.type == tokenize.NAME and _counts(token.string)
            ]
    except (SyntaxError, tokenize.TokenError, UnicodeDecodeError):
        return []


def _counts(name: str) -> bool:
    return not keyword.iskeyword(name) and len(name.encode()) <= LONGEST_IDENTIFIER_BYTES


class Counts:
    """One worker's counts, as the records it stores."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._counts: dict[str, int] = {}
        self.occurrences = 0

    def met(self, names: Iterable[str], file: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Count identifiers, and yield the record (key, value) of each occurrence."""
        counts = self._counts
        for name in names:
            count = counts[name] = counts.get(name, 0) + 1
            self.occurrences += 1
            yield (
                f"{name}{GROUP_BY}{self._worker}",
                {"identifier": name, "worker": self._worker, "count": count, "file": file},
            )


def summed(records: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, int]:
    """Return the count of each identifier over all workers, from the stored records."""
    totals: dict[str, int] = {}
    for _, value in records:
        name = value["identifier"]
        totals[name] = totals.get(name, 0) + value["count"]
    return totals
