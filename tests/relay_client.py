"""A client of one relay on this machine, spoken to over pipes as ssh would have them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from cli.commands import COMMAND
from isinglass import clock
from isinglass.remote import message_bodies as bodies
from isinglass.remote.arrivals import Arrival, Frames
from isinglass.remote.frames import Kind, Message, Unframer, framed
from isinglass.remote.message_bodies import Grant

LIMIT_SECONDS = 20.0


class RelayClient:
    """Speaks to a relay; a node is a channel."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._unframer = Unframer()
        self._waiting: list[Message] = []
        self._frames: dict[int, Frames] = {}

    def send(self, kind: int, channel: int = 0, body: bytes = b"") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(framed(kind, channel, body))
        self.process.stdin.flush()

    def hear(self) -> Message:
        """Return the next message; the relay's end is a failure."""
        assert self.process.stdout is not None
        while not self._waiting:
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, "the relay ended"
            self._waiting.extend(self._unframer.feed(data))
        return self._waiting.pop(0)

    def hello(self) -> dict[str, object]:
        message = self.hear()
        assert message.kind == Kind.HELLO
        return bodies.read_hello(message.body)

    def open(self, name: str, channel: int = 1) -> None:
        self.send(Kind.OPEN, channel, name.encode())
        self._frames[channel] = Frames()

    def grant(
        self, channel: int = 1, delay_seconds: float = 0.0, looks: int = 0, flags: int = 0
    ) -> None:
        delay_ns = int(delay_seconds * 1e9)
        grant = Grant(clock.monotonic_ns(), delay_ns, looks, flags)
        self.send(Kind.GRANT, channel, grant.packed())

    def frame(self) -> Arrival:
        message = self.hear()
        assert message.kind == Kind.FRAME, message.body
        return self._frames[message.channel].decode(message.body, clock.monotonic_ns())

    def look(self, channel: int = 1, delay_seconds: float = 0.0, looks: int = 0) -> Arrival:
        """Grant a frame and return it."""
        self.grant(channel, delay_seconds, looks)
        return self.frame()


@contextmanager
def relay(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] = (COMMAND, "relay"),
) -> Iterator[RelayClient]:
    """Run a relay until the block ends."""
    process = subprocess.Popen(
        [*command, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    try:
        yield RelayClient(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
