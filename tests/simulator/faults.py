"""The faults of a simulated cluster: each begins at a random time, and ends before the run is out.

Every fault is a function of (cluster, chance, when all faults are over); the table at the end gives
their weights. Each writes what it does into the account of the run, which a failing seed prints.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from simulator.cluster import Cluster
from simulator.host import Host
from simulator.world import MILLISECOND, SECOND, Weather

Fault = Callable[[Cluster, random.Random, int], None]


def _some(cluster: Cluster, chance: random.Random) -> Host | None:
    able = [host for host in cluster.members() if host.life is not None]
    return chance.choice(able) if able else None


def bad_weather(cluster: Cluster, chance: random.Random, end: int) -> None:
    """Lose, duplicate and delay datagrams."""
    network = cluster.network
    network.weather = Weather(
        loss=chance.choice((0.02, 0.1, 0.3)),
        duplication=chance.choice((0.0, 0.2)),
        delay=chance.choice((2, 10, 60)) * MILLISECOND,
        spikes=chance.choice((0.0, 0.02)),
    )
    cluster.told(f"weather {network.weather}")

    def over() -> None:
        network.weather = Weather()

    cluster.world.at(end, over)


def partition(cluster: Cluster, chance: random.Random, end: int) -> None:
    """Cut the cluster in two, in one direction or both."""
    origins = list(cluster.hosts)
    chance.shuffle(origins)
    cut = chance.randrange(1, len(origins))
    one, other, both = set(origins[:cut]), set(origins[cut:]), chance.random() < 0.6
    before = set(cluster.network.cut)
    cluster.network.partition(one, other, both=both)
    made = cluster.network.cut - before
    cluster.told(f"partition {sorted(one)} {'|' if both else '->|'} {sorted(other)}")
    cluster.world.at(end, lambda: cluster.network.cut.difference_update(made))


def stop(cluster: Cluster, chance: random.Random, end: int) -> None:
    """Stop a process, and let it go on later."""
    host = _some(cluster, chance)
    if host is not None:
        length = chance.randrange(100 * MILLISECOND, 3 * SECOND)
        host.stopped_until = min(cluster.world.now + length, end)
        cluster.told(f"{host.name} stands still until {host.stopped_until / 1e9:.3f}")


def stall(cluster: Cluster, chance: random.Random, end: int) -> None:
    """Freeze a disk for a while."""
    host = _some(cluster, chance)
    if host is not None:
        host.stalled_until = min(cluster.world.now + chance.randrange(3 * SECOND), end)
        cluster.told(f"disk of {host.name} stalls until {host.stalled_until / 1e9:.3f}")


def clock_jump(cluster: Cluster, chance: random.Random, end: int) -> None:
    """Set a wall clock forward or back."""
    host = chance.choice(list(cluster.hosts.values()))
    host.skew += chance.choice((-1, 1)) * chance.randrange(20 * SECOND)
    cluster.told(f"clock of {host.name} is off by {host.skew / 1e9:.3f} s")


def _again(cluster: Cluster, chance: random.Random, end: int, host: Host) -> None:
    """Start a host again, soon or at the end."""
    later = cluster.world.now + chance.randrange(10 * MILLISECOND, 3 * SECOND)

    def start() -> None:
        if not host.removed:
            host.start()

    cluster.world.at(min(later, end), start)


def crash(cluster: Cluster, chance: random.Random, end: int) -> None:
    """Kill a daemon, and start it again."""
    host = _some(cluster, chance)
    if host is not None:
        cluster.told(f"{host.name} is killed")
        host.crash()
        cluster.strike()
        _again(cluster, chance, end, host)


def power_failure(cluster: Cluster, chance: random.Random, end: int) -> None:
    """Cut the power of a host."""
    host = _some(cluster, chance)
    if host is not None:
        cluster.told(f"{host.name} loses its power")
        host.power_failure()
        cluster.strike()
        _again(cluster, chance, end, host)


def crash_all(cluster: Cluster, chance: random.Random, end: int) -> None:
    """Kill all daemons at once, or cut the power of all hosts."""
    power = chance.random() < 0.5
    cluster.told("all lose their power" if power else "all are killed")
    at_once = chance.random() < 0.5
    for host in cluster.members():
        if host.life is not None:
            host.power_failure() if power else host.crash()
            if at_once:
                cluster.world.at(cluster.world.now + 1, host.start)
            else:
                _again(cluster, chance, end, host)
    cluster.strike()


def leave(cluster: Cluster, chance: random.Random, end: int) -> None:
    """End a daemon properly, and start it again."""
    host = _some(cluster, chance)
    if host is not None and host.running:
        cluster.told(f"{host.name} leaves")
        host.leave()
        cluster.strike()
        _again(cluster, chance, end, host)


def wipe(cluster: Cluster, chance: random.Random, end: int) -> None:
    """Lose a disk; the host joins again with an empty one."""
    host = _some(cluster, chance)
    if host is not None and len(cluster.running()) > 1:
        cluster.told(f"{host.name} loses its disk")
        host.wipe()
        cluster.strike()
        _again(cluster, chance, end, host)


def forget(cluster: Cluster, chance: random.Random, end: int) -> None:
    """Take a host out of the cluster; perhaps it comes back with what it had."""
    host = _some(cluster, chance)
    if host is None or len(cluster.running()) < 3:
        return
    cluster.told(f"{host.name} is killed, and taken out by an operator")
    host.crash()
    host.removed = True
    cluster.strike()
    back = chance.random() < 0.6

    def take_out() -> None:
        if not forget_everywhere(cluster):
            cluster.world.after(SECOND // 2, take_out)
        elif back:
            cluster.world.after(chance.randrange(2 * SECOND), come_back)

    def come_back() -> None:
        if cluster.world.now < end:
            cluster.told(f"{host.name} comes back with its old store")
            host.removed = False
            host.start()

    cluster.world.after(chance.randrange(SECOND), take_out)


def forget_everywhere(cluster: Cluster) -> bool:
    """Let the operator take out who is away for good, where it is not yet out; tell whether it is.

    An operator repeats a command whose node was killed before it could tell the others.
    """
    gone = [host.origin for host in cluster.hosts.values() if host.removed]
    lives = [host.life for host in cluster.running() if host.life is not None]
    for life in lives:
        for origin in gone:
            if origin in life.replica.members.members.keys() | life.replica.vectors.strangers():
                life.replica.forget(origin)
                break
    return bool(lives)


FAULTS: tuple[tuple[Fault, int], ...] = (
    (bad_weather, 6),
    (partition, 5),
    (stop, 4),
    (stall, 3),
    (clock_jump, 2),
    (crash, 5),
    (power_failure, 3),
    (crash_all, 1),
    (leave, 1),
    (wipe, 2),
    (forget, 1),
)
