"""Where things stand in a TOML file: the standard library's parser does not say.

Only headers of tables and the keys below them are looked for, which is all that an error about a
value needs. Text between three quotes is passed over.
"""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[{1,2}\s*([A-Za-z0-9_.-]+)\s*\]{1,2}\s*(#.*)?$")
_KEY = re.compile(r"\s*(?:\"([^\"]+)\"|'([^']+)'|([A-Za-z0-9_.-]+))\s*=")
_FENCES = ('"""', "'''")


class TomlLines:
    """Line numbers of a file's tables and keys; the nth table of a name is asked for by n."""

    def __init__(self, text: str) -> None:
        self._tables: dict[tuple[str, int], int] = {}
        self._keys: dict[tuple[str, int, str], int] = {}
        counts: dict[str, int] = {}
        table, number, fence = "", 0, ""
        for line_number, line in enumerate(text.splitlines(), start=1):
            if fence:
                fence = "" if line.count(fence) % 2 else fence
                continue
            if header := _HEADER.match(line):
                table = header[1]
                number = counts[table] = counts.get(table, -1) + 1
                self._tables[table, number] = line_number
            elif key := _KEY.match(line):
                name = key[1] or key[2] or key[3]
                self._keys.setdefault((table, number, name), line_number)
            fence = next((f for f in _FENCES if line.count(f) % 2), "")

    def line(self, table: str, number: int, key: str = "") -> int:
        """Return the line of a key of the nth table, or of the table itself; 0 when unknown."""
        of_table = self._tables.get((table, number), 0)
        return self._keys.get((table, number, key), of_table)
