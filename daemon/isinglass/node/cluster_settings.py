"""What a node's settings say of its cluster, checked together, with the key read from its file.

Each setting is checked alone when it is loaded; what only their combination shows is checked here,
when a daemon starts: commands that look at a node or stop it need no key. A cluster without a key
has to be asked for in so many words, because everybody on the network can write into it.
"""

from __future__ import annotations

from typing import NamedTuple

from isinglass.errors import SettingsError
from isinglass.settings import Settings
from isinglass.wire import cluster_key
from isinglass.wire.datagrams import origin_number


class ClusterSettings(NamedTuple):
    """A node's cluster: its name and key (empty: no key), this node's number, and the network."""

    name: str
    key: bytes
    origin: int
    group: str
    port: int
    interface: str
    ttl: int
    receive_buffer_bytes: int


def cluster_of(settings: Settings) -> ClusterSettings | None:
    """Return what the settings say of the cluster; None for a node on its own.

    Raises:
        SettingsError: they contradict each other, or the key file cannot be used.
    """
    if not settings.cluster:
        if settings.cluster_key_file or settings.insecure:
            raise SettingsError(
                "There is a cluster_key_file, or insecure, but no cluster: set `cluster` to the"
                " cluster's name, or leave out both for a node on its own."
            )
        return None
    if settings.cluster_key_file and settings.insecure:
        raise SettingsError(
            f"The cluster {settings.cluster} has a cluster_key_file and is insecure: leave out"
            " `insecure`, and the key counts."
        )
    if not settings.cluster_key_file and not settings.insecure:
        raise SettingsError(
            f"The cluster {settings.cluster} has no cluster_key_file: {cluster_key.MAKE}, or set"
            " `insecure` where everybody on the network may read and write everything."
        )
    return ClusterSettings(
        settings.cluster,
        cluster_key.load(settings.cluster_key_file) if settings.cluster_key_file else b"",
        settings.origin_number or origin_number(settings.node),
        settings.multicast_group,
        settings.multicast_port,
        settings.interface,
        settings.multicast_ttl,
        settings.receive_buffer_bytes,
    )
