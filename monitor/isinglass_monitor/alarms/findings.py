"""What the rules find in one second: for each subject, whether its condition holds; pure.

A *subject* is what an alarm is about: a rule and a node, and an instance where the rule's panel has
them. A rule about its instances turns this round: what several nodes report of one other is one
subject, which is that other node.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from isinglass_monitor.alarms.rules import ABOUT_INSTANCE, MOST, Rule
from isinglass_monitor.alarms.sights import InstanceSight, NodeFigures
from isinglass_monitor.figure_names import DERIVED
from isinglass_monitor.views import Figure


class Subject(NamedTuple):
    """What an alarm is about."""

    rule: str
    node: str
    instance: str = ""


class Finding(NamedTuple):
    """What was found of one subject: its condition (None: unknown), whether it clears, and why."""

    holds: bool | None
    clears: bool
    figures: Mapping[str, Figure]
    reporters: tuple[str, ...] = ()


NOT_THERE = Finding(False, True, {})
UNKNOWN = Finding(None, False, {})


def find(
    rules: Iterable[Rule], nodes: Mapping[str, NodeFigures], known: Container[Subject] = ()
) -> Iterator[tuple[Subject, Finding]]:
    """Yield what every rule finds in every node.

    Args:
        known: subjects that are alarming; of others that are not, the figures are left out.
    """
    for rule in rules:
        if rule.about == ABOUT_INSTANCE:
            yield from _about_instances(rule, nodes.values())
        else:
            for figures in nodes.values():
                for instance in figures.instances(rule.when.references):
                    sight = InstanceSight(figures, instance)
                    subject = Subject(rule.name, figures.node, instance)
                    yield subject, look(rule, figures, sight, shown=subject in known)


def look(rule: Rule, figures: NodeFigures, sight: InstanceSight, *, shown: bool) -> Finding:
    """Return what a rule finds in one instance of one node."""
    holds = rule.when.holds(sight)
    if holds is None and (figures.live or _is_derived(rule)):
        holds = False  # a figure that a live node does not have decides nothing
    if holds is None:
        return UNKNOWN
    clears = not holds and (rule.clear is None or rule.clear.holds(sight) is not False)
    return Finding(holds, clears, sight.named(rule.when) if holds or shown else {})


def _is_derived(rule: Rule) -> bool:
    return all(reference.panel in DERIVED for reference in rule.when.references)


def _about_instances(rule: Rule, nodes: Iterable[NodeFigures]) -> Iterator[tuple[Subject, Finding]]:
    reports: dict[str, list[tuple[str, Finding]]] = {}
    for figures in nodes:
        for instance in figures.instances(rule.when.references):
            finding = look(rule, figures, InstanceSight(figures, instance), shown=True)
            reports.setdefault(instance or figures.node, []).append((figures.node, finding))
    for about, found in reports.items():
        yield Subject(rule.name, about), _agreed(rule, found)


def _agreed(rule: Rule, reports: list[tuple[str, Finding]]) -> Finding:
    known = [(node, finding) for node, finding in reports if finding.holds is not None]
    if not known:
        return UNKNOWN
    raising = [(node, finding) for node, finding in known if finding.holds]
    clearing = sum(finding.clears for _, finding in known)
    if rule.agree == MOST:
        holds = 2 * len(raising) > len(known)
        clears = not holds and 2 * clearing > len(known)
    else:
        holds, clears = bool(raising), clearing == len(known)
    shown = (raising or known)[0][1].figures
    return Finding(holds, clears, shown, tuple(node for node, _ in raising))
