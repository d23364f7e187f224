"""For a program that is no client and has no daemon: send its events to where the settings say."""

from __future__ import annotations

from isinglass import emit
from isinglass.emit.target import Target, target_of
from isinglass.errors import SegmentError
from isinglass.glass import segment
from isinglass.node.cluster_settings import cluster_of
from isinglass.settings import load


def target_here(node: str) -> Target | None:
    """Return where the settings of a node of this machine let events go; None without a cluster.

    Raises:
        SettingsError: they cannot be used, or this process may not read the file of the key.
    """
    settings = load({"node": node})
    member = cluster_of(settings)
    return target_of(settings, member.key) if member else None


def tell_monitors(role: str = "program") -> bool:
    """Send this process's events, and the figures of its panels if it made its node's segment.

    The settings are those of the node: `/etc/isinglass/NODE.toml` and the environment. It goes on
    until the process ends. A client needs no such call: its daemon has told it.

    Args:
        role: what monitors call the process.

    Returns:
        False when the settings name no cluster.

    Raises:
        SegmentError: the process is not behind the glass.
        SettingsError: the settings cannot be used.
    """
    glass = segment.current()
    if glass is None:
        raise SegmentError("this process is not behind the glass: call isinglass.attach first")
    target = target_here(glass.node)
    if target is not None:
        emit.begin(target, role)
    return target is not None
