"""The sockets between nodes, on the loopback: groups, buffers, drops, waking, streams."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from isinglass import clock
from isinglass.errors import ClusterError
from isinglass.wire.seals import DATAGRAM_LIMIT
from isinglass.wire.transport import Peer, Server
from isinglass.wire.transport.cluster import Connecting, listen_for_streams
from isinglass.wire.transport.multicast import Address, GroupSockets, interface_address

GROUP, LOOPBACK = "239.255.73.71", "127.0.0.1"
BUFFER_BYTES = 1 << 20
IP_RECVTTL = 12  # linux/in.h
Open = Callable[..., GroupSockets]


def free_port() -> int:
    """Return a datagram port that nobody has; multicast ports cannot be had from the kernel."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("", 0))
        return int(asking.getsockname()[1])


@pytest.fixture
def node() -> Iterator[Open]:
    """A function that opens one more node of a group of this test alone."""
    port, opened = free_port(), list[GroupSockets]()

    def open_one(
        group: str = GROUP, port: int = port, ttl: int = 1, buffer: int = BUFFER_BYTES
    ) -> GroupSockets:
        opened.append(GroupSockets(group, port, LOOPBACK, ttl, buffer))
        return opened[-1]

    yield open_one
    for sockets in opened:
        sockets.close()


def received(sockets: GroupSockets, count: int) -> list[tuple[bytes, Address]]:
    """Return datagrams as they come, at least so many."""
    found: list[tuple[bytes, Address]] = []
    while len(found) < count:
        came = sockets.receive(1000, 10)
        assert came, f"only {len(found)} of {count} came"
        found += came
    return found


def nothing(sockets: GroupSockets) -> bool:
    return sockets.receive(10, 0.1) == []


def test_all_nodes_of_a_group_hear_all_and_their_sender_s_address(node: Open) -> None:
    nodes = [node() for _ in range(4)]
    for number, sender in enumerate(nodes):
        assert sender.multicast(b"from %d" % number)
    expected = {(b"from %d" % number, sender.address) for number, sender in enumerate(nodes)}
    for receiver in nodes:
        assert set(received(receiver, 4)) == expected


def test_a_datagram_to_one_reaches_that_one(node: Open) -> None:
    first, second, third = node(), node(), node()
    first.multicast(b"where are you")
    ((_, address),) = received(second, 1)
    assert second.unicast(address, b"here")
    found = {data for data, _ in received(first, 2)}
    assert found == {b"where are you", b"here"}
    assert received(third, 1) and nothing(third)


PROGRAM = """
import sys
from isinglass.wire.transport.multicast import GroupSockets
sockets = GroupSockets("239.255.73.71", int(sys.argv[1]), "127.0.0.1", 1, 65536)
print("ready", flush=True)
((data, address),) = sockets.receive(1, 20)
sockets.unicast(address, data + b" heard by " + sys.argv[2].encode())
"""


def test_processes_of_one_machine_share_a_group(node: Open) -> None:
    port = free_port()
    sender = node(port=port)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(port), name], stdout=subprocess.PIPE, text=True
        )
        for name in ("oak", "elm")
    ]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    sender.multicast(b"hello")
    found = {data for data, _ in received(sender, 3)}
    assert found == {b"hello", b"hello heard by oak", b"hello heard by elm"}
    for process in processes:
        assert process.wait(10) == 0
        assert process.stdout
        process.stdout.close()


def test_groups_and_ports_do_not_mix(node: Open) -> None:
    here, group, port = node(), node(group="239.255.73.72"), node(port=free_port())
    here.multicast(b"x")
    assert len(received(here, 1)) == 1
    assert nothing(group) and nothing(port)


def test_what_a_full_buffer_drops_is_counted_by_the_kernel(node: Open) -> None:
    sender, receiver = node(), node(buffer=4096)
    _, before = receiver.memory()
    assert (before.waiting_bytes, before.drops) == (0, 0)
    assert 4096 <= before.granted_bytes <= 65_536
    for number in range(100):
        assert sender.multicast(number.to_bytes(2, "big") + bytes(1200))
    own, group = receiver.memory()
    assert group.waiting_bytes > 2000
    kept = received(receiver, 1)
    assert len(kept) + group.drops == 100
    assert [data[:2] for data, _ in kept] == [n.to_bytes(2, "big") for n in range(len(kept))]
    assert receiver.memory()[1].waiting_bytes == 0
    assert (own.drops, own.waiting_bytes) == (0, 0)
    receiver_own = receiver.address
    for _ in range(100):
        sender.unicast(receiver_own, bytes(1200))
    assert receiver.memory()[0].drops > 0


@pytest.mark.root
def test_root_gets_the_buffer_it_asks_for(node: Open) -> None:
    asked = 32 * 2**20
    assert [memory.granted_bytes for memory in node(buffer=asked).memory()] == [2 * asked] * 2


def test_the_limit_is_for_each_call(node: Open) -> None:
    sockets = node()
    for _ in range(10):
        sockets.multicast(b"all")
        sockets.unicast(sockets.address, b"one")
    assert len(sockets.receive(3, 1)) == 6
    assert len(received(sockets, 14)) == 14


