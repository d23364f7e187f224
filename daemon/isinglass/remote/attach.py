"""What commands do with nodes on another host: one snapshot, one after the other, or samples.

A command fails with the first error of its link, in one sentence, since a person waits for it; a
`watch` that has begun goes on when the link is back.
"""

from __future__ import annotations

import sys
import threading

from isinglass import clock
from isinglass.errors import HostAway, RemoteError, SegmentError, SegmentMissing, UsageError
from isinglass.remote import message_bodies as bodies
from isinglass.remote.address import read_address
from isinglass.remote.links import Links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from isinglass.glass.snapshot import Snapshot
    from isinglass.remote.address import Address
    from isinglass.remote.arrivals import Arrival
    from isinglass.remote.remote_node import RemoteNode

ANSWER_SECONDS = 60.0
AGAIN_SECONDS = 0.25


class Attached:
    """The nodes of one address; a context manager that ends the link.

    Raises:
        RemoteError: the host cannot be reached or does not relay.
        SegmentMissing: the host has no node.
        UsageError: the address is none.
    """

    def __init__(self, text: str, ssh_command: str = "") -> None:
        self.address: Address = read_address(text)
        self._changed = threading.Event()
        self._links = Links(ssh_command, self._changed.set)
        try:
            self.nodes = self._open()
        except BaseException:
            self._links.close()
            raise

    def _open(self) -> list[RemoteNode]:
        if self.address.node:
            return [self._links.node(self.address)]
        names = self._names()
        if not names:
            raise SegmentMissing(
                f"No node of the user has run on {self.address.host} since it booted; start one"
                " there with `isinglass daemon start`."
            )
        return [self._links.node(self.address, name) for name in names]

    def _names(self) -> tuple[str, ...]:
        """Return the nodes of the host, once it has said which there are."""
        link = self._links.link(self.address.way)
        while not link.up:
            if link.wrong is not None:
                raise link.wrong
            if not self._changed.wait(ANSWER_SECONDS):
                raise HostAway(f"{self.address.host} did not answer in {ANSWER_SECONDS:g} s")
            self._changed.clear()
        return link.names

    def only_one(self) -> RemoteNode:
        """Return the node.

        Raises:
            UsageError: there are several.
        """
        if len(self.nodes) > 1:
            names = ", ".join(node.name for node in self.nodes)
            raise UsageError(f"There are several nodes at {self.address}, name one: {names}.")
        return self.nodes[0]

    def __enter__(self) -> Attached:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        self._links.close()


def first_look(node: RemoteNode, wait_seconds: float, *, events: bool = False) -> Snapshot:
    """Return the first snapshot of a node, waiting so long for one that is about to start.

    Raises:
        RemoteError: the host cannot be reached or does not relay.
        SegmentError: the node cannot be read, and why.
    """
    end_ns = clock.monotonic_ns() + int(wait_seconds * clock.NANOSECONDS_PER_SECOND)
    arrival = node.wait(ANSWER_SECONDS)  # The first frame comes by itself, without the rings.
    while arrival.snapshot is None:
        if arrival.wrong is not None and clock.monotonic_ns() >= end_ns:
            raise arrival.wrong
        node.pull(delay_seconds=AGAIN_SECONDS)
        arrival = node.wait(ANSWER_SECONDS)
    if events:
        node.pull(bodies.RINGS)
        arrival = node.wait(ANSWER_SECONDS)
    if arrival.snapshot is None:
        raise arrival.wrong or HostAway(f"{node.link.way[-1]} sent a frame without a snapshot")
    return arrival.snapshot


def snapshots(
    text: str, wait_seconds: float, ssh_command: str, *, events: bool = False
) -> list[Snapshot]:
    """Return one snapshot of each node of an address, with its events when they are asked for.

    Raises:
        RemoteError, SegmentError, UsageError: as for `Attached` and `first_look`.
    """
    with Attached(text, ssh_command) as attached:
        return [first_look(node, wait_seconds, events=events) for node in attached.nodes]


class Follower:
    """One node, a frame at a time; goes on when a link that broke is back."""

    def __init__(self, text: str, ssh_command: str, wait_seconds: float) -> None:
        self._attached = Attached(text, ssh_command)
        try:
            self._node = self._attached.only_one()
            self.first = first_look(self._node, wait_seconds)
        except BaseException:
            self.close()
            raise

    def next(self, looks_per_second: int = 0, delay_seconds: float = 0.0) -> Arrival:
        """Return the next frame that has a snapshot.

        Raises:
            SegmentError: the node cannot be read.
        """
        self._node.take()
        self._node.pull(0, looks_per_second, delay_seconds)
        told = False
        while True:
            try:
                arrival = self._node.wait(ANSWER_SECONDS)
            except RemoteError as reason:
                if not told:
                    print(f"isinglass: {reason}", file=sys.stderr)
                told = True
                self._node.news.wait(AGAIN_SECONDS)
                continue
            if arrival.wrong is not None:
                raise SegmentError(str(arrival.wrong))
            return arrival

    def close(self) -> None:
        """End the link."""
        self._attached.__exit__(None, None, None)
