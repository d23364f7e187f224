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


Parsed = tuple[str, Callable[[Figure, Figure], bool], Figure]


def parsed(text: str) -> list[list[Parsed]]:
    """Return the alternatives of a condition, each a list of (value's name, operator, literal).

    Raises:
        UsageError: the text is not a condition.
    """
    return [
        [_comparison(part) for part in re.split(r"\s+and\s+", alternative)]
        for alternative in re.split(r"\s+or\s+", text)
    ]


def _comparison(text: str) -> Parsed:
    found = _COMPARISON.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{text.strip()!r} is not a condition; write VALUE < NUMBER, as in 'queue.length < 1'."
        )
    return found["path"], OPERATORS[found["operator"]], _literal(found["literal"])


def true_of(figure: Figure | None, compare: Callable[[Figure, Figure], bool], than: Figure) -> bool:
    """Return whether a value, if there is one, compares as asked."""
    if figure is None or isinstance(figure, str) != isinstance(than, str):
        return False
    return compare(figure, than)


class Condition:
    """A whole condition on a node: alternatives, each of them comparisons that must all hold.

    Raises:
        UsageError: the text is not a condition.
    """

    __slots__ = ("_alternatives", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._alternatives = [
            [(FieldPath(name), compare, than) for name, compare, than in alternative]
            for alternative in parsed(text)
        ]

    @property
    def paths(self) -> list[FieldPath]:
        """The values that are compared."""
        return [path for alternative in self._alternatives for path, _, _ in alternative]

    def holds(self, snapshot: Snapshot, rates: Rates) -> bool:
        """Return whether the condition is true of a snapshot and its rates."""
        return any(
            all(
                true_of(path.figure(snapshot, rates), compare, than)
                for path, compare, than in alternative
            )
            for alternative in self._alternatives
        )


def _literal(text: str) -> Figure:
    if text[0] in "'\"":
        return text[1:-1]
    try:
        return float(text)
    except ValueError:
        return text
