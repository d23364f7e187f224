"""The names of figures: which panel, which instance, which field; and what the catalogue says.

A figure's key is "panel.field" or "panel.instance.field", where instances and the parts of latches
bring dots of their own. The catalogue tells them apart: of a known panel, the longest field that
the key ends with is the field, and what is left in the middle is the instance. Of a panel that the
catalogue does not know (a user's own program) the last word is the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from isinglass.reference import panel_classes, rows


class FigureName(NamedTuple):
    """A key, taken apart."""

    panel: str
    instance: str
    field: str


class FieldFacts(NamedTuple):
    """What the catalogue says of a field."""

    kind: str
    unit: str
    help: str


# What the monitor itself adds to every node, in the scoreboard.
DERIVED: Mapping[str, Mapping[str, FieldFacts]] = {
    "node": {
        "up": FieldFacts("gauge", "1", "1 when the node is heard."),
        "silent_seconds": FieldFacts("real", "seconds", "How long nothing was heard of it."),
        "ended": FieldFacts("gauge", "1", "1 when its daemon said goodbye."),
        "state": FieldFacts("text", "text", "Its state on the scoreboard."),
    },
    "scoreboard": {
        "nodes": FieldFacts("gauge", "nodes", "Nodes ever seen."),
        "up": FieldFacts("gauge", "nodes", "Nodes heard now."),
        "late": FieldFacts("gauge", "nodes", "Nodes that are late."),
        "lost": FieldFacts("gauge", "nodes", "Nodes that are lost."),
        "deaf": FieldFacts("gauge", "1", "1 when all nodes fell silent at once."),
        "behind_seconds": FieldFacts("real", "seconds", "How late the monitor's own second is."),
    },
}


# What is told of a histogram (emit/figures), and how its help goes on.
_OF_HISTOGRAM = {"p50": "half took less", "p99": "all but 1 % took less", "max": "the most"}


def facts_told(kind: str, unit: str, text: str, name: str) -> Mapping[str, FieldFacts]:
    """Return the facts of a field by its name; a histogram is told by three figures."""
    if kind != "histogram":
        return {name: FieldFacts(kind, unit, text)}
    return {
        f"{name}.{part}": FieldFacts("real", unit, f"{text.rstrip('.')}: {meaning}.")
        for part, meaning in _OF_HISTOGRAM.items()
    }


@cache
def catalogue() -> Mapping[str, Mapping[str, FieldFacts]]:
    """Return every field of every panel: of the product, and what the monitor derives."""
    found = {
        panel.name: {
            told: known
            for field in panel.schema().fields
            for name, kind, unit, _level, text in rows(field)
            for told, known in facts_told(kind, unit, text, name).items()
        }
        for panel in panel_classes()
    }
    return {**found, **DERIVED}


@lru_cache(maxsize=65_536)
def split(key: str) -> FigureName:
    """Take a figure's key apart."""
    panel, _, rest = key.partition(".")
    known = catalogue().get(panel, {})
    if rest in known:
        return FigureName(panel, "", rest)
    fitting = [field for field in known if rest.endswith("." + field)]
    field = max(fitting, key=len) if fitting else rest.rpartition(".")[2]
    return FigureName(panel, rest[: -len(field) - 1] if len(rest) > len(field) else "", field)


def facts(panel: str, field: str) -> FieldFacts | None:
    """Return what the catalogue says of a field, or None when it does not know it."""
    return catalogue().get(panel, {}).get(field)
