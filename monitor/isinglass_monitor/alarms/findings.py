"""What the rules find in one second: for each subject, whether its condition holds; pure.

A *subject* is what an alarm is about: a rule and a node, and an instance where the rule's panel has
them. A rule about its instances turns this round: what several nodes report of one other is one
subject, which is that other node. For a rule about its panel all instances of a node are one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from isinglass_monitor.alarms.rules import ABOUT_INSTANCE, ABOUT_PANEL, MOST, Rule
from isinglass_monitor.alarms.sights import InstanceSight, NodeFigures
from isinglass_monitor.figure_names import DERIVED
from isinglass_monitor.views import Figure


class Subject(NamedTuple):
    """What an alarm is about."""

    rule: str
    node: str
    instance: str = ""


class Finding(NamedTuple):
    """What was found of one subject: its condition (None: unknown), whether it clears, and why.

    `found_at`: the nodes that report it, or the instances of a panel that it was found at.
    """

    holds: bool | None
    clears: bool
    figures: Mapping[str, Figure]
    found_at: tuple[str, ...] = ()


NOT_THERE = Finding(False, True, {})
UNKNOWN = Finding(None, False, {})


def find(
    rules: Iterable[Rule], nodes: Mapping[str, NodeFigures], known: Collection[Subject] = ()
) -> Iterator[tuple[Subject, Finding]]:
    """Yield what every rule finds: where its condition holds, and of every subject in `known`.

    That is little of what is looked at, which is why all else is left out early: fifty nodes have
    seven thousand subjects, each second.

    Args:
        known: subjects that are alarming.
    """
    alarming = {subject.rule for subject in known}
    for rule in rules:
        if rule.name in alarming:
            looked_at = list(nodes.values())
        else:
            looked_at = [figures for figures in nodes.values() if rule.outlook(figures)]
        if rule.about == ABOUT_INSTANCE:
            if looked_at:  # whether most agree, only all together can say
                yield from _about_instances(rule, nodes.values(), known)
            continue
        if rule.about == ABOUT_PANEL:
            yield from _about_panels(rule, looked_at, known)
            continue
        for figures in looked_at:
            for instance in figures.instances(rule.when.references):
                sight = InstanceSight(figures, instance)
                holds = _holds(rule, figures, sight)
                if not holds and rule.name not in alarming:
                    continue
                subject = Subject(rule.name, figures.node, instance)
                if holds or subject in known:
                    yield subject, _finding(rule, sight, holds)


def _holds(rule: Rule, figures: NodeFigures, sight: InstanceSight) -> bool | None:
    holds = rule.when.holds(sight)
    if holds is None and (figures.live or _is_derived(rule)):
        return False  # a figure that a live node does not have decides nothing
    return holds


def _finding(rule: Rule, sight: InstanceSight, holds: bool | None) -> Finding:
    if holds is None:
        return UNKNOWN
    clears = not holds and (rule.clear is None or rule.clear.holds(sight) is not False)
    return Finding(holds, clears, sight.named(rule.when))


def _is_derived(rule: Rule) -> bool:
    return all(reference.panel in DERIVED for reference in rule.when.references)


def _about_instances(
    rule: Rule, nodes: Iterable[NodeFigures], known: Collection[Subject]
) -> Iterator[tuple[Subject, Finding]]:
    reports: dict[str, list[tuple[str, InstanceSight, bool | None]]] = {}
    raising: set[str] = set()
    for figures in nodes:
        for instance in figures.instances(rule.when.references):
            sight, about = InstanceSight(figures, instance), instance or figures.node
            holds = _holds(rule, figures, sight)
            if holds:
                raising.add(about)
            reports.setdefault(about, []).append((figures.node, sight, holds))
    for about, found in reports.items():
        subject = Subject(rule.name, about)
        if about in raising or subject in known:
            findings = [(node, _finding(rule, sight, holds)) for node, sight, holds in found]
            yield subject, _agreed(rule, findings)


def _about_panels(
    rule: Rule, nodes: Iterable[NodeFigures], known: Collection[Subject]
) -> Iterator[tuple[Subject, Finding]]:
    for figures in nodes:
        subject = Subject(rule.name, figures.node)
        sights = [
            (instance, sight, _holds(rule, figures, sight))
            for instance in figures.instances(rule.when.references)
            for sight in [InstanceSight(figures, instance)]
        ]
        if subject in known or any(holds for _, _, holds in sights):
            findings = [(at, _finding(rule, sight, holds)) for at, sight, holds in sights]
            yield subject, _agreed(rule, findings)


def _agreed(rule: Rule, reports: list[tuple[str, Finding]]) -> Finding:
    """Return what several findings come to, each with the node or instance that it is of."""
    known = [(at, finding) for at, finding in reports if finding.holds is not None]
    if not known:
        return UNKNOWN
    raising = [(at, finding) for at, finding in known if finding.holds]
    clearing = sum(finding.clears for _, finding in known)
    if rule.agree == MOST:
        holds = 2 * len(raising) > len(known)
        clears = not holds and 2 * clearing > len(known)
    else:
        holds, clears = bool(raising), clearing == len(known)
    shown = (raising or known)[0][1].figures
    return Finding(holds, clears, shown, tuple(at for at, _ in raising))
