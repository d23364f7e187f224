"""Which of a node's figures have a trend worth keeping: numbers, but no times of day. Pure.

A node reports the same keys every second, some two thousand in a cluster of fifty. So which of them
are kept is looked up only when they are others than before, and a second costs one pass in C.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from isinglass_monitor.figure_names import facts, split
from isinglass_monitor.views import Figure


class _Choice(NamedTuple):
    keys: frozenset[str]
    kept: tuple[str, ...]
    values: Callable[[Mapping[str, Figure]], tuple[Any, ...]]


class KeptFigures:
    """Remembers of each node which figures are kept."""

    def __init__(self) -> None:
        self._choices: dict[str, _Choice] = {}

    def of(self, node: str, figures: Mapping[str, Figure]) -> dict[str, float]:
        """Return those of a node's figures that are kept."""
        choice = self._choices.get(node)
        if choice is None or figures.keys() != choice.keys:
            choice = self._choices[node] = _choose(figures)
        values = choice.values(figures)
        if str in set(map(type, values)):  # what was a number is a text now
            del self._choices[node]
            return {k: v for k, v in zip(choice.kept, values, strict=True) if type(v) is not str}
        return dict(zip(choice.kept, values, strict=True))

    def forget_all_but(self, nodes: Iterable[str]) -> None:
        """Let go of nodes that are gone."""
        for node in self._choices.keys() - set(nodes):
            del self._choices[node]


def _choose(figures: Mapping[str, Figure]) -> _Choice:
    kept = tuple(k for k, v in figures.items() if not isinstance(v, str) and _has_trend(k))
    if len(kept) < 2:  # itemgetter gives no tuple then
        return _Choice(frozenset(figures), kept, lambda found: tuple(found[key] for key in kept))
    return _Choice(frozenset(figures), kept, itemgetter(*kept))


def _has_trend(key: str) -> bool:
    name = split(key)
    known = facts(name.panel, name.field)
    return known is None or known.kind != "timestamp"
