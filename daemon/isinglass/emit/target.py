"""Where a process sends its events: the group, and the cluster whose key seals them.

A daemon knows it from its settings, and tells its clients when they connect, so that nothing has to
be set twice. A client that may not read the file of the key sends nothing itself: the daemon reads
the rings of its node's segment, and sends for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from isinglass.errors import SettingsError
from isinglass.settings import Settings
from isinglass.wire import cluster_key
from isinglass.wire.transport.events import EventGroup


class Target(NamedTuple):
    """The cluster's name, its key (empty: none), and the group."""

    cluster: str
    key: bytes
    group: EventGroup


def group_of(settings: Settings) -> EventGroup:
    """Return where the settings let events go."""
    following = settings.multicast_port + 1 if settings.multicast_port < 65_535 else 65_534
    return EventGroup(
        settings.log_group or settings.multicast_group,
        settings.log_port or following,
        settings.interface,
        settings.multicast_ttl,
    )


def target_of(settings: Settings, key: bytes) -> Target:
    """Return where a node of a cluster sends its events.

    Raises:
        SettingsError: they would reach the daemons.
    """
    group = group_of(settings)
    if (group.group, group.port) == (settings.multicast_group, settings.multicast_port):
        raise SettingsError(
            "log_group and log_port are those by which the nodes hear each other: set `log_port` to"
            " another port than `multicast_port`."
        )
    return Target(settings.cluster, key, group)


def told(settings: Settings) -> list[Any]:
    """Return what a daemon tells its clients of it; nothing when it belongs to no cluster."""
    if not settings.cluster:
        return []
    return [settings.cluster, str(settings.cluster_key_file or ""), *group_of(settings)]


def heard(words: list[Any]) -> Target | None:
    """Return what a client was told; None when it cannot send, and the daemon does."""
    if not words:
        return None
    cluster, key_file, *group = words
    try:
        key = cluster_key.load(Path(key_file)) if key_file else b""
    except SettingsError:
        return None
    return Target(cluster, key, EventGroup(*group))