def test_waiting_ends_when_it_is_woken_or_the_time_is_over(node: Open) -> None:
    sockets = node()
    sockets.wake()
    sockets.wake()
    assert sockets.receive(1, 60) == []
    start = clock.monotonic_ns()
    assert sockets.receive(1, 0.05) == []
    assert clock.monotonic_ns() - start >= 49_000_000
    waking = threading.Timer(0.05, sockets.wake)
    waking.start()
    assert sockets.receive(1, 60) == []
    waking.join()


def test_too_long_a_datagram_shows_that_it_is(node: Open) -> None:
    sockets = node()
    sockets.multicast(bytes(DATAGRAM_LIMIT))
    sockets.multicast(bytes(3000))
    found = received(sockets, 2)
    assert [len(data) for data, _ in found] == [DATAGRAM_LIMIT, DATAGRAM_LIMIT + 1]


def test_what_cannot_be_sent_is_counted_and_not_raised(node: Open) -> None:
    sockets = node()
    assert not sockets.multicast(bytes(70_000))
    assert not sockets.unicast(("255.255.255.255", 9), b"x")
    assert sockets.send_failures == 2
    assert sockets.multicast(b"x")


@pytest.mark.parametrize("ttl", [0, 1, 7])
def test_datagrams_to_all_carry_the_ttl_that_was_set(node: Open, ttl: int) -> None:
    port = free_port()
    sender = node(port=port, ttl=ttl)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as looking:
        looking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        looking.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        looking.bind((GROUP, port))
        membership = socket.inet_aton(GROUP) + socket.inet_aton(LOOPBACK)
        looking.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        looking.settimeout(10)
        sender.multicast(b"x")
        _, ancillary, _, _ = looking.recvmsg(100, 100)
    assert int.from_bytes(ancillary[0][2], sys.byteorder) == ttl


@pytest.mark.parametrize(
    ("group", "interface", "says"),
    [
        (GROUP, "nosuch0", "The interface nosuch0 is not to be had (No such device)"),
        (GROUP, "192.0.2.255", "cannot be had at 192.0.2.255"),
        ("10.0.0.1", LOOPBACK, "The multicast group 10.0.0.1 port "),
    ],
)
def test_what_cannot_be_had_is_one_sentence(group: str, interface: str, says: str) -> None:
    with pytest.raises(ClusterError) as caught:
        GroupSockets(group, free_port(), interface, 1, BUFFER_BYTES)
    assert says in str(caught.value)
    assert "set " in str(caught.value)


def test_an_interface_is_found_by_name_and_by_address() -> None:
    assert interface_address("lo", GROUP) == LOOPBACK
    assert interface_address("127.0.0.5", GROUP) == "127.0.0.5"


class Loop:
    """A loop with an end at both sides of a stream."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.peers, self.came, self.lost = loop, list[Peer](), bytearray(), 0
        self.failed: list[OSError] = []
        self.changed = asyncio.Event()

    def peer(self, connection: socket.socket) -> None:
        self.peers.append(Peer(self.loop, connection, self.received, self.went, lambda: None))
        self.changed.set()

    def received(self, data: bytes) -> None:
        self.came += data
        self.changed.set()

    def went(self) -> None:
        self.lost += 1
        self.changed.set()

    def refused(self, error: OSError) -> None:
        self.failed.append(error)
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 10)


def test_streams_go_between_nodes_with_the_port_s_own_peers() -> None:
    async def talk() -> None:
        ends = Loop(asyncio.get_running_loop())
        with closing(listen_for_streams(LOOPBACK)) as listener:
            server = Server(ends.loop, listener, ends.peer)
            Connecting(ends.loop, listener.getsockname(), 10, ends.peer, ends.refused)
            await ends.until(lambda: len(ends.peers) == 2)
            ends.peers[0].write(b"x" * 3_000_000)
            await ends.until(lambda: len(ends.came) == 3_000_000)
            for option in (socket.TCP_NODELAY, socket.TCP_USER_TIMEOUT):
                for peer in ends.peers:
                    with socket.socket(fileno=peer._descriptor) as end:
                        assert end.getsockopt(socket.IPPROTO_TCP, option) > 0
                        end.detach()
            ends.peers[0].close()
            await ends.until(lambda: ends.lost == 2)
            server.close()

    asyncio.run(talk())


def test_a_connection_that_cannot_be_made_fails_once_and_a_cancelled_one_never() -> None:
    async def fail() -> None:
        ends = Loop(asyncio.get_running_loop())
        with closing(listen_for_streams(LOOPBACK)) as listener:
            address = listener.getsockname()
        refused = Connecting(ends.loop, address, 10, ends.peer, ends.refused)
        await ends.until(lambda: len(ends.failed) == 1)
        assert isinstance(ends.failed[0], OSError)
        refused.cancel()
        Connecting(ends.loop, ("255.255.255.255", 9), 10, ends.peer, ends.refused)
        await ends.until(lambda: len(ends.failed) == 2)
        with closing(socket.socket()) as full:  # nobody accepts: those beyond its queue wait
            full.bind((LOOPBACK, 0))
            full.listen(0)
            waiting = [
                Connecting(ends.loop, full.getsockname(), 0.2, ends.peer, ends.refused)
                for _ in range(5)
            ]
            cancelled = Connecting(ends.loop, full.getsockname(), 0.1, ends.peer, ends.refused)
            cancelled.cancel()
            await ends.until(lambda: len(ends.failed) + len(ends.peers) == 2 + len(waiting))
        assert {type(error) for error in ends.failed[2:]} == {TimeoutError}
        for peer in ends.peers:
            peer.close()

    asyncio.run(fail())
