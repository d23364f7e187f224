"""Finds figures on a drawn screen as an eye does, by pane, line and column, and reads them back.

A figure is compared as a number, within the last digit that is shown: the test does not know how
the console rounds, so a figure that is formatted wrongly is found, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf, isnan, nan
from typing import NamedTuple

_UNITS = {
    "": 1.0, "%": 0.01, "ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0,
    "d": 86_400.0, "B": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40,
    "M": 1e6, "G": 1e9, "T": 1e12,
}  # fmt: skip
_WORDS = {"--": (nan, nan), "never": (nan, nan), "free": (inf, inf), "<1 %": (0.0, 0.005)}
_UNIT = rf"(?:{'|'.join(sorted(filter(None, _UNITS), key=len, reverse=True))})(?!\w)"
_LENGTH = r"\d+ (?:h|min) \d\d(?!\d)"
_NUMBER = rf"[+−]?\d+(?: \d{{3}})*(?:\.\d+)?(?: {_UNIT})?"
FIGURE = rf"(?:--|never|free|<1 %|{_LENGTH}|{_NUMBER})"
_MARKS = " ▸·▲✖~?○●"
_BETWEEN = r"[ \u2581-\u259f┃]+"  # bars and sparklines stand between figures


@dataclass(frozen=True)
class Near:
    """A figure that is known but for a little."""

    value: float
    slack: float


Figure = float | str | Near


def span(shown: str) -> tuple[float, float]:
    """Return the least and the largest number that is shown like this."""
    if shown in _WORDS:
        return _WORDS[shown]
    if re.fullmatch(_LENGTH, shown):
        whole, unit, part = shown.split(" ")
        small = _UNITS[unit] / 60
        return (int(whole) * 60 + int(part)) * small, (int(whole) * 60 + int(part) + 1) * small
    found = re.fullmatch(r"([+−]?[\d ]*\d(?:\.(\d+))?)(?: (\D+))?", shown)
    assert found is not None, f"{shown!r} is no figure"
    value = float(found[1].replace(" ", "").replace("−", "-"))
    half, scale = 0.5 * 10.0 ** -len(found[2] or ""), _UNITS[found[3] or ""]
    return (value - half) * scale, (value + half) * scale


def agrees(shown: str, figure: Figure) -> bool:
    """Return whether a screen shows a figure."""
    if isinstance(figure, str):
        return shown == figure
    near = figure if isinstance(figure, Near) else Near(figure, 0.0)
    least, most = span(shown)
    if isnan(near.value) or isnan(least):
        return isnan(near.value) and isnan(least)
    slack = near.slack + abs(near.value) * 1e-9
    return least - slack <= near.value <= most + slack


def pane(screen: list[str], title: str) -> list[str]:
    """Return the lines of a pane, or of a table without one, from its title to the next rule."""
    for number, line in enumerate(screen):
        for part in re.finditer(r"[^│]+", line):
            if re.match(rf" {re.escape(title)}( |$)", part[0]):
                right = part.end() if part.end() < len(line) else None
                below = [each[part.start() : right] for each in screen[number:]]
                end = next((at for at, each in enumerate(below) if each.startswith("─")), None)
                return below[:end]
    raise AssertionError(f"no pane is called {title}:\n" + "\n".join(screen))


def on_line(lines: list[str], template: str) -> list[str]:
    """Return the figures of the line that reads like a template, in which they are `{}`."""
    words = (re.escape(part).replace("\\ ", _BETWEEN) for part in template.split("{}"))
    pattern = re.compile(f"(?<!\\w){f'({FIGURE})(?: ?/s)?'.join(words)}")
    found = [match for line in lines if (match := pattern.search(line))]
    assert found, f"no line reads like {template!r}:\n" + "\n".join(lines)
    return list(found[0].groups())


class Cell(NamedTuple):
    """A cell of a table: its line, and where the title above it begins and ends."""

    line: str
    left: int
    right: int

    def figures(self) -> list[str]:
        """Return the figures that end where the title does, else those that begin where it does."""
        after = self.line[self.right : self.right + 2]
        if not after.strip() and self.line[: self.right][-1:].strip():
            figures = re.findall(FIGURE, re.split(" {2,}", self.line[: self.right])[-1])
            if figures:
                return list(figures)
        found = re.search(rf"{FIGURE}.*", self.line[self.left :])
        return re.findall(FIGURE, re.split(" {2,}", found[0])[0]) if found else []

    def shows(self, wanted: Figure | tuple[Figure, ...]) -> bool:
        """Return whether the cell shows a word, or a file in its folder, or figures in order."""
        if isinstance(wanted, str):
            begins = re.split(" {2,}", self.line[self.left :])[0]
            return begins.lstrip(_MARKS).split("/")[-1] == wanted
        return all_agree(self.figures(), wanted)


def all_agree(shown: list[str], wanted: Figure | tuple[Figure, ...]) -> bool:
    """Return whether figures are shown in this order, whatever stands behind them."""
    figures = wanted if isinstance(wanted, tuple) else (wanted,)
    return len(shown) >= len(figures) and all(map(agrees, shown, figures))


def cell(lines: list[str], row: str, column: str) -> Cell:
    """Return a cell of a table, found by the title above it and by what its row begins with."""
    title = re.compile(rf"(?<!\w){re.escape(column)}(?!\w)")
    at, place = next((at, found) for at, each in enumerate(lines) if (found := title.search(each)))
    begins = re.compile(rf"{row}(  | \S|$)")
    line = next((each for each in lines[at + 1 :] if begins.match(each.lstrip(_MARKS))), None)
    assert line is not None, f"no row begins with {row}:\n" + "\n".join(lines)
    return Cell(line, *place.span())
