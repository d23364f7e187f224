"""How the node's figures went: charts side by side, each with its unit, its newest and its most."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan

from isinglass_console.model import format as text
from isinglass_console.model.frame import NodeFrame
from isinglass_console.model.layout import split
from isinglass_console.model.series import folded
from isinglass_console.screens.panes import heading
from isinglass_console.screens.scene import Scene
from isinglass_console.widgets.chart import chart
from isinglass_console.widgets.line import Block, Pen, beside

Trend = tuple[str, str, str]  # figure, label, unit
TRENDS: tuple[Trend, ...] = (
    ("offered_rate", "offered", "rate"),
    ("applied_rate", "applied", "rate"),
    ("merged_share", "merged", "share"),
    ("length", "waiting", "updates"),
    ("oldest_seconds", "oldest", "seconds"),
    ("bytes", "bytes waiting", "bytes"),
)
MOST_FRAMES = 900


def trends_row(scene: Scene, node: NodeFrame, trends: Sequence[Trend]) -> Block:
    """Return charts side by side in exactly the scene's size."""
    widths = split(scene.width, len(trends))
    parts = [
        trend_block(scene.resized(width, scene.height), node, trend)
        for width, trend in zip(widths, trends, strict=True)
    ]
    return beside(parts, scene.height)


def has_trends(scene: Scene, node: NodeFrame, trends: Sequence[Trend]) -> bool:
    """Return whether any of these figures was ever known."""
    return any(
        isfinite(value)
        for figure, _, _ in trends
        for value in scene.trend(node, figure, MOST_FRAMES)
    )


def trend_block(scene: Scene, node: NodeFrame, trend: Trend) -> Block:
    """Return one chart; two frames a column where the past is longer than the chart is wide."""
    figure, label, unit = trend
    inner = max(1, scene.width - 2)
    span = min(MOST_FRAMES, inner * 2)
    values = scene.trend(node, figure, span)
    known = [value for value in values if isfinite(value)]
    now = values[-1] if values else nan
    seconds = text.seconds(span * scene.frame.interval_seconds)
    note = f"most {_shown(max(known), unit)} in {seconds}" if known else ""
    block = heading(label.upper(), _shown(now, unit), note, scene.width)
    top = 1.0 if unit == "share" else max(known, default=0.0)
    for line in chart(folded(values, inner), scene.height - 1, top):
        block.add(Pen(scene.width).put(" ").spans(line).line())
    return block


def _shown(value: float, unit: str) -> str:
    return text.rate(value) if unit == "rate" else text.quantity(value, unit)
