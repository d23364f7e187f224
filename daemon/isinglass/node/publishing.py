"""Publishing: the own stream of a node's life, numbered and packed for the next datagram.

An update gets its number when it stands in line here, and is sent when a datagram is full, when
somebody waits for others to hold it (`urgent`), or with the next flush, so that updates share
datagrams.

Pure: the time comes from `clock`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from isinglass.node.cluster_panels import NetworkPanel
from isinglass.node.horizon import Horizon
from isinglass.node.outside import Outside
from isinglass.node.vectors import Vectors
from isinglass.wire import bodies
from isinglass.wire.journal import Journal, note_run
from isinglass.wire.packing import Packer
from isinglass.wire.streams import SendTimes


class Publishing:
    """The own updates on their way out.

    Attributes:
        urgent: somebody waits until others hold what is sent next.
        times: when the updates were sent.
    """

    def __init__(
        self,
        vectors: Vectors,
        journal: Journal,
        horizon: Horizon,
        outside: Outside,
        network: NetworkPanel,
        clock: Callable[[], int],
    ) -> None:
        self._vectors, self._journal, self._horizon = vectors, journal, horizon
        self._outside, self._network = outside, network
        self._clock = clock
        self._inbox = vectors.inboxes[vectors.own]
        self._entries = journal.open(vectors.own, 1)
        self._packer = Packer(*vectors.own)
        self.times = SendTimes()
        self.urgent = False
        self._sent = 0  # the number of the newest update that was sent

    def publish(self, table: str, pairs: Sequence[bytes], place: int) -> int:
        """Number own updates of a table for the next datagrams; return the number of the last.

        Args:
            pairs: keys and records in turn, at least one of each, in the order in which they stand
                in line.
            place: in line, of the last one.
        """
        inbox = self._inbox
        first = inbox.received + 1
        last = inbox.received + len(pairs) // 2
        inbox.add(first, last, place)
        note_run(self._entries, first, table, pairs[::2])
        self._packer.add(table, pairs)
        self._horizon.made(last, pairs[1], pairs[-1])
        return last

    def hurry(self) -> None:
        """Let what waits go with the next look, and others say at once that they hold it."""
        self.urgent = True

    @property
    def unsent(self) -> bool:
        """Whether own updates wait for a datagram."""
        return self._packer.waiting

    @property
    def full(self) -> bool:
        """Whether a datagram is full."""
        return self._packer.ready > 0

    def flush(self, *, full: bool = False) -> None:
        """Send the own updates that wait, or only those in datagrams that are full."""
        made = self._packer.take(full=full)
        if not made:
            return
        updates = sum(outgoing.updates for outgoing in made)
        self.times.add(self._sent + 1, self._clock())
        self._sent += updates
        for kind, packed, _ in made:
            urgent = self.urgent and kind == bodies.UPDATES
            self._outside.multicast(bodies.URGENT if urgent else kind, packed)
        self.urgent = False
        self._network.sent_updates += updates
        self._journal.trim()
