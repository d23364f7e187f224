"""The figures of each node as JSON, each second: only what has changed is put into words again.

The scoreboard of fifty nodes has ninety thousand figures, most of which are as they were a second
ago. Comparing them is a pass in C; writing them all anew was half of what the watch cost.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from operator import ne
from typing import Any

from isinglass_monitor.views import Figure


class _Text:
    """The figures of one node, as they were put into words last."""

    __slots__ = ("_keys", "_parts", "_values")

    def __init__(self, figures: Mapping[str, Figure]) -> None:
        self._keys = [f"{json.dumps(key)}:" for key in figures]
        self._values: list[Any] = list(figures.values())
        self._parts = [k + _word(v) for k, v in zip(self._keys, self._values, strict=True)]

    def of(self, figures: Mapping[str, Figure]) -> str:
        """Return the text of figures that have the same keys in the same order."""
        values = list(figures.values())
        for at, differs in enumerate(map(ne, values, self._values)):
            if differs:
                self._parts[at] = self._keys[at] + _word(values[at])
        self._values = values
        return f"{{{','.join(self._parts)}}}"


class RowTexts:
    """Remembers each node's text."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[list[str], _Text]] = {}

    def of(self, node: str, figures: Mapping[str, Figure]) -> str:
        """Return a node's figures as a JSON object; what is infinite, or no number, is null."""
        keys = list(figures)
        known = self._texts.get(node)
        if known is None or known[0] != keys:
            known = self._texts[node] = keys, _Text(figures)
        return known[1].of(figures)

    def forget_all_but(self, nodes: Iterable[str]) -> None:
        """Let go of nodes that are gone."""
        for node in self._texts.keys() - set(nodes):
            del self._texts[node]


def _word(value: Any) -> str:
    if type(value) is int:
        return str(value)
    if type(value) is float:
        return repr(value) if math.isfinite(value) else "null"
    return json.dumps(value)
