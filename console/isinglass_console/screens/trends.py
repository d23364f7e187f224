"""How the node's figures went: charts side by side, each with its unit, its newest and its most."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite, nan

from isinglass_console.model import format as text
from isinglass_console.model.frame import NodeFrame
from isinglass_console.model.layout import split
from isinglass_console.screens.panes import heading
from isinglass_console.screens.scene import Scene
from isinglass_console.widgets.chart import chart
from isinglass_console.widgets.line import PLAIN, Block, beside

Trend = tuple[str, str, str]  # figure, label, unit
TRENDS: tuple[Trend, ...] = (
    ("offered_rate", "offered", "rate"),
    ("applied_rate", "applied", "rate"),
    ("merged_share", "merged", "share"),
    ("length", "waiting", "updates"),
    ("oldest_seconds", "oldest", "seconds"),
    ("bytes", "bytes waiting", "bytes"),
)
STORE_TRENDS: tuple[Trend, ...] = (
    ("commit_seconds", "commit p99", "seconds"),
    ("records", "records", "records"),
    ("file_bytes", "LMDB file", "bytes"),
)
FLOW_TRENDS: tuple[Trend, ...] = (
    ("flow_backlog", "backlog", "share"),
    ("pace", "allowed", "rate"),
    ("demand", "demand", "rate"),
    ("applied_rate", "applied", "rate"),
)
LAG_TRENDS: tuple[Trend, ...] = (
    ("lag_seconds", "behind", "seconds"),
    ("lag_updates", "behind, updates", "updates"),
    ("applied_rate", "applied", "rate"),
)
MOST_FRAMES = 900
WIDE_COLUMNS = 100


def trends_row(scene: Scene, node: NodeFrame, trends: Sequence[Trend]) -> Block:
    """Return charts side by side in exactly the scene's size."""
    widths = split(scene.width, len(trends))
    columns = min(widths) - 2
    if columns <= 0:
        return Block(scene.width).sized(scene.height)
    parts = [
        trend_block(scene.resized(width, scene.height), node, trend, columns)
        for width, trend in zip(widths, trends, strict=True)
    ]
    return beside(parts, scene.height)


def has_trends(scene: Scene, node: NodeFrame, trends: Sequence[Trend]) -> bool:
    """Return whether any of these figures was ever known; a recording is asked for much last."""
    return any(
        isfinite(value)
        for frames in (1, MOST_FRAMES)
        for figure, _, _ in trends
        for value in scene.trend(node, figure, frames)
    )


def trend_block(scene: Scene, node: NodeFrame, trend: Trend, columns: int) -> Block:
    """Return one chart of so many columns, with its newest value and the most."""
    figure, label, unit = trend
    each = 1 if columns >= WIDE_COLUMNS else 2
    values = columns_of(scene, node, figure, columns, each)
    known = [value for value in values if isfinite(value)]
    now = node.figure(figure)
    seconds = text.seconds(round(columns * each * scene.frame.interval_seconds))
    note = f"most {_shown(max(known), unit)} in {seconds}" if known else ""
    block = heading(label.upper(), _shown(now, unit), note, scene.width)
    top = 1.0 if unit == "share" else max(known, default=0.0)
    rest = (" " * (scene.width - 1 - columns), PLAIN)
    block.lines += [((" ", PLAIN), *line, rest) for line in chart(values, scene.height - 1, top)]
    return block


def columns_of(scene: Scene, node: NodeFrame, figure: str, columns: int, each: int) -> list[float]:
    """Return the largest value of every `each` frames.

    The frames of a column are set by their numbers, so a chart moves on column by column, and none
    changes its shape because another frame came.
    """
    ahead = each - 1 - scene.frame.number % each
    values = scene.trend(node, figure, columns * each - ahead) + [nan] * ahead
    known = iter([value if isfinite(value) else -inf for value in values])
    parts = map(max, zip(*[known] * each, strict=False))
    return [value if isfinite(value) else nan for value in parts]


def _shown(value: float, unit: str) -> str:
    return text.rate(value) if unit == "rate" else text.quantity(value, unit)
