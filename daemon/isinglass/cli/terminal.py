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

from isinglass.cli.sheet import Section

REFRESHES_A_SECOND = 4


def renderable(sections: Iterable[Section]) -> Group:
    """Return the sections as one thing that rich can draw."""
    parts: list[Text | Table] = []
    for section in sections:
        parts.extend(_section(section))
    return Group(*parts)


def _section(section: Section) -> Iterable[Text | Table]:
    if section.heading:
        yield Text(section.heading, style="bold reverse" if section.alarming else "bold")
    for line in section.lines:
        yield Text(line, style="bold" if section.alarming else "dim")
    if section.rows:
        yield _table(section)
    yield Text("")


def _table(section: Section) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        show_header=section.headers,
        header_style="dim",
        padding=(0, 2, 0, 0),
    )
    for place, name in enumerate(section.columns):
        to_right = name.endswith(">")
        table.add_column(
            name.rstrip(">"),
            justify="right" if to_right else "left",
            overflow="ellipsis" if place else "fold",
            no_wrap=True,
        )
    for row in section.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def print_sections(sections: Iterable[Section]) -> None:
    """Print sections once."""
    Console().print(renderable(sections))


class LiveScreen:
    """A part of the terminal that is redrawn in place, for as long as the `with` block lasts."""

    def __init__(self) -> None:
        self._live = Live(
            console=Console(), refresh_per_second=REFRESHES_A_SECOND, vertical_overflow="crop"
        )

    def __enter__(self) -> Callable[[Iterable[Section]], None]:
        self._live.__enter__()
        return self._draw

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def _draw(self, sections: Iterable[Section]) -> None:
        self._live.update(renderable(sections))


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
