"""The tables of docs/console.md: keys, settings, thresholds; made of what the console itself reads.

    python -m isinglass_console.reference docs/console.md

The page is written by hand but for what stands between two marks a table; a test compares.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from math import isinf
from pathlib import Path

from isinglass_console import keys
from isinglass_console.configuration import SETTINGS, THRESHOLD_KEYS, Setting
from isinglass_console.model.board import BUILT_IN
from isinglass_console.model.figures import FIGURES

Rows = Iterable[Iterable[str]]


def _table(heads: Iterable[str], rows: Rows) -> str:
    lines = [list(heads)]
    lines += [["---"] * len(lines[0]), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def key_table() -> str:
    """Return every key with its id."""
    rows = [
        (f"`{_cell(keys.shown(key, {}))}`", f"`{key.id}`", _cell(key.help), key.group.lower())
        for key in keys.KEYS
    ]
    return _table(("key", "id", "what it does", "group"), rows)


def _setting_rows(settings: Iterable[Setting]) -> Rows:
    return [
        (f"`{setting.name}`", f"`{_cell(setting.example)}`", _cell(setting.help))
        for setting in settings
    ]


def setting_table() -> str:
    """Return every key of the file of settings."""
    return _table(("setting", "for example", "what it is"), _setting_rows(SETTINGS))


def threshold_key_table() -> str:
    """Return every key of a threshold."""
    return _table(("key", "for example", "what it is"), _setting_rows(THRESHOLD_KEYS))


def threshold_table() -> str:
    """Return the thresholds built in, and the figures that have none."""
    rows = []
    for figure, (unit, help_line) in FIGURES.items():
        own = [each for each in BUILT_IN.thresholds if each.figure == figure]
        levels = ", ".join(
            f"{each.severity.name.lower()} from {each.raise_at:g}, ends below {each.clear_at:g}"
            for each in own
            if not isinf(each.raise_at)
        )
        rows.append((f"`{figure}`", unit, help_line, levels))
    return _table(("figure", "unit", "what it is", "built in"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "keys": key_table,
    "settings": setting_table,
    "threshold keys": threshold_key_table,
    "thresholds": threshold_table,
}


def written(page: str) -> str:
    """Return a page with the tables as they are now.

    Raises:
        ValueError: a table's place is not marked.
    """
    for name, table in TABLES.items():
        begin, end = f"<!-- begin {name}: made by `make docs` -->", f"<!-- end {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        found = pattern.findall(page)
        if len(found) != 1:
            raise ValueError(f"the page has no marks for the table of {name}")
        page = page.replace(found[0], f"{begin}\n{table()}\n{end}")
    return page


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(written(path.read_text("utf-8")), "utf-8")
