"""Sections, live screens and progress drawn with rich; imported only when there is a terminal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from isinglass.cli.sheet import GAP, Section, fit


def renderable(sections: Iterable[Section], width: int) -> Group:
    """Return the sections as one thing that rich can draw, at most `width` characters wide."""
    parts: list[Text | Table] = []
    for section in sections:
        parts.extend(_section(section, width))
    return Group(*parts)


def _section(section: Section, width: int) -> Iterable[Text | Table]:
    if section.heading:
        yield Text(section.heading, style="bold reverse" if section.alarming else "bold")
    for line in section.lines:
        yield Text(line, style="bold" if section.alarming else "dim")
    if section.rows:
        yield _table(section, width)
    yield Text("")


def _table(section: Section, width: int) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        show_header=section.headers,
        header_style="dim",
        padding=(0, len(GAP), 0, 0),
    )
    fitting = fit(section, width)
    for column, room in fitting:
        name = section.columns[column]
        table.add_column(
            name.rstrip(">"),
            justify="right" if name.endswith(">") else "left",
            width=room,
            overflow="ellipsis",
            no_wrap=True,
        )
    for row in section.rows:
        table.add_row(*(Text(row[column]) for column, _room in fitting))
    return table


def print_sections(sections: Iterable[Section]) -> None:
    """Print sections once."""
    console = Console()
    console.print(renderable(sections, console.width))


class LiveScreen:
    """A part of the terminal that is redrawn in place, for as long as the `with` block lasts."""

    def __init__(self) -> None:
        # Drawn when there is news: a thread that redraws on its own would disturb `top`.
        self._live = Live(console=Console(), auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Callable[[Iterable[Section]], None]:
        self._live.__enter__()
        return self._draw

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def _draw(self, sections: Iterable[Section]) -> None:
        self._live.update(renderable(sections, self._live.console.width), refresh=True)


@contextmanager
def progress_bar(file: TextIO, title: str) -> Iterator[Callable[[int], None]]:
    """Give the function that shows how far a file is read, and how many records are stored."""
    buffer = getattr(file, "buffer", None)
    size = os.fstat(file.fileno()).st_size if buffer is not None and buffer.seekable() else None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[stored]:,} records"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task(title, total=size or None, stored=0)

        def advance(stored: int) -> None:
            done = buffer.tell() if size and buffer is not None else 0
            progress.update(task, completed=done, stored=stored)

        yield advance
