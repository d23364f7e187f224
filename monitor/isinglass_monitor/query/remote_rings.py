"""The log of nodes on other hosts: their event rings, whole at first, then what is new.

The same events as `rings` gives on the hosts themselves; they come through links, at most once a
second, and each once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from isinglass import clock
from isinglass.errors import UsageError
from isinglass.remote.attach import ANSWER_SECONDS, Attached, first_look
from isinglass.remote.remote_node import RemoteNode
from isinglass_monitor.query.rings import Told
from isinglass_monitor.spool.reading import Question
from isinglass_monitor.spool.records import Entry

LOOK_SECONDS = 1.0


class RemoteRingsSource:
    """The rings of the nodes at some addresses.

    Args:
        addresses: ssh:// addresses.
        ssh_command: the system's ssh; empty for asyncssh.
        question: which events are wanted.

    Raises:
        RemoteError, SegmentMissing, UsageError: as for `Attached`.
    """

    remark = ""

    def __init__(self, addresses: Sequence[str], ssh_command: str, question: Question) -> None:
        self._question = question
        self._told = Told()
        self._looked_ns = 0
        with ExitStack() as stack:
            links = [stack.enter_context(Attached(each, ssh_command)) for each in addresses]
            self._nodes = [node for each in links for node in each.nodes]
            self._stack = stack.pop_all()

    def past(self, newest: int) -> Iterator[Entry]:
        """Yield what the rings have, or the `newest` ones when not 0."""
        found: list[Entry] = []
        for node in self._nodes:
            found += self._told.news(first_look(node, 0.0, events=True))
        wanted = [entry for entry in sorted(found) if self._question.wants(entry)]
        self._looked_ns = clock.monotonic_ns()
        yield from wanted[-newest:] if newest else wanted

    def new(self) -> Iterator[Entry]:
        """Yield what came since the last call; nothing sooner than a second after it."""
        if clock.monotonic_ns() - self._looked_ns < LOOK_SECONDS * clock.NANOSECONDS_PER_SECOND:
            return
        self._looked_ns = clock.monotonic_ns()
        for node in self._nodes:
            node.pull()
        found = [entry for node in self._nodes for entry in self._news(node)]
        yield from (entry for entry in sorted(found) if self._question.wants(entry))

    def _news(self, node: RemoteNode) -> Iterator[Entry]:
        for arrival in node.wait_for_all(ANSWER_SECONDS):
            if arrival.snapshot is not None:
                yield from self._told.news(arrival.snapshot, arrival.events)

    def cursor(self) -> str:
        """Rings have none: they forget by themselves."""
        raise UsageError("There is a cursor only with a monitor's spool, and none is here.")

    def close(self) -> None:
        """End the links."""
        self._stack.close()
