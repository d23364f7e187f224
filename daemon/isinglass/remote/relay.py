"""The far side: answers what a client grants on one pipe, with frames on another, until the end.

One thread, which waits for three things at once: a message, an instant at which something is due (a
frame, a look at the threads), and room for what is not written yet. A frame is only made when all
before it has left, so a client that stops reading costs nothing but one frame of memory, and has
the newest state one round trip after it reads again.

It ends with its standard input: an ssh session closes that, however it ends. A client that says
nothing for a quarter of an hour is gone, too, although the network did not tell.
"""

from __future__ import annotations

import os
import select
import struct
import sys
from random import random

from isinglass import clock
from isinglass.errors import IsinglassError, RelayRefused
from isinglass.glass import layout
from isinglass.remote import message_bodies as bodies
from isinglass.remote.frames import ASKING_BYTES, Kind, Message, Unframer, framed
from isinglass.remote.looks import LookTimes
from isinglass.remote.relayed import NEVER_NS, RelayedNode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

READ_BYTES = 65536
MOST_UNWRITTEN_BYTES = 1024 * 1024  # until when what the client asks is answered
SILENT_NS = 900 * clock.NANOSECONDS_PER_SECOND
MOST_CHANNELS = 512
FASTEST_HZ = 1000


class Relay:
    """One session.

    Args:
        allowed: the nodes that may be seen; empty for all of this user's on this machine.
        source: the descriptor that the client's messages come from.
        sink: the descriptor that answers go to.
        version: of isinglass, as it is told to the client.
        shows_source: hand out the texts of source files that the nodes' marks lie in.
    """

    def __init__(
        self,
        allowed: Sequence[str],
        source: int,
        sink: int,
        version: str,
        *,
        shows_source: bool = True,
    ) -> None:
        self._allowed = tuple(allowed)
        self._source, self._sink, self._version = source, sink, version
        self._sources, self._sinks = (source,), (sink,)
        self._shows_source = shows_source
        self._nodes: dict[int, RelayedNode] = {}
        self._looked_at: list[RelayedNode] = []
        self._frame_due_ns = NEVER_NS
        self._unframer = Unframer(ASKING_BYTES)
        self._messages: Iterator[Message] = iter(())
        self._more_messages = False
        self._unwritten = b""
        self._looks: LookTimes | None = None
        self._heard_ns = clock.monotonic_ns()

    def run(self) -> int:
        """Answer until the client goes; return the exit code."""
        os.set_blocking(self._sink, False)
        try:
            self._send(Kind.HELLO, 0, bodies.pack_hello(self._facts()))
            while self._step():
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            os.set_blocking(self._sink, True)
            for node in self._nodes.values():
                node.close()
        return 0

    def _facts(self) -> dict[str, object]:
        return {
            "protocol": bodies.PROTOCOL,
            "version": self._version,
            "python": ".".join(map(str, sys.version_info[:3])),
            "segment": f"{layout.FORMAT_MAJOR}.{layout.FORMAT_MINOR}",
            "pid": os.getpid(),
            "nodes": self._names(),
            "source": self._shows_source,
        }

    def _names(self) -> list[str]:
        return list(self._allowed) or layout.node_names()

    # ------------------------------------------------------------------ one turn
    def _step(self) -> bool:
        """Wait for whatever is next, and do it; return whether the session goes on."""
        looks, due_ns = self._looks, self._heard_ns + SILENT_NS
        if looks is not None and looks.due_ns < due_ns:
            due_ns = looks.due_ns
        if self._frame_due_ns < due_ns and not self._unwritten:
            due_ns = self._frame_due_ns
        rest_ns = due_ns - clock.monotonic_ns()
        writing = self._sinks if self._unwritten else ()
        wait_seconds = rest_ns / 1e9 if rest_ns > 0 else 0.0
        reading = () if self._more_messages else self._sources
        ready, room, _ = select.select(reading, writing, (), wait_seconds)
        if ready and not self._hear():
            return False
        if room:
            self._write()
            self._obey_all()
        now_ns = clock.monotonic_ns()
        if looks is not None and looks.due_ns <= now_ns and (found := looks.take(now_ns)):
            for node in self._looked_at:
                node.sample(*found)
        if self._frame_due_ns <= now_ns:
            self._send_frames(now_ns)
        return now_ns - self._heard_ns < SILENT_NS

    def _send_frames(self, now_ns: int) -> None:
        """Send the frames that are due, as long as all before them have left."""
        while not self._unwritten and self._nodes:
            due_ns, channel = min((node.due_ns, channel) for channel, node in self._nodes.items())
            self._frame_due_ns = due_ns
            if due_ns > now_ns:
                return
            self._send(Kind.FRAME, channel, self._nodes[channel].frame())

    def _send(self, kind: int, channel: int, body: bytes = b"") -> None:
        self._unwritten += framed(kind, channel, body)
        self._write()

    def _write(self) -> None:
        try:
            written = os.write(self._sink, self._unwritten)
        except BlockingIOError:
            return
        self._unwritten = self._unwritten[written:]

    # ------------------------------------------------------------------ what the client says
    def _hear(self) -> bool:
        """Take what came; return False at its end."""
        try:
            data = os.read(self._source, READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._heard_ns = clock.monotonic_ns()
        self._messages = self._unframer.feed(data)
        self._obey_all()
        return bool(data)

    def _obey_all(self) -> None:
        """Obey what was heard, but nothing more while too much waits to be written."""
        self._more_messages = True
        while len(self._unwritten) < MOST_UNWRITTEN_BYTES:
            message = next(self._messages, None)
            if message is None:
                self._more_messages = False
                return
            self._obey(message)

    def _obey(self, message: Message) -> None:
        try:
            self._answer(message)
        except IsinglassError as reason:
            self._send(Kind.REFUSED, message.channel, bodies.pack_wrong(reason))
        except (struct.error, UnicodeDecodeError):
            wrong = RelayRefused("the client does not speak the relay's protocol: update it")
            self._send(Kind.REFUSED, message.channel, bodies.pack_wrong(wrong))

    def _answer(self, message: Message) -> None:
        channel = message.channel
        if message.kind == Kind.OPEN:
            self._open(channel, message.body.decode())
        elif message.kind == Kind.GRANT and channel in self._nodes:
            node = self._nodes[channel]
            node.grant(bodies.read_grant(message.body), self._heard_ns)
            self._frame_due_ns = min(self._frame_due_ns, node.due_ns)
            self._choose_rate()
        elif message.kind == Kind.SOURCE and channel in self._nodes and self._shows_source:
            self._send(Kind.TEXT, channel, self._nodes[channel].source(message.body))
        elif message.kind == Kind.LIST:
            self._send(Kind.NODES, 0, "\n".join(self._names()).encode())

    def _open(self, channel: int, name: str) -> None:
        """Make a channel the node of that name.

        Raises:
            RelayRefused: it may not be seen, or is no name.
        """
        if self._allowed and name not in self._allowed:
            raise RelayRefused(f"node {name} may not be seen here, only {', '.join(self._allowed)}")
        if not self._allowed and ("/" in name or name.startswith(".")):
            raise RelayRefused(f"{name!r} is not the name of a node: a relay opens no paths")
        if len(self._nodes) >= MOST_CHANNELS:
            raise RelayRefused(f"a relay has {MOST_CHANNELS} channels: open another one")
        if channel in self._nodes:
            self._nodes.pop(channel).close()
        self._nodes[channel] = RelayedNode(name)

    def _choose_rate(self) -> None:
        """Look at the threads of all nodes as often as the one that wants it most often."""
        self._looked_at = [node for node in self._nodes.values() if node.looks_per_second]
        rates = (node.looks_per_second for node in self._looked_at)
        rate_hz = min(max(rates, default=0), FASTEST_HZ)
        if rate_hz == 0:
            self._looks = None
        elif self._looks is None or self._looks.rate_hz != rate_hz:
            self._looks = LookTimes(rate_hz, clock.monotonic_ns(), random)
