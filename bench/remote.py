"""What looking at a node over SSH costs: CPU on both sides, bytes on the wire, age of what is seen.

The node is one of a real demo's three, behind a real sshd on the loopback interface, looked at as
the console does it, at 1 and 10 frames a second, with and without looks at its threads. Beside it
stand full copies, the same snapshots sent whole each time, `ssh HOST cat` of the segment, and
glances as client and server where it is installed. Then the far side's sshd is stopped for a
minute, and so is a link of 16 kB/s. Run as root, sshd, relay and client go before all others.
`bench/attach.py --remote` is this.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import quantiles

import psutil
from harness import Claim, Report, Table, finish, options
from remoting.peers import glances
from remoting.watching import Watched, Watching

from isinglass import clock
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot_codec import SnapshotEncoder

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from remoting.slow import over_a_narrow_link, stopped

from remote_hosts import RemoteHosts
from ssh_server import SshServer

ISINGLASS = str(Path(sys.executable).with_name("isinglass"))
NODE = "alder"
CASES = ((1.0, 0), (1.0, 5), (0.1, 5))  # seconds a frame, looks a second
MILLISECONDS = 1e3
REAL_TIME = 10  # the demo leaves no processor free: the link is measured, not the queue for one


@contextmanager
def demo(runtime: str) -> Iterator[None]:
    """Run a demo of three nodes with work for each."""
    line = [ISINGLASS, "demo", "--headless", "--seconds", "3600", "--runtime-dir", runtime]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as running:
        try:
            waiting = [ISINGLASS, "watch", NODE, "--until", "rate(queue.offered) > 10", "--quiet"]
            subprocess.run([*waiting, "--wait", "30", "--timeout", "60"], check=True)
            yield
        finally:
            running.send_signal(signal.SIGINT)
            running.wait()


def ninety_ninth(values: list[float]) -> float:
    """Return the 99th percentile."""
    return quantiles(values, n=100, method="inclusive")[98]


def row(case: str, found: Watched) -> tuple[object, ...]:
    """Return a case's line of the table."""
    shares = (found.relay_cpu, found.sshd_cpu, found.client_cpu)
    return (
        case,
        *(100 * share / found.seconds for share in shares),
        found.wire_bytes / found.frames,
        found.round_trip * MILLISECONDS,
        quantiles(found.ages, n=2)[0] * MILLISECONDS,
        ninety_ninth(found.ages) * MILLISECONDS,
    )


def full_copies(count: int) -> tuple[float, float]:
    """Return the bytes of a whole snapshot, deflated, and of its regions as they lie in memory."""
    whole, plain = [], []
    with SegmentReader(NODE) as reader:
        for _ in range(count):
            snapshot = reader.snapshot()
            whole.append(len(SnapshotEncoder().encode(snapshot, whole=True)))
            plain.append(sum(len(process.raw) for process in snapshot.processes))
            clock.sleep(0.1)
    return sum(whole) / count, sum(plain) / count


def cat(server: SshServer) -> tuple[float, float, float]:
    """Return bytes, seconds, and the server's CPU seconds of `ssh HOST cat` of the segment."""
    listener = psutil.Process(server.pid)
    segment = f"{os.environ['ISINGLASS_RUNTIME_DIR']}/{NODE}/segment"
    before, began_ns = sum(listener.cpu_times()), clock.monotonic_ns()
    with subprocess.Popen(server.command("cat", segment), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        size = 0
        while data := running.stdout.read(2**20):
            size += len(data)
    seconds = (clock.monotonic_ns() - began_ns) / 1e9
    return size, seconds, sum(listener.cpu_times()) - before


def go_first(pid: int) -> None:
    """Let a process, and what it starts, go before all others, where that may be done."""
    with suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(REAL_TIME))


