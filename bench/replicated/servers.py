"""The servers that are measured, each started for a block: our nodes, redis with replicas, etcd.

All of them listen on the loopback alone, on ports and directories of their own, in a session of
their own, so that an interrupt reaches them through the benchmark, which ends them by their pids.
A server that this machine does not have is `Absent`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from isinglass import clock
from isinglass.errors import SegmentError
from isinglass.glass.reader import SegmentReader

START_SECONDS = 60.0
STOP_SECONDS = 10.0
NAMES = ("alder", "birch", "cedar", "damson", "elder")
ECHO = """
import os, socket
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
with socket.create_server(("127.0.0.1", PORT)) as listener:
    while True:
        end, _ = listener.accept()
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := end.recv(4096):
            end.sendall(data)
"""
_TICKS = os.sysconf("SC_CLK_TCK")
_numbers = itertools.count()


class Absent(Exception):
    """This machine does not have that server; says how to get it."""


class Late(Exception):
    """Something did not happen within its limit."""


def wait_until(
    condition: Callable[[], object], what: str, limit_seconds: float, look_seconds: float = 0.01
) -> None:
    """Look until a condition holds.

    Raises:
        Late: it does not hold within the limit.
    """
    deadline = clock.monotonic_ns() + int(limit_seconds * 1e9)
    while not condition():
        if clock.monotonic_ns() > deadline:
            raise Late(f"not within {limit_seconds:g} s: {what}")
        clock.sleep(look_seconds)


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the processor time that live processes have had, all their threads together."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def free_ports(count: int) -> list[int]:
    """Return TCP ports that nobody has now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for a block; what it prints goes to `log`."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def echo(folder: Path) -> Iterator[int]:
    """Run a Python process that sends back what comes over TCP, for a block; gives its port.

    It keeps to the last processor, so that a writer can keep to the others.
    """
    (port,) = free_ports(1)
    program = ECHO.replace("PORT", str(port))
    with running([sys.executable, "-c", program], folder / "echo.log"):
        wait_until(lambda: _answers(port), "the echo answers", START_SECONDS)
        yield port


# ---------------------------------------------------------------------- our nodes
class Cluster:
    """The running nodes of one cluster: their names, and their processes."""

    def __init__(self, names: Sequence[str], pids: Sequence[int]) -> None:
        self.names, self.pids = names, pids

    def field(self, name: str, panel: str, field: str) -> Any:
        """Return what a field of one node's daemon shows now; 0 before it shows anything."""
        try:
            with SegmentReader(name) as reader:
                found = reader.snapshot().panel(panel)
        except SegmentError:
            return 0
        return 0 if found is None else found.get(field)

    def total(self, panel: str, field: str) -> float:
        """Return the sum of a field over all nodes."""
        return sum(float(self.field(name, panel, field)) for name in self.names)

    def is_live(self) -> bool:
        """Tell whether every node is live and has the same view of all of them."""
        return (
            len({self.field(name, "cluster", "view") for name in self.names}) == 1
            and all(self.field(name, "cluster", "state") == "live" for name in self.names)
            and self.total("cluster", "up") == len(self.names) ** 2
        )


@contextmanager
def cluster(folder: Path, nodes: int, **settings: object) -> Iterator[Cluster]:
    """Run a cluster of so many nodes for a block; its name is new each time."""
    number = next(_numbers)
    place = os.getpid() * 31 + number
    names = [f"{name}-{number}" for name in NAMES[:nodes]]
    flags = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in {
            "cluster": f"bench-{os.getpid()}-{number}",
            "interface": "lo",
            "multicast_group": f"239.255.{place % 250 + 1}.{place // 250 % 250 + 1}",
            "multicast_port": 20_000 + place % 20_000,
            **settings,
        }.items()
    ]
    python = [sys.executable, "-m", "isinglass_console.cli", "daemon", "run"]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                running([*python, name, *flags, "--insecure"], folder / f"{name}.log")
            )
            for name in names
        ]
        made = Cluster(names, [process.pid for process in processes])

        def is_live() -> bool:
            for name, process in zip(names, processes, strict=True):
                if process.poll() is not None:
                    raise RuntimeError((folder / f"{name}.log").read_text())
            return made.is_live()

        wait_until(is_live, f"a cluster of {nodes} nodes is live", START_SECONDS)
        yield made


# ---------------------------------------------------------------------- others' servers
def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Absent(f"{name} is not here: apt-get install {package}")
    return found


@contextmanager
def redis_servers(folder: Path, replicas: int = 2) -> Iterator[tuple[list[int], list[int]]]:
    """Run redis-server and its replicas for a block; gives their ports and pids, the first writes.

    The append-only file is flushed once a second, which is what durability "second" is here.

    Raises:
        Absent: there is no redis-server, or no redis-py.
    """
    try:
        import redis
    except ImportError as error:
        raise Absent("redis-py is not here: pip install redis") from error
    program = _program("redis-server", "redis-server")
    ports = free_ports(1 + replicas)
    with ExitStack() as stack:
        pids = []
        for port in ports:
            own = folder / f"redis-{port}"
            own.mkdir()
            of = [] if port == ports[0] else ["--replicaof", f"127.0.0.1 {ports[0]}"]
            command = [
                program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(own),
                "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
                "--repl-diskless-sync-delay", "0", *of,
            ]  # fmt: skip
            pids.append(stack.enter_context(running(command, own / "log")).pid)
            wait_until(partial(_answers, port), "redis-server answers", START_SECONDS)
        client = redis.Redis(port=ports[0])

        def is_complete() -> bool:
            found = client.info("replication")
            states = [found.get(f"slave{n}", {}).get("state") for n in range(replicas)]
            return states == ["online"] * replicas

        wait_until(is_complete, "the replicas of redis are online", START_SECONDS)
        client.close()
        yield ports, pids


@contextmanager
def etcd_servers(folder: Path, members: int = 3) -> Iterator[tuple[list[int], list[int]]]:
    """Run a cluster of etcd for a block; gives the members' client ports and pids.

    Raises:
        Absent: there is no etcd.
    """
    program = _program("etcd", "etcd-server")
    ports = free_ports(2 * members)
    clients, peers = ports[:members], ports[members:]
    names = [f"etcd-{number}" for number in range(members)]
    everyone = ",".join(
        f"{name}=http://127.0.0.1:{port}" for name, port in zip(names, peers, strict=True)
    )
    with ExitStack() as stack:
        pids = []
        for name, client, peer in zip(names, clients, peers, strict=True):
            own, other = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
            command = [
                program, "--name", name, "--data-dir", str(folder / name),
                "--listen-client-urls", own, "--advertise-client-urls", own,
                "--listen-peer-urls", other, "--initial-advertise-peer-urls", other,
                "--initial-cluster", everyone, "--initial-cluster-state", "new",
                "--log-level", "error",
            ]  # fmt: skip
            pids.append(stack.enter_context(running(command, folder / f"{name}.log")).pid)
        wait_until(lambda: all(map(_answers, clients)), "etcd answers", START_SECONDS)
        yield clients, pids
