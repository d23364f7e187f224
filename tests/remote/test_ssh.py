"""Commands look at nodes on other hosts through real sshds, or say in one sentence why not."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable

import pytest

from cli.commands import isinglass
from isinglass.remote import message_bodies as bodies
from isinglass.remote.address import read_address
from isinglass.remote.frames import Kind, framed
from isinglass.remote.ssh import Ssh
from remote_hosts import RemoteHosts

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

LIMIT_SECONDS = 60.0
Node = subprocess.Popen[str]


def dumped(*arguments: str) -> list[str]:
    """Return the nodes that a dump shows."""
    shown = json.loads(isinglass("dump", *arguments, "--json").stdout)
    return [node["node"] for node in shown["nodes"]]


def refused(*arguments: str) -> str:
    """Return the one sentence of a command that cannot look."""
    done = isinglass(*arguments, expect=1)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_a_node_is_dumped_from_another_host(alder: Node, hosts: RemoteHosts) -> None:
    hosts.add("far")
    here, there = isinglass("dump", "alder"), isinglass("dump", "ssh://far/alder")
    assert len(there.stdout.splitlines()) == len(here.stdout.splitlines())
    events = isinglass("dump", "ssh://far/alder", "--events", "--json").stdout
    assert "commit took 1 204 ms" in events


def test_all_nodes_of_a_host(start_node: Callable[[str], Node], hosts: RemoteHosts) -> None:
    start_node("alder")
    start_node("birch")
    hosts.add("far")
    assert dumped("ssh://far/") == ["alder", "birch"]
    said = isinglass("watch", "ssh://far/", "--count", "1", expect=2).stderr
    assert "name one: alder, birch" in said


def test_threads_and_samples_of_another_host(alder: Node, hosts: RemoteHosts) -> None:
    hosts.add("far")
    threads = json.loads(isinglass("ps", "ssh://far/alder", "--json").stdout)["threads"]
    assert {"applier", "timer"} <= {thread["thread"] for thread in threads}
    done = isinglass("top", "ssh://far/alder", "--rate", "500", "--seconds", "1.5", "--json")
    report = json.loads(done.stdout)
    assert report["samples"]["achieved_hz"] > 250
    applier = [line for line in report["lines"] if line["thread"] == "applier"]
    working = next(line for line in applier if line["label"] == "applying a batch")
    assert working["samples"] > 50
    assert working["running_seconds"] is not None


def test_values_and_rates_of_another_host(alder: Node, hosts: RemoteHosts) -> None:
    hosts.add("far")
    done = isinglass(
        *("watch", "ssh://far/alder", "--fields", "queue.offered", "--json"),
        *("--interval", "0.3", "--count", "3"),
    )
    looks = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(looks) == 3
    assert all(look["fields"][0]["rate"] > 0 for look in looks[1:])
    isinglass("watch", "ssh://far/alder", "--until", "queue.offered > 10", "--quiet")


def test_through_a_jump_host(alder: Node, hosts: RemoteHosts) -> None:
    gate = hosts.add("gate")
    far = hosts.add("far", jump="gate")
    inner = hosts.add("inner")
    before = gate.logins, far.logins, inner.logins
    assert dumped("ssh://far/alder") == ["alder"]
    assert dumped("ssh://inner/alder?jump=gate") == ["alder"]
    after = gate.logins, far.logins, inner.logins
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 1]


def test_the_systems_ssh(alder: Node, hosts: RemoteHosts) -> None:
    hosts.add("gate")
    hosts.add("far", jump="gate")
    command = f"ssh -F {hosts.config}"
    assert dumped("ssh://far/alder", "--ssh-command", command) == ["alder"]
    sentence = refused("dump", "ssh://nowhere.invalid/alder", "--ssh-command", command)
    assert sentence.startswith("isinglass: nowhere.invalid: ssh: Could not resolve hostname")
    sentence = refused("dump", "ssh://far/alder", "--ssh-command", "no-such-program")
    assert "no-such-program cannot be run" in sentence


def test_a_restricted_key_with_a_forced_command(
    start_node: Callable[[str], Node], hosts: RemoteHosts
) -> None:
    start_node("alder")
    start_node("birch")
    far = hosts.add("far")
    far.authorize('restrict,command="isinglass relay alder"')
    assert dumped("ssh://far/") == ["alder"]
    sentence = refused("dump", "ssh://far/birch")
    assert sentence == "isinglass: node birch may not be seen here, only alder"
    done = subprocess.run(far.command("cat /etc/passwd"), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "This key is for `isinglass relay` alone" in done.stderr
    done = subprocess.run(far.command("isinglass relay --list"), capture_output=True, text=True)
    assert done.stdout == "alder\n"


def test_a_login_shell_that_prints(alder: Node, hosts: RemoteHosts) -> None:
    noise = "echo Welcome; head -c 100000 /dev/urandom; exec isinglass relay"
    hosts.add("far").authorize(f'command="{noise}"')
    assert dumped("ssh://far/alder") == ["alder"]


def test_a_shell_that_only_prints(alder: Node, hosts: RemoteHosts) -> None:
    far = hosts.add("far")
    far.authorize('command="echo This account is not available.; exit 1"')
    assert refused("dump", "ssh://far/alder") == (
        "isinglass: far does not relay: This account is not available."
    )
    far.authorize('command="yes"')
    assert "prints without end" in refused("dump", "ssh://far/alder")


def test_an_unknown_host_key(alder: Node, hosts: RemoteHosts) -> None:
    far = hosts.add("far")
    (far.folder / "known_hosts").write_text("")
    sentence = refused("dump", "ssh://far/alder")
    assert f"the key of [127.0.0.1]:{far.port} is not in known_hosts: connect once" in sentence


def test_a_changed_host_key(alder: Node, hosts: RemoteHosts) -> None:
    far = hosts.add("far")
    far.change_host_key()
    sentence = refused("dump", "ssh://far/alder")
    assert "is another than the one in known_hosts: somebody may stand between" in sentence
    assert f"ssh-keygen -R '[127.0.0.1]:{far.port}'" in sentence


def test_a_key_that_opens_nothing(alder: Node, hosts: RemoteHosts) -> None:
    far = hosts.add("far")
    (far.folder / "authorized_keys").write_text((far.folder / "host_key.pub").read_text())
    assert "may not log in to far: put the public key into" in refused("ps", "ssh://far/alder")


def test_a_host_that_nobody_answers_for(alder: Node, hosts: RemoteHosts) -> None:
    far = hosts.add("far")
    far.close()
    assert "far cannot be reached: " in refused("dump", "ssh://far/alder")
    sentence = refused("dump", "ssh://no-such-host.invalid/alder")
    assert "no-such-host.invalid cannot be reached: " in sentence


def test_a_node_that_is_not_there(hosts: RemoteHosts) -> None:
    hosts.add("far")
    assert "node alder has no segment" in refused("dump", "ssh://far/alder")
    assert "No node of the user has run on far" in refused("dump", "ssh://far/")


def test_another_version_of_the_protocol(alder: Node, hosts: RemoteHosts) -> None:
    far = hosts.add("far")
    hello = bodies.pack_hello({"protocol": 99, "version": "9.9"})
    (far.folder / "hello").write_bytes(framed(Kind.HELLO, 0, hello))
    far.authorize(f'command="cat {far.folder}/hello; cat > /dev/null"')
    sentence = refused("dump", "ssh://far/alder")
    assert "far has isinglass 9.9, which speaks version 99 of the relay's protocol" in sentence
    assert "install the same on both" in sentence


def test_a_host_without_isinglass(alder: Node, hosts: RemoteHosts) -> None:
    far = hosts.add("far", with_isinglass=False)
    looked = subprocess.run(far.command("command -v isinglass"), capture_output=True)
    assert looked.stdout == b"", "the test's host has isinglass after all"
    assert dumped("ssh://far/alder") == ["alder"]
    done = isinglass("top", "ssh://far/alder", "--rate", "200", "--seconds", "1", "--json")
    assert json.loads(done.stdout)["samples"]["taken"] > 100


def test_a_host_with_neither_isinglass_nor_python(alder: Node, hosts: RemoteHosts) -> None:
    hosts.add("far", with_isinglass=False, environment={"PATH": "/nowhere"})
    assert "far has neither `isinglass relay` nor python3" in refused("dump", "ssh://far/alder")


def test_the_log_of_other_hosts(start_node: Callable[[str], Node], hosts: RemoteHosts) -> None:
    start_node("alder")
    start_node("birch")
    hosts.add("far")
    done = isinglass("log", "--node", "ssh://far/", "--json", "--level", "warn")
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    here = isinglass("log", "--rings", "--json", "--level", "warn").stdout
    assert done.stdout == here
    assert [entry["node"] for entry in entries] == ["alder", "birch"]
    both = isinglass("log", "--node", "ssh://far/", "--node", "alder", expect=2)
    assert "leave out alder" in both.stderr


@pytest.mark.parametrize(
    ("own", "expected"), [("", "aes256-gcm@openssh.com"), ("Ciphers aes128-ctr", "aes128-ctr")]
)
def test_the_cheapest_cipher_is_taken_unless_the_user_names_one(
    hosts: RemoteHosts, own: str, expected: str
) -> None:
    hosts.add("far")
    hosts.config.write_text(f"{hosts.config.read_text()}  {own}\n")

    async def cipher() -> object:
        carrier = Ssh()
        try:
            connection = await carrier._connection(read_address("ssh://far/").way)
            return connection.get_extra_info("send_cipher")
        finally:
            await carrier.close()

    assert asyncio.run(cipher()) == expected
