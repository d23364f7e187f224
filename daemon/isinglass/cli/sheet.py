"""What a command prints, as sections of rows: aligned text for pipes, rich tables for a terminal.

Commands build sections and never ask where they go, so both outputs say the same: `plain` here
makes the text, `cli/terminal.py` the tables, and `cli/printing.py` chooses.
"""

from __future__ import annotations

from isinglass.harmless import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GAP = "  "
LEAST_WIDTH = 6


class Section:
    """A heading, lines under it, and a table, whose texts may come from anywhere.

    Args:
        heading: the line above the table; empty for none.
        columns: a name for each column; a trailing ">" aligns it to the right.
        rows: as many texts as columns.
        lines: text between the heading and the table.
        alarming: something here needs the reader's eye.
        headers: print the names of the columns.
        droppable: the columns that a narrow terminal does without, the first one first.
    """

    __slots__ = ("alarming", "columns", "droppable", "headers", "heading", "lines", "rows")

    def __init__(
        self,
        heading: str,
        columns: Sequence[str] = (),
        rows: Sequence[Sequence[str]] = (),
        *,
        lines: Sequence[str] = (),
        alarming: bool = False,
        headers: bool = True,
        droppable: Sequence[str] = (),
    ) -> None:
        self.heading = printable(heading)
        self.columns = tuple(columns)
        self.rows = [tuple(map(printable, row)) for row in rows]
        self.lines = [printable(line) for text in lines for line in text.split("\n")]
        self.alarming = alarming
        self.headers = headers
        self.droppable = tuple(droppable)


def plain(sections: Iterable[Section]) -> str:
    """Return the sections as aligned text, each one ending in a newline."""
    return "\n".join(_plain_section(section) for section in sections)


def _plain_section(section: Section) -> str:
    out = [section.heading] if section.heading else []
    out.extend(section.lines)
    if section.rows:
        out.extend(_plain_table(section))
    return "\n".join(out) + "\n"


def _widths(section: Section) -> list[int]:
    names = [name.rstrip(">") for name in section.columns]
    rows = [names, *section.rows] if section.headers else section.rows
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def fit(section: Section, room: int) -> list[tuple[int, int]]:
    """Return (column, width) of the columns that fit into `room` characters.

    Droppable columns go while the table is too wide; then the widest column is cut.
    """
    widths = dict(enumerate(_widths(section)))
    for name in section.droppable:
        if sum(widths.values()) + len(GAP) * (len(widths) - 1) <= room:
            break
        del widths[section.columns.index(name)]
    excess = sum(widths.values()) + len(GAP) * (len(widths) - 1) - room
    while excess > 0:
        widest = max(widths, key=lambda column: widths[column])
        if widths[widest] <= LEAST_WIDTH:
            break
        following = sorted(widths.values())[-2:][0] if len(widths) > 1 else LEAST_WIDTH
        cut = min(excess, max(widths[widest] - following, 1), widths[widest] - LEAST_WIDTH)
        widths[widest] -= cut
        excess -= cut
    return list(widths.items())


def _plain_table(section: Section) -> list[str]:
    names = [name.rstrip(">") for name in section.columns]
    right = [name.endswith(">") for name in section.columns]
    rows = [names, *section.rows] if section.headers else section.rows
    widths = _widths(section)
    indent = GAP if section.heading else ""
    pattern = indent + GAP.join(
        f"%{width}s" if to_right else f"%-{width}s"
        for width, to_right in zip(widths, right, strict=True)
    )
    return [(pattern % tuple(row)).rstrip() for row in rows]
