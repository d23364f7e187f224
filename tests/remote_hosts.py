"""Hosts for tests of the glass over SSH: real sshds on this machine, named in ~/.ssh/config.

Each has a port, a host key and a client's key of its own, and its sessions find the nodes of the
test. The test's own HOME has the configuration, so nothing of the user's is read or written.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ssh_server import SshServer

RUN_VARIABLE = "ISINGLASS_TEST_RUN"
COMMANDS = str(Path(sys.executable).parent)
HOST = """\
Host {name}
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/client_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
"""


class RemoteHosts:
    """Makes hosts by name, and writes them into ~/.ssh/config.

    Args:
        folder: where their keys are made.
        home: the test's home directory.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder, self._home = folder, home
        self.servers: dict[str, SshServer] = {}
        self._jumps: dict[str, str] = {}
        (home / ".ssh").mkdir(parents=True)

    @property
    def config(self) -> Path:
        """The configuration, for the system's ssh."""
        return self._home / ".ssh" / "config"

    def add(
        self,
        name: str,
        *,
        jump: str = "",
        with_isinglass: bool = True,
        environment: Mapping[str, str] | None = None,
        startups: int = 200,
    ) -> SshServer:
        """Start a host; with `jump` it is reached through that one."""
        folder = self._folder / name
        folder.mkdir()
        path = os.environ["PATH"]
        without = os.pathsep.join(part for part in path.split(os.pathsep) if not _has_ours(part))
        passed_on = {
            RUN_VARIABLE: os.environ.get(RUN_VARIABLE, ""),
            "ISINGLASS_RUNTIME_DIR": os.environ["ISINGLASS_RUNTIME_DIR"],
            "PATH": f"{COMMANDS}{os.pathsep}{path}" if with_isinglass else without,
            **(environment or {}),
        }
        server = self.servers[name] = SshServer(folder, passed_on, startups)
        self._jumps[name] = jump
        self.write_config()
        return server

    def alias(self, name: str, other: str) -> None:
        """Give a host another name."""
        self.servers[other] = self.servers[name]
        self._jumps[other] = self._jumps[name]
        self.write_config()

    def write_config(self) -> None:
        """Write what the servers are now."""
        blocks = []
        for name, server in self.servers.items():
            block = HOST.format(
                name=name, port=server.port, user=getpass.getuser(), folder=server.folder
            )
            jump = self._jumps[name]
            blocks.append(block + (f"  ProxyJump {jump}\n" if jump else ""))
        self.config.write_text("\n".join(blocks))

    def close(self) -> None:
        """End all servers, and what still runs in their sessions."""
        for server in set(self.servers.values()):
            server.cut()
            server.close()


def _has_ours(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "isinglass"))
