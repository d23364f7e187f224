"""Whether a condition could hold at all of anything that a node reports: asked before it is; pure.

In a cluster of fifty there are nine thousand things to ask each second, and nearly always all is
well. What begins with a simple comparison is therefore seen first for all instances at once:

    peer.lag_seconds > 5 and ...         is any of these figures greater?
    abs(peer.clock_offset) > 0.5 and ... or any of them, or its opposite?
    rate(a.b, 30) + rate(a.c, 30) > 1    did any of these counters grow at all?

When the first part of an `and` does not hold, or is unknown, the whole cannot hold. Of all other
conditions it is not known beforehand.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from isinglass_monitor.alarms.grammar import Condition, Reference
from isinglass_monitor.alarms.sights import NodeFigures

Outlook = Callable[[NodeFigures], bool]


def outlook(condition: Condition) -> Outlook:
    """Return what tells, of a node, whether the condition could hold of any of its instances."""
    first = ast.parse(" ".join(condition.text.split()), mode="eval").body
    if isinstance(first, ast.BoolOp) and isinstance(first.op, ast.And):
        first = first.values[0]
    match first:
        case ast.Compare(
            left=left, ops=[ast.Gt()], comparators=[ast.Constant(value=int() | float() as bound)]
        ):
            return _greater(left, bound)
    return _unknown


def _unknown(_: NodeFigures) -> bool:
    return True


def _greater(left: ast.expr, bound: float) -> Outlook:
    match left:
        case ast.Attribute():
            return _any_greater(_reference(left), bound, float)
        case ast.Call(func=ast.Name(id="abs"), args=[ast.Attribute() as inner]):
            return _any_greater(_reference(inner), bound, abs)
    counters = _summed_rates(left)
    if counters and bound >= 0:
        return lambda node: any(node.has_grown(counter) for counter in counters)
    return _unknown


def _any_greater(figure: Reference, bound: float, size: Callable[[float], float]) -> Outlook:
    return lambda node: any(
        not isinstance(value, str) and size(value) > bound
        for value in node.valid.get(figure, {}).values()
    )


def _summed_rates(term: ast.expr) -> list[Reference]:
    """Return the counters of a sum of rates; none when it is something else."""
    match term:
        case ast.Call(func=ast.Name(id="rate"), args=[ast.Attribute() as counter, _]):
            return [_reference(counter)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = _summed_rates(left), _summed_rates(right)
            return [*parts[0], *parts[1]] if all(parts) else []
    return []


def _reference(node: ast.Attribute) -> Reference:
    panel, _, field = ast.unparse(node).partition(".")
    return Reference(panel, field)
