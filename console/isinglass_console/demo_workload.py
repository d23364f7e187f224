"""The demo's work: count every identifier in the Python standard library's own source.

One update an occurrence: all workers add 1 to the same records at once, each time they meet an
identifier, and no add is lost. Natural text has hot keys (`self`, `name`, `x`), so adds that wait
in the queue merge into one another, and the counts of one identifier in several folders share a
storage group, so they roll into one write. Nothing here knows of processes or of the daemon.

    table   "identifiers"    group_by "/"    index on "count"
    key     IDENTIFIER/FOLDER, where the folder is that of the file
    value   {"count": occurrences}
"""

from __future__ import annotations

import keyword
import sysconfig
import tokenize
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TABLE = "identifiers"
GROUP_BY = "/"
FIELD = "count"
INDEXES = (FIELD,)
LONGEST_IDENTIFIER_BYTES = 300
"""Longer ones would not fit a key; the standard library's tests have a few, for the parser."""
FOLDER_LIMIT_BYTES = 90
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


def place_of(name: str, file: Path) -> str:
    """Return the key of an identifier's count in the folder of a file."""
    folder = file.parent.name.encode("utf-8", "replace")[:FOLDER_LIMIT_BYTES]
    return f"{name}{GROUP_BY}{folder.decode('utf-8', 'ignore')}"


def adds_of(names: Iterable[str], file: Path) -> list[tuple[str, int]]:
    """Return what each occurrence of an identifier adds to: its key, and 1."""
    return [(place_of(name, file), 1) for name in names]


def summed(records: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, int]:
    """Return the count of each identifier over all folders, from the stored records."""
    totals: dict[str, int] = {}
    for key, value in records:
        name = key.partition(GROUP_BY)[0]
        totals[name] = totals.get(name, 0) + value[FIELD]
    return totals
