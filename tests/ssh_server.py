"""A real sshd of the test's own: its own port, host key, authorised key and configuration.

It listens on the loopback address alone, lets in only the user who runs the tests with a key made
for the purpose, and reads none of the machine's configuration. Its sessions inherit what the leak
search and the product's directories need, since sshd passes no environment on by itself.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

SSHD = "/usr/sbin/sshd"
START_LIMIT_SECONDS = 20.0
ATTEMPTS = 5
CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups {startups}
MaxSessions 200
PrintMotd no
SetEnv {environment}
"""


class LoginRefused(Exception):
    """Sshd runs, but the account that runs the tests may not log in."""


class SshServer:
    """A running sshd; `command` gives the ssh command line that runs something behind it."""

    def __init__(self, folder: Path, environment: Mapping[str, str], startups: int = 200) -> None:
        """Make keys in `folder` and start.

        Args:
            environment: what every session gets.
            startups: how many connections at once that are not let in yet.
        """
        self.folder = folder
        self.port = 0
        self._environment, self._startups = environment, startups
        for name in ("host_key", "client_key"):
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(make, check=True, stdin=subprocess.DEVNULL)
        self.authorize()
        self._process = self._start()
        # What clients go by; `command` goes by what the server has now.
        shutil.copy(folder / "own_known_hosts", folder / "known_hosts")

    def authorize(self, options: str = "") -> None:
        """Let the client's key in with these options of authorized_keys from the next login on."""
        key = (self.folder / "client_key.pub").read_text()
        (self.folder / "authorized_keys").write_text(f"{options} {key}".lstrip())

    def change_host_key(self) -> None:
        """Start anew with another host key, of the same kind; known_hosts stays as it is."""
        sessions = self.sessions()
        if self._process.poll() is None:
            self.close()
        for name in ("host_key", "host_key.pub"):
            (self.folder / name).unlink()
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f"]
        subprocess.run([*make, str(self.folder / "host_key")], check=True)
        self.start_again()
        _kill(sessions)

    def start_again(self) -> None:
        """Start again after `close`, as it was."""
        authorized = (self.folder / "authorized_keys").read_text()
        self.authorize()  # A forced command would not answer whether it listens.
        self._process = self._start(self.port)
        (self.folder / "authorized_keys").write_text(authorized)

    @property
    def pid(self) -> int:
        """The process that listens."""
        return self._process.pid

    @property
    def logins(self) -> int:
        """How many connections have been let in so far."""
        return (self.folder / "sshd.log").read_text().count("Accepted publickey")

    def sessions(self) -> list[psutil.Process]:
        """Return the processes of sshd that serve a connection, those of the user last."""
        if self._process.poll() is not None:
            return []
        listener = psutil.Process(self._process.pid)
        return [one for one in listener.children(recursive=True) if _is_sshd(one)]

    def cut(self) -> None:
        """End all connections as a fault of the machine would: without a word."""
        _kill(self.sessions())

    def _start(self, port: int = 0) -> subprocess.Popen[bytes]:
        """Start on a port the kernel says is free; somebody may take it first, so try again."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for _ in range(ATTEMPTS):
            with socket.create_server(("127.0.0.1", port)) as probe:
                self.port = probe.getsockname()[1]
            self._configure()
            log = self.folder / "sshd.log"
            arguments = ["-D", "-f", str(self.folder / "sshd_config"), "-E", str(log)]
            process = subprocess.Popen([SSHD, *arguments], stdin=subprocess.DEVNULL)
            if self._listens(process):
                return process
            process.wait()
        raise RuntimeError(f"sshd did not start:\n{(self.folder / 'sshd.log').read_text()}")

    def _configure(self) -> None:
        environment = " ".join(f'"{name}={value}"' for name, value in self._environment.items())
        (self.folder / "sshd_config").write_text(
            CONFIGURATION.format(
                port=self.port,
                folder=self.folder,
                environment=environment,
                startups=self._startups,
            )
        )
        host_key = (self.folder / "host_key.pub").read_text()
        (self.folder / "own_known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}")

    def _listens(self, process: subprocess.Popen[bytes]) -> bool:
        log = self.folder / "sshd.log"
        command = self.command("true")
        for _ in range(int(START_LIMIT_SECONDS * 10)):
            if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                return True
            if log.exists() and "not allowed because" in log.read_text():
                process.kill()
                process.wait()
                raise LoginRefused(f"{getpass.getuser()} may not log in over ssh")
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            return False
        process.kill()
        log.open("a").write("it does not answer\n")
        return False

    def command(self, *remote: str, terminal: bool = False) -> list[str]:
        """Return the ssh command line that runs `remote`, on a terminal of its own if asked."""
        return [
            "ssh",
            *(["-tt"] if terminal else []),
            *("-F", "none", "-q", "-i", str(self.folder / "client_key"), "-p", str(self.port)),
            *("-o", f"UserKnownHostsFile={self.folder / 'own_known_hosts'}"),
            *("-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"),
            f"{getpass.getuser()}@127.0.0.1",
            *remote,
        ]

    def python(self, *arguments: str, terminal: bool = False) -> list[str]:
        """Return the ssh command line that runs this interpreter behind the server."""
        return self.command(sys.executable, *arguments, terminal=terminal)

    def close(self) -> None:
        """End the server; sessions that still run are not its children's business."""
        self._process.terminate()
        self._process.wait(START_LIMIT_SECONDS)


def _is_sshd(process: psutil.Process) -> bool:
    try:
        return "sshd" in process.name()
    except psutil.NoSuchProcess:
        return False


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
