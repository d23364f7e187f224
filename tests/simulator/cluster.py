"""A simulated cluster: its hosts, what its clients did, and what it had promised them.

The promise of an acknowledged write is kept here, with more knowledge than any node has: a write
that was answered is owed until the last host that had it, in memory or on its disk, has lost it
(`strike` is told of every crash, power failure and wipe). So a lone write is owed while its node
lives or has applied it, and one that several nodes hold while any one of these does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from isinglass.node.primary import Receipt
from simulator.host import Host
from simulator.world import Network, World

NAMES = ("alder", "birch", "cedar", "doum", "elder", "fir", "guava")
TABLES = ("plain", "grouped", "spare", "immediate", "counts")


@dataclass
class Operation:
    """What a client asked for, and what it was told.

    Attributes:
        record: of a write, as it was stamped, once that is known.
        value: of a read, what came.
        owed: an acknowledged write that some host still has.
    """

    number: int
    kind: str
    table: str
    key: bytes
    payload: bytes | None
    origin: int
    start: int
    ack: int = 0
    end: int = 0
    record: bytes = b""
    value: bytes | None = None
    receipt: Receipt | None = None
    owed: bool = False


@dataclass
class Cluster:
    """All hosts of a run, and its history."""

    world: World
    network: Network
    hosts: dict[int, Host] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    struck_at: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, name: str) -> Host:
        """Add a host that is not started."""
        host = Host(self.world, self.network, self.hosts, name)
        host.lost = self.strike
        return host

    def members(self) -> list[Host]:
        """Return the hosts that belong to the cluster."""
        return [host for host in self.hosts.values() if not host.removed]

    def running(self) -> list[Host]:
        """Return the hosts whose daemon answers."""
        return [host for host in self.hosts.values() if host.running]

    def strike(self) -> None:
        """A host has just lost something: see which promises nobody can keep any more."""
        self.struck_at = self.world.now
        for operation in self.operations:
            if operation.owed and not self.anybody_has(operation):
                operation.owed = False

    def anybody_has(self, operation: Operation) -> bool:
        """Tell whether a write, or what replaced it, is with any host."""
        return any(self.has(host, operation) for host in self.hosts.values() if not host.removed)

    def has(self, host: Host, operation: Operation) -> bool:
        """Tell whether a host has a write, or what replaced it, or has rightly forgotten that."""
        table, key, record = operation.table, operation.key, operation.record
        if host.has(table, key, record):
            return True
        if host.current(table, key) is not None:
            return False
        reclaimed = [other.reclaimed.get((table, key), b"") for other in self.hosts.values()]
        return record <= max(reclaimed)

    def name_of(self, origin: int) -> str:
        """Return the name of a host."""
        return self.hosts[origin].name

    def told(self, what: str) -> None:
        """Write a fault into the account of the run."""
        self.faults.append(f"{self.world.now / 1e9:8.3f} s  {what}")
