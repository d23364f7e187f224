"""Which nodes belong together: the members of one cluster, read on this machine or known by name.

A machine may carry nodes of several clusters, and a cluster has members on other machines. What a
member says of itself is read where its segment is; of the others only what their peers say.
"""

from __future__ import annotations

from collections.abc import Iterable

from isinglass.glass.panel_views import PanelView
from isinglass.glass.snapshot import Snapshot
from isinglass_console.model.figures import panels_of
from isinglass_console.model.frame import Frame, NodeFrame
from isinglass_console.model.rates import word


def cluster_of(snapshot: Snapshot | None) -> str:
    """Return the name of a node's cluster; "" when it is in none."""
    return word(snapshot.panel("cluster"), "cluster") if snapshot is not None else ""


def companions(frame: Frame, node: NodeFrame) -> list[NodeFrame]:
    """Return the nodes of a node's cluster that are read here; without one it is alone."""
    cluster = cluster_of(node.snapshot)
    if not cluster:
        return [node]
    return [each for each in frame.nodes if cluster_of(each.snapshot) == cluster]


def member_names(nodes: Iterable[NodeFrame]) -> list[str]:
    """Return the names of all members: those that are read here, and those that these know of."""
    names: set[str] = set()
    for node in nodes:
        names.add(node.name)
        names.update(peers_of(node.snapshot))
    return sorted(names)


def peers_of(snapshot: Snapshot | None) -> dict[str, PanelView]:
    """Return what a node sees of each other member, by that member's name."""
    if snapshot is None:
        return {}
    return {panel.instance: panel for panel in panels_of(snapshot, "peer")}


def streams_of(snapshot: Snapshot | None) -> dict[str, PanelView]:
    """Return the streams that a node receives, by the name of their origin."""
    if snapshot is None:
        return {}
    return {panel.instance: panel for panel in panels_of(snapshot, "stream")}
