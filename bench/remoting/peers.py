"""`glances` as client and server, the nearest there is to compare with: what looking with it takes.

Both run on this machine, the client in a terminal of its own, once a second, through a link that
counts what goes over it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import psutil
from consoled.terminal import Terminal

from isinglass import clock
from remoting.proxy import proxy
from remoting.watching import cpu_seconds

PORT = 61_209
SETTLE_SECONDS = 10.0


class Compared(NamedTuple):
    """What it takes: % of a core on either side, and bytes a second both ways."""

    server_cpu: float
    client_cpu: float
    bytes_a_second: float


def glances(program: str, seconds: float) -> Compared:
    """Measure a server and a client of glances for a while; `program` is its command."""
    server = [program, "-s", "-B", "127.0.0.1", "-p", str(PORT), "--disable-check-update"]
    environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "SHELL": "/bin/sh"}
    with (
        subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as serving,
        proxy(PORT) as link,
        tempfile.TemporaryDirectory() as folder,
    ):
        try:
            clock.sleep(SETTLE_SECONDS)
            client = f"{program} -c 127.0.0.1 -p {link.port} --time 1 --disable-check-update"
            terminal = Terminal(Path(folder), client, environment)
            try:
                clock.sleep(SETTLE_SECONDS)
                sides = (_family(serving.pid), _family(terminal.pid))
                before = [cpu_seconds(pids) for pids in sides]
                sent, began_ns = link.bytes_so_far(), clock.monotonic_ns()
                clock.sleep(seconds)
                passed = (clock.monotonic_ns() - began_ns) / 1e9
                spent = [cpu_seconds(pids) for pids in sides]
                if len(terminal.screen().split()) < 20:
                    raise SystemExit(f"{client} shows nothing: {terminal.screen()}")
                server_cpu, client_cpu = (
                    100 * (a - b) / passed for a, b in zip(spent, before, strict=True)
                )
                return Compared(server_cpu, client_cpu, (link.bytes_so_far() - sent) / passed)
            finally:
                terminal.close()
        finally:
            serving.terminate()


def _family(pid: int) -> list[int]:
    root = psutil.Process(pid)
    return [pid, *(each.pid for each in root.children(recursive=True))]
