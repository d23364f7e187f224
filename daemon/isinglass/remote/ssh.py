"""SSH by asyncssh, the one file that imports it: connections, jump hosts, keys, and their errors.

A connection is made once and carries all that goes that way: the relays of one host, and the
connections of all hosts behind one jump host. What is not in an address comes from ~/.ssh/config.
Keys are read once for each set of key files. At most eight handshakes at a time go to one host,
since sshd drops some of those above ten (MaxStartups). asyncssh takes 0.3 s to import, so it is
imported when the first connection is made, and never in a process that only looks at this machine.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from isinglass.errors import HostAway, HostKeyRefused, LoginRefused, RemoteError
from isinglass.remote.address import Hop, Way, read_hop
from isinglass.remote.pipes import KEEPALIVE_COUNT, KEEPALIVE_SECONDS, STDERR_KEPT, ended

if TYPE_CHECKING:
    import asyncssh

READ_BYTES = 65536
HANDSHAKES_AT_ONCE = 8
LOGIN_SECONDS = 30.0
CLOSE_SECONDS = 5.0
SSH_PORT = 22
# asyncssh sets ChaCha20 up anew for each packet, which takes forty times as long as AES-GCM and was
# a third of what a client on fifty hosts did. "^": before the others.
CHEAP_CIPHERS = "^aes256-gcm@openssh.com,aes128-gcm@openssh.com"
USERS_CONFIG = ()  # what makes asyncssh read ~/.ssh/config


class SshPipe:
    """A command in a session of a connection."""

    def __init__(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self._process = process
        self._said = bytearray()
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        import asyncssh

        try:
            while said := await self._process.stderr.read(READ_BYTES):
                self._said += said
                del self._said[:-STDERR_KEPT]
        except (asyncssh.Error, OSError):
            pass  # The connection broke: what reads standard output says so.

    async def read(self) -> bytes:
        """Return what came; nothing at the end."""
        import asyncssh

        try:
            return await self._process.stdout.read(READ_BYTES)
        except (asyncssh.Error, OSError):
            return b""

    def write(self, data: bytes) -> None:
        """Send data; what cannot be sent any more is not missed."""
        try:
            self._process.stdin.write(data)
        except (BrokenPipeError, OSError):
            pass

    async def close(self) -> tuple[int | None, str]:
        """End it; return its exit code, None when the connection broke, and what it said."""
        try:
            if not self._process.stdin.is_closing():
                self._process.stdin.write_eof()
        except (BrokenPipeError, OSError):
            pass
        if not await ended(self._process.wait_closed(), CLOSE_SECONDS):
            self._process.close()
        self._listening.cancel()
        return self._process.exit_status, self._said.decode("utf-8", "replace")


class Ssh:
    """The connections of this process."""

    def __init__(self) -> None:
        self._connections: dict[Way, asyncio.Task[asyncssh.SSHClientConnection]] = {}
        self._through: dict[Way, Way] = {}  # of each way: the one that its connection goes through
        self._gates: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._keys: dict[tuple[str, ...], object] = {}

    async def run(self, way: Way, command: str) -> SshPipe:
        """Start a command at the end of a way.

        Raises:
            RemoteError: no connection, and why.
        """
        import asyncssh

        connection = await self._connection(way)
        try:
            process = await connection.create_process(command, encoding=None, request_pty=False)
        except (asyncssh.Error, OSError) as reason:
            raise HostAway(f"{way[-1]} runs no command for us: {reason}") from None
        return SshPipe(process)

    async def close(self) -> None:
        """End all connections, those that others go through last."""
        for way in sorted(self._connections, key=len, reverse=True):
            task = self._connections[way]
            task.cancel()
            if task.done() and not task.cancelled() and task.exception() is None:
                task.result().close()
                await ended(task.result().wait_closed(), CLOSE_SECONDS)

    async def _connection(self, way: Way) -> asyncssh.SSHClientConnection:
        """Return the connection of a way, the one that is there or a new one."""
        task = self._connections.get(way)
        if task is None or _is_over(task):
            task = self._connections[way] = asyncio.create_task(self._connect(way))
        # Whoever waits may be cancelled; the connection is for all who go this way.
        return await asyncio.shield(task)

    async def _connect(self, way: Way) -> asyncssh.SSHClientConnection:
        import asyncssh

        hop, jumps = way[-1], way[:-1]
        try:
            known = await self._known(hop)
            if not jumps and isinstance(known.tunnel, str) and known.tunnel != "none":
                jumps = self._jumps(way, tuple(map(read_hop, known.tunnel.split(","))))
            tunnel = await self._connection(jumps) if jumps else None
            keys = await self._keys_of(hop, known)
            async with self._gate(known):
                return await asyncssh.connect(
                    hop.host,
                    tunnel=tunnel,
                    client_keys=keys,
                    known_hosts=b"" if known.known_hosts is None else (),
                    keepalive_interval=KEEPALIVE_SECONDS,
                    keepalive_count_max=KEEPALIVE_COUNT,
                    login_timeout=LOGIN_SECONDS,
                    connect_timeout=LOGIN_SECONDS,
                    agent_forwarding=False,
                    encryption_algs=() if known.config.get("Ciphers") else CHEAP_CIPHERS,
                    **_given(hop),
                )
        except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as reason:
            raise _refused_key(known, reason) from None
        except asyncssh.PermissionDenied:
            raise LoginRefused(
                f"{known.username} may not log in to {hop}: put the public key into"
                " ~/.ssh/authorized_keys there, and have its private key in ssh-agent or"
                " ~/.ssh here"
            ) from None
        except TimeoutError:
            raise HostAway(f"{hop} did not answer within {LOGIN_SECONDS:g} s") from None
        except (asyncssh.Error, OSError) as reason:
            raise HostAway(f"{hop} cannot be reached: {_reason(reason)}") from None
        except ValueError as reason:
            raise RemoteError(f"~/.ssh/config or a key file cannot be used: {reason}") from None

    def _jumps(self, way: Way, jumps: Way) -> Way:
        """Return the jump hosts that the configuration names; none before such a host itself.

        Raises:
            RemoteError: they are reached through the host that is behind them.
        """
        if jumps == way:
            return ()
        at = jumps
        while at:
            if at == way:
                raise RemoteError(
                    f"in ~/.ssh/config, {way[-1]} is reached through itself: give one of its jump"
                    " hosts `ProxyJump none`"
                )
            at = self._through.get(at, ())
        self._through[way] = jumps
        return jumps

    async def _known(self, hop: Hop) -> asyncssh.SSHClientConnectionOptions:
        """Return what the configuration says of a host; no key is read for that."""
        import asyncssh

        known: asyncssh.SSHClientConnectionOptions
        known = await asyncssh.SSHClientConnectionOptions.construct(
            None, host=hop.host, config=USERS_CONFIG, client_keys=None, **_given(hop)
        )
        return known

    def _gate(self, known: asyncssh.SSHClientConnectionOptions) -> asyncio.Semaphore:
        place = (known.host, known.port)
        return self._gates.setdefault(place, asyncio.Semaphore(HANDSHAKES_AT_ONCE))

    async def _keys_of(self, hop: Hop, known: asyncssh.SSHClientConnectionOptions) -> object:
        """Return the keys for a host, read once for all hosts that have the same key files."""
        import asyncssh

        files = known.config.get("IdentityFile", ())
        if known.config.get("IdentitiesOnly"):
            return ()  # asyncssh must see the files, since they also choose among the agent's keys.
        names = tuple(map(str, files)) if isinstance(files, list | tuple) else (str(files),)
        if names not in self._keys:
            options = asyncssh.SSHClientConnectionOptions
            whole = await options.construct(None, host=hop.host, config=USERS_CONFIG, **_given(hop))
            self._keys[names] = whole.client_keys
        return self._keys[names] or ()


def _given(hop: Hop) -> dict[str, object]:
    """Return what an address says of a host; the configuration says the rest."""
    found: dict[str, object] = {}
    if hop.port:
        found["port"] = hop.port
    if hop.user:
        found["username"] = hop.user
    return found


def _is_over(task: asyncio.Task[asyncssh.SSHClientConnection]) -> bool:
    if not task.done():
        return False
    return task.cancelled() or task.exception() is not None or task.result().is_closed()


def _reason(reason: Exception) -> str:
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason).rstrip(".") or type(reason).__name__


def _refused_key(known: asyncssh.SSHClientConnectionOptions, reason: Exception) -> RemoteError:
    """Return what to do about a host key that is unknown or changed."""
    host = known.host_key_alias or known.host
    name = host if known.port == SSH_PORT else f"[{host}]:{known.port}"
    if _has_known_keys(known, host):
        return HostKeyRefused(
            f"the key of {name} is another than the one in known_hosts: somebody may stand between;"
            f" if it was changed on purpose, `ssh-keygen -R '{name}'` and connect once with"
            f" `ssh -p {known.port} {known.host}`"
        )
    if type(reason).__name__ == "KeyExchangeFailed":
        return HostAway(
            f"{name} and asyncssh have no algorithm in common: {reason}; use --ssh-command ssh"
        )
    return HostKeyRefused(
        f"the key of {name} is not in known_hosts: connect once with"
        f" `ssh -p {known.port} {known.host}`, compare what it shows with `ssh-keygen -lf"
        " /etc/ssh/ssh_host_ed25519_key.pub` on the host, and accept it"
    )


def _has_known_keys(known: asyncssh.SSHClientConnectionOptions, host: str) -> bool:
    import asyncssh

    files = known.known_hosts
    if files is None:
        return False
    place = Path("~/.ssh/known_hosts").expanduser()
    if not files:
        files = str(place) if place.is_file() else b""
    port = known.port if known.port != SSH_PORT else None
    try:
        return bool(asyncssh.match_known_hosts(files, host, "", port)[0])
    except (OSError, ValueError):
        return False
