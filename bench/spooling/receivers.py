"""The receivers under test, as real processes: our monitor, rsyslog, and a Python server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from isinglass import clock
from isinglass.glass.reader import SegmentReader
from isinglass.wire import cluster_key

WAIT_SECONDS = 60.0
BUFFER_BYTES = 4 << 20  # of every receiver's socket
SETTLE_SECONDS = 0.5
PYTHON_SERVER = """
import socketserver, socket, sys
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        file.write(self.request[0].rstrip(b"\\0") + b"\\n")
        file.flush()
file = open(sys.argv[2], "ab")
server = socketserver.UDPServer(("127.0.0.1", int(sys.argv[1])), Handler)
for option in (33, socket.SO_RCVBUF):
    try:
        server.socket.setsockopt(socket.SOL_SOCKET, option, int(sys.argv[3]))
        break
    except PermissionError:
        pass
print("ready", flush=True)
server.serve_forever(0.05)
"""
RSYSLOG = """
global(workDirectory="{folder}")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="{port}" rcvbufSize="{buffer}" ruleset="all")
template(name="plain" type="string"
  string="%timegenerated:::date-rfc3339% %syslogseverity-text% %rawmsg%\\n")
ruleset(name="all" queue.type="LinkedList" queue.size="2000000") {{
  action(type="omfile" file="{file}" template="plain")
}}
"""


class Count(NamedTuple):
    """What a receiver has of the events sent: stored, and reported as lost."""

    stored: int
    lost: int = 0


def free_port() -> int:
    """Return a UDP port that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trying:
        trying.bind(("127.0.0.1", 0))
        return int(trying.getsockname()[1])


class Receiver:
    """One receiver: how it is sent to, what it has, what it costs."""

    kind = "raw"
    together = 1
    target: tuple[str, ...]

    def __init__(self, process: subprocess.Popen[str], file: Path) -> None:
        self.process, self._file = process, file
        self._read = self._lines = 0

    def cpu_seconds(self) -> float:
        """Return the processor time that the process has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def count(self) -> Count:
        """Return what it has by now."""
        with open(self._file, "rb") as file:
            file.seek(self._read)
            while block := file.read(1 << 22):
                self._read += len(block)
                self._lines += block.count(b"\n")
        return Count(self._lines)

    def await_all(self, before: Count, sent: int) -> Count:
        """Wait until it has everything, or nothing more comes; return what came since `before`."""
        last, quiet = Count(0), clock.monotonic_ns()
        while True:
            now = self.count()
            got = Count(now.stored - before.stored, now.lost - before.lost)
            if got.stored + got.lost >= sent:
                return got
            if got != last:
                last, quiet = got, clock.monotonic_ns()
            if clock.monotonic_ns() - quiet > self.patience_seconds * 1e9:
                return got
            clock.sleep(0.05)

    patience_seconds = 2.0


class Monitor(Receiver):
    """Our monitor: durable, indexed, and it says what it has not."""

    kind = "packed"
    patience_seconds = 60.0

    def __init__(self, process: subprocess.Popen[str], name: str, together: int) -> None:
        super().__init__(process, Path())
        self._name, self.together = name, together

    def count(self) -> Count:
        """Return what is in the spool, its own events not counted, and what it reports as lost."""
        with SegmentReader(self._name) as reader:
            snapshot = reader.snapshot()
        intake, spool = snapshot.panel("intake"), snapshot.panel("spool")
        assert intake is not None and spool is not None
        lost = int(str(intake["lost"])) + int(str(intake["before"]))
        senders = [
            {field.name: field.value for field in panel.fields}
            for process in snapshot.processes
            for panel in process.panels
            if panel.name == "sender"
        ]
        own = [row for row in senders if row["process"] == "monitor"]
        own_events = sum(int(str(row["received"])) + int(str(row["repaired"])) for row in own)
        return Count(int(str(spool["events"])) - own_events, lost)


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@contextmanager
def monitor(folder: Path, together: int) -> Iterator[Monitor]:
    """Run our monitor with a key, as in production."""
    name, port = f"bench{together}", free_port()
    key_file = folder / "cluster.key"
    if not key_file.exists():
        cluster_key.create(key_file)
    group = f"239.255.{os.getpid() % 250 + 1}.{together}"
    command = [
        sys.executable, "-m", "isinglass_console.cli", "monitor", "run", "--name", name,
        "--cluster", "bench", "--cluster-key-file", str(key_file), "--interface", "lo",
        "--log-group", group, "--log-port", str(port), "--keep-free", "0",
        "--receive-buffer-bytes", str(BUFFER_BYTES),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with _ended(process):
        assert process.stderr is not None
        line = process.stderr.readline()
        if "listens" not in line:
            raise RuntimeError(line + process.stderr.read())
        made = Monitor(process, name, together)
        key = cluster_key.load(key_file).hex()
        made.target = ("--address", group, "--port", str(port), "--key", key)
        yield made


@contextmanager
def rsyslog(folder: Path) -> Iterator[Receiver]:
    """Run rsyslog with the module for UDP, into a file."""
    port, file = free_port(), folder / "rsyslog.log"
    file.touch()
    configuration = folder / "rsyslog.conf"
    configuration.write_text(
        RSYSLOG.format(folder=folder, port=port, file=file, buffer=BUFFER_BYTES)
    )
    process = subprocess.Popen(
        ["rsyslogd", "-n", "-f", str(configuration), "-i", str(folder / "rsyslog.pid")],
        stderr=subprocess.PIPE,
        text=True,
    )
    with _ended(process):
        clock.sleep(SETTLE_SECONDS * 2)
        made = Receiver(process, file)
        made.target = ("--port", str(port))
        yield made


@contextmanager
def python_server(folder: Path) -> Iterator[Receiver]:
    """Run the pair that Python's library has: `socketserver` behind `SysLogHandler`."""
    port, file = free_port(), folder / "socketserver.log"
    process = subprocess.Popen(
        [sys.executable, "-c", PYTHON_SERVER, str(port), str(file), str(BUFFER_BYTES)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with _ended(process):
        assert process.stdout is not None
        process.stdout.readline()
        made = Receiver(process, file)
        made.kind = "syslog"
        made.target = ("--port", str(port))
        yield made


def has_rsyslog() -> bool:
    """Tell whether this machine has rsyslog."""
    return shutil.which("rsyslogd") is not None
