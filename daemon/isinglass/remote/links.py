"""All links of this process, in one thread with one event loop.

Whoever looks at nodes, a command or the console's feed, has threads of its own and waits for
nothing here. Links to one host share a connection and a relay, and all hosts behind one jump host
share the connection to that.
"""

from __future__ import annotations

from collections.abc import Callable

from isinglass.remote.address import Address, Way
from isinglass.remote.frames import Kind
from isinglass.remote.link import Link
from isinglass.remote.loop_thread import LoopThread
from isinglass.remote.pipes import Carrier
from isinglass.remote.remote_node import RemoteNode
from isinglass.remote.ssh import Ssh
from isinglass.remote.system_ssh import SystemSsh


def _nobody() -> None:
    """Nobody wants to know."""


def carrier_for(ssh_command: str) -> Carrier:
    """Return what runs commands on other hosts: the system's ssh, or asyncssh when it is empty.

    Raises:
        UsageError: it is no command.
    """
    return SystemSsh(ssh_command) if ssh_command else Ssh()


class Links:
    """Makes links and the nodes behind them.

    Args:
        ssh_command: the system's ssh with its options, as `ssh -p 2222`; empty for asyncssh.
        changed: called, in the loop's thread, when a link or the nodes behind it changed.
    """

    def __init__(self, ssh_command: str = "", changed: Callable[[], None] = _nobody) -> None:
        self._carrier = carrier_for(ssh_command)
        self._changed = changed
        self._links: dict[Way, Link] = {}
        self._loop = LoopThread("links", self._carrier.close)

    def link(self, way: Way) -> Link:
        """Return the link to a host; it comes up by itself."""
        found = self._links.get(way)
        if found is None:
            found = self._links[way] = Link(way, self._carrier, self._changed)
            self._loop.soon(lambda: self._loop.begin(found.run()))
        return found

    def node(self, address: Address, name: str = "") -> RemoteNode:
        """Return the node of an address, or the node of that name beside it."""
        link = self.link(address.way)
        node = RemoteNode(link, name or address.node, self._loop.soon)
        self._loop.soon(lambda: link.add(node))
        return node

    def ask_names(self, link: Link) -> None:
        """Ask which nodes there are on a host; `link.names` then changes."""
        self._loop.soon(lambda: link.send(Kind.LIST))

    def close(self) -> None:
        """End all links and their connections; waits for that."""
        self._loop.close()
