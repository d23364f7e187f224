"""A line of the screen: pieces of text with a role each, cut and padded to an exact width.

A role is a word ("dim", "warning"), not a colour: the palette decides what it looks like in this
terminal. Lines are plain tuples, so that the canvas finds what changed by comparing them, and a
view is a pure function that a test calls without a terminal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size

from isinglass.harmless import printable

Span = tuple[str, str]
Line = tuple[Span, ...]

PLAIN = "plain"
ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Hit:
    """A part of a line that answers to the mouse: `kind` and `value` say what it stands for."""

    y: int
    left: int
    right: int
    kind: str
    value: str


@dataclass(slots=True)
class Block:
    """Lines of one width, and what in them can be clicked."""

    width: int
    lines: list[Line] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)

    def add(self, line: Line, kind: str = "", value: str = "") -> None:
        """Append a line; with a kind the whole line can be clicked."""
        if kind:
            self.hits.append(Hit(len(self.lines), 0, self.width, kind, value))
        self.lines.append(line)

    def extend(self, other: Block) -> None:
        """Append the lines of a block of the same width."""
        down = len(self.lines)
        self.hits.extend(
            Hit(hit.y + down, hit.left, hit.right, hit.kind, hit.value) for hit in other.hits
        )
        self.lines.extend(other.lines)

    def sized(self, height: int) -> Block:
        """Return the block cut or filled up with empty lines to `height`."""
        lines = self.lines[:height]
        lines += [blank(self.width)] * (height - len(lines))
        return Block(self.width, lines, [hit for hit in self.hits if hit.y < height])

    def without(self, count: int) -> Block:
        """Return the block without its first lines."""
        hits = [
            Hit(hit.y - count, hit.left, hit.right, hit.kind, hit.value)
            for hit in self.hits
            if hit.y >= count
        ]
        return Block(self.width, self.lines[count:], hits)


def blank(width: int) -> Line:
    """Return a line of spaces."""
    return ((" " * width, PLAIN),) if width > 0 else ()


def cells(text: str) -> int:
    """Return how many cells the text takes in a terminal."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, right: bool = False) -> str:
    """Return the text in exactly `width` cells; what is cut off ends in an ellipsis."""
    if width <= 0:
        return ""
    long = cells(text)
    if long > width:
        return set_cell_size(text, width - 1) + ELLIPSIS
    padding = " " * (width - long)
    return padding + text if right else text + padding


def fit_left(text: str, width: int) -> str:
    """Return the text in `width` cells, cut at its beginning: the end of a path says more."""
    if cells(text) <= width or width <= 0:
        return fit(text, width)
    return ELLIPSIS + text[len(text) - (width - 1) :]


class Pen:
    """Writes one line from left to right, at exact places, never past its width."""

    __slots__ = ("_spans", "at", "width")

    def __init__(self, width: int) -> None:
        self.width = width
        self.at = 0
        self._spans: list[Span] = []

    def put(
        self, text: str, role: str = PLAIN, width: int | None = None, right: bool = False
    ) -> Pen:
        """Write text, in `width` cells when given; returns the pen."""
        room = self.width - self.at
        if text.isascii() and text.isprintable():  # nearly all of it: a cell a letter
            long = len(text)
        else:
            text = printable(text)
            long = cells(text)
        wanted = long if width is None else width
        if wanted > room:
            wanted = room
        if wanted > 0:
            self._append(text if wanted == long else fit(text, wanted, right), role)
            self.at += wanted
        return self

    def fact(self, label: str, value: str, role: str = PLAIN) -> Pen:
        """Write a label and its value when both fit whole, else nothing."""
        if self.at + cells(label) + cells(value) <= self.width:
            self.put(label, "dim").put(value, role)
        return self

    def to(self, left: int) -> Pen:
        """Leave spaces up to a place further right."""
        if left > self.at:
            self.put(" " * (left - self.at))
        return self

    def spans(self, line: Line) -> Pen:
        """Write the pieces of another line."""
        for text, role in line:
            self.put(text, role)
        return self

    def line(self) -> Line:
        """Return what was written, filled up to the width."""
        if self.at < self.width:
            self._append(" " * (self.width - self.at), PLAIN)
            self.at = self.width
        return tuple(self._spans)

    def _append(self, text: str, role: str) -> None:
        if self._spans and self._spans[-1][1] == role:
            self._spans[-1] = (self._spans[-1][0] + text, role)
        else:
            self._spans.append((text, role))


def styled(line: Line, addition: str) -> Line:
    """Return the line with a role added to each piece (`cursor`, `stale`)."""
    return tuple((text, f"{role}+{addition}") for text, role in line)


def rule(width: int, junctions: Iterable[int] = (), glyph: str = "─", joint: str = "┬") -> Line:
    """Return a thin rule with joints at the given columns."""
    letters = [glyph] * width
    for column in junctions:
        if 0 <= column < width:
            letters[column] = joint
    return (("".join(letters), "rule"),)


def noted_rule(width: int, note: str) -> Line:
    """Return a thin rule with a few words near its end."""
    if not note or cells(note) + 6 > width:
        return rule(width)
    return (
        Pen(width)
        .spans(rule(width - cells(note) - 4))
        .put(f" {note} ", "dim")
        .put("──", "rule")
        .line()
    )


def crossing(width: int, above: Collection[int], below: Collection[int]) -> Line:
    """Return a thin rule that meets the upright ones above and below it."""
    letters = ["─"] * width
    for column in {*above, *below}:
        if not 0 <= column < width:
            continue
        letters[column] = "┼" if column in above and column in below else "┬"
        if column not in below:
            letters[column] = "┴"
    return (("".join(letters), "rule"),)


def beside(blocks: Sequence[Block], height: int) -> Block:
    """Return blocks side by side with thin rules between, cut to `height`."""
    width = sum(block.width for block in blocks) + len(blocks) - 1
    sized = [block.sized(height) for block in blocks]
    whole = Block(width)
    for y in range(height):
        spans: list[Span] = []
        for index, block in enumerate(sized):
            if index:
                spans.append(("│", "rule"))
            spans.extend(block.lines[y])
        whole.lines.append(tuple(spans))
    left = 0
    for block in sized:
        whole.hits.extend(
            Hit(hit.y, hit.left + left, hit.right + left, hit.kind, hit.value) for hit in block.hits
        )
        left += block.width + 1
    return whole


def text_of(lines: Iterable[Line]) -> str:
    """Return the lines as plain text, without spaces at the ends (for the clipboard and tests)."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)
