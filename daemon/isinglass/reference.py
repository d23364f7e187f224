"""The reference page of all panels, made from the catalogue: `python -m isinglass.reference`.

A field's declaration is the only place where it is described, so the page cannot say anything else
than the screens do. A test compares docs/panels.md with this output.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from isinglass.glass.catalog import PANEL_CLASSES, Panel
from isinglass.glass.schema import FieldSchema

HOMES = (
    "isinglass.node.panels",
    "isinglass.node.cluster_panels",
    "isinglass.store.panels",
    "isinglass.client.panels",
    "isinglass.emit.panel",
    "isinglass_monitor.own_panels",
)
_HEAD = """# Panels and fields

What the daemon and its clients keep on the glass. Made from the catalogue by `make docs`; the same
names, units and sentences stand in `isinglass dump --verbose` and in the console. Counters start at
zero with their process. A latch is a record whose fields agree with each other.
"""


def panel_classes() -> list[type[Panel]]:
    """Return every panel that the product declares, by name."""
    for home in HOMES:
        import_module(home)
    own = (panel for panel in PANEL_CLASSES.values() if panel.__module__.startswith("isinglass"))
    return sorted(own, key=lambda panel: panel.name)


def rows(field: FieldSchema) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield (name, kind, unit, level, help) of a field, or of each part of a latch."""
    for part in field.parts:
        yield f"{field.name}.{part.name}", part.kind, part.unit, field.level, part.help
    if not field.parts:
        yield field.name, field.kind, field.unit, field.level, field.help


def page() -> str:
    """Return the page as Markdown."""
    lines = [_HEAD]
    for panel in panel_classes():
        schema = panel.schema()
        lines += [f"## {schema.name}", "", schema.help, ""]
        lines += [
            "| field | kind | unit | level | what it says |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| `{name}` | {kind} | {unit} | {level} | {text} |"
            for field in schema.fields
            for name, kind, unit, level, text in rows(field)
        ]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
