"""Draws a terminal's screen as SVG: what tmux has of it, text with SGR sequences, cell by cell.

Text is drawn by the font, blocks and rules as shapes, so that they join as they do in a terminal.
"""

from __future__ import annotations

from html import escape

from rich.ansi import AnsiDecoder
from rich.color import Color
from rich.style import Style
from rich.text import Text

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, MARGIN = 8.43, 18, 14, 14
FONT = "'DejaVu Sans Mono', 'Menlo', 'Consolas', monospace"
FRONT, BACK = "#c8ccd1", "#14171b"

# glyph: (left, top, width, height) of the cell, in eighths
_BLOCKS: dict[str, tuple[int, int, int, int]] = {
    **{glyph: (0, 8 - n, 8, n) for n, glyph in enumerate("▁▂▃▄▅▆▇█", start=1)},
    **{glyph: (0, 0, n, 8) for n, glyph in enumerate("▏▎▍▌▋▊▉", start=1)},
}
# glyph: arms left, right, up, down, and the stroke's width
_RULES: dict[str, tuple[int, int, int, int, float]] = {
    "─": (1, 1, 0, 0, 1.0),
    "│": (0, 0, 1, 1, 1.0),
    "┬": (1, 1, 0, 1, 1.0),
    "┴": (1, 1, 1, 0, 1.0),
    "┼": (1, 1, 1, 1, 1.0),
    "┃": (0, 0, 1, 1, 2.2),
}


def _hex(color: Color | None, fallback: str) -> str:
    return color.get_truecolor().hex if color is not None and not color.is_default else fallback


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{fill}"/>'
    )


def _shape(glyph: str, x: float, y: float, fill: str) -> list[str]:
    """Draw a block or a rule in the cell at x, y."""
    if glyph in _BLOCKS:
        left, top, width, height = (part / 8 for part in _BLOCKS[glyph])
        place = (x + left * CELL_WIDTH, y + top * CELL_HEIGHT)
        return [_rect(*place, width * CELL_WIDTH + 0.05, height * CELL_HEIGHT + 0.05, fill)]
    left, right, up, down, stroke = _RULES[glyph]
    middle_x, middle_y = x + CELL_WIDTH / 2, y + CELL_HEIGHT / 2
    start, end = middle_x - left * CELL_WIDTH / 2, middle_x + right * CELL_WIDTH / 2
    above, below = middle_y - up * CELL_HEIGHT / 2, middle_y + down * CELL_HEIGHT / 2
    arms = []
    if left or right:
        arms.append(_rect(start, middle_y - stroke / 2, end - start, stroke, fill))
    if up or down:
        arms.append(_rect(middle_x - stroke / 2, above, stroke, below - above, fill))
    return arms


def _run(text: str, style: Style, column: int, row: int) -> list[str]:
    """Draw one piece of a line, all in one style."""
    x, y = MARGIN + column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT
    front, back = _hex(style.color, FRONT), _hex(style.bgcolor, BACK)
    if style.reverse:
        front, back = back, front
    drawn = []
    if back != BACK:
        drawn.append(_rect(x, y, len(text) * CELL_WIDTH + 0.2, CELL_HEIGHT + 0.2, back))
    letters = []
    for number, glyph in enumerate(text):
        if glyph in _BLOCKS or glyph in _RULES:
            drawn += _shape(glyph, x + number * CELL_WIDTH, y, front)
        elif glyph != " ":
            letters.append((x + number * CELL_WIDTH, glyph))
    if letters:
        places = " ".join(f"{place:.2f}" for place, _ in letters)
        weight = ' font-weight="bold"' if style.bold else ""
        content = escape("".join(glyph for _, glyph in letters))
        base = y + CELL_HEIGHT * 0.74
        drawn.append(f'<text x="{places}" y="{base:.2f}" fill="{front}"{weight}>{content}</text>')
    return drawn


def draw(screen: str, columns: int) -> str:
    """Return an SVG of a terminal screen given as text with SGR sequences."""
    lines = screen.split("\n")
    width = MARGIN * 2 + columns * CELL_WIDTH
    height = MARGIN * 2 + len(lines) * CELL_HEIGHT
    shapes = [f'<rect width="100%" height="100%" rx="8" fill="{BACK}"/>']
    decoder = AnsiDecoder()  # One for all: tmux says a colour again only when it changes.
    for row, line in enumerate(lines):
        column = 0
        for text, style in _pieces(decoder.decode_line(line)):
            shapes += _run(text, style, column, row)
            column += len(text)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' font-family="{FONT}" font-size="{FONT_SIZE}" xml:space="preserve"'
        ' shape-rendering="crispEdges">'
    )
    return "\n".join([head, *shapes, "</svg>", ""])


def _pieces(text: Text) -> list[tuple[str, Style]]:
    plain = text.plain
    styles = [Style.null()] * len(plain)
    for span in text.spans:
        style = Style.parse(span.style) if isinstance(span.style, str) else span.style
        for at in range(span.start, min(span.end, len(plain))):
            styles[at] = styles[at] + style
    pieces: list[tuple[str, Style]] = []
    for letter, style in zip(plain, styles, strict=True):
        if pieces and pieces[-1][1] == style:
            pieces[-1] = (pieces[-1][0] + letter, style)
        else:
            pieces.append((letter, style))
    return pieces
