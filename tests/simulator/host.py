"""A simulated host: a disk, a wall clock, a power cord, and the daemon that runs on it, if any.

A killed daemon loses its memory and keeps what its store has applied. A power failure takes back,
too, what was not flushed. A wiped host has lost its disk. A stopped process does nothing for a
while, and then everything that it missed; see `life` for the daemon itself.
"""

from __future__ import annotations

from collections.abc import Callable

from isinglass.store.counters import merged
from isinglass.store.records import NEVER, ORIGIN_LIMIT, is_counting, version_bytes
from simulator.life import Life, Stamped
from simulator.memory_store import MemoryStore
from simulator.world import MILLISECOND, SECOND, Network, World

WALL_START = 1_700_000_000 * SECOND
DURABILITIES = ("commit", "second", "none")


class Host:
    """One host with one node; `life` is the running daemon, None while it is dead.

    Attributes:
        reclaimed: the newest deletion of each record that it had, and forgot.
        skew: nanoseconds by which its wall clock is ahead.
        removed: an operator took it out of the cluster, and it stays away.
    """

    def __init__(self, world: World, network: Network, hosts: dict[int, Host], name: str) -> None:
        self.world, self.network, self.hosts, self.name = world, network, hosts, name
        self.origin = len(hosts) + 1
        hosts[self.origin] = self
        self.store = MemoryStore()
        self.skew = 0
        self.disk_delay = 4 * MILLISECOND
        self.stalled_until = self.stopped_until = 0
        self.journal_limit, self.queue_limit = 50_000, 2_000
        self.durability = "commit"
        self.life: Life | None = None
        self.lives = 0
        self.reclaimed: dict[tuple[str, bytes], bytes] = {}
        self.outlived = 0  # a life that the next one must be later than
        self.removed = False
        self.stamped: list[Stamped] = []
        self.lost: Callable[[], None] = lambda: None  # told when it gives up what it had

    def start(self) -> None:
        """Start the daemon, unless it runs."""
        if self.life is None:
            self.lives += 1
            self.life = Life(self)
            self.life.start()

    def crash(self) -> None:
        """Kill the daemon: its memory is gone."""
        self._end()
        self.store.crash(keep_applied=True)

    def power_failure(self) -> None:
        """Lose the memory, and what was not flushed to the disk."""
        self._end()
        self.store.crash(keep_applied=False)

    def wipe(self) -> None:
        """Lose the disk, too."""
        self._end()
        self.store = MemoryStore()

    def leave(self) -> None:
        """End the daemon as an operator does."""
        if self.running and self.life is not None:
            self.life.replica.leave()
        self.crash()

    def _end(self) -> None:
        if self.life is not None:
            self.life.end()
            self.life = None

    def wall(self) -> int:
        """Return this host's wall clock, nanoseconds."""
        return WALL_START + self.world.now + self.skew

    @property
    def running(self) -> bool:
        """Whether the daemon is alive and not stopped."""
        return self.life is not None and self.world.now >= self.stopped_until

    def current(self, table: str, key: bytes) -> bytes | None:
        """Return a record as it is in this host's memory, else in its store."""
        current = self.life.shelf.current(table, key) if self.life else None
        return self.store.stored(table, key) if current is None else current

    def has(self, table: str, key: bytes, record: bytes) -> bool:
        """Tell whether a record, or what replaced it, is in this host's memory or store."""
        floor = next((s.floor for s in self.store.table_states() if s.name == table), b"")
        current = self.current(table, key)
        if self.life is not None:
            state = self.life.queue.state_of(table)
            floor = max(floor, state.floor) if state else floor
        if current is not None and is_counting(record):
            return merged(current, record, floor or NEVER) == current
        return (current is not None and current >= record) or record[:10] <= floor

    def reclaim(self, horizon: int) -> None:
        """Delete the marks of deletions up to a stamp."""
        version = version_bytes(horizon, ORIGIN_LIMIT - 1)
        for name, record in self.store.reclaim(version).items():
            self.reclaimed[name] = max(record, self.reclaimed.get(name, b""))
