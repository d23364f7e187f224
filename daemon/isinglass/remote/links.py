"""All links of this process, in one thread with one event loop.

Whoever looks at nodes, a command or the console's feed, has threads of its own and waits for
nothing here. Links to one host share a connection and a relay, and all hosts behind one jump host
share the connection to that.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from isinglass.remote.address import Address, Way
from isinglass.remote.frames import Kind
from isinglass.remote.link import Link
from isinglass.remote.pipes import Carrier
from isinglass.remote.remote_node import RemoteNode
from isinglass.remote.ssh import Ssh
from isinglass.remote.system_ssh import SystemSsh

END_SECONDS = 10.0


def _nobody() -> None:
    """Nobody wants to know."""


class Links:
    """Makes links and the nodes behind them.

    Args:
        ssh_command: the system's ssh with its options, as `ssh -p 2222`; empty for asyncssh.
        changed: called, in the loop's thread, when a link or the nodes behind it changed.
    """

    def __init__(self, ssh_command: str = "", changed: Callable[[], None] = _nobody) -> None:
        self._carrier: Carrier = SystemSsh(ssh_command) if ssh_command else Ssh()
        self._changed = changed
        self._links: dict[Way, Link] = {}
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="links", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._carrier.close()

    def link(self, way: Way) -> Link:
        """Return the link to a host; it comes up by itself."""
        found = self._links.get(way)
        if found is None:
            found = self._links[way] = Link(way, self._carrier, self._changed)
            self._later(lambda: self._begin(found))
        return found

    def node(self, address: Address, name: str = "") -> RemoteNode:
        """Return the node of an address, or the node of that name beside it."""
        link = self.link(address.way)
        node = RemoteNode(link, name or address.node, self._later)
        self._later(lambda: link.add(node))
        return node

    def ask_names(self, link: Link) -> None:
        """Ask which nodes there are on a host; `link.names` then changes."""
        self._later(lambda: link.send(Kind.LIST))

    def _begin(self, link: Link) -> None:
        task = self._loop.create_task(link.run())
        self._tasks.add(task)

    def _later(self, work: Callable[[], object]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work)

    def close(self) -> None:
        """End all links and their connections; waits for that."""
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(END_SECONDS)
