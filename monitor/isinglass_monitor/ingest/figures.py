"""The figures of a node, put together from the datagrams of a second. Pure.

They are shown when all parts of a second are there. When one is lost, what did come goes over what
was known, so that one lost datagram does not make a panel vanish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Figure = float | str
FIGURES_LIMIT = 20_000  # of one node
OVERTAKEN_SECONDS = 5  # what is older than the newest by more was sent after the clock was set back


def named(rows: Iterable[Any]) -> dict[str, Figure]:
    """Return the figures of a datagram's rows as "panel.field" or "panel.instance.field"."""
    found: dict[str, Figure] = {}
    for panel, instance, figures in rows:
        prefix = f"{panel}.{instance}." if instance else f"{panel}."
        for name, value in figures.items():
            found[prefix + name] = value
    return found


class FiguresOf:
    """What one node reports, second by second."""

    __slots__ = ("_came", "_parts", "_second", "known")

    def __init__(self) -> None:
        self.known: Mapping[str, Figure] = {}
        self._second = 0
        self._came: dict[int, dict[str, Figure]] = {}
        self._parts = 0

    def take(self, second: int, part: int, parts: int, rows: Iterable[Any]) -> None:
        """Take in one datagram."""
        if self._second - OVERTAKEN_SECONDS <= second < self._second:
            return
        if second != self._second:
            if self._came:
                self._lay_over()
            self._second, self._parts, self._came = second, parts, {}
        self._came[part] = named(rows)
        if len(self._came) == self._parts:
            self.known = self._joined()
            self._came = {}

    def _joined(self) -> dict[str, Figure]:
        joined: dict[str, Figure] = {}
        for _, figures in sorted(self._came.items()):
            joined.update(figures)
        return joined

    def _lay_over(self) -> None:
        joined = {**self.known, **self._joined()}
        if len(joined) <= FIGURES_LIMIT:
            self.known = joined
