"""One node over a narrow link, which then stands still for a while: what is seen first after it."""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

from isinglass import clock
from remote_hosts import RemoteHosts
from remoting.proxy import proxy
from remoting.watching import Watched, Watching, cpu_seconds
from ssh_server import SshServer

BYTES_A_SECOND, DELAY_SECONDS = 16_000.0, 0.04
NAME = "slow"
HOST = """
Host {name}
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/client_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/slow_known_hosts
"""


class Stopped(NamedTuple):
    """After a stop: when the newest state was there, frames that were older, the relay's CPU."""

    seconds: float
    stale: int
    relay_cpu: float


def over_a_narrow_link(
    hosts: RemoteHosts, server: SshServer, node: str, seconds: float, stop_seconds: float
) -> tuple[Watched, Stopped]:
    """Look once a second through 16 kB/s with 80 ms there and back; then stop the link."""
    with proxy(server.port, BYTES_A_SECOND, DELAY_SECONDS) as link:
        key = (server.folder / "host_key.pub").read_text()
        (server.folder / "slow_known_hosts").write_text(f"[127.0.0.1]:{link.port} {key}")
        host = HOST.format(name=NAME, port=link.port, folder=server.folder)
        hosts.config.write_text(hosts.config.read_text() + host)
        watching = Watching(f"ssh://{NAME}/{node}", server.pid)
        try:
            found = watching.run(1.0, 5, seconds)
            return found, stopped(watching, link.pid, stop_seconds)
        finally:
            watching.close()


def stopped(watching: Watching, pid: int, seconds: float) -> Stopped:
    """Stop a process that the link goes through; return what is seen when it goes on.

    The time runs from the moment the process goes on to the arrival of a frame taken after it.
    """
    watching.look(1.0, 20)
    os.kill(pid, signal.SIGSTOP)
    before = cpu_seconds([watching.relay])
    for _ in range(round(seconds)):
        clock.sleep(1.0)
        watching.look(1.0, 20)
    spent = cpu_seconds([watching.relay]) - before
    watching.node.take()
    os.kill(pid, signal.SIGCONT)
    resumed_ns, stale = clock.monotonic_ns(), 0
    while True:
        watching.node.news.wait(30.0)
        for arrival in watching.node.take():
            assert arrival.snapshot is not None
            if arrival.snapshot.taken_monotonic_ns > resumed_ns:
                return Stopped((arrival.arrived_ns - resumed_ns) / 1e9, stale, spent)
            stale += 1
            watching.node.pull()
