"""Hosts on a network of their own: namespaces around a switch, which a test can cut and narrow.

The switch is a bridge in a namespace, each host a namespace with one interface, `eth0`; nothing of
it is visible in the machine's own network, so any number of tests run side by side with the same
addresses. All of it is gone when its holders end (`held`), however the test ends.

    host 10.73.71.1  eth0 ── port1 ┐
    host 10.73.71.2  eth0 ── port2 ┼ bridge
    ...
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from held import namespace
from lossy_wire import LossyWire

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
SUBNET = "10.73.71"


def within(process: int, *command: object) -> list[str]:
    """Return a command as it runs in the network namespace of a process."""
    return ["nsenter", f"--net=/proc/{process}/ns/net", "--", *map(str, command)]


def enter(process: int) -> None:
    """Let the calling thread live in the network of a process from now on: setns(2).

    Sockets that it has keep the network they were made in.
    """
    descriptor = os.open(f"/proc/{process}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _NEW_NETWORK):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


class Host:
    """One host: its namespace, its address, and its way to the switch."""

    def __init__(self, number: int, process: int, switch: int, wire: LossyWire | None) -> None:
        self.number, self.process, self._switch = number, process, switch
        self.address = f"{SUBNET}.{number}"
        self.wire = wire

    def run(self, *command: object) -> None:
        """Run a command on this host."""
        subprocess.run(within(self.process, *command), check=True)

    def _at_switch(self, *command: object) -> None:
        subprocess.run(within(self._switch, *command), check=True)

    @contextmanager
    def link_down(self, *, here: bool = True) -> Iterator[None]:
        """Take the link down for a block: at this host, or at the switch's end of its cable."""
        run, device = (self.run, "eth0") if here else (self._at_switch, f"port{self.number}")
        run("ip", "link", "set", device, "down")
        try:
            yield
        finally:
            run("ip", "link", "set", device, "up")

    @contextmanager
    def narrow(self, rate: str) -> Iterator[None]:
        """Let no more than a rate ("4mbit") through to this host for a block (tc-tbf(8))."""
        device = f"port{self.number}"
        words = f"tc qdisc add dev {device} root tbf rate {rate} burst 32kb latency 100ms"
        self._at_switch(*words.split())
        try:
            yield
        finally:
            self._at_switch("tc", "qdisc", "del", "dev", device, "root")


def _batch(process: int, *lines: str) -> None:
    """Let `ip` do several things in a namespace."""
    command = within(process, "ip", "-batch", "-")
    subprocess.run(command, input="\n".join(lines), text=True, check=True)


@contextmanager
def network(count: int, *, lossy: bool = False) -> Iterator[list[Host]]:
    """Make a network of hosts for a block.

    Args:
        lossy: each host's cable is a `LossyWire`, which carries everything until it is told else.
    """
    with ExitStack() as stack:
        switch = stack.enter_context(namespace())
        _batch(
            switch,
            "link add bridge type bridge forward_delay 0 mcast_snooping 0",
            "link set bridge up",
        )
        hosts = []
        for number in range(1, count + 1):
            process, port = stack.enter_context(namespace()), f"port{number}"
            wire = None
            if lossy:
                wire = LossyWire((process, "eth0"), (switch, port), seed=number)
                stack.callback(wire.close)
            else:
                _batch(
                    process,
                    f"link add eth0 type veth peer name {port} netns {switch}",
                )
            _batch(switch, f"link set {port} master bridge up")
            _batch(
                process,
                f"addr add {SUBNET}.{number}/24 dev eth0",
                "link set lo up",
                "link set eth0 up",
            )
            hosts.append(Host(number, process, switch, wire))
        yield hosts
