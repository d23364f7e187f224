"""The figures of a node as they are told each second: every field of its owner's panels.

The names are those of `isinglass dump`; a histogram is told by its median, its 99th percentile and
its maximum, a latch by its newest record.
"""

from __future__ import annotations

from isinglass.glass.histogram import HistogramValue
from isinglass.glass.panel_views import PanelView
from isinglass.glass.reader import SegmentReader
from isinglass.wire.event_bodies import Figures


def figures_of(reader: SegmentReader) -> list[Figures]:
    """Return the figures of the segment's owner."""
    owner = reader.snapshot(slots=(0,)).owner
    return [_panel(panel) for panel in owner.panels] if owner else []


def _panel(panel: PanelView) -> Figures:
    figures: dict[str, int | float | str] = {}
    for field in panel.fields:
        if isinstance(field.value, HistogramValue):
            figures[f"{field.name}.p50"] = field.value.percentile(0.5)
            figures[f"{field.name}.p99"] = field.value.percentile(0.99)
            figures[f"{field.name}.max"] = field.value.maximum
        else:
            figures[field.name] = field.value
    return panel.name, panel.instance, figures
