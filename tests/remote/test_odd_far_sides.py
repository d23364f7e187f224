"""Far sides that are odd: another protocol, no nodes, what goes on behind ssh, jumps in a circle.

What runs in the place of ssh is a program of its own, which gets what ssh would get.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.commands import COMMAND
from isinglass.errors import HostAway, RelayMismatch, RemoteError
from isinglass.remote.address import Hop, read_address
from isinglass.remote.links import Links
from isinglass.remote.ssh import Ssh
from isinglass.remote.system_ssh import SystemSsh
from waiting import wait_until

ADDRESS = read_address("ssh://far/")
LIMIT_SECONDS = 20.0
OTHER_PROTOCOL = """
import os, sys
from isinglass.remote.frames import Kind, framed
from isinglass.remote.message_bodies import pack_hello
open(sys.argv[1], "w").write(str(os.getpid()))
os.write(1, framed(Kind.HELLO, 0, pack_hello({"protocol": 99, "version": "9.9"})))
sys.stdin.read()
"""


@pytest.fixture
def in_place_of_ssh(tmp_path: Path) -> Callable[[str], str]:
    """Return what makes a command of a shell's line, whatever arguments ssh would get."""

    def made(line: str) -> str:
        path = tmp_path / "ssh"
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
        return str(path)

    return made


def test_a_relay_of_another_protocol_is_not_left_running(
    in_place_of_ssh: Callable[[str], str], tmp_path: Path
) -> None:
    said = tmp_path / "pid"
    program = tmp_path / "relay.py"
    program.write_text(OTHER_PROTOCOL)
    links = Links(in_place_of_ssh(f"exec {sys.executable} {program} {said}"))
    try:
        link = links.link(ADDRESS.way)
        wait_until(lambda: isinstance(link.wrong, RelayMismatch), "the refusal", LIMIT_SECONDS)
        wait_until(lambda: not Path(f"/proc/{said.read_text()}").exists(), "its end", LIMIT_SECONDS)
    finally:
        links.close()


def test_a_host_without_nodes_names_none(
    in_place_of_ssh: Callable[[str], str], runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISINGLASS_RUNTIME_DIR", str(runtime_dir))
    links = Links(in_place_of_ssh(f"exec {COMMAND} relay"))
    try:
        link = links.link(ADDRESS.way)
        wait_until(lambda: link.up, "the link", LIMIT_SECONDS)
        received = link.received_bytes
        links.ask_names(link)
        wait_until(lambda: link.received_bytes > received, "the answer", LIMIT_SECONDS)
        assert link.names == ()
    finally:
        links.close()


def test_what_ssh_leaves_behind_holds_nobody_up(
    in_place_of_ssh: Callable[[str], str], tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    kept_open = os.open(fifo, os.O_RDWR)
    command = in_place_of_ssh(f"exec 3< {fifo}; cat <&3 > /dev/null & echo why >&2; exit 255")

    async def said() -> None:
        pipe = await SystemSsh(command).run(ADDRESS.way, "isinglass relay")
        await pipe.close()

    try:
        with pytest.raises(HostAway, match="far: why"):
            asyncio.run(asyncio.wait_for(said(), LIMIT_SECONDS))
    finally:
        os.close(kept_open)  # ends the cat


@pytest.mark.parametrize(
    ("config", "error", "why"),
    [
        ("Host *\n ProxyJump 127.0.0.1:1\n", HostAway, "127.0.0.1:1 cannot be reached"),
        (
            "Host near\n ProxyJump far\nHost far\n ProxyJump near\n",
            RemoteError,
            "is reached through itself: give one of its jump hosts `ProxyJump none`",
        ),
    ],
    ids=["a jump host for all", "a circle"],
)
def test_jump_hosts_that_lead_back_are_no_wait(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: str,
    error: type[RemoteError],
    why: str,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir(0o700)
    (tmp_path / ".ssh" / "config").write_text(config)

    async def connect() -> None:
        ssh = Ssh()
        try:
            await asyncio.wait_for(ssh.run((Hop("near"),), "true"), LIMIT_SECONDS)
        finally:
            await ssh.close()

    with pytest.raises(error, match=why):
        asyncio.run(connect())
