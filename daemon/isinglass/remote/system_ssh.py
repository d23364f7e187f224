"""The system's own `ssh` as the carrier: for what asyncssh cannot do, hardware keys, Kerberos.

One process of `ssh` a host. Its options come from ~/.ssh/config and from the command that the user
gave; only what a program needs is added: no terminal, no question, a keepalive.
"""

from __future__ import annotations

import asyncio
import shlex

from isinglass.errors import HostAway, HostKeyRefused, LoginRefused, RemoteError, UsageError
from isinglass.remote.address import Way
from isinglass.remote.pipes import (
    KEEPALIVE_COUNT,
    KEEPALIVE_SECONDS,
    STDERR_KEPT,
    ended,
    last_line,
)

READ_BYTES = 65536
END_SECONDS = 5.0
EXIT_OF_SSH = 255
OPTIONS = (
    *("-T", "-o", "BatchMode=yes"),
    *("-o", f"ServerAliveInterval={KEEPALIVE_SECONDS}"),
    *("-o", f"ServerAliveCountMax={KEEPALIVE_COUNT}"),
)
# what ssh says: the error that it is
_REASONS: tuple[tuple[str, type[RemoteError]], ...] = (
    ("host key", HostKeyRefused),
    ("permission denied", LoginRefused),
)


class SystemPipe:
    """A command behind a process of ssh."""

    def __init__(self, process: asyncio.subprocess.Process, host: str) -> None:
        self._process, self._host = process, host
        self._said = bytearray()
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        while said := await self._process.stderr.read(READ_BYTES):
            self._said += said
            del self._said[:-STDERR_KEPT]

    async def read(self) -> bytes:
        """Return what came; nothing at the end."""
        assert self._process.stdout is not None
        return await self._process.stdout.read(READ_BYTES)

    def write(self, data: bytes) -> None:
        """Send data."""
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(data)

    async def close(self) -> tuple[int | None, str]:
        """End it; return its exit code and the end of what it said.

        Raises:
            RemoteError: ssh itself failed, and why.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        if not await ended(self._process.wait(), END_SECONDS):
            # It goes on, or what it left behind (a ControlMaster, a ProxyCommand) holds its pipes.
            # Nothing public ends the first and lets go of the others.
            self._process._transport.close()  # type: ignore[attr-defined]
            await ended(self._process.wait(), END_SECONDS)
        await ended(self._listening, END_SECONDS)
        said = self._said.decode("utf-8", "replace")
        if self._process.returncode == EXIT_OF_SSH:
            reason = last_line(said) or "ssh ended without a word"
            kinds = (kind for word, kind in _REASONS if word in said.lower())
            raise next(kinds, HostAway)(f"{self._host}: {reason}")
        return self._process.returncode, said


class SystemSsh:
    """Runs commands through a command line of ssh, as `ssh -p 2222 -i KEY`."""

    def __init__(self, command: str) -> None:
        try:
            self._command = shlex.split(command)
        except ValueError as reason:
            raise UsageError(f"--ssh-command {command!r}: {reason}") from None
        if not self._command:
            raise UsageError("--ssh-command is empty: give a command such as `ssh -p 2222`.")

    def arguments(self, way: Way, command: str) -> list[str]:
        """Return the command line that runs a command at the end of a way."""
        jumps = ["-J", ",".join(map(str, way[:-1]))] if way[:-1] else []
        host = way[-1]
        port = ["-p", str(host.port)] if host.port else []
        user = ["-l", host.user] if host.user else []
        return [*self._command, *OPTIONS, *jumps, *port, *user, "--", host.host, command]

    async def run(self, way: Way, command: str) -> SystemPipe:
        """Start a command.

        Raises:
            RemoteError: there is no such program here.
        """
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self.arguments(way, command),
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                start_new_session=True,
            )
        except OSError as reason:
            raise RemoteError(f"{self._command[0]} cannot be run: {reason.strerror}") from None
        return SystemPipe(process, str(way[-1]))

    async def close(self) -> None:
        """Nothing is kept open besides the pipes."""
