"""Lines of the sources that a segment names, with the proof that they are the lines that run.

A probe word names a file and a line; the segment holds the file's hash. When the file on disk has
another hash it was edited since the process loaded it, and its lines would lie.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.glass.schema import Site


class Sources:
    """The lines of source files, each file read once."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], list[str] | None] = {}

    def line(self, site: Site | None) -> str:
        """Return the text of a mark's line, or why there is none, in brackets."""
        if site is None:
            return ""
        key = (site.path, site.source_hash)
        if key not in self._lines:
            self._lines[key] = _read(site.path, site.source_hash)
        lines = self._lines[key]
        if lines is None:
            return "(source not here)"
        if len(lines) < site.line:
            return "(source has changed)"
        return lines[site.line - 1].strip()


def _read(path: str, source_hash: str) -> list[str] | None:
    """Return a file's lines; an empty list when it was edited since, None when it is not here."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return None
    from hashlib import sha256  # brings OpenSSL with it; only for commands that show sources

    if source_hash and not sha256(content).hexdigest().startswith(source_hash):
        return []
    return content.decode("utf-8", "replace").splitlines()
