"""Daemonising: survival of the hang-up, above all in the gap between fork and setsid."""

from __future__ import annotations

import fcntl
import os
import random
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isinglass import clock
from ssh_server import SshServer

TARGET = str(Path(__file__).with_name("daemonize_target.py"))
STARTS_OVER_SSH = 40
STARTS_ON_TERMINALS = 40
AT_ONCE = 4
DEATH_SECONDS = 10.0
WAIT_SECONDS = 60.0


class Terminal:
    """A pseudo-terminal with a command on it as the leader of its session, as a login has it."""

    def __init__(self, *command: str) -> None:
        self._master, slave = os.openpty()

        def take_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, preexec_fn=take_terminal
        )
        os.close(slave)

    def hang_up(self) -> None:
        """Close the terminal: the kernel sends SIGHUP to whoever is still on it (tty_ioctl(4))."""
        os.close(self._master)


class Daemon:
    """A daemon that lives, by a pidfd: its end is seen at once, whoever reaps it and when."""

    def __init__(self, pid: int) -> None:
        self._process = os.pidfd_open(pid)

    def ended(self, limit_seconds: float) -> bool:
        """Wait for its end; return whether it came within the limit."""
        return bool(select.select([self._process], [], [], limit_seconds)[0])

    def end(self) -> None:
        """End it and wait until it is gone."""
        signal.pidfd_send_signal(self._process, signal.SIGTERM)
        assert self.ended(DEATH_SECONDS)
        os.close(self._process)


def survivor(report: Path) -> Daemon | None:
    """Return the daemon of the report when it lives, after all that was on its way arrived."""
    if not report.exists():
        return None
    try:
        daemon = Daemon(int(report.read_text()))
    except ProcessLookupError:
        return None
    return None if daemon.ended(0.05) else daemon


@pytest.fixture
def report(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "report"
    yield path
    if daemon := survivor(path):
        daemon.end()


def start_on_terminal(how: str, report: Path) -> int:
    """Start a daemon on a terminal that hangs up when the command ends; return the exit code."""
    terminal = Terminal(sys.executable, TARGET, how, str(report))
    code = terminal.process.wait(WAIT_SECONDS)
    terminal.hang_up()
    return code


def hang_up_in_the_gap(how: str, report: Path) -> int:
    """Hang up while the child is between its fork and setsid; return the command's exit code."""
    path = report.with_name("fifo")
    os.mkfifo(path)
    # Open for both, so that neither side waits for the other to open it.
    with open(os.open(path, os.O_RDWR), "r+b", buffering=0) as fifo:
        terminal = Terminal(sys.executable, TARGET, how, str(report), str(path))
        if how == "classic":
            assert terminal.process.wait(WAIT_SECONDS) == 0
        else:
            assert fifo.readline() == b"in the gap\n"
        terminal.hang_up()
        return terminal.process.wait(WAIT_SECONDS)


def test_a_daemon_survives_a_hang_up_in_the_gap(report: Path) -> None:
    assert hang_up_in_the_gap("ours", report) == 0
    assert survivor(report)


def test_the_classic_order_does_not_survive_it(report: Path) -> None:
    hang_up_in_the_gap("classic", report)
    assert survivor(report) is None


@pytest.mark.slow
def test_many_daemons_survive_the_end_of_their_terminal(tmp_path: Path) -> None:
    reports = [tmp_path / f"report-{number}" for number in range(STARTS_ON_TERMINALS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(lambda report: start_on_terminal("ours", report), reports))
    survivors = [daemon for report in reports if (daemon := survivor(report))]
    for daemon in survivors:
        daemon.end()
    assert codes == [0] * STARTS_ON_TERMINALS
    assert len(survivors) == STARTS_ON_TERMINALS


@pytest.mark.slow
def test_a_hang_up_at_any_moment_leaves_a_ready_daemon_or_none(tmp_path: Path) -> None:
    chance = random.Random(2024)
    whole_ns = clock.monotonic_ns()
    first = tmp_path / "report-first"
    assert start_on_terminal("ours", first) == 0
    whole_seconds = (clock.monotonic_ns() - whole_ns) / clock.NANOSECONDS_PER_SECOND
    daemon = survivor(first)
    assert daemon
    daemon.end()
    for number in range(20):
        report = tmp_path / f"report-{number}"
        terminal = Terminal(sys.executable, TARGET, "ours", str(report))
        try:
            code = terminal.process.wait(chance.uniform(0, 1.2 * whole_seconds))
            terminal.hang_up()
        except subprocess.TimeoutExpired:
            terminal.hang_up()
            code = terminal.process.wait(WAIT_SECONDS)
        daemon = survivor(report)
        if daemon:
            daemon.end()
        # Hung up before SIGHUP was ignored: the command dies of it and has started nothing.
        assert (code, daemon is not None) in [(0, True), (-signal.SIGHUP, False)]


@pytest.mark.sshd
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_daemons_started_over_ssh_survive_its_end(ssh_server: SshServer, tmp_path: Path) -> None:
    reports = [tmp_path / f"report-{number}" for number in range(STARTS_OVER_SSH)]

    def start(report: Path) -> int:
        command = ssh_server.python(TARGET, "ours", str(report), terminal=True)
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60, check=False
        ).returncode

    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(start, reports))
    survivors = [daemon for report in reports if (daemon := survivor(report))]
    for daemon in survivors:
        daemon.end()
    assert codes == [0] * STARTS_OVER_SSH
    assert len(survivors) == STARTS_OVER_SSH


