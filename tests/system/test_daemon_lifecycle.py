"""The life of a real daemon, from start to every kind of end, and what its clients may rely on."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import isinglass
from cli.commands import COMMAND
from cli.commands import isinglass as command
from held_thread import held, wait_until_held
from isinglass.glass.reader import SegmentReader
from isinglass.node.ownership import owner_of
from programs import program
from ssh_server import SshServer
from waiting import wait_until

NODE = "oak"
WAIT_SECONDS = 30.0
WATCHDOG_SECONDS = 1.0


@pytest.fixture
def node(runtime_dir: Path) -> Iterator[str]:
    """The name of a node, whose daemon is ended after the test, however it got there."""
    yield NODE
    command("daemon", "stop", NODE, "--kill-after", "20", expect=None)
    assert owner_of(runtime_dir / NODE) is None


def pid_of(node: str) -> int:
    return int(json.loads(command("daemon", "status", node, "--json").stdout)["pid"])


def kill(node: str) -> None:
    """Kill the daemon and wait until it is gone."""
    process = os.pidfd_open(pid_of(node))
    signal.pidfd_send_signal(process, signal.SIGKILL)
    assert select.select([process], [], [], WAIT_SECONDS)[0]
    os.close(process)


def test_status_tells_each_state_of_a_node(node: str, data_dir: Path) -> None:
    never = command("daemon", "status", node, expect=3).stdout
    assert "nor did one since this machine booted" in never
    started = command("daemon", "start", node).stdout
    running = json.loads(command("daemon", "status", node, "--json").stdout)
    assert started == f"Node {node} is ready (process {running['pid']}).\n"
    assert (running["running"], running["state"], running["verdict"]) == (True, "ready", "alive")
    assert running["data_directory"] == str(data_dir / node)
    assert f"runs (process {running['pid']})" in command("daemon", "status", node).stdout
    kill(node)
    assert "it was killed" in command("daemon", "status", node, expect=3).stdout
    command("daemon", "start", node)
    command("daemon", "stop", node)
    assert "ended cleanly" in command("daemon", "status", node, expect=3).stdout
    assert "No daemon" in command("daemon", "stop", node).stdout


def test_status_tells_what_the_running_daemon_was_told(node: str, tmp_path: Path) -> None:
    command("daemon", "start", node, "--data-dir", str(tmp_path / "elsewhere"))
    told = json.loads(command("daemon", "status", node, "--json").stdout)
    assert told["data_directory"] == str(tmp_path / "elsewhere" / node)
    assert told["drained"] is False
    command("daemon", "drain", node, "--for", "10m")

    def is_told() -> bool:
        told = json.loads(command("daemon", "status", node, "--json").stdout)
        return bool(told["drained"])

    wait_until(is_told, "the status says that the node is drained")
    assert "It is drained" in command("daemon", "status", node).stdout


def test_a_second_daemon_of_the_node_is_refused(node: str) -> None:
    command("daemon", "start", node)
    pid = pid_of(node)
    for action in ("start", "run"):
        refused = command("daemon", action, node, expect=1).stderr
        assert f"running already (process {pid})" in refused
    assert pid_of(node) == pid


def test_a_daemon_whose_first_words_nobody_reads_serves_and_ends_cleanly(
    node: str, runtime_dir: Path
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(WAIT_SECONDS)
        manager.bind(str(runtime_dir / "notify"))
        environment = {**os.environ, "NOTIFY_SOCKET": str(runtime_dir / "notify")}
        environment.pop("PYTHONUNBUFFERED", None)  # without it more is in line at the end
        with subprocess.Popen(
            [COMMAND, "daemon", "run", node], stderr=write_end, env=environment
        ) as process:
            os.close(write_end)
            assert manager.recv(100) == b"READY=1"
            with isinglass.connect(node) as database:
                database.create_table("t")
                database.put("t", "k", {"n": 1}, durability="commit")
            process.terminate()
            assert process.wait(WAIT_SECONDS) == 0


def test_of_many_starts_at_once_one_wins(node: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: command("daemon", "start", node, expect=None), range(4)))
    assert sorted(result.returncode for result in results) == [0, 1, 1, 1]
    assert [result for result in results if "running already" not in result.stderr] == [
        next(result for result in results if result.returncode == 0)
    ]


def test_a_store_of_another_daemon_is_refused_through_the_pipe(
    node: str, runtime_dir: Path
) -> None:
    command("daemon", "start", node)
    elsewhere = str(runtime_dir / "elsewhere")
    refused = command("daemon", "start", node, "--runtime-dir", elsewhere, expect=1)
    assert "another daemon has the store" in refused.stderr


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (("--batch-limit", "none"), 2, "--batch-limit cannot be 'none': batch_limit is a whole"),
        (("--runtime-dir", "/dev/null/x"), 2, "cannot be made: Not a directory"),
        (("--data-dir", "/dev/null/x"), 1, "cannot be used: Not a directory"),
    ],
)
@pytest.mark.parametrize("action", ["start", "run"])
def test_a_daemon_that_cannot_start_says_why(
    node: str, action: str, flags: tuple[str, ...], code: int, sentence: str
) -> None:
    assert sentence in command("daemon", action, node, *flags, expect=code).stderr


@pytest.mark.slow
@pytest.mark.sshd
def test_a_daemon_started_over_ssh_serves_after_the_hang_up(
    node: str, ssh_server: SshServer, runtime_dir: Path, data_dir: Path
) -> None:
    places = [f"ISINGLASS_RUNTIME_DIR={runtime_dir}", f"ISINGLASS_DATA_DIR={data_dir}"]
    for count in range(5):
        line = ssh_server.command("env", *places, COMMAND, "daemon", "start", node, terminal=True)
        started = subprocess.run(
            line, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
        )
        assert started.returncode == 0, started.stdout
        assert b"is ready" in started.stdout
        with isinglass.connect(node) as database:
            database.create_table("starts")
            database.put("starts", str(count), {"by": "ssh"})
            assert [key for key, _ in database.scan("starts")] == [str(n) for n in range(count + 1)]
        command("daemon", "stop", node)


# A client that writes for as long as the daemon answers and says each key that was acknowledged.
WRITER = """
import sys
import isinglass
from isinglass.errors import ClientError
node, writer, durability = sys.argv[1:]
with isinglass.connect(node, durability=durability, timeout_seconds=1.0) as database:
    print("ready", flush=True)
    for number in range(1_000_000):
        try:
            database.put("written", f"{writer}/{number:07}", {"number": number})
        except ClientError:
            break
        print(number, flush=True)
