"""Strangers: what a node does about datagrams that are none for it.

All are counted by their reason. Those that show a mistake in somebody's settings are told, each
sort once in TOLD_SECONDS. Two mistakes end a daemon that has just started, since it is most likely
its own:

    nobody but strangers is heard, with another key or version      it would be a cluster of its own
    another node has its name or number, and was there before       each would undo the other's word

A daemon that has run for YOUNG_SECONDS goes on whatever it hears: a mistake elsewhere, or somebody
who means ill, must not end it. Of two that start together the one of the earlier life stays.

Pure: the time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable

from isinglass.errors import (
    ClusterError,
    DuplicateNode,
    WrongCluster,
    WrongClusterKey,
    WrongClusterVersion,
)
from isinglass.node.cluster_panels import NetworkPanel
from isinglass.wire.bodies import BadDatagram
from isinglass.wire.datagrams import VERSION, Identity
from isinglass.wire.handshake import SENTENCES

YOUNG_SECONDS = 20.0
TOLD_SECONDS = 10.0
TWIN_SECONDS = 6.0  # a twin of a later life that is young, too, has ended by then
STRANGERS_ENOUGH = 8  # heartbeats of most of a second
_NANOSECONDS = 1_000_000_000
_KINDS: dict[str, type[ClusterError]] = {
    "bad_tag": WrongClusterKey,
    "wrong_version": WrongClusterVersion,
    "wrong_cluster": WrongCluster,
    "duplicate_node": DuplicateNode,
}


class Strangers:
    """What one node does about them.

    Args:
        panel: counts them, and knows how many genuine datagrams came.
        report: tells the operator.
        fail: ends the daemon, with the reason.

    Attributes:
        started_ns: since when this node listens.
    """

    def __init__(
        self,
        identity: Identity,
        node: str,
        panel: NetworkPanel,
        *,
        report: Callable[[Exception], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._identity, self._node, self._panel = identity, node, panel
        self._report, self._fail = report, fail
        self.started_ns = 0
        self._told_ns: dict[str, int] = {}
        self._twin = 0, 0  # of a later life: which one, and since when it is heard

    def take(self, error: BadDatagram, now_ns: int) -> None:
        """Take down one datagram that was refused."""
        panel, reason = self._panel, error.reason
        setattr(panel, reason, getattr(panel, reason) + 1)
        kind = _KINDS.get(reason)
        if kind is None:
            return
        young = now_ns - self.started_ns < YOUNG_SECONDS * _NANOSECONDS
        if young and (self._is_twin(error, now_ns) or self._is_alone(reason)):
            self._fail(self._sentence(kind, error))
        elif now_ns >= self._told_ns.get(reason, 0):
            self._told_ns[reason] = now_ns + int(TOLD_SECONDS * _NANOSECONDS)
            self._report(self._sentence(kind, error))

    def _is_twin(self, error: BadDatagram, now_ns: int) -> bool:
        """Tell whether another node was here before this one, with its name or number."""
        if error.reason != "duplicate_node" or error.origin != self._identity.origin:
            return False
        if error.number < self._identity.incarnation:
            return True
        if error.number != self._twin[0]:
            self._twin = error.number, now_ns
        return now_ns - self._twin[1] > TWIN_SECONDS * _NANOSECONDS

    def _is_alone(self, reason: str) -> bool:
        """Tell whether there are others, and none of them can be understood."""
        panel = self._panel
        strange = panel.bad_tag + panel.wrong_version
        return (
            reason in ("bad_tag", "wrong_version")
            and not panel.received
            and strange >= STRANGERS_ENOUGH
        )

    def _sentence(self, kind: type[ClusterError], error: BadDatagram) -> ClusterError:
        own = self._identity
        if kind is DuplicateNode and error.origin != own.origin:
            return DuplicateNode(
                f"two nodes of the cluster {own.cluster} have the number {error.origin}: give one"
                " of the two another name, or another origin_number"
            )
        sentence = SENTENCES[kind].format(
            node=self._node,
            origin=own.origin,
            cluster=own.cluster,
            version=VERSION,
            other=error.number,
        )
        return kind(sentence)
