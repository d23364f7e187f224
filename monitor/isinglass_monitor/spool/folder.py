"""Where the segments of a spool lie: `segment-00000001`, `segment-00000002`, ...

A segment gets its name when it is made, and is removed by its name first, so that nobody opens half
of it, whoever is killed; who has it open reads on.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

FOLDER = "spool"
_NAME = re.compile(r"segment-(\d{8,})")
_DOOMED, _MAKING = "doomed-", "making-"


def segment_path(folder: Path, number: int) -> Path:
    """Return where a segment lies."""
    return folder / f"segment-{number:08d}"


def making_path(folder: Path, number: int) -> Path:
    """Return where a segment lies until it is made; what is left of an earlier attempt goes."""
    _clear(folder, _MAKING)
    return folder / f"{_MAKING}{number:08d}"


def segment_numbers(folder: Path) -> list[int]:
    """Return the numbers of the segments that there are, ascending; none without a folder."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = (_NAME.fullmatch(name) for name in names)
    return sorted(int(match[1]) for match in found if match)


def remove(folder: Path, number: int) -> None:
    """Remove a segment; one that is gone already is no error."""
    doomed = folder / f"{_DOOMED}{number:08d}"
    with contextlib.suppress(FileNotFoundError):
        os.rename(segment_path(folder, number), doomed)
    _clear(folder, _DOOMED)


def set_aside(folder: Path, number: int) -> Path:
    """Give a damaged segment another name, and return it: nothing is thrown away."""
    aside = folder / f"damaged-{number:08d}"
    os.rename(segment_path(folder, number), aside)
    return aside


def sweep(folder: Path) -> None:
    """Remove what a writer left that was killed while it removed a segment, or made one."""
    _clear(folder, _DOOMED)
    _clear(folder, _MAKING)


def _clear(folder: Path, prefix: str) -> None:
    for path in folder.glob(f"{prefix}*"):
        shutil.rmtree(path, ignore_errors=True)