# -- what the daemon is, and what the command learns ---------------------------------------------

DESCRIBE = """
import os, signal, sys
from isinglass.node.daemonize import Outcome, daemonize
result = daemonize()
if isinstance(result, Outcome):
    print(result.pid, result.exit_code, result.sentence)
    sys.exit(result.exit_code)
links = {name: os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")
         if os.path.exists(f"/proc/self/fd/{name}")}
mask = os.umask(0)
facts = [os.getcwd(), oct(mask), os.getsid(0) != os.getpid(), os.getpgid(0) == os.getsid(0),
         signal.getsignal(signal.SIGHUP) == signal.SIG_DFL, sorted(links.values())]
"""


def run(
    source: str, pass_fds: Sequence[int] = (), env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", source],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
        pass_fds=pass_fds,
        env=env,
    )


def test_what_a_daemon_is() -> None:
    with open(__file__) as inherited:
        result = run(DESCRIBE + "result.failed(repr(facts), 7)", pass_fds=[inherited.fileno()])
    assert result.returncode == 7
    pid, code, sentence = result.stdout.split(" ", 2)
    assert int(pid) > 1
    assert code == "7"
    folder, umask, is_no_leader, is_in_session, hangs_up, links = eval(sentence)
    assert (folder, umask) == ("/", "0o27")
    assert (is_no_leader, is_in_session, hangs_up) == (True, True, True)
    assert links[:3] == ["/dev/null"] * 3
    assert len(links) == 4, "more is open than stdio and the pipe"
    assert links[3].startswith("pipe:")


@pytest.mark.parametrize(
    ("daemon", "code", "sentence"),
    [
        ("result.ready()", 0, ""),
        ("result.ready(); result.failed('too late')", 0, ""),
        ("result.failed('The disk is full: free some.')", 1, "The disk is full: free some."),
        ("result.failed('Müde.', 2); result.ready()", 2, "Müde."),
        ("os._exit(0)", 1, "The daemon ended before it was ready and could not say why"),
        ("os.kill(os.getpid(), 9)", 1, "The daemon ended before it was ready"),
        ("result.failed('x' * 10_000)", 1, "xxxx"),
    ],
)
def test_the_command_learns_how_the_start_went(daemon: str, code: int, sentence: str) -> None:
    result = run(DESCRIBE + daemon)
    assert result.returncode == code
    assert result.stdout.split(" ", 2)[2].startswith(sentence)
    assert "Traceback" not in result.stderr


def test_the_command_does_not_wait_for_ever() -> None:
    source = DESCRIBE.replace("daemonize()", "daemonize(limit_seconds=0.2)", 1)
    result = run(source + "signal.alarm(2); signal.pause()")
    assert result.returncode == 1
    assert "said nothing for 0.2 seconds" in result.stdout


def test_a_command_that_was_killed_does_not_end_the_daemon(report: Path) -> None:
    source = f"""
import os
from isinglass.node.daemonize import Outcome, daemonize
import {Path(TARGET).stem} as target
command = os.getpid()
result = daemonize()
os.kill(command, 9)
target.serve({str(report)!r})
result.ready()
import signal
signal.sigwait([signal.SIGTERM, signal.SIGALRM])
"""
    folder = str(Path(TARGET).parent)
    result = run(source, env={**os.environ, "PYTHONPATH": folder})
    assert result.returncode == -signal.SIGKILL
    while not report.exists():
        clock.sleep(0.01)
    assert survivor(report)