"""


def write_until_it_ends(node: str, durability: str, after_writes: int, end: str) -> dict[str, int]:
    """Let clients write, end the daemon under them, and return how many each had acknowledged."""
    with isinglass.connect(node) as database:
        database.create_table("written")
    with (
        program(WRITER, node, "a", durability) as first,
        program(WRITER, node, "b", durability) as second,
    ):
        assert first.stdout and second.stdout
        heard = [first.stdout.readline() for _ in range(after_writes)]
        if end == "kill":
            kill(node)
        else:
            command("daemon", "stop", node)
        rest = [*heard, *first.stdout.read().split()]
        return {"a": len(rest), "b": len(second.stdout.read().split())}


def test_a_stop_under_load_loses_nothing_acknowledged(node: str) -> None:
    command("daemon", "start", node)
    acknowledged = write_until_it_ends(node, "second", 2000, "stop")
    assert acknowledged["a"] >= 2000
    command("daemon", "start", node)
    assert stored(node, acknowledged) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_start_after_a_kill_recovers(node: str, seed: int) -> None:
    command("daemon", "start", node)
    acknowledged = write_until_it_ends(node, "commit", random.Random(seed).randint(5, 60), "kill")
    assert acknowledged["b"] > 0
    command("daemon", "start", node)
    assert stored(node, acknowledged) == []
    with isinglass.connect(node) as database:
        database.put("written", "after", {"number": 1})
        assert database.get("written", "after") == {"number": 1}


def stored(node: str, acknowledged: dict[str, int]) -> list[str]:
    """Return what was acknowledged and is not there."""
    with isinglass.connect(node) as database:
        there = {key for key, _ in database.scan("written")}
    promised = {f"{w}/{n:07}" for w, count in acknowledged.items() for n in range(count)}
    return sorted(promised - there)


def test_a_stopped_daemon_is_named_and_can_be_killed(node: str) -> None:
    command("daemon", "start", node)
    pid = pid_of(node)
    os.kill(pid, signal.SIGSTOP)
    asked = command("daemon", "stop", node, "--limit", "0.1", expect=1)
    assert f"it is stopped and cannot act; `kill -CONT {pid}`" in asked.stderr
    assert "runs" in command("daemon", "status", node).stdout
    killed = command("daemon", "stop", node, "--kill-after", "0.1")
    assert f"(process {pid}) was killed" in killed.stdout


# -- under a service manager ---------------------------------------------------------------------


@pytest.fixture
def manager(runtime_dir: Path) -> Iterator[socket.socket]:
    """A service manager's end: what the daemon tells it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(WAIT_SECONDS)
        listener.bind(str(runtime_dir / "notify"))
        yield listener


@pytest.fixture
def service(
    node: str, runtime_dir: Path, manager: socket.socket
) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that runs as a service manager runs it."""
    environment = {
        **os.environ,
        "NOTIFY_SOCKET": str(runtime_dir / "notify"),
        "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6)),
    }
    line = [COMMAND, "daemon", "run", node, "--watchdog-limit-seconds", "1"]
    process = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_the_service_manager_hears_of_the_daemons_life(
    node: str, service: subprocess.Popen[bytes], manager: socket.socket
) -> None:
    assert manager.recv(4096) == b"READY=1"
    with isinglass.connect(node) as database:
        database.create_table("t")
    heard = [manager.recv(4096) for _ in range(3)]
    assert heard == [b"WATCHDOG=1"] * 3
    service.send_signal(signal.SIGTERM)
    while (message := manager.recv(4096)) == b"WATCHDOG=1":
        continue
    assert message == b"STOPPING=1"
    assert service.wait(WAIT_SECONDS) == 0


@pytest.mark.slow
def test_the_watchdog_bites_when_one_thread_does_not_get_on(
    node: str, service: subprocess.Popen[bytes], manager: socket.socket, runtime_dir: Path
) -> None:
    assert manager.recv(4096) == b"READY=1"
    with SegmentReader(str(runtime_dir / node / "segment")) as reader:
        owner = reader.snapshot().owner
        assert owner is not None
    applier = next(thread.tid for thread in owner.threads if thread.name == "applier")
    with isinglass.connect(node) as database:
        database.create_table("t")
        with held(service.pid, applier) as thread:
            database.put("t", "key", {"waits": "for the disk"})
            wait_until_held(thread)
            manager.settimeout(4 * WATCHDOG_SECONDS)
            with pytest.raises(TimeoutError):
                while True:
                    assert manager.recv(4096) == b"WATCHDOG=1"
        manager.settimeout(WAIT_SECONDS)
        assert manager.recv(4096) == b"WATCHDOG=1", "the thread gets on, so the pats go on"
        database.flush()
        assert database.get("t", "key") == {"waits": "for the disk"}
