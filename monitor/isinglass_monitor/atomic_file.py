"""Files that are replaced whole: a reader sees the old text or the new one, never half of one.

What must survive a loss of power is flushed before it takes the old one's place, and so is the
directory after it; what is written again within a second (the scoreboard) is not.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from isinglass.folders import flush_folder

FILE_MODE = 0o640


def replace_text(path: Path, text: str, *, durable: bool = False, mode: int = FILE_MODE) -> None:
    """Put `text` in place of the file at `path`.

    Raises:
        OSError: it could not be written; the old file is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        flush_folder(path.parent)


def replace_document(path: Path, document: object, *, durable: bool = False) -> None:
    """Put a document in place of the file at `path`, as JSON.

    JSON has no infinite numbers: they become null.
    """
    try:
        text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(document), separators=(",", ":"), allow_nan=False)
    replace_text(path, text + "\n", durable=durable)


def read_document(path: Path) -> Any:
    """Return the document of a file, or None when there is none or it is no JSON."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
