"""Figures of panels as numbers: a test fails that takes a text or a histogram for one."""

from __future__ import annotations

from isinglass.glass.panel_views import PanelView


def whole(panel: PanelView | None, field: str) -> int:
    """Return a figure that is a whole number."""
    assert panel is not None, f"no panel has {field}"
    figure = panel[field]
    assert isinstance(figure, int), f"{panel.name}.{field} is {figure!r}"
    return figure


def real(panel: PanelView | None, field: str) -> float:
    """Return a figure that is a number."""
    assert panel is not None, f"no panel has {field}"
    figure = panel[field]
    assert isinstance(figure, int | float), f"{panel.name}.{field} is {figure!r}"
    return float(figure)
