"""The link to one host: a relay there, the nodes that are seen through it, and its mending.

A link that breaks is made anew by itself, after half a second at first, then twice as long each
time, up to a quarter of a minute; each node then begins with a whole copy. Meanwhile the link says
since when it is down and why. All of this runs in the loop of `links`; nodes are looked at from
outside through `remote_node`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import random

from isinglass import __version__, clock
from isinglass.errors import (
    HostAway,
    HostKeyRefused,
    RelayMismatch,
    RelayMissing,
    RemoteError,
)
from isinglass.remote import helper
from isinglass.remote import message_bodies as bodies
from isinglass.remote.address import Way
from isinglass.remote.arrivals import remote_error
from isinglass.remote.frames import Kind, Message, Unframer, framed
from isinglass.remote.pacing import RoundTrip
from isinglass.remote.pipes import Carrier, Pipe, last_line
from isinglass.remote.remote_node import RemoteNode

RELAY = "isinglass relay"
HELLO_SECONDS = 20.0
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 15.0
MOST_NOISE_BYTES = 1024 * 1024
THIS_KEY = "This key "  # so begins what a forced command of ours says
NO_SUCH_COMMAND = (2, 126, 127)  # an isinglass without `relay`, or no isinglass


class Link:
    """One host that is looked at.

    Args:
        way: the jump hosts and the host.
        carrier: what runs commands there.
        changed: called, in the loop's thread, when the link or what is known through it changed.
    """

    def __init__(self, way: Way, carrier: Carrier, changed: Callable[[], None]) -> None:
        self.way = way
        self.up = False
        self.since_wall_ns = clock.wall_ns()
        self.wrong: RemoteError | None = None
        self.names: tuple[str, ...] = ()
        self.facts: dict[str, object] = {}
        self.round_trip = RoundTrip()
        self.received_bytes = 0
        self._carrier, self._changed = carrier, changed
        self._pipe: Pipe | None = None
        self._nodes: dict[int, RemoteNode] = {}
        self._unsent = bytearray()
        self._has_relay = True

    # ------------------------------------------------------------------ nodes
    def add(self, node: RemoteNode) -> None:
        """Look at one more node."""
        node.channel = max(self._nodes, default=0) + 1
        self._nodes[node.channel] = node
        if self.up:
            self._open(node)

    def send(self, kind: int, channel: int = 0, body: bytes = b"") -> bool:
        """Send a message if the link is up; tell whether it is."""
        if not self.up or self._pipe is None:
            return False
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send_all)
        self._unsent += framed(kind, channel, body)
        return True

    def _send_all(self) -> None:
        """Send what was said in this turn of the loop together: the grants of a host's nodes."""
        if self._pipe is not None and self._unsent:
            self._pipe.write(bytes(self._unsent))
        self._unsent.clear()

    def _open(self, node: RemoteNode) -> None:
        self.send(Kind.OPEN, node.channel, node.name.encode())
        node.link_came()

    # ------------------------------------------------------------------ life
    async def run(self) -> None:
        """Keep the link up until cancelled."""
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            came_bytes = self.received_bytes
            try:
                await self._session()
            except RemoteError as reason:
                self._went(reason)
            except Exception as reason:
                # A frame that is damaged in a way nobody thought of: begin anew, with a whole copy.
                self._went(RemoteError(f"what {self.way[-1]} sent cannot be read: {reason!r}"))
            if self.received_bytes > came_bytes:
                pause = SHORTEST_PAUSE_SECONDS
            if isinstance(self.wrong, HostKeyRefused | RelayMismatch | RelayMissing):
                pause = LONGEST_PAUSE_SECONDS
            await asyncio.sleep(pause * (1 + random() / 4))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _went(self, reason: RemoteError) -> None:
        if self.up or self.wrong is None:
            self.since_wall_ns = clock.wall_ns()
        self.up, self.wrong = False, reason
        for node in self._nodes.values():
            node.link_went()
        self._changed()

    async def _session(self) -> None:
        """Start a relay and take what it sends; ends with the error that the link broke by."""
        pipe, unframer = await self._start()
        try:
            self._pipe, self.up, self.wrong = pipe, True, None
            self._unsent.clear()
            self.since_wall_ns = clock.wall_ns()
            self.round_trip = RoundTrip()
            for node in list(self._nodes.values()):
                self._open(node)
            self._changed()
            while data := await pipe.read():
                self.received_bytes += len(data)
                for message in unframer.feed(data):
                    self._take(message)
        finally:
            self._pipe, self.up = None, False
            closing = asyncio.ensure_future(pipe.close())
            code, said = await asyncio.shield(closing)
        reason = last_line(said) or ("it broke" if code is None else f"the relay ended with {code}")
        raise HostAway(f"the link to {self.way[-1]} is down: {reason}")

    def _take(self, message: Message) -> None:
        node = self._nodes.get(message.channel)
        if message.kind == Kind.FRAME and node is not None:
            arrival = node.take_frame(message.body)
            if arrival.first:
                self._changed()  # A whole copy, or one that lay in a link that stood still.
            else:
                self.round_trip.saw(max(arrival.arrived_ns - arrival.taken_ns, 0))
        elif message.kind == Kind.TEXT and node is not None:
            if node.take_text(message.body):
                self._changed()
        elif message.kind == Kind.NODES:
            names = message.body.decode("utf-8", "replace").split("\n")
            self.names = tuple(name for name in names if name)
            self._changed()
        elif message.kind == Kind.REFUSED:
            reason = remote_error(*bodies.read_wrong(message.body))
            if node is None:
                raise reason
            node.refused(reason)

    # ------------------------------------------------------------------ the relay's start
    async def _start(self) -> tuple[Pipe, Unframer]:
        """Start what relays on the far side: its isinglass, or else this one's sources."""
        if self._has_relay:
            started = await self._try(RELAY, b"")
            if started is not None:
                return started
        sources = helper.packed_sources()
        started = await self._try(helper.command(len(sources)), sources)
        if started is None:
            raise RelayMissing(
                f"{self.way[-1]} has neither `isinglass relay` nor python3 of version"
                f" {'.'.join(map(str, helper.OLDEST_PYTHON))} or later on its PATH: install"
                " isinglass there"
            )
        self._has_relay = False
        return started

    async def _try(self, command: str, first: bytes) -> tuple[Pipe, Unframer] | None:
        """Run a command and wait for its HELLO; None when the far side has no such command."""
        pipe = await self._carrier.run(self.way, command)
        unframer = Unframer()
        try:
            if first:
                pipe.write(first)
            hello = await asyncio.wait_for(self._hello(pipe, unframer), HELLO_SECONDS)
            if hello:
                self._check(hello)
                return pipe, unframer
        except TimeoutError:
            await pipe.close()
            raise RelayMissing(
                f"the relay on {self.way[-1]} did not say hello within {HELLO_SECONDS:g} s:"
                f" try `ssh {self.way[-1].host} isinglass relay --list`"
            ) from None
        except BaseException:
            await pipe.close()
            raise
        code, said = await pipe.close()
        # A key that is for something else refuses what is missing, too, and says so itself.
        missing = code in NO_SUCH_COMMAND and THIS_KEY not in said
        if missing or code == helper.EXIT_TOO_OLD:
            return None
        noise = unframer.noise.decode("utf-8", "replace")
        reason = last_line(said) or last_line(noise) or "it hung up"
        raise HostAway(f"{self.way[-1]} does not relay: {reason}")

    async def _hello(self, pipe: Pipe, unframer: Unframer) -> dict[str, object]:
        """Return what a relay says of itself; nothing when it ends before."""
        while data := await pipe.read():
            self.received_bytes += len(data)
            for message in unframer.feed(data):
                if message.kind == Kind.HELLO:
                    return bodies.read_hello(message.body)
            if unframer.noise_bytes > MOST_NOISE_BYTES:
                raise RelayMissing(
                    f"{self.way[-1]} prints without end where a relay should speak: look at its"
                    " shell's start-up files"
                )
        return {}

    def _check(self, hello: dict[str, object]) -> None:
        if hello.get("protocol") != bodies.PROTOCOL:
            raise RelayMismatch(
                f"{self.way[-1]} has isinglass {hello.get('version')}, which speaks version"
                f" {hello.get('protocol')} of the relay's protocol; this isinglass {__version__}"
                f" speaks {bodies.PROTOCOL}: install the same on both, or look with"
                f" `ssh {self.way[-1].host} isinglass dump`"
            )
        self.facts = hello
        names = hello.get("nodes")
        self.names = tuple(map(str, names)) if isinstance(names, list) else ()
