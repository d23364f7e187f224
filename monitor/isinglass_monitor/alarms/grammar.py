"""The text of a condition, parsed into a function of what one node reports; pure.

    queue.length > 0 and rate(queue.applied_through, 10) == 0

    condition   comparisons of terms with and, or, not
    comparison  <  <=  >  >=  ==  !=
    term        panel.field   a figure, by its name in docs/panels.md; of a panel with instances the
                              condition is asked for each instance
                rate(panel.field, SECONDS)   how much it grew a second, over so many seconds
                age(panel.field)             seconds since a time that the node reported
                abs(term)   + - * /   numbers   "text"

It is the grammar of Python's expressions cut down to these, so that Python's own parser reads it.
A figure that is not there makes its comparison unknown, and so does a division by zero; `and`, `or`
and `not` treat unknown as SQL does, and what is unknown in the end does not hold.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from isinglass.errors import SettingsError
from isinglass_monitor.figure_names import catalogue, facts
from isinglass_monitor.views import Figure

RATE_SECONDS = (1, 600)  # the shortest and the longest time that a rate is taken over


class Reference(NamedTuple):
    """A figure that a condition names, of whatever node and instance it is asked for."""

    panel: str
    field: str


class Sight(Protocol):
    """What a condition is asked about: one node, and one instance of its panels."""

    def figure(self, reference: Reference) -> Figure | None:
        """Return the figure, or None when it is not there."""

    def rate(self, reference: Reference, seconds: float) -> float | None:
        """Return its growth a second over the last seconds, or None when that is not known yet."""

    def age(self, reference: Reference) -> float | None:
        """Return how many seconds ago the reported time was, or None when it was never."""


Value = Figure | bool | None
Term = Callable[[Sight], Value]

_COMPARE: dict[type[ast.cmpop], Callable[[Figure, Figure], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
TRUTH, NUMBER, TEXT = "a comparison", "a number", "text"


class Condition:
    """A condition that was parsed: `holds(sight)` is True, False, or None for unknown."""

    __slots__ = ("_term", "rates", "references", "text")

    def __init__(self, text: str, own_panels: frozenset[str] = frozenset()) -> None:
        """Parse a condition.

        Args:
            own_panels: panels that the catalogue does not know and may be named all the same.

        Raises:
            SettingsError: it is no condition; the sentence says why, and where in the text.
        """
        self.text = text
        self.references: set[Reference] = set()
        self.rates: dict[Reference, float] = {}  # the longest time each is asked over
        self._term = _Parser(self, own_panels).parse()

    def holds(self, sight: Sight) -> bool | None:
        """Return whether it holds, or None when a figure that decides it is not there."""
        found = self._term(sight)
        return None if found is None else bool(found)

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"


class _Parser:
    """Turns a syntax tree into functions, and checks that each part is of the right kind."""

    def __init__(self, condition: Condition, own_panels: frozenset[str]) -> None:
        self._condition, self._own = condition, own_panels

    def parse(self) -> Term:
        try:
            tree = ast.parse(" ".join(self._condition.text.splitlines()).strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            why = getattr(error, "msg", str(error))
            raise SettingsError(f"{self._condition.text!r} is no condition: {why}") from None
        try:
            term, kind = self._term(tree.body)
        except RecursionError:
            raise SettingsError("the condition is nested too deep: make it simpler") from None
        if kind != TRUTH:
            raise self._error(tree.body, f"is {kind}; a condition compares something")
        return term

    def _error(self, node: ast.AST, why: str) -> SettingsError:
        return SettingsError(f"{ast.unparse(node)!r} {why}")

    def _term(self, node: ast.expr) -> tuple[Term, str]:
        match node:
            case ast.BoolOp():
                return self._joined(node), TRUTH
            case ast.UnaryOp(op=ast.Not()):
                inner = self._of_kind(node.operand, TRUTH)
                return lambda sight: None if (v := inner(sight)) is None else not v, TRUTH
            case ast.UnaryOp(op=ast.USub()):
                return _numeric(operator.neg, self._of_kind(node.operand, NUMBER)), NUMBER
            case ast.Compare(ops=[_], comparators=[_]):
                return self._comparison(node), TRUTH
            case ast.BinOp() if type(node.op) in _ARITHMETIC:
                left, right = (self._of_kind(n, NUMBER) for n in (node.left, node.right))
                return _numeric(_ARITHMETIC[type(node.op)], left, right), NUMBER
            case ast.Call(func=ast.Name(id=name), keywords=[]):
                return self._call(node, name), NUMBER
            case ast.Constant(value=bool()):
                raise self._error(node, "is not used here; compare with 1 or 0")
            case ast.Constant(value=str() as text):
                return lambda _: text, TEXT
            case ast.Constant(value=int() | float() as number):
                return lambda _: number, NUMBER
            case ast.Attribute():
                reference = self._reference(node)
                known = facts(*reference)
                kind = TEXT if known is not None and known.kind == "text" else NUMBER
                return lambda sight: sight.figure(reference), kind
        raise self._error(node, "cannot stand in a condition")

    def _of_kind(self, node: ast.expr, wanted: str) -> Term:
        term, kind = self._term(node)
        if kind != wanted:
            raise self._error(node, f"is {kind}, where {wanted} is needed")
        return term

    def _joined(self, node: ast.BoolOp) -> Term:
        terms = [self._of_kind(value, TRUTH) for value in node.values]
        decisive = isinstance(node.op, ast.Or)  # one True decides `or`, one False decides `and`

        def joined(sight: Sight) -> Value:
            unknown = False
            for term in terms:
                found = term(sight)
                if found is None:
                    unknown = True
                elif bool(found) is decisive:
                    return decisive
            return None if unknown else not decisive

        return joined

    def _comparison(self, node: ast.Compare) -> Term:
        (left, kind), (right, other) = self._term(node.left), self._term(node.comparators[0])
        if kind != other or kind == TRUTH:
            raise self._error(node, f"compares {kind} with {other}")
        if kind == TEXT and isinstance(node.ops[0], _ORDER):
            raise self._error(node, "orders text; text is equal (==) or not (!=)")
        compare = _COMPARE.get(type(node.ops[0]))
        if compare is None:
            raise self._error(node, "compares with none of < <= > >= == !=")
        is_text = kind == TEXT
        if isinstance(node.comparators[0], ast.Constant):  # most are, and asked for each second
            return _with_constant(compare, left, node.comparators[0].value, is_text)

        def compared(sight: Sight) -> Value:
            a, b = left(sight), right(sight)
            if a is None or b is None or isinstance(a, str) != is_text:
                return None
            return compare(a, b) if isinstance(b, str) == is_text else None

        return compared

    def _call(self, node: ast.Call, name: str) -> Term:
        match name, node.args:
            case "abs", [one]:
                return _numeric(abs, self._of_kind(one, NUMBER))
            case "age", [ast.Attribute() as one]:
                of = self._reference(one)
                return lambda sight: sight.age(of)
            case "rate", [ast.Attribute() as one, ast.Constant(value=int() as seconds)]:
                shortest, longest = RATE_SECONDS
                if isinstance(seconds, bool) or not shortest <= seconds <= longest:
                    raise self._error(node, f"takes its rate over {shortest} to {longest} seconds")
                reference = self._reference(one)
                rates = self._condition.rates
                rates[reference] = max(rates.get(reference, 0), seconds)
                return lambda sight: sight.rate(reference, seconds)
        raise self._error(
            node, "is none of rate(panel.field, SECONDS), age(panel.field), abs(term)"
        )

    def _reference(self, node: ast.Attribute) -> Reference:
        panel, _, field = ast.unparse(node).partition(".")
        fields = catalogue().get(panel)
        if fields is None and panel not in self._own:
            raise self._error(node, f"names no panel{_near(panel, list(catalogue()))}")
        if fields is not None and field not in fields:
            raise self._error(node, f"is no field of panel {panel}{_near(field, list(fields))}")
        reference = Reference(panel, field)
        self._condition.references.add(reference)
        return reference


def _with_constant(compare: Callable[..., bool], left: Term, constant: Any, is_text: bool) -> Term:
    def compared(sight: Sight) -> Value:
        value = left(sight)
        if value is None or isinstance(value, str) != is_text:
            return None
        return compare(value, constant)

    return compared


def _numeric(function: Callable[..., float], *terms: Term) -> Term:
    """Return a term that applies a function to numbers; unknown when one of them is."""

    def applied(sight: Sight) -> Value:
        values = []
        for term in terms:
            value = term(sight)
            if value is None or isinstance(value, str):
                return None
            values.append(value)
        try:
            return float(function(*values))
        except (ZeroDivisionError, OverflowError):
            return None

    return applied


def _near(word: str, names: list[str]) -> str:
    from isinglass.cli.options import near

    return near(word, names)
