"""A slow link: a process that hands a connection on, so many bytes a second, and counts them.

What has been taken waits in it for its turn, and it takes no more than that, so a sender feels the
link as narrow as it is. SIGSTOP makes it a link that stands still. Run as a program: `proxy.py
TARGET_PORT BYTES_A_SECOND DELAY_SECONDS`; prints its own port, then at each line of its standard
input how many bytes went either way.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PIECE_BYTES = 1400
LOCALHOST = "127.0.0.1"


class Link:
    """Hands connections on to a port of this machine; 0 bytes a second: as fast as they come."""

    def __init__(self, target: int, bytes_a_second: float, delay_seconds: float) -> None:
        self._target, self._rate, self._delay = target, bytes_a_second, delay_seconds
        self.sent_bytes = self.received_bytes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand one connection on, both ways, until either end closes."""
        far_reader, far_writer = await asyncio.open_connection(LOCALHOST, self._target)
        ways = (self._hand_on(reader, far_writer, 0), self._hand_on(far_reader, writer, 1))
        tasks = [asyncio.create_task(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for each in (far_writer, writer):
            each.close()

    async def _hand_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: int
    ) -> None:
        loop = asyncio.get_running_loop()
        free_at = loop.time()
        while data := await source.read(PIECE_BYTES):
            if way:
                self.received_bytes += len(data)
            else:
                self.sent_bytes += len(data)
            free_at = max(free_at, loop.time())
            if self._rate:
                free_at += len(data) / self._rate
                await asyncio.sleep(free_at - loop.time())
            loop.call_later(self._delay, sink.write, data)


async def run(target: int, bytes_a_second: float, delay_seconds: float) -> None:
    """Serve until standard input ends."""
    link = Link(target, bytes_a_second, delay_seconds)
    server = await asyncio.start_server(link.serve, LOCALHOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(link.sent_bytes, link.received_bytes, flush=True)


class Proxy:
    """The process of a link."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process, self.pid = process, process.pid
        self.port = int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def bytes_so_far(self) -> int:
        """Return how many bytes have gone through, both ways together."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return sum(map(int, self._line().split()))


@contextmanager
def proxy(target: int, bytes_a_second: float = 0.0, delay_seconds: float = 0.0) -> Iterator[Proxy]:
    """Run a link to a port of this machine for a block."""
    line = [sys.executable, "-m", "remoting.proxy"]
    line += map(str, (target, bytes_a_second, delay_seconds))
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Proxy(process)
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
