"""What carries a relay's two pipes: SSH spoken by asyncssh, or by the system's own `ssh`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from isinglass.remote.address import Way

STDERR_KEPT = 2000
KEEPALIVE_SECONDS, KEEPALIVE_COUNT = 15, 6  # a link that stands still for a minute is kept


class Pipe(Protocol):
    """The standard input and output of a command on the far side."""

    async def read(self) -> bytes:
        """Return what came; nothing at the end."""

    def write(self, data: bytes) -> None:
        """Send data; it waits in memory when the link is slow."""

    async def close(self) -> tuple[int | None, str]:
        """End it; return its exit code, when it is known, and the end of what it said on stderr."""


class Carrier(Protocol):
    """Runs commands on other hosts."""

    async def run(self, way: Way, command: str) -> Pipe:
        """Start a command.

        Raises:
            RemoteError: the host cannot be reached, or lets nobody in.
        """

    async def close(self) -> None:
        """End all connections."""


async def ended(waiting: Awaitable[object], limit_seconds: float) -> bool:
    """Wait for the end of something, but not for ever; return whether it ended."""
    try:
        await asyncio.wait_for(waiting, limit_seconds)
    except TimeoutError:
        return False
    return True


def last_line(said: str) -> str:
    """Return the last line of what a command said, which is most often the reason."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else ""
