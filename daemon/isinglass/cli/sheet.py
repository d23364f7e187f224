"""What a command prints, as sections of rows: aligned text for pipes, rich tables for a terminal.

Commands build sections and never ask where they go, so both outputs say the same: `plain` here
makes the text, `cli/terminal.py` the tables, and `cli/printing.py` chooses.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GAP = "  "


class Section:
    """A heading, lines under it, and a table.

    Args:
        heading: the line above the table; empty for none.
        columns: a name for each column; a trailing ">" aligns it to the right.
        rows: as many texts as columns.
        lines: text between the heading and the table.
        alarming: something here needs the reader's eye.
        headers: print the names of the columns.
    """

    __slots__ = ("alarming", "columns", "headers", "heading", "lines", "rows")

    def __init__(
        self,
        heading: str,
        columns: Sequence[str] = (),
        rows: Sequence[Sequence[str]] = (),
        *,
        lines: Sequence[str] = (),
        alarming: bool = False,
        headers: bool = True,
    ) -> None:
        self.heading = heading
        self.columns = tuple(columns)
        self.rows = list(rows)
        self.lines = list(lines)
        self.alarming = alarming
        self.headers = headers


def plain(sections: Iterable[Section]) -> str:
    """Return the sections as aligned text, each one ending in a newline."""
    return "\n".join(_plain_section(section) for section in sections)


def _plain_section(section: Section) -> str:
    out = [section.heading] if section.heading else []
    out.extend(section.lines)
    if section.rows:
        out.extend(_plain_table(section))
    return "\n".join(out) + "\n"


def _plain_table(section: Section) -> list[str]:
    names = [name.rstrip(">") for name in section.columns]
    right = [name.endswith(">") for name in section.columns]
    rows = [names, *section.rows] if section.headers else section.rows
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    indent = GAP if section.heading else ""
    pattern = indent + GAP.join(
        f"%{width}s" if to_right else f"%-{width}s"
        for width, to_right in zip(widths, right, strict=True)
    )
    return [(pattern % tuple(row)).rstrip() for row in rows]
