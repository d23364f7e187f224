"""Which panes of the overview a node has.

A pane whose panels the node does not have is not there; a daemon that is not ours gets its own
panels instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from isinglass.glass.panel_views import PanelView
from isinglass_console.model import format as text
from isinglass_console.model.frame import NodeFrame
from isinglass_console.screens.cluster_panes import flow_pane, lag_pane
from isinglass_console.screens.panes import (
    heading,
    merges_pane,
    probes_pane,
    store_pane,
    timers_pane,
)
from isinglass_console.screens.scene import Scene
from isinglass_console.widgets.line import Block, Pen

Pane = Callable[[Scene, NodeFrame], Block]
# panel: the pane that it is shown in; panels of ours without one have a view
_PANES: tuple[tuple[str, Pane], ...] = (
    ("queue", merges_pane),
    ("flow", flow_pane),
    ("peer", lag_pane),
    ("timer", timers_pane),
    ("store", store_pane),
)
# Their figures are other nodes', too: they say themselves what is old in them.
OF_CLUSTER = (lag_pane,)
OURS = {name for name, _ in _PANES}
OURS |= {"daemon", "applier", "port", "reader", "cluster", "stream", "network", "primary", "client"}


def panes_of(node: NodeFrame, most: int) -> list[Pane]:
    """Return the panes that this node has data for, ours first, then any other panel's."""
    return [pane for pane, _ in zip(_panes(node), range(most), strict=False)]


def _panes(node: NodeFrame) -> Iterator[Pane]:
    yield probes_pane
    if node.snapshot is None or node.snapshot.owner is None:
        return
    owner = node.snapshot.owner
    yield from (pane for name, pane in _PANES if name in owner.panel_names)
    others = [name for name in owner.panel_names if name not in OURS]
    panels = owner.panels if others else ()
    yield from (panel_pane(panel) for panel in panels if panel.name in others)


def panel_pane(panel: PanelView) -> Pane:
    """Return a pane for any panel: label, value with its unit, help where there is room."""

    def pane(scene: Scene, node: NodeFrame) -> Block:
        title = f"{panel.name} {panel.instance}".strip().upper()
        width = scene.width
        block = heading(title, node.name, "", width)
        label = min(24, width // 2)
        for field in panel.fields[: scene.height - 1]:
            value = text.field_value(field, scene.frame.wall_ns)
            pen = Pen(width).put(f" {field.name}", "dim", label).put(value, "plain")
            if width - pen.at > 24:
                pen.to(label + 20).put(field.help, "dim")
            block.add(pen.line())
        return block

    return pane