def measure(hosts: RemoteHosts, server: SshServer, arguments: argparse.Namespace) -> Report:
    """Take all figures."""
    report = Report("remote.py", "a node over SSH")
    figures: dict[tuple[float, int], Watched] = {}
    watching = Watching(f"ssh://far/{NODE}", server.pid)
    try:
        for interval, looks in CASES:
            figures[interval, looks] = watching.run(interval, looks, arguments.seconds)
        newest, stale, spent = stopped(watching, watching.sessions[0], arguments.stopped)
        round_trip = watching.link.round_trip.mean_ns / 1e9
    finally:
        watching.close()
    narrow, after = over_a_narrow_link(hosts, server, NODE, arguments.seconds, arguments.stopped)
    whole, plain = full_copies(20)
    sent, seconds, cat_cpu = cat(server)
    columns = (
        *("frames, looks at threads", "relay, % of a core", "sshd, %", "client, %"),
        *("bytes a frame", "round trip, ms", "age p50, ms", "age p99, ms"),
    )
    rows = [row(f"{1 / case[0]:g} Hz, {case[1]} looks/s", found) for case, found in figures.items()]
    rows.append(row("1 Hz, 5 looks/s, through 16 kB/s", narrow))
    report.tables.append(Table(columns, rows))
    report.claims += claims(figures, whole)
    report.claims.append(
        Claim(
            f"newest state after {arguments.stopped:g} s without a link, seconds over one round"
            " trip",
            newest - round_trip,
            0.1,
        )
    )
    report.claims.append(
        Claim(
            f"the same after {arguments.stopped:g} s without a link of 16 kB/s",
            after.seconds - narrow.round_trip,
            0.1,
        )
    )
    report.notes.append(
        f"A whole copy each time would be {whole:,.0f} bytes deflated ({plain:,.0f} as they lie in"
        f" memory); `ssh HOST cat` of the segment sends {sent:,.0f} bytes in {seconds:.2f} s, for"
        f" {cat_cpu:.2f} s of the server's CPU. While the link was stopped the relay used"
        f" {spent:.3f} s of CPU and kept {stale} frames; the newest state was there"
        f" {newest * MILLISECONDS:.0f} ms after the link went on. Load average meanwhile:"
        f" {os.getloadavg()[1]:.0f}."
    )
    report.notes.append(beside_glances(arguments))
    return report


def beside_glances(arguments: argparse.Namespace) -> str:
    """Return what a server and a client of glances take, or that there is none here."""
    program = shutil.which(arguments.glances)
    if program is None:
        return "glances is not installed here: `pip install glances` anywhere, --glances PATH."
    found = glances(program, arguments.seconds)
    return (
        f"`glances -s` and `glances -c`, once a second: {found.server_cpu:.2f} % of a core on the"
        f" server, {found.client_cpu:.2f} % on the client, {found.bytes_a_second:,.0f} bytes a"
        " second."
    )


def claims(figures: dict[tuple[float, int], Watched], whole: float) -> Iterator[Claim]:
    """Yield what must hold of each case."""
    for (interval, looks), found in figures.items():
        case = f"{1 / interval:g} Hz, {looks} looks/s"
        server = 100 * (found.relay_cpu + found.sshd_cpu) / found.seconds
        if interval == 1.0:
            yield Claim(f"{case}: relay and sshd, % of a core", server, 0.3)
        yield Claim(f"{case}: wire over whole copies", found.wire_bytes / found.frames / whole, 0.1)
        late = ninety_ninth(found.ages) - interval - found.round_trip
        yield Claim(f"{case}: age p99 over interval and round trip, seconds", late, 0.02)


def main() -> int:
    """Start the demo and an sshd, measure, and report."""
    parser = options(__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds a case")
    parser.add_argument("--stopped", type=float, default=60.0, help="seconds without a link")
    parser.add_argument("--glances", default="glances", help="the command of glances")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        runtime = stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["PYTHONPATH"] = str(Path(__file__).parent)
        os.environ.update(ISINGLASS_RUNTIME_DIR=runtime, HOME=str(folder / "home"))
        os.environ.pop("SSH_AUTH_SOCK", None)
        hosts = RemoteHosts(folder, folder / "home")
        stack.callback(hosts.close)
        server = hosts.add("far")
        stack.enter_context(demo(runtime))
        go_first(0)
        go_first(server.pid)
        report = measure(hosts, server, arguments)
    return finish(report, arguments)


if __name__ == "__main__":
    sys.exit(main())
