"""Conditions on a node's values: `isinglass watch --until 'queue.length < 1 and verdict = alive'`.

    condition   comparison {and comparison}  |  comparison {or comparison}; `and` binds tighter
    comparison  value operator literal, the value as in `field_paths`
    operator    <  <=  >  >=  =  ==  !=
    literal     a number, or a word, or text in quotes

A value that is not there yet makes its comparison false, whatever the operator. Pure.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

from isinglass.cli.field_paths import FieldPath, Figure, Rates
from isinglass.errors import UsageError
from isinglass.glass.snapshot import Snapshot

OPERATORS: dict[str, Callable[[Figure, Figure], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
_COMPARISON = re.compile(
    r"\s*(?P<path>[^<>=!]+?)\s*(?P<operator><=|>=|==|!=|<|>|=)\s*(?P<literal>'[^']*'|\"[^\"]*\"|.+?)\s*"
)


class Comparison:
    """One `value operator literal`."""

    __slots__ = ("_compare", "_literal", "path")

    def __init__(self, text: str) -> None:
        found = _COMPARISON.fullmatch(text)
        if found is None:
            raise UsageError(
                f"{text.strip()!r} is not a condition; write VALUE < NUMBER, as in"
                " 'queue.length < 1'."
            )
        self.path = FieldPath(found["path"])
        self._compare = OPERATORS[found["operator"]]
        self._literal = _literal(found["literal"])

    def holds(self, snapshot: Snapshot, rates: Rates) -> bool:
        """Return whether the comparison is true of a snapshot."""
        figure = self.path.figure(snapshot, rates)
        if figure is None or isinstance(figure, str) != isinstance(self._literal, str):
            return False
        return self._compare(figure, self._literal)


class Condition:
    """A whole condition: alternatives, each of them comparisons that must all hold.

    Raises:
        UsageError: the text is not a condition.
    """

    __slots__ = ("_alternatives", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._alternatives = [
            [Comparison(part) for part in re.split(r"\s+and\s+", alternative)]
            for alternative in re.split(r"\s+or\s+", text)
        ]

    def holds(self, snapshot: Snapshot, rates: Rates) -> bool:
        """Return whether the condition is true of a snapshot and its rates."""
        return any(
            all(comparison.holds(snapshot, rates) for comparison in alternative)
            for alternative in self._alternatives
        )


def _literal(text: str) -> Figure:
    if text[0] in "'\"":
        return text[1:-1]
    try:
        return float(text)
    except ValueError:
        return text
